//! The totals of each website over time, for charts: one row a minute for a day, a few rows a day for three months.

use super::meta::WebsiteId;
use super::outbox::{FinalState, KindCode, WebsiteOutbox};
use super::sql::{count, moment, signed};
use super::{Reader, StoreError, Writer};
use orderfeed_model::clock::UtcMillis;

pub const MINUTE_MS: i64 = 60_000;
pub const DAY_MS: i64 = 86_400_000;
const KEPT_MINUTES: i64 = 1_440;
const KEPT_DAYS: i64 = 92;
/// Most accepted batches that are read to find the last one of a website.
const SEARCHED_BATCHES: usize = 1_000;

/// The totals of a website at the end of a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrafficMinute {
    /// Minutes since 1970.
    pub minute: i64,
    pub website: WebsiteId,
    /// Events delivered since the store exists; the same for `parked`.
    pub delivered: u64,
    pub parked: u64,
    pub pending: u64,
    /// Time at which the oldest pending change was captured.
    pub oldest_at: Option<UtcMillis>,
}

/// The number of a website's events of one kind and outcome at the end of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrafficDay {
    /// Days since 1970, in UTC.
    pub day: i64,
    pub website: WebsiteId,
    pub kind: KindCode,
    pub outcome: FinalState,
    pub events: u64,
}

/// The last request of a website that the edge accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    pub at: UtcMillis,
    /// HTTP status of the answer.
    pub status: Option<u16>,
    pub request_id: Option<String>,
}

impl Reader<'_> {
    /// Returns the minutes that are kept, oldest first.
    pub fn traffic_minutes(&self) -> Result<Vec<TrafficMinute>, StoreError> {
        let sql = "SELECT minute, website_id, delivered, parked, pending, oldest_at FROM traffic_minute
                   ORDER BY minute, website_id";
        self.all(sql, [], |row| {
            Ok(TrafficMinute {
                minute: row.get(0)?,
                website: row.get(1)?,
                delivered: count(row, 2)?,
                parked: count(row, 3)?,
                pending: count(row, 4)?,
                oldest_at: moment(row, 5)?,
            })
        })
    }

    /// Returns the days that are kept, oldest first.
    pub fn traffic_days(&self) -> Result<Vec<TrafficDay>, StoreError> {
        let sql = "SELECT day, website_id, kind, outcome, events FROM traffic_day
                   ORDER BY day, website_id, kind, outcome";
        self.all(sql, [], |row| {
            Ok(TrafficDay {
                day: row.get(0)?,
                website: row.get(1)?,
                kind: row.get(2)?,
                outcome: row.get(3)?,
                events: count(row, 4)?,
            })
        })
    }

    /// Returns the last accepted request of a website, unless it is older than the latest batches of all websites.
    pub fn last_accepted(&self, website: WebsiteId) -> Result<Option<Accepted>, StoreError> {
        // The inner query is bounded: an index by website would cost each delivery a write.
        let sql = "SELECT finished_at, last_status, request_id FROM (
                     SELECT website_id, finished_at, last_status, request_id FROM outbox_batch
                     INDEXED BY outbox_batch_finished WHERE state = 1 ORDER BY finished_at DESC LIMIT ?2)
                   WHERE website_id = ?1 LIMIT 1";
        self.first(sql, (website, signed(SEARCHED_BATCHES)), |row| {
            Ok(Accepted {
                at: UtcMillis(row.get(0)?),
                status: row.get(1)?,
                request_id: row.get(2)?,
            })
        })
    }
}

impl Writer<'_> {
    /// Records the totals of all websites for the minute and the day of `at`, and removes what is too old.
    pub fn record_traffic(&mut self, at: UtcMillis, outboxes: &[WebsiteOutbox]) -> Result<(), StoreError> {
        let (minute, day) = (at.0.div_euclid(MINUTE_MS), at.0.div_euclid(DAY_MS));
        for outbox in outboxes {
            self.record_minute(minute, outbox)?;
            let sql = "INSERT INTO traffic_day VALUES (?1, ?2, ?3, ?4, ?5)
                       ON CONFLICT DO UPDATE SET events = excluded.events";
            for (kind, outcome, events) in &outbox.totals {
                let events = i64::try_from(*events).unwrap_or(i64::MAX);
                self.run(sql, (day, outbox.website, kind, outcome, events))?;
            }
        }
        self.run(
            "DELETE FROM traffic_minute WHERE minute <= ?1",
            [minute - KEPT_MINUTES],
        )?;
        self.run("DELETE FROM traffic_day WHERE day <= ?1", [day - KEPT_DAYS])
    }

    fn record_minute(&mut self, minute: i64, outbox: &WebsiteOutbox) -> Result<(), StoreError> {
        let total = |wanted: FinalState| -> i64 {
            let of_outcome = outbox.totals.iter().filter(|(_, outcome, _)| *outcome == wanted);
            let events: u64 = of_outcome.map(|(_, _, events)| events).sum();
            i64::try_from(events).unwrap_or(i64::MAX)
        };
        let pending = i64::try_from(outbox.pending_live + outbox.pending_history).unwrap_or(i64::MAX);
        let sql = "INSERT OR REPLACE INTO traffic_minute VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let (delivered, parked) = (total(FinalState::Delivered), total(FinalState::Parked));
        let oldest = outbox.oldest.map(|at| at.0);
        self.run(sql, (minute, outbox.website, delivered, parked, pending, oldest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Durability, testing};

    #[tokio::test]
    async fn a_day_of_minutes_is_kept() {
        let (_dir, store) = testing::fresh();
        let outbox = |delivered| WebsiteOutbox {
            website: 7,
            pending_live: 2,
            pending_history: 3,
            totals: vec![(1, FinalState::Delivered, delivered), (2, FinalState::Parked, 1)],
            ..WebsiteOutbox::default()
        };
        for minute in 0..KEPT_MINUTES + 3 {
            let at = UtcMillis(minute * MINUTE_MS + 5);
            let outboxes = [outbox(minute.unsigned_abs())];
            let record = move |writer: &mut Writer<'_>| writer.record_traffic(at, &outboxes);
            store.write(Durability::Relaxed, record).await.unwrap();
        }
        let read = |reader: &Reader<'_>| Ok((reader.traffic_minutes()?, reader.traffic_days()?));
        let (minutes, days) = store.read(read).await.unwrap();
        assert_eq!(minutes.len(), 1_440);
        assert_eq!((minutes[0].minute, minutes[1_439].delivered), (3, 1_442));
        assert_eq!((minutes[0].pending, minutes[0].parked), (5, 1));
        // The last minutes are in the second day; each day keeps its last totals.
        let delivered = days.iter().filter(|day| day.outcome == FinalState::Delivered);
        let delivered: Vec<_> = delivered.map(|day| (day.day, day.events)).collect();
        assert_eq!(delivered, [(0, 1_439), (1, 1_442)]);
    }
}
