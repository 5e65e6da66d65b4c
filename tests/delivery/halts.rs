//! Errors that retrying cannot fix halt one website, lose nothing, and end with a probe.

use orderfeed::config::{Config, HumanDuration, Website};
use orderfeed::store::outbox::{EventState, SenderRow, SenderState};
use orderfeed_emulator::{DEFAULT_DATASTREAM, DatastreamConfig};
use serde_json::{Value, json};

use crate::delivery::fixture::Fixture;

const SECOND: &str = "11111111-a01f-4458-8cec-ef61de241c93";

/// Asserts that `step` halts the website with `code`, and that a probe resumes it once the edge accepts again.
async fn halted_by(step: Value, code: &str) {
    let fixture = Fixture::new().await;
    fixture.script(json!([step]));
    fixture.enqueue("base", &[1, 2], &[1]).await;
    let running = fixture.run();
    let row = fixture.until_sender("base", SenderState::Halted).await;
    assert_eq!(row.code, code);
    assert!(!row.reason.is_empty() && row.until.is_some());
    assert_eq!(fixture.states(1).await, [EventState::Pending], "{code}");
    fixture.emulator.reset();
    fixture.until_nothing_is_pending().await;
    fixture.until_sender("base", SenderState::Running).await;
    fixture.stop(running).await;
    assert_eq!(
        (fixture.parked().await.len(), fixture.emulator.unique_ids()),
        (0, 2),
        "{code}"
    );
    fixture.assert_promises();
}

#[tokio::test]
async fn configuration_permission_and_redirects_halt_and_a_probe_resumes() {
    for code in [
        "0002-400", "0003-400", "0004-422", "0010-422", "0013-422", "0106-400", "0111-415", "0113-400",
    ] {
        halted_by(json!({"code": code, "times": 0}), &format!("EXEG-{code}")).await;
    }
    for code in [
        "0400-403", "0501-401", "0504-401", "0505-401", "0506-401", "0502-401",
    ] {
        halted_by(json!({"code": code, "times": 0}), &format!("EXEG-{code}")).await;
    }
    halted_by(json!({"status": 404, "times": 0}), "http_404").await;
    halted_by(json!({"status": 403, "body": "plain", "times": 0}), "http_403").await;
}

#[tokio::test]
async fn a_redirect_is_never_followed() {
    for status in [301, 302, 303, 307, 308] {
        let fixture = Fixture::new().await;
        // The other host accepts events without a token, so that a followed redirect would count as delivered.
        let target = format!(
            "{}/ee/v2/collect?datastreamId={DEFAULT_DATASTREAM}",
            fixture.emulator.edge_url()
        );
        fixture.script(json!([{"redirect": status, "to": target, "times": 0}]));
        fixture.enqueue("base", &[1], &[1]).await;
        let running = fixture.run();
        let row = fixture.until_sender("base", SenderState::Halted).await;
        assert_eq!(row.code, "redirect");
        fixture.stop(running).await;
        assert_eq!((fixture.emulator.unique_ids(), fixture.pending().await), (0, 1));
    }
}

#[tokio::test]
async fn a_server_that_fails_for_everything_halts_instead_of_parking_everything() {
    let fixture = Fixture::new().await;
    let orders: Vec<_> = (1..=6).collect();
    fixture.script(json!([{"status": 500, "code": "0001", "times": 0}]));
    fixture.enqueue_apart("base", &orders, &[1]).await;
    let running = fixture.run();
    let row = fixture.until_sender("base", SenderState::Halted).await;
    assert_eq!(row.code, "EXEG-0001-500");
    fixture.emulator.reset();
    fixture.until(&orders, EventState::Delivered).await;
    fixture.stop(running).await;
    assert_eq!(fixture.parked().await, []);
}

#[tokio::test]
async fn an_undocumented_refusal_halts_at_the_third_event_in_a_row() {
    let fixture = Fixture::new().await;
    let orders: Vec<_> = (1..=6).collect();
    fixture.script(json!([{"status": 418, "times": 0}]));
    fixture.enqueue_apart("base", &orders, &[1]).await;
    let running = fixture.run();
    fixture.until_sender("base", SenderState::Halted).await;
    fixture
        .eventually("two are parked", async || fixture.parked().await.len() == 2)
        .await;
    fixture.emulator.reset();
    fixture.until_nothing_is_pending().await;
    fixture.stop(running).await;
    assert_eq!(
        (fixture.emulator.unique_ids(), fixture.parked().await.len()),
        (4, 2)
    );
}

/// Creates a fixture with a wrong datastream whose halted sender probes every five minutes.
async fn with_a_wrong_datastream() -> Fixture {
    let set = |config: &mut Config| {
        config.delivery.retry.max = HumanDuration::from_secs(300);
        let wrong = Website::sending_to(SECOND.parse().unwrap());
        config.websites.insert("base".to_owned(), wrong);
    };
    Fixture::with(|_| {}, set).await
}

#[tokio::test]
async fn a_relevant_change_of_configuration_resumes_at_once() {
    let fixture = with_a_wrong_datastream().await;
    fixture.enqueue("base", &[1], &[1]).await;
    let running = fixture.run();
    let row = fixture.until_sender("base", SenderState::Halted).await;
    assert_eq!(row.code, "EXEG-0003-400");
    fixture.change_config(|config| config.delivery.lanes = 3);
    fixture.change_config(|config| {
        config.websites.insert(
            "base".to_owned(),
            Website::sending_to(DEFAULT_DATASTREAM.parse().unwrap()),
        );
    });
    fixture.until(&[1], EventState::Delivered).await;
    fixture.stop(running).await;
    assert_eq!(
        fixture.requests().len(),
        2,
        "the change of lanes alone probed nothing"
    );
}

#[tokio::test]
async fn an_error_of_the_old_destination_does_not_halt_the_new_one() {
    let fixture = with_a_wrong_datastream().await;
    fixture.line.close();
    fixture.enqueue("base", &[1], &[1]).await;
    let running = fixture.run();
    fixture
        .eventually("it is asked", async || fixture.requests().len() == 1)
        .await;
    fixture.change_config(|config| {
        config.delivery.lanes = 1;
        config.websites.insert(
            "base".to_owned(),
            Website::sending_to(DEFAULT_DATASTREAM.parse().unwrap()),
        );
    });
    let limit = || fixture.stats.snapshot().lanes.first().map(|(_, _, limit)| *limit);
    fixture
        .eventually("the new configuration is in force", async || limit() == Some(1))
        .await;
    fixture.line.open();
    fixture.until(&[1], EventState::Delivered).await;
    fixture.stop(running).await;
    assert_eq!(fixture.requests().len(), 2);
}

#[tokio::test]
async fn a_halt_does_not_affect_other_websites() {
    let fixture = Fixture::with(
        |edge| {
            let disabled = DatastreamConfig {
                enabled: false,
                ..DatastreamConfig::default()
            };
            edge.datastreams.insert(SECOND.to_owned(), disabled);
        },
        |config| {
            config
                .websites
                .insert("second".to_owned(), Website::sending_to(SECOND.parse().unwrap()));
        },
    )
    .await;
    fixture.enqueue("second", &[1000], &[1]).await;
    let running = fixture.run();
    fixture.until_sender("second", SenderState::Halted).await;
    for order in 1..=50 {
        fixture.enqueue("base", &[order], &[1, 2]).await;
    }
    let orders: Vec<_> = (1..=50).collect();
    fixture.until(&orders, EventState::Delivered).await;
    assert_eq!(fixture.states(1000).await, [EventState::Pending]);
    fixture
        .emulator
        .add_datastream(SECOND, DatastreamConfig::default());
    fixture.until(&[1000], EventState::Delivered).await;
    fixture.stop(running).await;
    fixture.assert_promises();
}

#[tokio::test]
async fn an_operators_pause_is_respected_until_the_resume() {
    let fixture = Fixture::with(
        |_| {},
        |config| {
            let same = config.websites["base"].clone();
            config.websites.insert("second".to_owned(), same);
        },
    )
    .await;
    let running = fixture.run();
    fixture.enqueue("base", &[1], &[1]).await;
    fixture.until(&[1], EventState::Delivered).await;
    set_sender(&fixture, SenderState::Paused).await;
    fixture.enqueue("base", &[2], &[1]).await;
    // The delivery of a second website proves that time has passed for both.
    fixture
        .eventually("the pause is noticed", async || {
            fixture
                .sender("base")
                .await
                .is_some_and(|row| row.state == SenderState::Paused)
        })
        .await;
    assert_eq!(fixture.states(2).await, [EventState::Pending]);
    set_sender(&fixture, SenderState::Running).await;
    fixture.until(&[2], EventState::Delivered).await;
    fixture.stop(running).await;
}

#[tokio::test]
async fn an_operator_resumes_a_halted_sender_at_once() {
    let fixture = Fixture::with(
        |_| {},
        |config| config.delivery.retry.max = HumanDuration::from_secs(300),
    )
    .await;
    fixture.script(json!([{"code": "0004-422"}]));
    fixture.enqueue("base", &[1], &[1]).await;
    let running = fixture.run();
    fixture.until_sender("base", SenderState::Halted).await;
    set_sender(&fixture, SenderState::Running).await;
    fixture.until(&[1], EventState::Delivered).await;
    fixture.stop(running).await;
}

pub(super) async fn set_sender(fixture: &Fixture, state: SenderState) {
    fixture
        .write(move |writer| {
            let website = writer.website_id("base")?;
            writer.set_sender(&SenderRow {
                website,
                state,
                code: String::new(),
                reason: "by an operator".to_owned(),
                since: orderfeed_model::clock::Clock::System.now(),
                until: None,
                failures: 0,
            })
        })
        .await;
}

#[tokio::test]
async fn an_untrusted_certificate_halts_and_the_right_one_resumes() {
    let fixture = Fixture::with(|edge| edge.tls = true, |_| {}).await;
    fixture.enqueue("base", &[1], &[1]).await;
    let right = fixture.config.borrow().edge.ca_file.clone();
    let wrong = fixture.store_path().with_file_name("wrong.pem");
    let other = Fixture::with(|edge| edge.tls = true, |_| {}).await;
    std::fs::write(&wrong, other.emulator.ca_pem().unwrap()).unwrap();
    // Without a token, so that the edge is the first peer.
    fixture.change_config(|config| {
        config.edge.auth = orderfeed::config::EdgeAuth::None;
        config.edge.url = fixture.emulator.edge_url().parse().unwrap();
        config.edge.ca_file = Some(wrong);
    });
    let running = fixture.run();
    let row = fixture.until_sender("base", SenderState::Halted).await;
    assert_eq!(row.code, "tls", "{row:?}");
    fixture.change_config(|config| config.edge.ca_file = right);
    fixture.until(&[1], EventState::Delivered).await;
    fixture.stop(running).await;
}
