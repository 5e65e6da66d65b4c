//! Answers of the edge through the real daemon: the final state of the event in the store, and the time, content and
//! token of the next request. [`rows`] is the whole table, with one website for each row; [`tokens`] covers the
//! answers of the token service, [`lines`] failed connections; this module has the answers that need a daemon of
//! their own.

mod lines;
mod rows;
mod table;
mod tokens;

use std::collections::HashMap;

use orderfeed::store::outbox::{EventState, ParkedFilter, SenderState};
use orderfeed_emulator::{EmulatorHandle, RequestRow};
use serde_json::{Value, json};

use crate::support::daemon::{Daemon, eventually};
use crate::support::edge;
use crate::support::embedded::ShopFixture;

/// A daemon whose first order has just been answered.
struct Met {
    edge: EmulatorHandle,
    fixture: ShopFixture,
    daemon: Daemon,
    order: i64,
}

/// Answers the first event of an empty shop with `step`. The edge accepts everything afterwards.
async fn meet(step: Value, config: &str) -> Met {
    let edge = edge::start().await;
    let mut fixture = ShopFixture::new(&edge.server_url(), 0);
    fixture.installation.layer("answers", config);
    edge.script_json(json!([step])).unwrap();
    let daemon = fixture.installation.start();
    eventually("the empty shop is indexed", || fixture.installation.is_settled());
    let order = fixture.place();
    Met {
        edge,
        fixture,
        daemon,
        order,
    }
}

impl Met {
    fn states(&self, order: i64) -> Vec<EventState> {
        let known = self
            .fixture
            .installation
            .read_store(|reader| reader.events_of(order));
        known
            .unwrap_or_default()
            .into_iter()
            .map(|event| event.state)
            .collect()
    }

    fn requests(&self) -> Vec<RequestRow> {
        let mut rows = self.edge.requests();
        rows.retain(|row| row.path.ends_with("/collect"));
        rows
    }

    /// Asserts the final state of the event and the statuses before it, then that the next order is delivered
    /// normally.
    #[track_caller]
    fn ends(mut self, state: EventState, statuses: &[u16], tokens: u64) {
        eventually("the event's end", || self.states(self.order) == [state]);
        let next = self.fixture.place();
        eventually("the next order at the edge", || {
            self.states(next) == [EventState::Delivered]
        });
        let rows = self.requests();
        let answered: Vec<u16> = rows.iter().map(|row| row.status).collect();
        assert_eq!(answered, [statuses, &[202]].concat());
        assert!(rows.iter().all(|row| row.authorized), "{rows:#?}");
        let own = &rows[..statuses.len()];
        assert!(own.iter().all(|row| row.bytes == own[0].bytes), "{rows:#?}");
        assert_eq!(self.edge.totals().tokens_issued, tokens);
        assert_eq!(self.daemon.stop(), Some(0));
        edge::assert_promises(&self.edge);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_of_the_response_table_through_one_daemon() {
    let rows = rows::rows();
    let edge = table::Run::start(&rows, "").await.play(&rows);
    assert_eq!(edge.totals().tokens_issued, 1, "{:?}", table::by_status(&edge));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_token_is_replaced_once_and_then_halts() {
    let rows = rows::token_rows();
    table::Run::start(&rows, "").await.play(&rows);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_without_an_answer_in_time_is_given_up() {
    let rows = rows::slow_rows();
    let impatient = "[delivery]\ntimeout = \"2s\"\nconnect_timeout = \"2s\"\n";
    let edge = table::Run::start(&rows, impatient).await.play(&rows);
    assert!(edge::unanswered(&edge) > 0, "{:?}", table::by_status(&edge));
}

#[test]
fn the_table_has_every_code_the_edge_may_answer() {
    let all: Vec<_> = rows::rows().into_iter().chain(rows::token_rows()).collect();
    for code in orderfeed_emulator::codes() {
        assert!(all.iter().any(|row| row.name.contains(code)), "{code}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_accepted_event_is_delivered() {
    let met = meet(json!({"status": 202, "gzip": true}), "").await;
    met.ends(EventState::Delivered, &[202], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_consent_suppresses() {
    let step = json!({"status": 202, "warnings": [{"code": "0301-200", "eventIndex": 0}]});
    meet(step, "").await.ends(EventState::Suppressed, &[202], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_event_is_parked_with_its_code_and_not_sent_again() {
    let met = meet(json!({"code": "0305-400"}), "").await;
    eventually("the dead letter", || {
        met.states(met.order) == [EventState::Parked]
    });
    let parked = met
        .fixture
        .installation
        .read_store(|reader| reader.parked(&ParkedFilter::default(), 10))
        .unwrap();
    let reasons: Vec<_> = parked
        .iter()
        .map(|letter| (letter.key.order, letter.code.as_str(), letter.status))
        .collect();
    assert_eq!(reasons, [(met.order, "EXEG-0305-400", Some(400))]);
    met.ends(EventState::Parked, &[400], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_is_respected_and_the_same_bytes_are_sent_again() {
    let step = json!({"status": 429, "retry_after": "2", "record": true});
    let met = meet(step, "").await;
    eventually("the delivery", || {
        met.states(met.order) == [EventState::Delivered]
    });
    let rows = met.requests();
    let waited = rows[1].received_at.millis_since(rows[0].received_at);
    assert!(waited >= 2_000, "came again after {waited} ms");
    assert_eq!(
        met.edge.totals().duplicates,
        1,
        "recorded twice, so bytes are compared"
    );
    met.ends(EventState::Delivered, &[429, 202], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_token_is_replaced_once() {
    let met = meet(json!({"token_expire_now": true}), "").await;
    met.ends(EventState::Delivered, &[401, 202], 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_halt_keeps_the_event_until_an_operator_resumes() {
    // The pauses are so long that no probe starts by itself.
    let patient = "[delivery.retry]\ninitial = \"100ms\"\nmax = \"30m\"\n";
    let met = meet(json!({"code": "0003-400"}), patient).await;
    let halted = || {
        let senders = met.fixture.installation.read_store(|reader| reader.senders());
        senders
            .unwrap_or_default()
            .iter()
            .any(|row| (row.state, row.code.as_str()) == (SenderState::Halted, "EXEG-0003-400"))
    };
    eventually("the sender halts", halted);
    assert_eq!(met.states(met.order), [EventState::Pending]);
    assert_eq!(met.requests().len(), 1, "a halted sender asks nothing");
    let said = met.fixture.installation.run(&["delivery", "resume"]).ok();
    assert!(said.contains("resumed"), "{said}");
    met.ends(EventState::Delivered, &[400, 202], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_is_refused_as_a_whole_arrives_in_smaller_requests() {
    let edge = edge::start().await;
    let fixture = ShopFixture::new(&edge.server_url(), 40);
    let expected = fixture.expected();
    edge.script_json(json!([{"code": "0102-400"}])).unwrap();
    let daemon = fixture.installation.start();
    eventually("everything arrives", || fixture.is_served(&edge, expected.len()));
    assert_eq!(daemon.stop(), Some(0));
    edge::assert_holds(&edge, &expected);
    edge::assert_promises(&edge);
    let mut rows = edge.requests();
    rows.retain(|row| row.path.ends_with("/collect"));
    let refused = rows.iter().find(|row| row.status == 400).unwrap().clone();
    rows.retain(|row| row.datastream == refused.datastream && row.seq > refused.seq);
    let sizes: Vec<usize> = rows.iter().map(|row| row.n_events).collect();
    assert!(refused.n_events > 1, "{refused:?}");
    let smaller = sizes.iter().filter(|size| **size < refused.n_events);
    assert!(
        smaller.count() >= 2,
        "{} events came as {sizes:?}",
        refused.n_events
    );
    let mut by_status: HashMap<u16, usize> = HashMap::new();
    for row in &rows {
        *by_status.entry(row.status).or_default() += 1;
    }
    assert_eq!(
        by_status,
        HashMap::from([(202, sizes.len())]),
        "refused once, taken in parts"
    );
    assert_eq!(edge.totals().duplicates, 0);
}
