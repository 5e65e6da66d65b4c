//! Whether anything may flow in: the outbox is bounded and the disk keeps a reserve, so that what is already held can
//! always be finished. [`flow`] decides and is pure; [`Intake`] measures, remembers and says it in three lines.
//!
//! History waits first, at `delivery.max_pending_events`; capture and the indexing of live changes wait at twice that,
//! or as soon as less than `store.disk_reserve` is free. Nothing is lost meanwhile: the source keeps its changes. Websites
//! whose events cannot leave have a bound of their own ([`standstill`]) and do not hold up the others.

pub mod blocked_websites;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::Config;
use crate::ops::outage_log::{OutageLine, OutageLog};
use crate::store::file::space::free_bytes;
use crate::store::{Durability, INTAKE, Reader, Store, StoreError, Writer};
use orderfeed_model::clock::{Clock, UtcMillis};

/// A measurement is good for so long.
const FRESH_MS: i64 = 500;
/// A full outbox that has room for a moment is still the same trouble.
const CALM_MS: i64 = 60_000;
/// What waits goes on when the level is so far below its bound, so that it does not start and stop with every request.
const RESUME: f64 = 0.95;

/// What may flow in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flow {
    /// Everything.
    #[default]
    Open,
    /// Live changes; history waits until the outbox has room.
    HistoryWaits,
    /// Nothing, until this is over.
    Paused(Shortage),
}

/// What there is too little of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortage {
    /// Room in the outbox.
    Outbox,
    /// Space on the disk.
    Disk,
}

/// What was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Levels {
    /// Events that wait and can leave; all of them, if none can.
    pub pending: u64,
    /// `delivery.max_pending_events`.
    pub bound: u64,
    /// Free bytes beside the store; `None` if that cannot be measured.
    pub free: Option<u64>,
    /// `store.disk_reserve`.
    pub reserve: u64,
}

/// What may flow in at these levels, after it was `before`.
pub fn flow(before: Flow, levels: Levels) -> Flow {
    let over = |level: u64, bound: u64, already: bool| {
        let bound = if already {
            (bound as f64 * RESUME) as u64
        } else {
            bound
        };
        level >= bound
    };
    let was_short = before == Flow::Paused(Shortage::Disk);
    let wanted = if was_short {
        (levels.reserve as f64 / RESUME) as u64
    } else {
        levels.reserve
    };
    if levels.free.is_some_and(|free| free < wanted) {
        return Flow::Paused(Shortage::Disk);
    }
    let was_full = before == Flow::Paused(Shortage::Outbox);
    if over(levels.pending, levels.bound.saturating_mul(2), was_full) {
        return Flow::Paused(Shortage::Outbox);
    }
    if over(levels.pending, levels.bound, before != Flow::Open) {
        return Flow::HistoryWaits;
    }
    Flow::Open
}

impl Flow {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Open,
        Self::HistoryWaits,
        Self::Paused(Shortage::Outbox),
        Self::Paused(Shortage::Disk),
    ];

    /// As `status` and the table of `meta` say it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::HistoryWaits => "history_waits",
            Self::Paused(Shortage::Outbox) => "paused_outbox_full",
            Self::Paused(Shortage::Disk) => "paused_disk_nearly_full",
        }
    }
}

/// The measured state, shared by all who let something in.
#[derive(Debug, Default)]
pub struct Intake {
    state: Mutex<State>,
    /// Websites for which nothing more is taken.
    full: Mutex<Arc<BTreeSet<String>>>,
}

#[derive(Debug, Default)]
struct State {
    flow: Flow,
    measured_at: Option<UtcMillis>,
    /// What the last lines were about.
    said: Flow,
    outage: OutageLog,
    last_trouble: UtcMillis,
}

impl Intake {
    /// What may flow in now; measured again if the last look is too old.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn look(&self, store: &Store, config: &Config, clock: &Clock) -> Result<Flow, StoreError> {
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
        let (pending, noted) = store.read(read).await?;
        let bound = config.delivery.max_pending_events;
        let full = blocked_websites::full_websites(&noted, &pending, bound);
        self.hold(store, noted, full, now).await?;
        let levels = Levels {
            pending: blocked_websites::counted_events(&pending),
            bound,
            free: free_bytes(&config.store.path),
            reserve: config.store.disk_reserve.0,
        };
        if let Some(flow) = self.settle(levels, now) {
            let note = format!("{} {}", flow.as_str(), now.0);
            store
                .write(Durability::Relaxed, move |writer| writer.set_meta(INTAKE, &note))
                .await?;
        }
        Ok(self.state().flow)
    }

    /// What the last look found.
    pub fn last(&self) -> Flow {
        self.state().flow
    }

    /// Websites for which nothing more is taken right now, as the last look found.
    pub fn full_websites(&self) -> Arc<BTreeSet<String>> {
        Arc::clone(&self.full.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Nothing more is taken for these websites. It is noted before any order is passed over.
    async fn hold(
        &self,
        store: &Store,
        before: BTreeSet<String>,
        full: BTreeSet<String>,
        now: UtcMillis,
    ) -> Result<(), StoreError> {
        if *self.full_websites() == full && before == full {
            return Ok(());
        }
        let write = move |writer: &mut Writer<'_>| blocked_websites::store_full_websites(writer, full, now);
        let holds = store.write(Durability::Durable, write).await?;
        log_full(&before, &holds);
        *self.full.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(holds);
        Ok(())
    }

    fn recent(&self, now: UtcMillis) -> Option<Flow> {
        let state = self.state();
        let at = state.measured_at?;
        let age = now.millis_since(at);
        (0..FRESH_MS).contains(&age).then_some(state.flow)
    }

    /// Takes the levels in and speaks. The flow, if it changed.
    fn settle(&self, levels: Levels, now: UtcMillis) -> Option<Flow> {
        let mut state = self.state();
        let (before, first) = (state.flow, state.measured_at.is_none());
        state.flow = flow(before, levels);
        state.measured_at = Some(now);
        state.speak(levels, now);
        (state.flow != before || first).then_some(state.flow)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn speak(&mut self, levels: Levels, now: UtcMillis) {
        if self.flow == Flow::Open {
            let calm = now.millis_since(self.last_trouble) >= CALM_MS || matches!(self.said, Flow::Paused(_));
            if let Some(OutageLine::Recovery { lasted_ms, .. }) =
                calm.then(|| self.outage.recovered(now)).flatten()
            {
                tracing::info!(
                    after_s = lasted_ms / 1000,
                    pending_events = levels.pending,
                    free_bytes = levels.free,
                    "Everything flows in again; capture and history go on where they were",
                );
            }
            return;
        }
        self.last_trouble = now;
        if self.said != self.flow {
            (self.said, self.outage) = (self.flow, OutageLog::default());
        }
        let for_s = match self.outage.failed(now) {
            Some(OutageLine::Start) => 0,
            Some(OutageLine::Reminder { since, .. }) => now.millis_since(since) / 1000,
            Some(OutageLine::Recovery { .. }) | None => return,
        };
        let (pending_events, free_bytes) = (levels.pending, levels.free);
        match self.flow {
            Flow::Open => {}
            Flow::HistoryWaits => tracing::info!(
                pending_events,
                bound_events = levels.bound,
                for_s,
                "The outbox is full: history waits until the edge has taken some of it; live changes go on",
            ),
            Flow::Paused(Shortage::Outbox) => tracing::warn!(
                log_code = "OF05-01",
                pending_events,
                bound_events = levels.bound,
                for_s,
                "The outbox holds twice delivery.max_pending_events: capture and indexing pause, nothing is lost, they \
                 go on by themselves once the edge takes events; see `orderfeed status` for what holds it up",
            ),
            Flow::Paused(Shortage::Disk) => tracing::warn!(
                log_code = "OF04-02",
                free_bytes,
                reserve_bytes = levels.reserve,
                for_s,
                "The disk is nearly full: capture and indexing pause, nothing is lost, sending goes on; free some space \
                 beside store.path, or lower store.disk_reserve",
            ),
        }
    }
}

fn log_full(before: &BTreeSet<String>, full: &BTreeSet<String>) {
    for website in full.difference(before) {
        tracing::warn!(
            log_code = "OF05-04",
            website,
            "Delivery for a website stands still and delivery.max_pending_events wait: its orders are indexed without \
             new events until there is room, the other websites go on; see `orderfeed status` for what holds it up",
        );
    }
    for website in before.difference(full) {
        tracing::info!(
            website,
            "There is room for the website's events again: a full reindex finds what was passed over",
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
        assert_eq!(flow(open, unknown), open, "what cannot be measured stops nothing");
    }

    #[test]
    fn a_free_disk_is_measured() {
        assert!(free_bytes(std::path::Path::new("Cargo.toml")).is_some_and(|free| free > 0));
    }
}
