//! Two promises that are watched while requests arrive: the events of an order keep their order, and nobody comes back
//! before `Retry-After` is over.

use std::collections::HashMap;

use chrono::DateTime;
use serde::Serialize;

use orderfeed_model::clock::UtcMillis;

/// Most violations of a kind that are kept; the counters go on.
const KEPT: usize = 10_000;

/// The longest pause that a client must obey; Adobe names no bound, and a client may cap an absurd one at an hour.
const LONGEST_PAUSE_MS: i64 = 3_600_000;

/// An event that was recorded after a later one of the same order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OrderViolation {
    /// The order's number.
    #[serde(rename = "purchaseID")]
    pub purchase_id: String,
    /// The event's `_id`.
    pub id: String,
    /// Its sequence number.
    pub seq: u64,
    /// Its timestamp.
    pub timestamp: UtcMillis,
    /// The timestamp of an event of the same order that was recorded before.
    pub recorded_before: UtcMillis,
}

/// A request that came before it was allowed to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EarlyRequest {
    /// The request's sequence number.
    pub seq: u64,
    /// The datastream.
    pub datastream: String,
    /// When it came, on the virtual clock.
    pub received_at: UtcMillis,
    /// When it should have come at the earliest.
    pub not_before: UtcMillis,
    /// When the answer that asked for the pause was given. A request that was under way at that moment is no fault.
    pub asked_at: UtcMillis,
    /// The request whose answer asked for the pause.
    pub asked_by: u64,
}

/// Says when the last parcel left, but an order may become complete long after that, when what is missing is refunded or
/// cancelled: then it comes after later events and is in order all the same.
const KNOWN_LATE: &str = "commerce.backofficeOrderShipmentCompleted";

/// The latest timestamp of every order (and scope, datastream), by hash.
#[derive(Debug, Default)]
pub(super) struct OrderWatch {
    latest: HashMap<u64, UtcMillis>,
    pub(super) kept: Vec<OrderViolation>,
    pub(super) total: u64,
}

impl OrderWatch {
    /// Notes a first recording; the violation is built only if there is one.
    pub(super) fn note(
        &mut self,
        key: u64,
        at: UtcMillis,
        event_type: Option<&str>,
        violation: impl FnOnce(UtcMillis) -> OrderViolation,
    ) {
        let latest = self.latest.entry(key).or_insert(at);
        if at >= *latest {
            *latest = at;
            return;
        }
        if event_type == Some(KNOWN_LATE) {
            return;
        }
        self.total += 1;
        if self.kept.len() < KEPT {
            self.kept.push(violation(*latest));
        }
    }
}

/// When each datastream may be called again.
#[derive(Debug, Default)]
pub(super) struct PaceWatch {
    pauses: HashMap<String, Pause>,
    pub(super) kept: Vec<EarlyRequest>,
    pub(super) total: u64,
}

#[derive(Debug)]
struct Pause {
    until: UtcMillis,
    asked_at: UtcMillis,
    asked_by: u64,
}

impl PaceWatch {
    /// Notes that a request came.
    pub(super) fn arrived(&mut self, datastream: &str, seq: u64, now: UtcMillis) {
        let Some(pause) = self.pauses.get(datastream) else {
            return;
        };
        if now >= pause.until {
            self.pauses.remove(datastream);
            return;
        }
        self.total += 1;
        if self.kept.len() < KEPT {
            self.kept.push(EarlyRequest {
                seq,
                datastream: datastream.to_owned(),
                received_at: now,
                not_before: pause.until,
                asked_at: pause.asked_at,
                asked_by: pause.asked_by,
            });
        }
    }

    /// Notes that an answer asked for a pause.
    pub(super) fn asked(&mut self, datastream: &str, seq: u64, retry_after: &str, now: UtcMillis) {
        let Some(pause_ms) = pause_ms(retry_after, now) else {
            return;
        };
        let until = now.plus_millis(pause_ms.min(LONGEST_PAUSE_MS));
        let longer = self
            .pauses
            .get(datastream)
            .is_none_or(|pause| until > pause.until);
        if longer {
            let pause = Pause {
                until,
                asked_at: now,
                asked_by: seq,
            };
            self.pauses.insert(datastream.to_owned(), pause);
        }
    }
}

/// How long a `Retry-After` asks to wait; `None` if it is no positive number and no date in the future.
fn pause_ms(retry_after: &str, now: UtcMillis) -> Option<i64> {
    if let Ok(seconds) = retry_after.trim().parse::<i64>() {
        return (seconds > 0).then(|| seconds.saturating_mul(1000));
    }
    let date = DateTime::parse_from_rfc2822(retry_after.trim()).ok()?;
    let ms = UtcMillis(date.timestamp_millis()).millis_since(now);
    (ms > 0).then_some(ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_earlier_event_is_out_of_order_unless_it_may_be_known_late() {
        let mut orders = OrderWatch::default();
        let mut note = |at, event_type| {
            let violation = |recorded_before| OrderViolation {
                purchase_id: String::new(),
                id: String::new(),
                seq: 0,
                timestamp: UtcMillis(at),
                recorded_before,
            };
            orders.note(1, UtcMillis(at), Some(event_type), violation);
            orders.total
        };
        assert_eq!(note(5, "commerce.backofficeCreditMemoIssued"), 0);
        assert_eq!(note(3, KNOWN_LATE), 0);
        assert_eq!(note(4, "commerce.backofficeOrderInvoiced"), 1);
        assert_eq!(note(7, KNOWN_LATE), 1);
        assert_eq!(note(6, "commerce.backofficeOrderInvoiced"), 2);
    }

    #[test]
    fn seconds_and_dates_ask_for_a_pause_and_nonsense_does_not() {
        let now = UtcMillis::parse_rfc3339("2026-11-22T07:00:00Z").unwrap();
        assert_eq!(pause_ms("7", now), Some(7000));
        assert_eq!(pause_ms("Sun, 22 Nov 2026 07:10:00 GMT", now), Some(600_000));
        for none in ["0", "-5", "abc", "", "Sun, 22 Nov 2026 06:10:00 GMT"] {
            assert_eq!(pause_ms(none, now), None, "{none}");
        }
        assert!(pause_ms("99999999", now).is_some());
    }

    #[test]
    fn a_request_within_the_pause_is_early_and_one_after_it_is_not() {
        let mut pace = PaceWatch::default();
        pace.asked("d", 1, "2", UtcMillis(0));
        pace.arrived("other", 2, UtcMillis(1));
        pace.arrived("d", 3, UtcMillis(1999));
        pace.arrived("d", 4, UtcMillis(2000));
        assert_eq!(pace.kept.iter().map(|early| early.seq).collect::<Vec<_>>(), [3]);
        assert_eq!(pace.total, 1);
    }

    #[test]
    fn an_absurd_pause_counts_for_an_hour() {
        let mut pace = PaceWatch::default();
        pace.asked("d", 1, "99999999", UtcMillis(0));
        pace.arrived("d", 2, UtcMillis(3_600_000));
        assert!(pace.kept.is_empty());
    }
}
