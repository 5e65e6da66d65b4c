//! The real daemon sends a long history to a failing edge: refusals, pauses, resets, hangs, an expired token, and
//! orders that are never accepted. Nothing is lost, no byte changes, and only the poisoned events are parked.
//!
//! `STORM_EVENTS` sets the approximate number of events; the default suits a debug build beside other tests.

use std::collections::{BTreeSet, HashSet};
use std::time::{Duration, Instant};

use orderfeed::store::outbox::{EventKey, ParkedEvent, ParkedFilter};
use orderfeed_emulator::{EmulatorHandle, FaultMix, FaultStep, Match, RandomFaults};
use orderfeed_events::EventKind;
use serde_json::{Value, json};

use crate::support::daemon::{eventually_within, say};
use crate::support::edge;
use crate::support::embedded::ShopFixture;
use crate::support::oracle::Expected;

const EVENTS: usize = 20_000;
/// Number of events of a demo order on average, rounded down.
const EVENTS_PER_ORDER: usize = 4;
/// Generous, because debug builds of other tests share two cores with this one.
const LIMIT: Duration = Duration::from_secs(900);
/// Shares of the data requests in percent: 10 answers 503, 5 answers 429 with `Retry-After`, and so on.
const MIX: FaultMix = FaultMix {
    busy: 0,
    unavailable: 10,
    too_many: 5,
    reset_before: 2,
    reset_after: 2,
    hang: 1,
    hang_ms: Some(20_000),
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_edge_loses_nothing_and_only_poisoned_events_are_parked() {
    let events = std::env::var("STORM_EVENTS").map_or(EVENTS, |text| text.parse().unwrap());
    let edge = edge::start().await;
    let started = Instant::now();
    let fixture = ShopFixture::new(&edge.server_url(), events / EVENTS_PER_ORDER);
    let timeouts = "[delivery]\nconnect_timeout = \"2s\"\ntimeout = \"2s\"\n";
    fixture.installation.layer("short", timeouts);
    fixture.installation.layer("requests", edge::LOG_REQUESTS);
    let expected = fixture.expected();
    let (poison, fine) = poisoned(&edge, &fixture, expected);
    edge.configure(|config| {
        config.faults = Some(RandomFaults {
            mix: MIX,
            ..RandomFaults::new(0.2, 3)
        });
    });
    let loaded = started.elapsed();

    let started = Instant::now();
    let mut daemon = fixture.installation.start();
    eventually_within(LIMIT, "half of the events at the edge", || {
        assert!(daemon.is_running(), "the daemon ended by itself");
        edge.unique_ids() > fine.len() / 2
    });
    edge.expire_tokens();
    eventually_within(LIMIT, "an end of all events", || {
        fixture.is_served(&edge, fine.len())
    });
    let took = started.elapsed();
    assert_eq!(daemon.stop(), Some(0));

    edge::assert_holds(&edge, &fine);
    edge::assert_promises(&edge);
    edge::assert_pauses_kept(&edge, &fixture.installation.log());
    assert_parked(&fixture, &poison);
    assert_explained(&fixture, &edge, &fine, &poison);
    let totals = edge.totals();
    say(&format!(
        "storm: {} events loaded in {loaded:.1?}, settled in {took:.1?} by {} requests; faults {:?}, {} hangs, {} repeats, {} \
         requests were under way when a pause was asked for",
        poison.len() + fine.len(),
        totals.requests,
        totals.faults,
        edge::unanswered(&edge),
        totals.duplicates,
        edge.early_requests().len(),
    ));
    assert_eq!(totals.tokens_issued, 2, "one before the expiry and one after it");
    for fault in ["503", "429", "close:before_read", "close:after_record"] {
        assert!(
            totals.faults.contains_key(fault),
            "no {fault}: {:?}",
            totals.faults
        );
    }
    assert!(
        edge::unanswered(&edge) > 0,
        "no request hung until its client left"
    );
    assert!(
        totals.duplicates > 0,
        "no recorded event was sent again: this proves little"
    );
}

/// Number of orders checked with `explain`, besides the poisoned ones.
const EXPLAINED: usize = 30;

/// Asserts that `explain` reports every event of an order with its state, and every attempt with its outcome.
#[track_caller]
fn assert_explained(
    fixture: &ShopFixture,
    edge: &EmulatorHandle,
    fine: &BTreeSet<Expected>,
    poison: &BTreeSet<Expected>,
) {
    let rows = edge.requests().into_iter();
    let asked: HashSet<String> = rows.filter_map(|row| row.request_id).collect();
    let orders: BTreeSet<i64> = fine.iter().map(|one| one.order_id).collect();
    let some = orders.iter().step_by(orders.len() / EXPLAINED);
    let poisoned: BTreeSet<i64> = poison.iter().map(|one| one.order_id).collect();
    let mut repeated = 0;
    for order in some.chain(&poisoned) {
        let life = life_of(fixture, *order);
        assert_eq!(life["missing"], json!([]), "{life:#}");
        let events = life["events"].as_array().unwrap();
        let wanted = fine.iter().chain(poison).filter(|one| one.order_id == *order);
        assert_eq!(events.len(), wanted.count(), "{life:#}");
        for event in events {
            let attempts = event["attempts"].as_array().unwrap();
            let (status, last) = (&event["export_status"], attempts.last().unwrap());
            match poisoned.contains(order) {
                true => assert_eq!(
                    (status, &last["code"]),
                    (&json!("Failed, requires attention"), &json!("EXEG-0102-400")),
                    "{event:#}"
                ),
                false => assert_eq!(
                    (status, &last["accepted"]),
                    (&json!("Submitted"), &json!(true)),
                    "{event:#}"
                ),
            }
            for attempt in attempts {
                let ours = attempt["request_id"]
                    .as_str()
                    .and_then(|id| id.get(..36))
                    .unwrap();
                let answered = attempt["status"].is_u64();
                assert!(!answered || asked.contains(ours), "{event:#}");
                assert!(answered || attempt["code"].is_string(), "{event:#}");
            }
            repeated += usize::from(attempts.len() > 1);
        }
    }
    assert!(repeated > 0, "no event that is explained was sent again");
}

fn life_of(fixture: &ShopFixture, order: i64) -> Value {
    let number: String = fixture
        .sql()
        .query_row(
            "SELECT increment_id FROM sales_order WHERE entity_id = ?1",
            [order],
            |row| row.get(0),
        )
        .unwrap();
    let reported = fixture.installation.run(&["explain", &number, "--json"]).ok();
    let reported: Value = serde_json::from_str(&reported).unwrap();
    let mut lives = reported["orders"].as_array().unwrap().iter();
    lives.find(|life| life["entity_id"] == order).unwrap().clone()
}

/// Makes the edge refuse all events of three orders: an early, a middle and a late one. Returns the events to be
/// parked, and the rest.
fn poisoned(
    edge: &EmulatorHandle,
    fixture: &ShopFixture,
    expected: BTreeSet<Expected>,
) -> (BTreeSet<Expected>, BTreeSet<Expected>) {
    let shop = fixture.sql();
    let sql = "SELECT increment_id FROM sales_order o WHERE entity_id = ?1 AND NOT EXISTS \
               (SELECT 1 FROM sales_order p WHERE p.increment_id = o.increment_id AND p.entity_id <> o.entity_id)";
    let number = |order: i64| shop.query_row(sql, [order], |row| row.get::<_, String>(0)).ok();
    let shipped: Vec<i64> = expected
        .iter()
        .filter(|one| one.kind == "shipment_completed")
        .map(|one| one.order_id)
        .collect();
    let mut orders = BTreeSet::new();
    for quarter in 1..=3 {
        let from = shipped.len() * quarter / 4;
        let (order, number) = shipped[from..]
            .iter()
            .find_map(|order| Some((*order, number(*order)?)))
            .unwrap();
        orders.insert(order);
        let step = FaultStep {
            code: Some("0102-400".to_owned()),
            times: Some(0),
            only: Some(Match {
                contains_id: Some(format!("\"purchaseID\":\"{number}\"")),
                ..Match::default()
            }),
            ..FaultStep::default()
        };
        edge.script(vec![step]).unwrap();
    }
    assert_eq!(orders.len(), 3);
    expected
        .into_iter()
        .partition(|one| orders.contains(&one.order_id))
}

/// Asserts that exactly these events are parked, each with the edge's reason.
#[track_caller]
fn assert_parked(fixture: &ShopFixture, poison: &BTreeSet<Expected>) {
    let parked: Vec<ParkedEvent> = fixture
        .installation
        .read_store(|reader| reader.parked(&ParkedFilter::default(), 1000))
        .unwrap();
    let key = |one: &Expected| EventKey {
        order: one.order_id,
        kind: one.kind.parse::<EventKind>().unwrap().code(),
        document: one.document_id,
        generation: 0,
    };
    let sorted = |mut keys: Vec<EventKey>| {
        keys.sort_by_key(|key| (key.order, key.kind, key.document));
        keys
    };
    assert_eq!(
        sorted(parked.iter().map(|letter| letter.key).collect()),
        sorted(poison.iter().map(key).collect()),
    );
    for letter in parked {
        assert_eq!(
            (letter.code.as_str(), letter.status),
            ("EXEG-0102-400", Some(400))
        );
        assert!(
            letter.request_id.is_some() && !letter.detail.is_empty(),
            "{letter:?}"
        );
    }
}
