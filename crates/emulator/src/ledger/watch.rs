//! Two guarantees that are checked while requests arrive: the events of an order are sent in order, and no request is
//! sent before the end of a `Retry-After`.

use std::collections::HashMap;

use chrono::DateTime;
use serde::Serialize;

use orderfeed_model::clock::UtcMillis;

/// Most violations kept per kind. The counters continue beyond it.
const KEPT: usize = 10_000;

/// Longest `Retry-After` a client must respect. Adobe documents no bound, and a client may cap an absurd one at an
/// hour.
const LONGEST_PAUSE_MS: i64 = 3_600_000;

/// An event that was recorded after a later one of the same order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OrderViolation {
    #[serde(rename = "purchaseID")]
    pub purchase_id: String,
    pub id: String,
    pub seq: u64,
    pub timestamp: UtcMillis,
    /// Timestamp of a later event of the same order that was recorded earlier.
    pub recorded_before: UtcMillis,
}

/// A request sent before the end of a `Retry-After`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EarlyRequest {
    pub seq: u64,
    pub datastream: String,
    /// Time of arrival on the virtual clock.
    pub received_at: UtcMillis,
    /// Earliest permitted time.
    pub not_before: UtcMillis,
    /// Time of the answer with the `Retry-After`. A request in flight at that time is not a violation.
    pub asked_at: UtcMillis,
    /// Request whose answer had the `Retry-After`.
    pub asked_by: u64,
}

/// Exempt from the order check. Its timestamp is that of the last shipment, but the order may become complete much
/// later, when the missing items are refunded or cancelled.
const KNOWN_LATE: &str = "commerce.backofficeOrderShipmentCompleted";

/// The latest timestamp of every order, by hash of datastream, scope and number.
#[derive(Debug, Default)]
pub(crate) struct OrderWatch {
    latest: HashMap<u64, UtcMillis>,
    pub(crate) kept: Vec<OrderViolation>,
    pub(super) total: u64,
}

impl OrderWatch {
    /// Checks a first recording. Builds the violation only if there is one.
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

/// The earliest time of the next request to each datastream. A 429 pauses all of them: the quota is the organization's.
#[derive(Debug, Default)]
pub(crate) struct PaceWatch {
    pauses: HashMap<String, Pause>,
    of_quota: Option<Pause>,
    pub(crate) kept: Vec<EarlyRequest>,
    pub(super) total: u64,
}

#[derive(Debug)]
struct Pause {
    until: UtcMillis,
    asked_at: UtcMillis,
    asked_by: u64,
}

impl PaceWatch {
    /// Checks the arrival of a request.
    pub(super) fn arrived(&mut self, datastream: &str, seq: u64, now: UtcMillis) {
        let pauses = self.pauses.get(datastream).into_iter().chain(&self.of_quota);
        let Some(pause) = pauses
            .filter(|pause| now < pause.until)
            .max_by_key(|pause| pause.until)
        else {
            return;
        };
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

    /// Records the `Retry-After` of an answer.
    pub(super) fn asked(
        &mut self,
        datastream: &str,
        status: u16,
        seq: u64,
        retry_after: &str,
        now: UtcMillis,
    ) {
        let Some(pause_ms) = pause_ms(retry_after, now) else {
            return;
        };
        let until = now.plus_millis(pause_ms.min(LONGEST_PAUSE_MS));
        let earlier = match status {
            429 => self.of_quota.as_ref(),
            _ => self.pauses.get(datastream),
        };
        if earlier.is_some_and(|pause| pause.until >= until) {
            return;
        }
        let pause = Pause {
            until,
            asked_at: now,
            asked_by: seq,
        };
        match status {
            429 => self.of_quota = Some(pause),
            _ => {
                self.pauses.insert(datastream.to_owned(), pause);
            }
        }
    }
}

/// Parses a `Retry-After` in milliseconds. Returns `None` unless it is a positive number or a date in the future.
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
        pace.asked("d", 503, 1, "2", UtcMillis(0));
        pace.arrived("other", 2, UtcMillis(1));
        pace.arrived("d", 3, UtcMillis(1999));
        pace.arrived("d", 4, UtcMillis(2000));
        pace.asked("d", 429, 5, "2", UtcMillis(2000));
        pace.arrived("other", 6, UtcMillis(3999));
        assert_eq!(
            pace.kept.iter().map(|early| early.seq).collect::<Vec<_>>(),
            [3, 6]
        );
        assert_eq!(pace.total, 2);
    }

    #[test]
    fn an_absurd_pause_counts_for_an_hour() {
        let mut pace = PaceWatch::default();
        pace.asked("d", 503, 1, "99999999", UtcMillis(0));
        pace.arrived("d", 2, UtcMillis(3_600_000));
        assert!(pace.kept.is_empty());
    }
}
