//! Tests of the fault script.

use crate::faults::script::*;

fn script(text: &str) -> Script {
    let mut script = Script::default();
    script.push(serde_json::from_str(text).unwrap(), true).unwrap();
    script
}

fn pick(script: &mut Script, path: &str, body: Option<&[u8]>) -> Option<u16> {
    match script.pick(Sighting { path, body }) {
        Pick::Step(step) => step.scripted_status(),
        Pick::NeedsBody => Some(1),
        Pick::Nothing => None,
    }
}

#[test]
fn steps_are_taken_in_order_and_as_often_as_they_say() {
    let mut script = script(r#"[{"status":503,"times":2},{"status":502}]"#);
    let taken: Vec<_> = (0..4)
        .map(|_| pick(&mut script, "/ee/v2/collect", None))
        .collect();
    assert_eq!(taken, [Some(503), Some(503), Some(502), None]);
}

#[test]
fn zero_times_means_until_a_reset() {
    let mut script = script(r#"[{"status":503,"times":0}]"#);
    assert!((0..9).all(|_| pick(&mut script, "/ee/v2/collect", None) == Some(503)));
    script.clear();
    assert_eq!(pick(&mut script, "/ee/v2/collect", None), None);
}

#[test]
fn a_step_with_a_match_waits_without_holding_others_up() {
    let mut script = script(
        r#"[{"status":400,"match":{"contains_id":"bad"}},{"status":401,"match":{"path":"interact"}},{"status":500}]"#,
    );
    assert_eq!(
        pick(&mut script, "/ee/v2/collect", None),
        Some(1),
        "the body decides"
    );
    assert_eq!(pick(&mut script, "/ee/v2/collect", Some(b"good")), Some(500));
    assert_eq!(pick(&mut script, "/ee/v2/collect", Some(b"good")), None);
    assert_eq!(pick(&mut script, "/ee/v2/collect", Some(b"..bad..")), Some(400));
    assert_eq!(pick(&mut script, "/ee/v2/interact", None), Some(401));
}

#[test]
fn token_requests_meet_only_steps_that_name_their_path() {
    let mut script = script(r#"[{"status":503},{"status":429,"match":{"path":"/ims/"}}]"#);
    assert_eq!(pick(&mut script, "/ims/token/v3", None), Some(429));
    assert_eq!(pick(&mut script, "/ims/token/v3", None), None);
}

#[test]
fn a_step_must_be_possible_and_do_something() {
    let mut script = Script::default();
    for bad in [
        r#"[{}]"#,
        r#"[{"times":3}]"#,
        r#"[{"code":"9999"}]"#,
        r#"[{"redirect":308}]"#,
        r#"[{"status":99}]"#,
    ] {
        let steps = serde_json::from_str(bad).unwrap();
        assert!(script.push(steps, true).is_err(), "{bad}");
    }
    let tls = vec![FaultStep {
        tls: Some(TlsFault::BadCert),
        ..FaultStep::default()
    }];
    assert!(script.push(tls, false).is_err());
    assert!(script.steps().is_empty());
}

#[test]
fn what_is_recorded_follows_from_the_status_unless_said() {
    let records = |text: &str| serde_json::from_str::<FaultStep>(text).unwrap().records();
    assert!(records(
        r#"{"status":207,"errors":[{"code":"0201-503","eventIndex":2}]}"#
    ));
    assert!(records(r#"{"gzip":true}"#));
    assert!(!records(r#"{"retry_after":7}"#));
    assert!(records(r#"{"status":503,"record":true}"#));
}
