//! One token a life, fetched when it is needed, replaced when the edge says so.

use orderfeed::store::outbox::{EventState, SenderState};
use serde_json::json;

use crate::delivery::rig::Rig;

#[tokio::test]
async fn many_requests_share_one_token() {
    let rig = Rig::new().await;
    let orders: Vec<_> = (1..=200).collect();
    let running = rig.run();
    rig.enqueue_apart("base", &orders, &[1]).await;
    rig.until_nothing_is_pending().await;
    rig.stop(running).await;
    assert_eq!(
        (rig.emulator.totals().tokens_issued, rig.stats.snapshot().tokens),
        (1, 1)
    );
    assert!(rig.requests().iter().all(|row| row.auth_client.is_some()));
}

#[tokio::test]
async fn an_expired_token_is_replaced_once_for_all_lanes() {
    let rig = Rig::new().await;
    let running = rig.run();
    rig.enqueue("base", &[1], &[1]).await;
    rig.until(&[1], EventState::Delivered).await;
    rig.emulator.expire_tokens();
    let orders: Vec<_> = (2..=100).collect();
    rig.enqueue_apart("base", &orders, &[1]).await;
    rig.until_nothing_is_pending().await;
    rig.stop(running).await;
    assert_eq!(rig.emulator.totals().tokens_issued, 2);
    rig.assert_promises();
}

#[tokio::test]
async fn a_token_is_renewed_at_four_fifths_of_its_life() {
    let rig = Rig::with(|edge| edge.token_ttl_s = 1, |_| {}).await;
    let running = rig.run();
    for order in 1.. {
        rig.enqueue("base", &[order], &[1]).await;
        rig.until(&[order], EventState::Delivered).await;
        if rig.emulator.totals().tokens_issued >= 3 {
            break;
        }
    }
    rig.stop(running).await;
    assert!(
        !rig.emulator.totals().by_status.contains_key(&401),
        "never an expired one"
    );
}

#[tokio::test]
async fn a_wrong_secret_halts_and_the_right_one_resumes() {
    let rig = Rig::with(
        |_| {},
        |config| config.edge.oauth.client_secret = "wrong".to_owned().into(),
    )
    .await;
    rig.enqueue("base", &[1], &[1]).await;
    let running = rig.run();
    let row = rig.until_sender("base", SenderState::Halted).await;
    assert_eq!(row.code, "auth");
    assert!(!row.reason.contains("wrong\""), "{}", row.reason);
    assert_eq!(rig.requests().len(), 0, "nothing is sent without a token");
    rig.change_config(|config| {
        config.edge.oauth.client_secret = orderfeed::emulator::DEFAULT_SECRET.to_owned().into();
    });
    rig.until(&[1], EventState::Delivered).await;
    rig.stop(running).await;
}

#[tokio::test]
async fn a_token_service_that_is_down_is_waited_for() {
    let rig = Rig::new().await;
    rig.script(json!([{"status": 503, "times": 3, "match": {"path": "/ims/token"}}]));
    rig.enqueue("base", &[1], &[1]).await;
    let running = rig.run();
    rig.until(&[1], EventState::Delivered).await;
    rig.stop(running).await;
    assert_eq!(rig.requests().len(), 1);
}

#[tokio::test]
async fn while_a_token_is_valid_a_broken_token_service_disturbs_nobody() {
    let rig = Rig::with(|edge| edge.token_ttl_s = 4, |_| {}).await;
    let running = rig.run();
    rig.enqueue("base", &[1], &[1]).await;
    rig.until(&[1], EventState::Delivered).await;
    rig.script(json!([{"status": 503, "times": 0, "match": {"path": "/ims/token"}}]));
    let begun = tokio::time::Instant::now();
    for order in 2.. {
        rig.enqueue("base", &[order], &[1]).await;
        rig.until(&[order], EventState::Delivered).await;
        // Renewal is due at 3.2 s of 4.
        if begun.elapsed().as_millis() > 3_500 {
            break;
        }
    }
    rig.stop(running).await;
    let failed = rig
        .emulator
        .requests()
        .iter()
        .filter(|row| row.path.contains("/ims/") && row.status == 503)
        .count();
    assert_eq!(failed, 1, "it was tried once and not again at every request");
}
