//! Tests of the ledger.

use crate::config::LedgerDetail;
use crate::ledger::*;
use orderfeed_model::clock::UtcMillis;

const UUID_A: &str = "ae28204e-2c4b-592f-8fd4-ef0aaddc94b4";

fn event(id: &'static str, order: &'static str, at: i64, bytes: &'static [u8]) -> NewEvent<'static> {
    NewEvent {
        id: Some(id),
        event_type: Some("commerce.backofficeOrderPlaced"),
        purchase_id: Some(order),
        order_key: order.len() as u64,
        timestamp: Some(UtcMillis(at)),
        bytes,
        hash: bytes.iter().map(|byte| u64::from(*byte)).sum(),
        personal: findings(bytes),
        verdict: Verdict::Recorded,
    }
}

fn recorded(detail: LedgerDetail, events: Vec<NewEvent<'_>>) -> Ledger {
    let mut ledger = Ledger::new(detail, true);
    ledger.record(
        Carrier {
            datastream: "d",
            request_id: "r",
            visitor: None,
            at: UtcMillis(9),
        },
        events.into_iter(),
    );
    ledger
}

#[test]
fn a_resend_is_a_duplicate_and_other_bytes_are_a_finding() {
    for detail in [LedgerDetail::Full, LedgerDetail::Compact] {
        let ledger = recorded(
            detail,
            vec![
                event(UUID_A, "1", 1, b"a"),
                event(UUID_A, "1", 1, b"a"),
                event("x", "1", 2, b"a"),
                event("x", "1", 2, b"b"),
            ],
        );
        assert_eq!(ledger.ids.len(), 2);
        assert_eq!(ledger.totals.duplicates, 2);
        assert_eq!(ledger.changed, ["x"]);
        assert_eq!(ledger.times_recorded(UUID_A), 2);
        assert_eq!(ledger.bodies.get(UUID_A).cloned().unwrap(), "a");
    }
}

#[test]
fn only_first_recordings_count_for_the_order_of_an_order() {
    let ledger = recorded(
        LedgerDetail::Compact,
        vec![
            event("a", "1", 10, b"a"),
            event("b", "1", 20, b"b"),
            event("a", "1", 10, b"a"),
            event("c", "22", 5, b"c"),
        ],
    );
    assert!(ledger.order.kept.is_empty());
    let ledger = recorded(
        LedgerDetail::Full,
        vec![event("b", "1", 20, b"b"), event("a", "1", 10, b"a")],
    );
    assert_eq!(ledger.order.kept[0].id, "a");
    assert_eq!(ledger.order.kept[0].recorded_before, UtcMillis(20));
}

#[test]
fn personal_data_is_named_without_being_repeated() {
    let ledger = recorded(
        LedgerDetail::Full,
        vec![event("a", "1", 1, br#"{"m":"jo@example.com"}"#)],
    );
    assert_eq!(
        ledger.pii,
        [PiiFinding {
            id: "a".into(),
            what: "email"
        }]
    );
    assert!(!ledger.findings().to_string().contains("example"));
}

#[test]
fn pages_follow_each_other_without_a_gap() {
    let ledger = recorded(
        LedgerDetail::Full,
        vec![
            event("a", "1", 1, b"a"),
            event("b", "1", 2, b"b"),
            event("c", "1", 3, b"c"),
        ],
    );
    let first = ledger.page(Page {
        since: 0,
        since_request: 0,
        limit: 2,
    });
    assert_eq!(first["events"].as_array().unwrap().len(), 2);
    let since = first["next"]["since"].as_u64().unwrap();
    let second = ledger.page(Page {
        since,
        since_request: 0,
        limit: 2,
    });
    assert_eq!(second["events"][0]["_id"], "c");
    assert_eq!(second["total"]["events"], 3);
}

#[test]
fn a_ledger_of_counts_keeps_totals_only() {
    let ledger = recorded(
        LedgerDetail::Counts,
        vec![event("a", "1", 1, b"a"), event("a", "1", 1, b"a")],
    );
    assert_eq!(ledger.totals.events, 2);
    assert_eq!(ledger.ids.len(), 0);
    assert_eq!(ledger.totals.by_kind["commerce.backofficeOrderPlaced"], 2);
}

#[test]
fn an_unanswered_request_keeps_status_zero() {
    let mut ledger = Ledger::new(LedgerDetail::Full, false);
    let first = ledger.arrived(RequestRow {
        path: "/a".into(),
        ..RequestRow::default()
    });
    ledger.arrived(RequestRow::default());
    ledger.answered(
        first,
        Outcome {
            status: 202,
            n_events: Some(3),
            ..Outcome::default()
        },
        UtcMillis(0),
    );
    assert_eq!(
        ledger.requests.iter().map(|row| row.status).collect::<Vec<_>>(),
        [202, 0]
    );
    assert_eq!(ledger.requests[0].n_events, 3);

    let before = ledger.arrived(RequestRow::default());
    ledger.clear();
    ledger.arrived(RequestRow::default());
    ledger.answered(
        before,
        Outcome {
            status: 500,
            ..Outcome::default()
        },
        UtcMillis(0),
    );
    assert_eq!(
        ledger.requests[0].status, 0,
        "an answer from before a reset is nobody's"
    );
}
