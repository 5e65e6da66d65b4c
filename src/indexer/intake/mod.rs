//! Decides whether more may be captured and indexed. The outbox is bounded and the disk keeps a reserve, so that what the
//! store already holds can always be finished. [`flow`] decides and is pure; [`Intake`] measures, stores and logs.
//!
//! Backfills wait first, at `delivery.max_pending_events`. Capture and updates wait at twice that bound, or as soon as less
//! than `store.disk_reserve` is free. Nothing is lost meanwhile: the source keeps its changes. Websites whose events
//! cannot be sent have a bound of their own ([`blocked_websites`]) and do not hold up the others.

pub mod blocked_websites;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::config::Config;
use crate::ops::outage_log::{OutageLine, OutageLog, Recovery};
use crate::store::file::space::free_bytes;
use crate::store::intake::Shortage;
use crate::store::{Durability, Reader, Store, StoreError, Writer};
use orderfeed_model::clock::{Clock, UtcMillis};

pub use crate::store::intake::Flow;

/// Age up to which a measurement is used again.
const FRESH_MS: i64 = 500;
/// A full outbox that has room again for less than this is still the same outage for the log.
const CALM_MS: i64 = 60_000;
/// Work that waits resumes when the level is this far below its bound, so that it does not start and stop with each request.
const RESUME: f64 = 0.95;

/// The measured levels and their bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Levels {
    /// Pending events that can be sent; all of them, if none can.
    pub pending: u64,
    /// `delivery.max_pending_events`.
    pub bound: u64,
    /// Free bytes beside the store; `None` if they cannot be measured.
    pub free: Option<u64>,
    /// `store.disk_reserve`.
    pub reserve: u64,
}

/// Returns the flow at these levels, after it was `before`.
pub fn flow(before: Flow, levels: Levels) -> Flow {
    let is_over = |bound: u64, already: bool| match already {
        true => levels.pending >= (bound as f64 * RESUME) as u64,
        false => levels.pending >= bound,
    };
    // The disk first: without space not even the outbox can be emptied.
    let wanted = match before {
        Flow::Paused(Shortage::Disk) => (levels.reserve as f64 / RESUME) as u64,
        _ => levels.reserve,
    };
    if levels.free.is_some_and(|free| free < wanted) {
        return Flow::Paused(Shortage::Disk);
    }
    let was_full = before == Flow::Paused(Shortage::Outbox);
    if is_over(levels.bound.saturating_mul(2), was_full) {
        return Flow::Paused(Shortage::Outbox);
    }
    if is_over(levels.bound, before != Flow::Open) {
        return Flow::HistoryWaits;
    }
    Flow::Open
}

/// The last measurement, shared by everything that adds to the store.
#[derive(Debug, Default)]
pub struct Intake {
    state: Mutex<State>,
    full_websites: Mutex<Arc<BTreeSet<String>>>,
}

#[derive(Debug, Default)]
struct State {
    flow: Flow,
    measured_at: Option<UtcMillis>,
    /// The flow that `outage` is about.
    logged: Flow,
    outage: OutageLog,
    last_shortage: UtcMillis,
}

impl Intake {
    /// Returns the flow, measured again if the last measurement is too old.
    pub async fn check(&self, store: &Store, config: &Config, clock: &Clock) -> Result<Flow, StoreError> {
        let now = clock.now();
        if let Some(flow) = self.recent(now) {
            return Ok(flow);
        }
        let settings = config.clone();
        let read = move |reader: &Reader<'_>| {
            Ok((
                blocked_websites::pending_by_website(reader, &settings)?,
                blocked_websites::stored_full_websites(reader)?,
            ))
        };
        let (websites, before) = store.read(read).await?;
        let bound = config.delivery.max_pending_events;
        let full = blocked_websites::full_websites(&before, &websites, bound);
        self.update_full_websites(store, before, full, now).await?;
        let levels = Levels {
            pending: blocked_websites::counted_events(&websites),
            bound,
            free: free_bytes(&config.store.path),
            reserve: config.store.disk_reserve.0,
        };
        if let Some(flow) = self.update_flow(levels, now) {
            store
                .write(Durability::Relaxed, move |writer| writer.set_intake(flow, now))
                .await?;
        }
        Ok(self.last())
    }

    /// Returns the flow at the last measurement.
    pub fn last(&self) -> Flow {
        self.state().flow
    }

    /// Returns the blocked websites whose events enter the outbox no more, as of the last measurement.
    pub fn full_websites(&self) -> Arc<BTreeSet<String>> {
        Arc::clone(&self.full_websites.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn update_full_websites(
        &self,
        store: &Store,
        before: BTreeSet<String>,
        full: BTreeSet<String>,
        now: UtcMillis,
    ) -> Result<(), StoreError> {
        // Compared with both: the memory is empty after a start.
        if *self.full_websites() == full && before == full {
            return Ok(());
        }
        // Stored before the first order is skipped: a crash in between must not forget that a reindex will be due.
        let write = move |writer: &mut Writer<'_>| blocked_websites::store_full_websites(writer, full, now);
        let stored = store.write(Durability::Durable, write).await?;
        log_full_websites(&before, &stored);
        *self.full_websites.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(stored);
        Ok(())
    }

    fn recent(&self, now: UtcMillis) -> Option<Flow> {
        let state = self.state();
        let age = now.millis_since(state.measured_at?);
        (0..FRESH_MS).contains(&age).then_some(state.flow)
    }

    /// Updates the flow and logs. Returns the flow if it changed, and at the first measurement.
    fn update_flow(&self, levels: Levels, now: UtcMillis) -> Option<Flow> {
        let mut state = self.state();
        let (before, first) = (state.flow, state.measured_at.is_none());
        state.flow = flow(before, levels);
        state.measured_at = Some(now);
        state.log(levels, now);
        // The store may still hold the flow of an earlier process.
        (state.flow != before || first).then_some(state.flow)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn log(&mut self, levels: Levels, now: UtcMillis) {
        let (pending_events, free_bytes) = (levels.pending, levels.free);
        if self.flow == Flow::Open {
            // A full outbox has room again with every request, so only a lasting recovery is worth a line.
            let calm =
                now.millis_since(self.last_shortage) >= CALM_MS || matches!(self.logged, Flow::Paused(_));
            let recovery = calm.then(|| self.outage.recovered(now)).flatten();
            if let Some(Recovery { lasted_ms, .. }) = recovery {
                tracing::info!(
                    after_s = lasted_ms / 1000,
                    pending_events,
                    free_bytes,
                    "Intake is open again; capture and backfills resume where they stopped",
                );
            }
            return;
        }
        self.last_shortage = now;
        if self.logged != self.flow {
            (self.logged, self.outage) = (self.flow, OutageLog::default());
        }
        let for_s = match self.outage.failed(now) {
            Some(OutageLine::Start) => 0,
            Some(OutageLine::Reminder { since, .. }) => now.millis_since(since) / 1000,
            None => return,
        };
        match self.flow {
            Flow::Open => {}
            Flow::HistoryWaits => tracing::info!(
                pending_events,
                bound_events = levels.bound,
                for_s,
                "The outbox is full: backfills wait until the edge has accepted some events; live changes continue",
            ),
            Flow::Paused(Shortage::Outbox) => tracing::warn!(
                log_code = "OF05-01",
                pending_events,
                bound_events = levels.bound,
                for_s,
                "The outbox holds twice delivery.max_pending_events: capture and indexing pause, nothing is lost, they \
                 resume by themselves once the edge accepts events; see `orderfeed status` for what holds it up",
            ),
            Flow::Paused(Shortage::Disk) => tracing::warn!(
                log_code = "OF04-02",
                free_bytes,
                reserve_bytes = levels.reserve,
                for_s,
                "The disk is nearly full: capture and indexing pause, nothing is lost, delivery continues; free some \
                 space beside store.path, or lower store.disk_reserve",
            ),
        }
    }
}

fn log_full_websites(before: &BTreeSet<String>, full: &BTreeSet<String>) {
    for website in full.difference(before) {
        tracing::warn!(
            log_code = "OF05-04",
            website,
            "Delivery for a website is blocked and delivery.max_pending_events are pending: its orders are indexed \
             without new events until there is room, the other websites continue; see `orderfeed status` for what blocks it",
        );
    }
    for website in before.difference(full) {
        tracing::info!(
            website,
            "There is room for the website's events again: a full reindex finds the skipped orders",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(pending: u64, free: u64) -> Levels {
        Levels {
            pending,
            bound: 1000,
            free: Some(free),
            reserve: 100,
        }
    }

    #[test]
    fn history_waits_first_and_everything_at_twice_the_bound_or_below_the_reserve() {
        let (open, waits) = (Flow::Open, Flow::HistoryWaits);
        let (full, disk) = (Flow::Paused(Shortage::Outbox), Flow::Paused(Shortage::Disk));
        let table = [
            (open, levels(999, 500), open),
            (open, levels(1000, 500), waits),
            (waits, levels(960, 500), waits),
            (waits, levels(940, 500), open),
            (waits, levels(1999, 500), waits),
            (waits, levels(2000, 500), full),
            (full, levels(1950, 500), full),
            (full, levels(1800, 500), waits),
            (full, levels(10, 500), open),
            (open, levels(0, 99), disk),
            (disk, levels(0, 101), disk),
            (disk, levels(0, 106), open),
            (disk, levels(5000, 106), full),
        ];
        for (before, levels, expected) in table {
            assert_eq!(flow(before, levels), expected, "{before:?} {levels:?}");
        }
        let unknown = Levels {
            free: None,
            ..levels(0, 0)
        };
        assert_eq!(
            flow(open, unknown),
            open,
            "a level that cannot be measured stops nothing"
        );
    }

    #[test]
    fn a_free_disk_is_measured() {
        assert!(free_bytes(std::path::Path::new("Cargo.toml")).is_some_and(|free| free > 0));
    }
}
