//! Errors that retrying cannot fix halt one website, lose nothing, and end with a probe.

use orderfeed::config::{Config, HumanDuration, Website};
use orderfeed::store::outbox::{EventState, SenderRow, SenderState};
use orderfeed_emulator::{DEFAULT_DATASTREAM, DatastreamConfig};
use serde_json::{Value, json};

use crate::delivery::rig::Rig;

const SECOND: &str = "11111111-a01f-4458-8cec-ef61de241c93";

/// Asserts that `step` halts the website with `code`, and that a probe resumes it once the edge accepts again.
async fn halted_by(step: Value, code: &str) {
    let rig = Rig::new().await;
    rig.script(json!([step]));
    rig.enqueue("base", &[1, 2], &[1]).await;
    let running = rig.run();
    let row = rig.until_sender("base", SenderState::Halted).await;
    assert_eq!(row.code, code);
    assert!(!row.reason.is_empty() && row.until.is_some());
    assert_eq!(rig.states(1).await, [EventState::Pending], "{code}");
    rig.emulator.reset();
    rig.until_nothing_is_pending().await;
    rig.until_sender("base", SenderState::Running).await;
    rig.stop(running).await;
    assert_eq!(
        (rig.parked().await.len(), rig.emulator.unique_ids()),
        (0, 2),
        "{code}"
    );
    rig.assert_promises();
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
        let rig = Rig::new().await;
        // The other host accepts events without a token, so that a followed redirect would count as delivered.
        let target = format!(
            "{}/ee/v2/collect?datastreamId={DEFAULT_DATASTREAM}",
            rig.emulator.edge_url()
        );
        rig.script(json!([{"redirect": status, "to": target, "times": 0}]));
        rig.enqueue("base", &[1], &[1]).await;
        let running = rig.run();
        let row = rig.until_sender("base", SenderState::Halted).await;
        assert_eq!(row.code, "redirect");
        rig.stop(running).await;
        assert_eq!((rig.emulator.unique_ids(), rig.pending().await), (0, 1));
    }
}

#[tokio::test]
async fn a_server_that_fails_for_everything_halts_instead_of_parking_the_world() {
    let rig = Rig::new().await;
    let orders: Vec<_> = (1..=6).collect();
    rig.script(json!([{"status": 500, "code": "0001", "times": 0}]));
    rig.enqueue_apart("base", &orders, &[1]).await;
    let running = rig.run();
    let row = rig.until_sender("base", SenderState::Halted).await;
    assert_eq!(row.code, "EXEG-0001-500");
    rig.emulator.reset();
    rig.until(&orders, EventState::Delivered).await;
    rig.stop(running).await;
    assert_eq!(rig.parked().await, []);
}

#[tokio::test]
async fn a_refusal_that_nobody_described_halts_at_the_third_event_in_a_row() {
    let rig = Rig::new().await;
    let orders: Vec<_> = (1..=6).collect();
    rig.script(json!([{"status": 418, "times": 0}]));
    rig.enqueue_apart("base", &orders, &[1]).await;
    let running = rig.run();
    rig.until_sender("base", SenderState::Halted).await;
    rig.eventually("two are parked", async || rig.parked().await.len() == 2)
        .await;
    rig.emulator.reset();
    rig.until_nothing_is_pending().await;
    rig.stop(running).await;
    assert_eq!((rig.emulator.unique_ids(), rig.parked().await.len()), (4, 2));
}

/// Creates a rig with a wrong datastream whose halted sender probes every five minutes.
async fn with_a_wrong_datastream() -> Rig {
    let set = |config: &mut Config| {
        config.delivery.retry.max = HumanDuration::from_secs(300);
        let wrong = Website::sending_to(SECOND.parse().unwrap());
        config.websites.insert("base".to_owned(), wrong);
    };
    Rig::with(|_| {}, set).await
}

#[tokio::test]
async fn a_relevant_change_of_configuration_resumes_at_once() {
    let rig = with_a_wrong_datastream().await;
    rig.enqueue("base", &[1], &[1]).await;
    let running = rig.run();
    let row = rig.until_sender("base", SenderState::Halted).await;
    assert_eq!(row.code, "EXEG-0003-400");
    rig.change_config(|config| config.delivery.lanes = 3);
    rig.change_config(|config| {
        config.websites.insert(
            "base".to_owned(),
            Website::sending_to(DEFAULT_DATASTREAM.parse().unwrap()),
        );
    });
    rig.until(&[1], EventState::Delivered).await;
    rig.stop(running).await;
    assert_eq!(
        rig.requests().len(),
        2,
        "the change of lanes alone probed nothing"
    );
}

#[tokio::test]
async fn what_stopped_the_old_destination_does_not_halt_the_new_one() {
    let rig = with_a_wrong_datastream().await;
    rig.line.close();
    rig.enqueue("base", &[1], &[1]).await;
    let running = rig.run();
    rig.eventually("it is asked", async || rig.requests().len() == 1)
        .await;
    rig.change_config(|config| {
        config.delivery.lanes = 1;
        config.websites.insert(
            "base".to_owned(),
            Website::sending_to(DEFAULT_DATASTREAM.parse().unwrap()),
        );
    });
    let limit = || rig.stats.snapshot().lanes.first().map(|(_, _, limit)| *limit);
    rig.eventually("the new configuration is in force", async || limit() == Some(1))
        .await;
    rig.line.open();
    rig.until(&[1], EventState::Delivered).await;
    rig.stop(running).await;
    assert_eq!(rig.requests().len(), 2);
}

#[tokio::test]
async fn one_websites_halt_is_not_anothers() {
    let rig = Rig::with(
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
    rig.enqueue("second", &[1000], &[1]).await;
    let running = rig.run();
    rig.until_sender("second", SenderState::Halted).await;
    for order in 1..=50 {
        rig.enqueue("base", &[order], &[1, 2]).await;
    }
    let orders: Vec<_> = (1..=50).collect();
    rig.until(&orders, EventState::Delivered).await;
    assert_eq!(rig.states(1000).await, [EventState::Pending]);
    rig.emulator.add_datastream(SECOND, DatastreamConfig::default());
    rig.until(&[1000], EventState::Delivered).await;
    rig.stop(running).await;
    rig.assert_promises();
}

#[tokio::test]
async fn an_operators_pause_is_respected_until_the_resume() {
    let rig = Rig::with(
        |_| {},
        |config| {
            let same = config.websites["base"].clone();
            config.websites.insert("second".to_owned(), same);
        },
    )
    .await;
    let running = rig.run();
    rig.enqueue("base", &[1], &[1]).await;
    rig.until(&[1], EventState::Delivered).await;
    set_sender(&rig, SenderState::Paused).await;
    rig.enqueue("base", &[2], &[1]).await;
    // The delivery of a second website proves that time has passed for both.
    rig.eventually("the pause is noticed", async || {
        rig.sender("base")
            .await
            .is_some_and(|row| row.state == SenderState::Paused)
    })
    .await;
    assert_eq!(rig.states(2).await, [EventState::Pending]);
    set_sender(&rig, SenderState::Running).await;
    rig.until(&[2], EventState::Delivered).await;
    rig.stop(running).await;
}

#[tokio::test]
async fn an_operator_resumes_a_halted_sender_at_once() {
    let rig = Rig::with(
        |_| {},
        |config| config.delivery.retry.max = HumanDuration::from_secs(300),
    )
    .await;
    rig.script(json!([{"code": "0004-422"}]));
    rig.enqueue("base", &[1], &[1]).await;
    let running = rig.run();
    rig.until_sender("base", SenderState::Halted).await;
    set_sender(&rig, SenderState::Running).await;
    rig.until(&[1], EventState::Delivered).await;
    rig.stop(running).await;
}

async fn set_sender(rig: &Rig, state: SenderState) {
    rig.write(move |writer| {
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
async fn a_certificate_that_nobody_trusts_halts_and_the_right_one_resumes() {
    let rig = Rig::with(|edge| edge.tls = true, |_| {}).await;
    rig.enqueue("base", &[1], &[1]).await;
    let right = rig.config.borrow().edge.ca_file.clone();
    let wrong = rig.store_path().with_file_name("wrong.pem");
    let other = Rig::with(|edge| edge.tls = true, |_| {}).await;
    std::fs::write(&wrong, other.emulator.ca_pem().unwrap()).unwrap();
    // Without a token, so that the edge is the first peer.
    rig.change_config(|config| {
        config.edge.auth = orderfeed::config::EdgeAuth::None;
        config.edge.url = rig.emulator.edge_url().parse().unwrap();
        config.edge.ca_file = Some(wrong);
    });
    let running = rig.run();
    let row = rig.until_sender("base", SenderState::Halted).await;
    assert_eq!(row.code, "tls", "{row:?}");
    rig.change_config(|config| config.edge.ca_file = right);
    rig.until(&[1], EventState::Delivered).await;
    rig.stop(running).await;
}
