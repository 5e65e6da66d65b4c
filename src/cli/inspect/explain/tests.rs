//! Checks the output of `explain` for each state of an order.

use crate::cli::inspect::explain::render::render;
use crate::commerce::source::{Change, ChangeOp};
use crate::ops::explain::{ExplainRequest, Explanation, FoundOrder, SourceAnswer, SourceOrder};
use crate::store::feed::{Exported, FeedRow, IndexFailure};
use crate::store::outbox::{
    BatchLimits, Class, EdgeAnswer, EnqueueMode, EventVerdict, NewEvent, OrderEvents, Refusal, SenderRow,
    SenderState, Settled,
};
use crate::store::views::ViewMode;
use crate::store::{Durability, Reader, Store, StoreError, StoreLock, Writer, testing};
use orderfeed_events::{EventKind, Fact};
use orderfeed_model::clock::UtcMillis;
use orderfeed_model::order::OrderId;

const LIMITS: BatchLimits = BatchLimits {
    bytes: 60_000,
    events: 100,
};

/// Returns 2026-11-22T07:00:00Z plus some seconds.
fn at(seconds: i64) -> UtcMillis {
    UtcMillis::from_secs(1_795_330_800 + seconds)
}

/// A store, and the lock of a running daemon. Order 7 has the number 000000101.
struct ExplainFixture {
    dir: tempfile::TempDir,
    store: Store,
    lock: Option<StoreLock>,
}

impl ExplainFixture {
    async fn new() -> Self {
        let (dir, store) = testing::fresh();
        let lock = StoreLock::acquire(&dir.path().join("orderfeed.db"), "orderfeed run").unwrap();
        let fixture = Self {
            dir,
            store,
            lock: Some(lock),
        };
        fixture
            .write(|w| {
                w.init_view(ViewMode::Schedule, at(0))?;
                w.website_id("base").map(drop)
            })
            .await;
        fixture
    }

    async fn indexed(exported: Exported) -> Self {
        let fixture = Self::new().await;
        fixture
            .write(move |w| {
                w.append_changes(&[change(7, "sales_order")], at(0))?;
                w.upsert_feed(&[feed_row(7, exported)])?;
                w.advance_view(1, at(1))
            })
            .await;
        fixture
    }

    async fn write(&self, job: impl FnOnce(&mut Writer<'_>) -> Result<(), StoreError> + Send + 'static) {
        self.store.write(Durability::Durable, job).await.unwrap();
    }

    async fn enqueue(&self, order: OrderId, kinds: &'static [EventKind]) {
        self.write(move |w| {
            w.enqueue(&[events(order, kinds)], EnqueueMode::Insert, LIMITS, at(1))
                .map(drop)
        })
        .await;
    }

    async fn explain(&self, answer: SourceAnswer) -> Explanation {
        let path = self.dir.path().join("orderfeed.db");
        let question = ExplainRequest {
            owners: std::collections::BTreeMap::new(),
            number: "000000101".to_owned(),
            now: at(60),
            data_space: "2a7d1c34-8f10-4be3-9d2f-0c5b7f6a1e90".parse().unwrap(),
            sending: vec!["base".to_owned()],
            answer,
        };
        let read = move |reader: &Reader<'_>| Explanation::read(reader, &path, &question);
        self.store.read(read).await.unwrap()
    }

    async fn render(&self, answer: SourceAnswer) -> String {
        render(&self.explain(answer).await)
    }
}

fn change(order: OrderId, table: &'static str) -> Change {
    let op = ChangeOp::Insert;
    Change { order, table, op }
}

fn feed_row(order: OrderId, exported: Exported) -> FeedRow {
    FeedRow {
        order,
        number: "000000101".to_owned(),
        website: (exported != Exported::StoreViewGone).then_some(1),
        hash: Some([0x1a; 16]),
        exported,
        modified_at: at(1),
        birth: orderfeed_model::birth::BirthMark::default(),
    }
}

fn events(order: OrderId, kinds: &[EventKind]) -> OrderEvents {
    let event = |kind: &EventKind| NewEvent {
        kind: kind.code(),
        document: document(order, *kind),
        generation: 0,
        not_before: at(0),
        person: None,
        body: Ok(format!("{{\"xdm\":\"{order}/{kind}\"}}").into_bytes()),
    };
    OrderEvents {
        backfill: None,
        order,
        website: 1,
        class: Class::Live,
        changed_at: at(0),
        events: kinds.iter().map(event).collect(),
    }
}

fn document(order: OrderId, kind: EventKind) -> i64 {
    if kind == EventKind::Invoiced { 77 } else { order }
}

fn unreachable(reason: &str) -> SourceAnswer {
    SourceAnswer::Unreachable(reason.to_owned())
}

fn seen(kinds: &[EventKind], exported: Exported) -> SourceAnswer {
    SourceAnswer::Answered(vec![seen_order(7, kinds, exported)])
}

fn seen_order(order: OrderId, kinds: &[EventKind], exported: Exported) -> FoundOrder {
    let fact = |kind: &EventKind| Fact {
        kind: *kind,
        document_id: document(order, *kind),
        generation: 0,
        at: at(-60),
    };
    FoundOrder::Whole(SourceOrder {
        id: order,
        state: "processing".to_owned(),
        status: Some("picking".to_owned()),
        created_at: at(-60),
        updated_at: at(-10),
        website: (exported != Exported::StoreViewGone).then(|| "base".to_owned()),
        scope: (exported != Exported::StoreViewGone).then(|| "base / main / default".to_owned()),
        exported,
        facts: kinds.iter().map(fact).collect(),
        births: Vec::new(),
    })
}

fn accepted(seconds: i64) -> EdgeAnswer {
    EdgeAnswer {
        at: at(seconds),
        status: Some(202),
        request_id: Some("5b1d-00f1".to_owned()),
        duration_ms: Some(12),
        ..EdgeAnswer::default()
    }
}

fn refused(seconds: i64, status: u16, code: &str, title: &str) -> EdgeAnswer {
    EdgeAnswer {
        at: at(seconds),
        status: Some(status),
        request_id: Some(format!("0a2c-{seconds:02}")),
        code: Some(code.to_owned()),
        note: Some(format!("{code}: {title}, jane@example.com is quoted")),
        title: Some(title.to_owned()),
        duration_ms: Some(31),
    }
}

fn settled(id: i64, kinds: &[EventKind]) -> Settled {
    Settled {
        id,
        website: 1,
        kinds: kinds.iter().map(|kind| (kind.code(), 1)).collect(),
    }
}

const BOTH: &[EventKind] = &[EventKind::Placed, EventKind::Invoiced];
const PLACED: &[EventKind] = &[EventKind::Placed];

#[tokio::test]
async fn delivered() {
    let fixture = ExplainFixture::indexed(Exported::Yes).await;
    fixture.enqueue(7, BOTH).await;
    fixture
        .write(|w| w.settle_delivered(&[settled(1, BOTH)], &accepted(2)))
        .await;
    insta::assert_snapshot!(fixture.render(seen(BOTH, Exported::Yes)).await);
}

#[tokio::test]
async fn delivered_and_past_its_retention() {
    let fixture = ExplainFixture::indexed(Exported::Yes).await;
    fixture.enqueue(7, PLACED).await;
    fixture
        .write(|w| {
            w.settle_delivered(&[settled(1, PLACED)], &accepted(2))?;
            w.remove_delivered(at(50), 10)?;
            w.clean_changelog(100, 10)?;
            Ok(())
        })
        .await;
    insta::assert_snapshot!(fixture.render(seen(PLACED, Exported::Yes)).await);
}

#[tokio::test]
async fn pending_with_a_retry_while_the_sender_backs_off() {
    let fixture = ExplainFixture::indexed(Exported::Yes).await;
    fixture.enqueue(7, PLACED).await;
    fixture
        .write(|w| {
            for second in 2..40 {
                w.record_failure(
                    &[1],
                    at(90),
                    &refused(second, 503, "EXEG-0000-503", "Service unavailable"),
                )?;
            }
            w.set_sender(&SenderRow {
                website: 1,
                state: SenderState::BackingOff,
                code: "EXEG-0000-503".to_owned(),
                reason: "the edge is overloaded".to_owned(),
                since: at(2),
                until: Some(at(70)),
                failures: 38,
            })
        })
        .await;
    insta::assert_snapshot!(fixture.render(seen(PLACED, Exported::Yes)).await);
}

#[tokio::test]
async fn waiting_for_an_earlier_event() {
    let fixture = ExplainFixture::indexed(Exported::Yes).await;
    fixture.enqueue(7, PLACED).await;
    fixture
        .write(|w| w.record_failure(&[1], at(90), &refused(2, 429, "http_429", "Too Many Requests")))
        .await;
    fixture.enqueue(7, &[EventKind::Invoiced]).await;
    insta::assert_snapshot!(fixture.render(seen(BOTH, Exported::Yes)).await);
}

#[tokio::test]
async fn parked_and_suppressed_quote_nothing_of_the_event() {
    let fixture = ExplainFixture::indexed(Exported::Yes).await;
    fixture.enqueue(7, BOTH).await;
    fixture
        .write(|w| {
            let refusal = Refusal {
                code: "EXEG-0104-422".to_owned(),
                detail: "jane@example.com is no city".to_owned(),
            };
            let verdicts = [
                (0, EventVerdict::Suppressed("consent".to_owned())),
                (1, EventVerdict::Parked(refusal)),
            ];
            w.settle_each(
                1,
                &verdicts,
                &refused(2, 422, "EXEG-0104-422", "Unprocessable entity"),
            )
        })
        .await;
    let text = fixture.render(seen(BOTH, Exported::Yes)).await;
    assert!(!text.contains("jane"), "{text}");
    insta::assert_snapshot!(text);
}

#[tokio::test]
async fn parked_before_it_was_sent_and_discarded() {
    let fixture = ExplainFixture::indexed(Exported::Yes).await;
    fixture
        .write(|w| {
            let mut order = events(7, BOTH);
            for event in &mut order.events {
                event.body = Err(Refusal {
                    code: "too_large".to_owned(),
                    detail: "the event has 70000 bytes and a request at most 65522".to_owned(),
                });
            }
            w.enqueue(&[order], EnqueueMode::Insert, LIMITS, at(1))?;
            let key = w.reader().events_of(7)?[1].key;
            w.discard_parked(key, "agreed with the shop", at(3))?;
            Ok(())
        })
        .await;
    insta::assert_snapshot!(fixture.render(seen(BOTH, Exported::Yes)).await);
}

#[tokio::test]
async fn withheld_for_each_reason() {
    let mut text = String::new();
    for reason in Exported::ALL.into_iter().skip(1) {
        let fixture = ExplainFixture::indexed(reason).await;
        // A change would lift the first, room in the outbox the second. For all others source and feed agree.
        let by_source = match reason {
            Exported::BeforeHistory | Exported::OutboxFull => Exported::Yes,
            other => other,
        };
        text.push_str(&fixture.render(seen(PLACED, by_source)).await);
        text.push('\n');
    }
    insta::assert_snapshot!(text);
}

#[tokio::test]
async fn not_captured_captured_only_and_unreadable() {
    let fixture = ExplainFixture::new().await;
    let mut text = fixture.render(seen(PLACED, Exported::Yes)).await;
    fixture
        .write(|w| w.append_changes(&[change(7, "sales_order")], at(0)))
        .await;
    text.push('\n');
    text.push_str(&fixture.render(seen(PLACED, Exported::Yes)).await);
    fixture
        .write(|w| {
            let failure = IndexFailure {
                order: 7,
                attempts: 3,
                due_at: at(120),
                reason: "sales_order.base_grand_total is no number".to_owned(),
                limited: false,
            };
            w.record_index_failure(&failure, at(5))
        })
        .await;
    text.push('\n');
    let unreadable = FoundOrder::Unreadable {
        id: 7,
        reason: "sales_order.base_grand_total is no number".to_owned(),
    };
    text.push_str(&fixture.render(SourceAnswer::Answered(vec![unreadable])).await);
    insta::assert_snapshot!(text);
}

#[tokio::test]
async fn a_missing_daemon_and_source_are_reported() {
    let mut fixture = ExplainFixture::indexed(Exported::Yes).await;
    fixture.enqueue(7, PLACED).await;
    fixture.lock = None;
    let answer = unreachable("the database at 127.0.0.1:3306 refuses the connection");
    insta::assert_snapshot!(fixture.render(answer).await);
}

#[tokio::test]
async fn an_unknown_number_is_explained() {
    let fixture = ExplainFixture::new().await;
    let mut text = fixture.render(SourceAnswer::Answered(Vec::new())).await;
    text.push('\n');
    text.push_str(&fixture.render(unreachable("no answer within 10 s")).await);
    insta::assert_snapshot!(text);
}

#[tokio::test]
async fn two_orders_with_one_number_are_both_shown() {
    let fixture = ExplainFixture::indexed(Exported::Yes).await;
    fixture
        .write(|w| w.upsert_feed(&[feed_row(9, Exported::WebsiteOff)]))
        .await;
    fixture.enqueue(7, PLACED).await;
    let both = vec![seen_order(7, PLACED, Exported::Yes)];
    insta::assert_snapshot!(fixture.render(SourceAnswer::Answered(both)).await);
}

#[tokio::test]
async fn the_shape_for_scripts_is_stable() {
    let mut fixture = ExplainFixture::indexed(Exported::Yes).await;
    fixture.enqueue(7, BOTH).await;
    fixture
        .write(|w| {
            w.record_failure(
                &[1],
                at(90),
                &refused(2, 503, "EXEG-0000-503", "Service unavailable"),
            )
        })
        .await;
    fixture.lock = None;
    let json = serde_json::to_string_pretty(&fixture.explain(seen(PLACED, Exported::Yes)).await).unwrap();
    insta::assert_snapshot!(json);
}
