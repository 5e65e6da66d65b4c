//! The response table, row by row: the state of the event and the next request.

use orderfeed::store::outbox::{EventState, SenderState};
use serde_json::{Value, json};

use crate::delivery::fixture::{Fixture, id};

/// Delivers one event with `step` as the first answer; the edge accepts everything afterwards. Returns the number of
/// requests.
async fn after(step: Value) -> (Fixture, usize) {
    let fixture = Fixture::new().await;
    fixture.script(json!([step]));
    fixture.enqueue("base", &[1], &[1]).await;
    let running = fixture.run();
    fixture.until_nothing_is_pending().await;
    fixture.stop(running).await;
    fixture.assert_promises();
    let requests = fixture.requests().len();
    (fixture, requests)
}

#[tokio::test]
async fn an_event_accepted_in_any_form_is_delivered_once() {
    let yes = [
        json!({"status": 202}),
        json!({"status": 200, "body": "not json"}),
        json!({"status": 204, "body": ""}),
        json!({"status": 207, "errors": [{"code": "0201-503", "eventIndex": 0}], "record": true}),
        json!({"status": 202, "gzip": true}),
        json!({"status": 202, "warnings": [{"code": "0204-200"}]}),
    ];
    for step in yes {
        let (fixture, requests) = after(step.clone()).await;
        assert_eq!(
            (fixture.states(1).await, requests),
            (vec![EventState::Delivered], 1),
            "{step}"
        );
    }
}

#[tokio::test]
async fn an_event_that_was_ignored_for_lack_of_consent_is_suppressed_alone() {
    let fixture = Fixture::new().await;
    fixture.script(json!([{"status": 202, "warnings": [{"code": "0301-200", "eventIndex": 1}]}]));
    fixture.enqueue("base", &[1, 2, 3], &[1]).await;
    let running = fixture.run();
    fixture.until_nothing_is_pending().await;
    fixture.stop(running).await;
    let states = [
        fixture.states(1).await[0],
        fixture.states(2).await[0],
        fixture.states(3).await[0],
    ];
    assert_eq!(
        states,
        [
            EventState::Delivered,
            EventState::Suppressed,
            EventState::Delivered
        ]
    );
    assert_eq!(fixture.requests().len(), 1);
    let snapshot = fixture.stats.snapshot();
    assert_eq!((snapshot.delivered, snapshot.suppressed), (2, 1));
}

#[tokio::test]
async fn consent_without_an_index_suppresses_the_whole_request() {
    let (fixture, requests) = after(json!({"status": 202, "warnings": [{"code": "0301-200"}]})).await;
    assert_eq!(
        (fixture.states(1).await, requests),
        (vec![EventState::Suppressed], 1)
    );
}

#[tokio::test]
async fn temporary_failures_are_retried_with_the_same_bytes() {
    let passing = [
        json!({"status": 503, "code": "0000"}),
        json!({"status": 502, "body": "<html>Bad gateway</html>", "ctype": "text/html"}),
        json!({"status": 504, "code": "0200-504"}),
        json!({"status": 507}),
        json!({"status": 408}),
        json!({"status": 429}),
        json!({"status": 429, "retry_after": "0"}),
        json!({"status": 429, "retry_after": "abc"}),
        json!({"status": 503, "retry_after": "-5"}),
        json!({"status": 500, "code": "0001"}),
        json!({"status": 502, "code": "0202-502"}),
        json!({"close": "before_read"}),
        json!({"close": "after_record"}),
        json!({"close": "mid_response"}),
        json!({"body_bytes": 5_000_000}),
        json!({"status": 401, "code": "0503-401"}),
    ];
    for step in passing {
        let (fixture, requests) = after(step.clone()).await;
        assert_eq!(
            (fixture.states(1).await, requests),
            (vec![EventState::Delivered], 2),
            "{step}"
        );
    }
}

#[tokio::test]
async fn an_event_refused_for_its_content_is_parked_at_once_with_its_code() {
    let refused = [
        ("0101-400", "EXEG-0101-400"),
        ("0102-400", "EXEG-0102-400"),
        ("0104-422", "EXEG-0104-422"),
        ("0109-408", "EXEG-0109-408"),
        ("0100-500", "EXEG-0100-500"),
        ("0112-413", "too_large"),
        ("0302-409", "EXEG-0302-409"),
        ("0305-400", "EXEG-0305-400"),
        ("0306-400", "EXEG-0306-400"),
        ("0308-400", "EXEG-0308-400"),
    ];
    for (code, parked) in refused {
        let (fixture, requests) = after(json!({"code": code})).await;
        assert_eq!(
            (fixture.states(1).await, requests),
            (vec![EventState::Parked], 1),
            "{code}"
        );
        let letter = fixture.parked().await.remove(0);
        assert_eq!((letter.code.as_str(), letter.attempts), (parked, 1));
        assert!(letter.request_id.unwrap().len() > 36, "with the edge's suffix");
        assert_eq!(
            fixture
                .sender("base")
                .await
                .map(|row| row.state)
                .unwrap_or(SenderState::Running),
            SenderState::Running
        );
    }
    let (fixture, _) = after(json!({"status": 418})).await;
    assert_eq!(fixture.parked().await[0].code, "http_418");
}

#[tokio::test]
async fn one_poisoned_event_parks_alone_and_few_requests_find_it() {
    let fixture = Fixture::new().await;
    let orders: Vec<_> = (1..=64).collect();
    fixture.script(json!([{"code": "0305-400", "times": 0, "match": {"contains_id": id(23, 1)}}]));
    fixture.enqueue("base", &orders, &[1]).await;
    let running = fixture.run();
    fixture.until_nothing_is_pending().await;
    fixture.stop(running).await;
    fixture.assert_promises();
    assert_eq!(fixture.emulator.unique_ids(), 63);
    assert_eq!(fixture.parked().await.len(), 1);
    assert_eq!(fixture.states(23).await, [EventState::Parked]);
    assert!(
        fixture.requests().len() <= 2 * 6 + 2,
        "{}",
        fixture.requests().len()
    );
    assert!(
        (1..=64).all(|order| fixture.emulator.times_recorded(&id(order, 1)) <= 1),
        "nothing twice"
    );
}

#[tokio::test]
async fn a_poisoned_event_among_coalesced_batches_is_found_as_well() {
    let fixture = Fixture::new().await;
    let orders: Vec<_> = (1..=32).collect();
    fixture.script(json!([{"code": "0305-400", "times": 0, "match": {"contains_id": id(5, 1)}}]));
    fixture.enqueue_apart("base", &orders, &[1]).await;
    let running = fixture.run();
    fixture.until_nothing_is_pending().await;
    fixture.stop(running).await;
    fixture.assert_promises();
    assert_eq!(
        (fixture.emulator.unique_ids(), fixture.parked().await.len()),
        (31, 1)
    );
    assert!(
        fixture.requests().len() <= 2 * 5 + 2,
        "{}",
        fixture.requests().len()
    );
}

#[tokio::test]
async fn too_many_bytes_are_halved_and_the_limit_is_remembered() {
    let fixture = Fixture::with(|edge| edge.max_bytes = 8_000, |_| {}).await;
    let orders: Vec<_> = (1..=60).collect();
    fixture.enqueue("base", &orders, &[1]).await;
    let running = fixture.run();
    fixture.until_nothing_is_pending().await;
    let found_out = fixture.requests().len();
    let more: Vec<_> = (101..=160).collect();
    fixture.enqueue("base", &more, &[1]).await;
    fixture.until_nothing_is_pending().await;
    fixture.stop(running).await;
    fixture.assert_promises();
    assert_eq!(fixture.emulator.unique_ids(), 120);
    let refused = |row: &orderfeed_emulator::RequestRow| row.status == 413;
    assert!(fixture.requests()[..found_out].iter().any(refused));
    assert!(
        !fixture.requests()[found_out..].iter().any(refused),
        "it did not ask again"
    );
}

#[tokio::test]
async fn a_second_server_error_bisects_and_only_the_event_that_fails_alone_is_parked() {
    let fixture = Fixture::new().await;
    let orders: Vec<_> = (1..=8).collect();
    fixture.script(json!([{"status": 500, "code": "0001", "times": 0, "match": {"contains_id": id(3, 1)}}]));
    fixture.enqueue("base", &orders, &[1]).await;
    let running = fixture.run();
    fixture.until_nothing_is_pending().await;
    fixture.stop(running).await;
    fixture.assert_promises();
    assert_eq!(fixture.emulator.unique_ids(), 7);
    let letter = fixture.parked().await.remove(0);
    assert_eq!((letter.key.order, letter.code.as_str()), (3, "EXEG-0001-500"));
}

#[tokio::test]
async fn retry_after_holds_the_whole_datastream_new_batches_included() {
    let fixture = Fixture::new().await;
    fixture.script(json!([{"status": 429, "retry_after": "1"}]));
    fixture.enqueue("base", &[1], &[1]).await;
    let running = fixture.run();
    let row = fixture.until_sender("base", SenderState::BackingOff).await;
    assert!(row.until.is_some());
    fixture.enqueue("base", &[2, 3], &[1]).await;
    fixture.until_nothing_is_pending().await;
    fixture.until_sender("base", SenderState::Running).await;
    fixture.stop(running).await;
    assert_eq!(fixture.emulator.early_requests(), []);
    assert_eq!(fixture.emulator.totals().by_status[&429], 1);
    fixture.assert_promises();
}

#[tokio::test]
async fn retry_after_outlives_a_restart() {
    let fixture = Fixture::new().await;
    fixture.script(json!([{"status": 503, "code": "0000", "retry_after": "1"}]));
    fixture.enqueue("base", &[1], &[1]).await;
    let running = fixture.run();
    fixture.until_sender("base", SenderState::BackingOff).await;
    fixture.stop(running).await;
    let store = fixture.store.clone();
    let again = orderfeed::delivery::DeliveryContext {
        store,
        clock: orderfeed_model::clock::Clock::System,
        config: fixture.config.subscribe(),
        stop: tokio_util::sync::CancellationToken::new(),
        abort: fixture.abort.clone(),
        stats: std::sync::Arc::clone(&fixture.stats),
    };
    let second = tokio::spawn(orderfeed::delivery::run(
        again,
        orderfeed::delivery::http::transport::Connector::http(),
    ));
    fixture.until_nothing_is_pending().await;
    fixture.abort.cancel();
    second.await.unwrap().unwrap();
    assert_eq!(fixture.emulator.early_requests(), []);
}
