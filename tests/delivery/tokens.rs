//! One token at a time: fetched when needed, renewed before it expires, replaced when the edge refuses it.

use orderfeed::store::outbox::{EventState, SenderState};
use orderfeed_emulator::RequestRow;
use orderfeed_model::clock::Clock;
use serde_json::json;

use crate::delivery::fixture::Fixture;

#[tokio::test]
async fn many_requests_share_one_token() {
    let fixture = Fixture::new().await;
    let orders: Vec<_> = (1..=200).collect();
    let running = fixture.run();
    fixture.enqueue_apart("base", &orders, &[1]).await;
    fixture.until_nothing_is_pending().await;
    fixture.stop(running).await;
    assert_eq!(
        (
            fixture.emulator.totals().tokens_issued,
            fixture.stats.snapshot().tokens
        ),
        (1, 1)
    );
    assert!(fixture.requests().iter().all(|row| row.auth_client.is_some()));
}

#[tokio::test]
async fn an_expired_token_is_replaced_once_for_all_lanes() {
    let fixture = Fixture::new().await;
    let running = fixture.run();
    fixture.enqueue("base", &[1], &[1]).await;
    fixture.until(&[1], EventState::Delivered).await;
    fixture.emulator.expire_tokens();
    let orders: Vec<_> = (2..=100).collect();
    fixture.enqueue_apart("base", &orders, &[1]).await;
    fixture.until_nothing_is_pending().await;
    fixture.stop(running).await;
    assert_eq!(fixture.emulator.totals().tokens_issued, 2);
    fixture.assert_promises();
}

#[tokio::test]
async fn a_token_is_renewed_at_four_fifths_of_its_life() {
    let (fixture, clock) = with_a_clock().await;
    let running = fixture.run();
    let tokens = || fixture.emulator.totals().tokens_issued;
    for (order, passed_s, issued) in [(1, 0, 1), (2, 79, 1), (3, 1, 2), (4, 79, 2), (5, 1, 3)] {
        clock.set(clock.now().plus_millis(passed_s * 1000));
        fixture.enqueue("base", &[order], &[1]).await;
        fixture.until(&[order], EventState::Delivered).await;
        assert_eq!(tokens(), issued, "order {order}");
    }
    fixture.stop(running).await;
    assert!(
        !fixture.emulator.totals().by_status.contains_key(&401),
        "never an expired one"
    );
}

/// Creates a fixture whose tokens live for a hundred seconds of delivery's clock, which advances only when it is set.
async fn with_a_clock() -> (Fixture, Clock) {
    let mut fixture = Fixture::with(|edge| edge.token_ttl_s = 100, |_| {}).await;
    fixture.clock = Clock::manual(Clock::System.now());
    let clock = fixture.clock.clone();
    (fixture, clock)
}

#[tokio::test]
async fn a_wrong_secret_halts_and_the_right_one_resumes() {
    let fixture = Fixture::with(
        |_| {},
        |config| config.edge.oauth.client_secret = "wrong".to_owned().into(),
    )
    .await;
    fixture.enqueue("base", &[1], &[1]).await;
    let running = fixture.run();
    let row = fixture.until_sender("base", SenderState::Halted).await;
    assert_eq!(row.code, "auth");
    assert!(!row.reason.contains("wrong\""), "{}", row.reason);
    assert_eq!(fixture.requests().len(), 0, "nothing is sent without a token");
    fixture.change_config(|config| {
        config.edge.oauth.client_secret = orderfeed_emulator::DEFAULT_SECRET.to_owned().into();
    });
    fixture.until(&[1], EventState::Delivered).await;
    fixture.stop(running).await;
}

#[tokio::test]
async fn delivery_waits_for_a_token_service_that_is_down() {
    let fixture = Fixture::new().await;
    fixture.script(json!([{"status": 503, "times": 3, "match": {"path": "/ims/token"}}]));
    fixture.enqueue("base", &[1], &[1]).await;
    let running = fixture.run();
    fixture.until(&[1], EventState::Delivered).await;
    fixture.stop(running).await;
    assert_eq!(fixture.requests().len(), 1);
}

#[tokio::test]
async fn a_broken_token_service_has_no_effect_while_a_token_is_valid() {
    let (fixture, clock) = with_a_clock().await;
    let running = fixture.run();
    fixture.enqueue("base", &[1], &[1]).await;
    fixture.until(&[1], EventState::Delivered).await;
    fixture.script(json!([{"status": 503, "times": 0, "match": {"path": "/ims/token"}}]));
    let failed = || {
        let rows = fixture.emulator.requests();
        let failed = |row: &&RequestRow| row.path.contains("/ims/") && row.status == 503;
        rows.iter().filter(failed).count()
    };
    // Renewal is due at 80 s and then retried every 30 s, not at every request.
    let passing = [(2, 79, 0), (3, 1, 1), (4, 0, 1), (5, 10, 1)];
    for (order, passed_s, tries) in passing {
        clock.set(clock.now().plus_millis(passed_s * 1000));
        fixture.enqueue("base", &[order], &[1]).await;
        fixture.until(&[order], EventState::Delivered).await;
        assert_eq!(failed(), tries, "order {order}");
    }
    // The token has expired and there is no other, so delivery waits.
    clock.set(clock.now().plus_millis(10_000));
    fixture.enqueue("base", &[6], &[1]).await;
    fixture.eventually("another try", async || failed() > 1).await;
    assert_eq!(fixture.states(6).await, [EventState::Pending]);
    fixture.stop(running).await;
}
