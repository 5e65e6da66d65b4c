//! The response table, row by row, and its copy for operators.

use std::time::Duration;

use super::codes::{CODES, Rule};
use super::*;
use proptest::prelude::*;
use serde_json::json;

const ONE: RequestShape = RequestShape {
    batches: 1,
    events: 1,
    failed_before: false,
    attempts: 0,
};
const MANY: RequestShape = RequestShape {
    batches: 1,
    events: 50,
    ..ONE
};

fn answer(status: u16, body: &[u8], shape: &RequestShape) -> Decision {
    let response = Response {
        status,
        retry_after: None,
        body,
    };
    classify(&response, shape)
}

fn coded(code: &str, shape: &RequestShape) -> Decision {
    let status = code[code.len() - 3..].parse().unwrap();
    let body = json!({"type": format!("https://ns.adobe.com/aep/errors/EXEG-{code}"), "status": status, "title": "T"});
    answer(status, body.to_string().as_bytes(), shape)
}

/// A decision in one word.
fn word(decision: &Decision) -> &'static str {
    match decision {
        Decision::Delivered(_) => "delivered",
        Decision::Split(Split::Events, _) => "split",
        Decision::Split(Split::Bytes { .. }, _) => "split by bytes",
        Decision::Park(_) => "park",
        Decision::Retry(RetryLater { scope, .. }) => match scope {
            RetryScope::Organization | RetryScope::Datastream => "retry all",
            RetryScope::Request => "retry",
            RetryScope::RequestSlow => "retry late",
        },
        Decision::Reauthenticate(_) => "token",
        Decision::Halt(_) => "halt",
    }
}

#[test]
fn every_code_does_what_its_class_says_for_many_events_and_for_one() {
    let rows = [
        ("0000-503", "retry", "retry"),
        ("0001-500", "retry late", "retry late"),
        ("0002-400", "halt", "halt"),
        ("0003-400", "halt", "halt"),
        ("0004-422", "halt", "halt"),
        ("0010-422", "halt", "halt"),
        ("0011-422", "halt", "halt"),
        ("0012-422", "halt", "halt"),
        ("0013-422", "halt", "halt"),
        ("0100-500", "split", "park"),
        ("0101-400", "split", "park"),
        ("0102-400", "split", "park"),
        ("0103-400", "split", "park"),
        ("0104-422", "split", "park"),
        ("0105-400", "split", "park"),
        ("0106-400", "halt", "halt"),
        ("0107-400", "halt", "halt"),
        ("0108-400", "halt", "halt"),
        ("0109-408", "split", "park"),
        ("0110-400", "halt", "halt"),
        ("0111-415", "halt", "halt"),
        ("0112-413", "split by bytes", "park"),
        ("0113-400", "halt", "halt"),
        ("0200-504", "retry", "retry"),
        ("0201-503", "retry", "retry"),
        ("0202-502", "retry", "retry"),
        ("0203-502", "retry", "retry"),
        ("0205-502", "retry", "retry"),
        ("0300-502", "retry", "retry"),
        ("0302-409", "split", "park"),
        ("0304-400", "split", "park"),
        ("0305-400", "split", "park"),
        ("0306-400", "split", "park"),
        ("0307-502", "retry", "retry"),
        ("0308-400", "split", "park"),
        ("0400-403", "halt", "halt"),
        ("0500-401", "token", "token"),
        ("0501-401", "halt", "halt"),
        ("0502-401", "token", "token"),
        ("0503-401", "token", "token"),
        ("0504-401", "halt", "halt"),
        ("0505-401", "halt", "halt"),
        ("0506-401", "halt", "halt"),
    ];
    for (code, many, one) in rows {
        assert_eq!(
            (word(&coded(code, &MANY)), word(&coded(code, &ONE))),
            (many, one),
            "{code}"
        );
    }
    assert_eq!(rows.len(), CODES.len());
}

#[test]
fn every_status_without_a_code_has_its_rule() {
    let rows = [
        (200, "delivered", "delivered"),
        (202, "delivered", "delivered"),
        (204, "delivered", "delivered"),
        (207, "delivered", "delivered"),
        (301, "halt", "halt"),
        (308, "halt", "halt"),
        (400, "split", "park"),
        (401, "token", "token"),
        (403, "halt", "halt"),
        (404, "halt", "halt"),
        (405, "halt", "halt"),
        (408, "retry", "retry"),
        (409, "split", "park"),
        (413, "split by bytes", "park"),
        (415, "halt", "halt"),
        (418, "split", "park"),
        (422, "split", "park"),
        (429, "retry all", "retry all"),
        (500, "retry late", "retry late"),
        (501, "retry late", "retry late"),
        (502, "retry", "retry"),
        (503, "retry", "retry"),
        (504, "retry", "retry"),
        (507, "retry", "retry"),
        (520, "retry late", "retry late"),
    ];
    for (status, many, one) in rows {
        for body in [
            &b""[..],
            b"<html>Bad gateway</html>",
            b"[1]",
            b"{\"type\":\"EXEG-9999-400\"}",
        ] {
            // There, the error in the body would decide.
            if status < 300 && body.starts_with(b"{") {
                continue;
            }
            let words = (
                word(&answer(status, body, &MANY)),
                word(&answer(status, body, &ONE)),
            );
            assert_eq!(words, (many, one), "{status}");
        }
    }
}

#[test]
fn the_code_decides_before_the_status() {
    let body = br#"{"type":"https://ns.adobe.com/aep/errors/EXEG-0109-408"}"#;
    assert_eq!(word(&answer(408, body, &ONE)), "park");
    assert_eq!(word(&answer(503, body, &ONE)), "park");
}

#[test]
fn an_error_object_in_a_2xx_decides_as_if_it_were_the_answer() {
    for (code, rule) in CODES {
        let body =
            json!({"type": format!("https://ns.adobe.com/aep/errors/{code}"), "title": "T"}).to_string();
        for shape in [&ONE, &MANY] {
            let own: u16 = code[code.len() - 3..].parse().unwrap();
            let (plain, within) = (
                answer(own, body.as_bytes(), shape),
                answer(202, body.as_bytes(), shape),
            );
            assert_eq!(plain, within, "{code} {rule:?}");
        }
    }
    let words = [
        (r#"{"status":503,"title":"Service unavailable"}"#, "retry"),
        (r#"{"type":"about:blank","status":422}"#, "park"),
        (
            r#"{"type":"https://ns.adobe.com/aep/errors/EXEG-9999-503"}"#,
            "retry",
        ),
        (
            r#"{"type":"https://ns.adobe.com/aep/errors/EXEG-0204-200"}"#,
            "delivered",
        ),
        (r#"{"requestId":"x","status":"ok"}"#, "delivered"),
        (r#"{"requestId":"x","status":202}"#, "delivered"),
        (
            r#"{"errors":[{"type":"https://ns.adobe.com/aep/errors/EXEG-0201-503"}]}"#,
            "delivered",
        ),
    ];
    for (body, expected) in words {
        assert_eq!(word(&answer(200, body.as_bytes(), &ONE)), expected, "{body}");
    }
}

#[test]
fn retry_after_makes_everyone_wait_and_zero_asks_for_nothing() {
    let with = |status, seconds| {
        let response = Response {
            status,
            retry_after: Some(Duration::from_secs(seconds)),
            body: b"",
        };
        match classify(&response, &ONE) {
            Decision::Retry(retry) => (retry.after.map(|pause| pause.as_secs()), retry.scope),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(with(503, 7), (Some(7), RetryScope::Datastream));
    assert_eq!(with(503, 0), (None, RetryScope::Request));
    assert_eq!(with(429, 120), (Some(120), RetryScope::Organization));
    assert_eq!(with(429, 0), (None, RetryScope::Organization));
}

#[test]
fn a_second_server_error_takes_the_batch_apart() {
    let again = RequestShape {
        failed_before: true,
        ..MANY
    };
    let Decision::Split(Split::Events, refused) = answer(500, b"", &again) else {
        panic!("it must split")
    };
    assert_eq!(
        (refused.code.as_str(), refused.blame),
        ("http_500", Blame::Server)
    );
    assert_eq!(
        word(&answer(500, b"", &RequestShape { events: 1, ..again })),
        "park"
    );
}

#[test]
fn a_failure_that_may_be_the_inputs_is_not_retried_for_ever() {
    let tired = RequestShape { attempts: 8, ..MANY };
    assert_eq!(word(&coded("0202-502", &tired)), "split");
    assert_eq!(word(&coded("0203-502", &tired)), "retry");
}

#[test]
fn a_limit_in_a_refusal_is_learned() {
    let body = br#"{"type":"https://ns.adobe.com/aep/errors/EXEG-0112-413","detail":"at most 32768 bytes"}"#;
    let Decision::Split(by, _) = answer(413, body, &MANY) else {
        panic!("it must split")
    };
    assert_eq!(by, Split::Bytes { max: Some(32_768) });
}

#[test]
fn remarks_in_a_yes_find_their_events() {
    let entry = |code: &str, event: Option<usize>| {
        let report = event.map_or(json!({}), |event| json!({"eventIndex": event}));
        json!({"type": format!("https://ns.adobe.com/aep/errors/EXEG-{code}"), "title": "T", "report": report})
    };
    let body = json!({
        "errors": [entry("0201-503", Some(2)), entry("0203-502", None)],
        "warnings": [entry("0301-200", Some(4)), entry("0301-200", Some(99)), entry("0204-200", Some(1))],
    });
    let Decision::Delivered(accepted) = answer(207, body.to_string().as_bytes(), &MANY) else {
        panic!("207 is a yes")
    };
    let notes: Vec<_> = accepted
        .warnings
        .iter()
        .map(|(event, note)| (*event, note.as_str()))
        .collect();
    assert_eq!(
        notes,
        [
            (2, "EXEG-0201-503 T"),
            (0, "EXEG-0203-502 T"),
            (1, "EXEG-0204-200 T")
        ]
    );
    assert_eq!(accepted.suppressed, [4]);
    assert!(accepted.anomaly.is_some(), "event 99 was not sent");
}

#[test]
fn the_table_for_operators_names_every_code() {
    let document = include_str!("../../../docs/DELIVERY.md");
    for (code, rule) in CODES {
        let number = &code["EXEG-".len()..];
        let line = document
            .lines()
            .find(|line| line.starts_with('|') && line.contains(number));
        let line = line.unwrap_or_else(|| panic!("docs/DELIVERY.md does not name {number}"));
        let expected = match rule {
            Rule::Halt(_) => "halt",
            Rule::Reauthenticate => "new token",
            Rule::Refuse | Rule::TooLarge => "parked",
            Rule::Retry | Rule::RetryBounded | Rule::Throttled => "sent again",
            Rule::Server | Rule::Unknown => "parked if",
        };
        assert!(line.contains(expected), "{number} should say {expected}: {line}");
    }
}

proptest! {
    #[test]
    fn an_answer_never_panics_and_only_a_2xx_delivers(
        status in 100u16..600, body in prop::collection::vec(any::<u8>(), 0..200), events in 1usize..100, failed_before: bool
    ) {
        let shape = RequestShape { events, failed_before, ..ONE };
        let decision = answer(status, &body, &shape);
        let delivered = matches!(decision, Decision::Delivered(_));
        let is_error = Problem::parse(&body).error_status().is_some();
        prop_assert_eq!(delivered, (200..300).contains(&status) && !is_error);
        if matches!(decision, Decision::Park(_)) { prop_assert_eq!(events, 1); }
        if matches!(decision, Decision::Split(..)) { prop_assert!(events > 1); }
    }
}
