//! The first syncs under way: looks once a second, does what [`crate::first_sync::decide`] says, and sleeps for good once
//! every website is through. Backfills run one at a time beside it; a backfill that fails is begun again where it was.

pub(crate) mod log;
pub(crate) mod reenabled;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

use crate::config::Config;
use crate::daemon::schedule::jobs::Jobs;
use crate::delivery::DeliveryStats;
use crate::first_sync::history::candidates;
use crate::first_sync::pace::{Bottleneck, Pace, Sample, SenderCondition};
use crate::first_sync::{
    BackfillCondition, BackfillPlan, IndexCondition, Notice, Observation, SyncAction, decide,
};
use crate::indexer::intake::Flow;
use crate::indexer::{BackfillKind, BackfillOptions, IndexError};
use crate::store::first_sync::{FirstSyncRow, SyncState};
use crate::store::meta::WebsiteId;
use crate::store::outbox::{SenderRow, SenderState};
use crate::store::views::IndexerStatus;
use crate::store::{Durability, Reader, StoreError, Writer};
use orderfeed_model::clock::UtcMillis;

const TICK: Duration = Duration::from_secs(1);
/// Pause before a backfill that failed is tried again; capture tells about a source that is down.
const PAUSE: Duration = Duration::from_secs(3);

/// Sees the first syncs through until `jobs.stop`.
///
/// # Errors
/// If the store fails, or a backfill crashes.
pub async fn run(jobs: Jobs, stats: Arc<DeliveryStats>) -> Result<(), IndexError> {
    let mut config = jobs.config.clone();
    let mut driver = Driver {
        jobs,
        stats,
        places: BTreeMap::new(),
        backfills: JoinSet::new(),
        not_before: Instant::now(),
    };
    let stop = driver.jobs.stop.clone();
    loop {
        config.borrow_and_update();
        reenabled::welcome_back(&driver.jobs).await?;
        driver.enroll().await?;
        let open = driver.look().await?;
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            () = tokio::time::sleep(TICK), if open => {}
            Some(ended) = driver.backfills.join_next() => driver.ended(ended)?,
            changed = config.changed() => if changed.is_err() { break },
        }
    }
    while let Some(ended) = driver.backfills.join_next().await {
        driver.ended(ended)?;
    }
    Ok(())
}

/// What is only in memory of one website.
#[derive(Debug, Default)]
struct Place {
    pace: Pace,
    logged_at: Option<UtcMillis>,
}

struct Driver {
    jobs: Jobs,
    stats: Arc<DeliveryStats>,
    places: BTreeMap<WebsiteId, Place>,
    backfills: JoinSet<Result<(), IndexError>>,
    /// No backfill begins before this.
    not_before: Instant,
}

/// What one look at the store finds.
struct Seen {
    codes: BTreeMap<WebsiteId, String>,
    syncs: Vec<Sync>,
    senders: Vec<SenderRow>,
    index: IndexCondition,
}

struct Sync {
    row: FirstSyncRow,
    backfill: BackfillCondition,
    pending: u64,
}

impl Driver {
    /// Websites whose events are on and that have no row get one: from now on their window counts.
    async fn enroll(&self) -> Result<(), StoreError> {
        let (config, now) = (self.jobs.config.borrow().clone(), self.jobs.clock.now());
        let store = self.jobs.indexer.store();
        let known = store.read(|reader: &Reader<'_>| Ok((reader.websites()?, reader.first_syncs()?)));
        let (codes, rows) = known.await?;
        let has_row = |code: &str| {
            let id = codes.iter().find(|(_, known)| known == code);
            id.is_some_and(|(id, _)| rows.iter().any(|row| row.website == *id))
        };
        let mut wanted = candidates(&config, now);
        wanted.retain(|new| !has_row(&new.code));
        if wanted.is_empty() {
            return Ok(());
        }
        let enroll = move |w: &mut Writer<'_>| w.enroll_first_syncs(&wanted, now);
        let new = store.write(Durability::Durable, enroll).await?;
        for website in new {
            tracing::info!(
                website,
                window_s = config.first_sync.window.millis() / 1000,
                history = %config.first_sync.history,
                "Back-office events are enabled for the first time: the first sync of the website begins",
            );
        }
        Ok(())
    }

    /// Looks at all first syncs, and does what is to be done. Whether any is not complete.
    async fn look(&mut self) -> Result<bool, StoreError> {
        loop {
            let seen = self.jobs.indexer.store().read(see).await?;
            let mut changed = false;
            for sync in &seen.syncs {
                changed |= self.attend(sync, &seen).await?;
            }
            if !changed {
                let open =
                    |sync: &Sync| sync.row.state != SyncState::Complete && sync.row.interrupted_at.is_none();
                return Ok(seen.syncs.iter().any(open));
            }
        }
    }

    /// Does what one website needs. Whether its state changed.
    async fn attend(&mut self, sync: &Sync, seen: &Seen) -> Result<bool, StoreError> {
        let row = &sync.row;
        if row.state == SyncState::Complete {
            self.places.remove(&row.website);
            return Ok(false);
        }
        let (config, now) = (self.jobs.config.borrow().clone(), self.jobs.clock.now());
        let unnamed = String::new();
        let code = seen.codes.get(&row.website).unwrap_or(&unnamed);
        let observed = self.observed(sync, seen, &config, now);
        let mut noted = row.clone();
        noted.sent_events = row.events.saturating_sub(sync.pending);
        noted.limited_by = observed
            .estimate
            .map(|estimate| estimate.bottleneck.as_str().to_owned());
        let mut changed = false;
        for action in decide(row, &observed, now) {
            match action {
                SyncAction::Backfill(plan) => self.backfill(plan, code, row),
                SyncAction::Become(state) => {
                    let website = row.website;
                    let advance = move |w: &mut Writer<'_>| w.advance_sync_state(website, state, now);
                    self.write(advance).await?;
                    changed = true;
                }
                SyncAction::Interrupt => {
                    let website = row.website;
                    self.write(move |w| w.interrupt_first_sync(website, now)).await?;
                }
                SyncAction::Reopen => {
                    let website = row.website;
                    let deadline = now.plus_millis(config.first_sync.window.millis());
                    self.write(move |w| w.reopen_first_sync(website, now, deadline))
                        .await?;
                    self.places.remove(&row.website);
                    changed = true;
                }
                SyncAction::Log(line) => {
                    crate::daemon::first_sync::log::say(line, code, row, &observed, now);
                    noted.warned_early |= matches!(line, Notice::WillMiss(_));
                    noted.warned_late |= line == Notice::Overdue;
                    if line == Notice::Progress {
                        self.place(row.website).logged_at = Some(now);
                    }
                    let note = noted.clone();
                    let write = move |w: &mut Writer<'_>| w.record_sync_progress(&note);
                    self.jobs
                        .indexer
                        .store()
                        .write(Durability::Relaxed, write)
                        .await?;
                }
            }
        }
        Ok(changed)
    }

    async fn write(
        &self,
        work: impl FnOnce(&mut Writer<'_>) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<(), StoreError> {
        let store = self.jobs.indexer.store();
        store.write(Durability::Durable, work).await
    }

    fn observed(&mut self, sync: &Sync, seen: &Seen, config: &Config, now: UtcMillis) -> Observation {
        let row = &sync.row;
        let enabled = seen.codes.get(&row.website).is_some_and(|code| {
            let website = config.websites.get(code);
            website.is_some_and(|website| website.back_office_events)
        });
        let times = self.jobs.indexer.backfill_times();
        let sample = Sample {
            at: now,
            orders: row.done_orders,
            sent: row.events.saturating_sub(sync.pending),
            reading_ms: times.reading_ms,
            applying_ms: times.applying_ms,
            waiting_ms: times.waiting_ms,
            rate_limit_waits: self.stats.snapshot().rate_limit_waits,
        };
        let flow = self.jobs.indexer.intake().last();
        let sender = seen.senders.iter().find(|sender| sender.website == row.website);
        let place = self.place(row.website);
        place.pace.add(sample);
        let mut estimate = place.pace.estimate(row, sync.pending, sender_condition(sender));
        if let Some(estimate) = estimate.as_mut()
            && matches!(flow, Flow::Paused(_))
            && row.state < SyncState::Sending
        {
            estimate.bottleneck = Bottleneck::OutboxBound;
        }
        if seen.index == IndexCondition::Suspended
            && let Some(estimate) = estimate.as_mut()
        {
            estimate.bottleneck = Bottleneck::Paused;
        }
        Observation {
            enabled,
            index: seen.index,
            backfill: sync.backfill,
            pending: sync.pending,
            estimate,
            logged_at: place.logged_at,
        }
    }

    fn place(&mut self, website: WebsiteId) -> &mut Place {
        self.places.entry(website).or_default()
    }

    /// Starts a backfill, unless one runs; the next look asks again.
    fn backfill(&mut self, plan: BackfillPlan, code: &str, row: &FirstSyncRow) {
        if !self.backfills.is_empty() || Instant::now() < self.not_before || self.jobs.stop.is_cancelled() {
            return;
        }
        let jobs = self.jobs.clone();
        let options = BackfillOptions {
            created_from: row.floor,
            website: Some(code.to_owned()),
            ..BackfillOptions::default()
        };
        self.backfills.spawn(async move {
            let stop = || jobs.stop.is_cancelled();
            match plan {
                BackfillPlan::Full => jobs.rebuild().await.map(drop),
                BackfillPlan::Website => jobs.indexer.first_sync(options, stop).await.map(drop),
            }
        });
    }

    fn ended(&mut self, ended: Result<Result<(), IndexError>, JoinError>) -> Result<(), IndexError> {
        let result = ended.map_err(|cause| IndexError::Derive(cause.to_string()))?;
        match result {
            Ok(()) => {}
            Err(IndexError::Store(error)) => return Err(error.into()),
            Err(error) => {
                self.not_before = Instant::now() + PAUSE;
                tracing::debug!(error = %error, "The walk of a first sync waits; it goes on where it was");
            }
        }
        Ok(())
    }
}

/// Everything that a decision needs, in one snapshot.
fn see(reader: &Reader<'_>) -> Result<Seen, StoreError> {
    let mut syncs = Vec::new();
    for row in reader.first_syncs()? {
        if row.state == SyncState::Complete {
            continue;
        }
        let backfill = match row.backfill {
            None => BackfillCondition::None,
            // Old backfills that are over are forgotten after a while.
            Some(id) => reader
                .backfill(id)?
                .map_or(BackfillCondition::Complete, |backfill| {
                    backfill_condition(&backfill.state, &backfill.kind)
                }),
        };
        let pending = reader.pending_of_backfills(row.website)?;
        syncs.push(Sync {
            row,
            backfill,
            pending,
        });
    }
    let index = match reader.indexer_state()?.map(|state| state.status) {
        None | Some(IndexerStatus::Invalid) => IndexCondition::Invalid,
        Some(IndexerStatus::Working) => IndexCondition::Busy,
        Some(IndexerStatus::Valid) => IndexCondition::Valid,
        Some(IndexerStatus::Suspended) => IndexCondition::Suspended,
    };
    Ok(Seen {
        codes: reader.websites()?.into_iter().collect(),
        syncs,
        senders: reader.senders()?,
        index,
    })
}

fn backfill_condition(state: &str, kind: &str) -> BackfillCondition {
    match state {
        "complete" => BackfillCondition::Complete,
        "running" if kind == BackfillKind::Reindex.as_str() => BackfillCondition::Open(BackfillPlan::Full),
        "running" => BackfillCondition::Open(BackfillPlan::Website),
        // A backfill that was given up is begun anew.
        _ => BackfillCondition::None,
    }
}

fn sender_condition(sender: Option<&SenderRow>) -> SenderCondition {
    match sender {
        Some(row) if row.state == SenderState::Paused => SenderCondition::Paused,
        Some(row) if row.state == SenderState::Halted => SenderCondition::Failing,
        Some(row) if row.state == SenderState::BackingOff && row.code.contains("429") => {
            SenderCondition::Throttled
        }
        Some(row) if row.state == SenderState::BackingOff => SenderCondition::Failing,
        _ => SenderCondition::Running,
    }
}
