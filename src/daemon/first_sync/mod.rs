//! Runs the first syncs: once a second, performs the actions of [`crate::first_sync::decide`], until every website is
//! complete. Backfills run beside it, one at a time; a failed backfill continues where it was.

pub(crate) mod log;
pub(crate) mod reenabled;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

use crate::config::Config;
use crate::daemon::first_sync::reenabled::has_row;
use crate::daemon::schedule::jobs::Jobs;
use crate::delivery::DeliveryStats;
use crate::first_sync::history::candidates;
use crate::first_sync::pace::{Bottleneck, Pace, Sample};
use crate::first_sync::{
    BackfillCondition, BackfillPlan, IndexCondition, Notice, Observation, SyncAction, decide,
};
use crate::indexer::intake::Flow;
use crate::indexer::{BackfillKind, BackfillOptions, IndexError};
use crate::ops::pause;
use crate::store::backfill::{Backfill, BackfillState};
use crate::store::first_sync::{FirstSyncRow, SyncState};
use crate::store::meta::WebsiteId;
use crate::store::outbox::{Pause, SenderRow};
use crate::store::views::IndexerStatus;
use crate::store::{Durability, Reader, StoreError, Writer};
use orderfeed_model::clock::UtcMillis;

const TICK: Duration = Duration::from_secs(1);
const RETRY_PAUSE: Duration = Duration::from_secs(3);

/// Runs the first syncs until `jobs.stop`.
pub async fn run(jobs: Jobs, stats: Arc<DeliveryStats>) -> Result<(), IndexError> {
    let mut config = jobs.config.clone();
    let mut driver = Driver {
        jobs,
        stats,
        volatile: BTreeMap::new(),
        backfills: JoinSet::new(),
        source_failures: 0,
        not_before: Instant::now(),
    };
    let stop = driver.jobs.stop.clone();
    loop {
        config.borrow_and_update();
        reenabled::reindex_reenabled(&driver.jobs).await?;
        driver.enroll().await?;
        let open = driver.advance_all().await?;
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            // Once every website is complete, only a reload wakes this task.
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

/// The part of a website's state that is not stored.
#[derive(Debug, Default)]
struct Volatile {
    pace: Pace,
    logged_at: Option<UtcMillis>,
}

struct Driver {
    jobs: Jobs,
    stats: Arc<DeliveryStats>,
    volatile: BTreeMap<WebsiteId, Volatile>,
    backfills: JoinSet<Result<(), IndexError>>,
    /// Number of backfills that ended because the source could not be read.
    source_failures: u64,
    /// No backfill starts before this time.
    not_before: Instant,
}

/// Everything a decision needs, read in one transaction.
struct Stored {
    codes: BTreeMap<WebsiteId, String>,
    syncs: Vec<Sync>,
    senders: Vec<SenderRow>,
    pauses: Vec<Pause>,
    index: IndexCondition,
}

struct Sync {
    row: FirstSyncRow,
    backfill: BackfillCondition,
    /// Pending events, without those that are dated far ahead.
    pending: u64,
    dated_ahead: u64,
}

impl Sync {
    /// Returns the number of events that are final.
    fn sent(&self) -> u64 {
        self.row.events.saturating_sub(self.pending + self.dated_ahead)
    }
}

impl Driver {
    /// Creates the row of each website whose events are enabled for the first time. Its window starts now.
    async fn enroll(&self) -> Result<(), StoreError> {
        let (config, now) = (self.jobs.config.borrow().clone(), self.jobs.clock.now());
        let store = self.jobs.store();
        let known = store.read(|reader| Ok((reader.websites()?, reader.first_syncs()?)));
        let (codes, rows) = known.await?;
        let mut wanted = candidates(&config, now);
        // A website that is enabled again keeps its row; see `reenabled`.
        wanted.retain(|new| !has_row(&new.code, &codes, &rows));
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
                "Back-office events are enabled for the first time: the first sync of the website starts",
            );
        }
        Ok(())
    }

    /// Performs the actions of every first sync until no state changes any more. Returns true if one is still running.
    async fn advance_all(&mut self) -> Result<bool, StoreError> {
        loop {
            let now = self.jobs.clock.now();
            let stored = self
                .jobs
                .store()
                .read(move |reader: &Reader<'_>| read(reader, now))
                .await?;
            let mut changed = false;
            for sync in &stored.syncs {
                changed |= self.advance(sync, &stored).await?;
            }
            // One state may follow another at once, such as a backfill without orders.
            if !changed {
                let open =
                    |sync: &Sync| sync.row.state != SyncState::Complete && sync.row.interrupted_at.is_none();
                return Ok(stored.syncs.iter().any(open));
            }
        }
    }

    /// Performs the actions of one website. Returns true if its state changed.
    async fn advance(&mut self, sync: &Sync, stored: &Stored) -> Result<bool, StoreError> {
        let row = &sync.row;
        if row.state == SyncState::Complete {
            self.volatile.remove(&row.website);
            return Ok(false);
        }
        let (config, now) = (self.jobs.config.borrow().clone(), self.jobs.clock.now());
        let unnamed = String::new();
        let code = stored.codes.get(&row.website).unwrap_or(&unnamed);
        let observed = self.observe(sync, stored, &config, now);
        let mut progress = row.clone();
        progress.sent_events = sync.sent();
        progress.limited_by = observed
            .estimate
            .map(|estimate| estimate.bottleneck.as_str().to_owned());
        let (website, mut changed) = (row.website, false);
        for action in decide(row, &observed, now) {
            match action {
                SyncAction::Backfill(plan) => self.backfill(plan, code, row),
                SyncAction::Become(state) => {
                    self.write(move |w| w.advance_sync_state(website, state, now))
                        .await?;
                    changed = true;
                }
                SyncAction::Interrupt => self.write(move |w| w.interrupt_first_sync(website, now)).await?,
                SyncAction::Reopen => {
                    let deadline = now.plus_millis(config.first_sync.window.millis());
                    self.write(move |w| w.reopen_first_sync(website, now, deadline))
                        .await?;
                    self.volatile.remove(&website);
                    changed = true;
                }
                SyncAction::Log(notice) => {
                    log::log_notice(notice, code, row, &observed, now);
                    progress.warned_early |= matches!(notice, Notice::WillMiss(_));
                    progress.warned_late |= notice == Notice::Overdue;
                    if notice == Notice::Progress {
                        self.volatile(row.website).logged_at = Some(now);
                    }
                    let progress = progress.clone();
                    // Relaxed: if a power cut loses it, the notice is logged again.
                    let write = move |w: &mut Writer<'_>| w.record_sync_progress(&progress);
                    self.jobs.store().write(Durability::Relaxed, write).await?;
                }
            }
        }
        Ok(changed)
    }

    async fn write(
        &self,
        work: impl FnOnce(&mut Writer<'_>) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<(), StoreError> {
        let store = self.jobs.store();
        store.write(Durability::Durable, work).await
    }

    fn observe(&mut self, sync: &Sync, stored: &Stored, config: &Config, now: UtcMillis) -> Observation {
        let row = &sync.row;
        let enabled = stored.codes.get(&row.website).is_some_and(|code| {
            let website = config.websites.get(code);
            website.is_some_and(|website| website.back_office_events)
        });
        let times = self.jobs.indexer.backfill_times();
        let sample = Sample {
            at: now,
            orders: row.done_orders,
            sent: sync.sent(),
            reading_ms: times.reading_ms,
            source_failures: self.source_failures,
            applying_ms: times.applying_ms,
            waiting_ms: times.waiting_ms,
            rate_limit_waits: self.stats.snapshot().rate_limit_waits,
        };
        let flow = self.jobs.indexer.intake().last();
        let sender = stored.senders.iter().find(|sender| sender.website == row.website);
        let owners = stored
            .codes
            .get(&row.website)
            .map(|code| pause::owners(config, code));
        let asked_pause = owners.and_then(|owners| pause::of_sender(&owners, sender, &stored.pauses, now));
        let volatile = self.volatile(row.website);
        volatile.pace.add(sample);
        let mut estimate = volatile.pace.estimate(row, sync.pending, sender, asked_pause);
        if let Some(estimate) = estimate.as_mut() {
            // The pace measures neither a closed intake nor a suspended index.
            if stored.index == IndexCondition::Suspended {
                estimate.bottleneck = Bottleneck::Paused;
            } else if matches!(flow, Flow::Paused(_)) && row.state < SyncState::Sending {
                estimate.bottleneck = Bottleneck::OutboxBound;
            }
        }
        Observation {
            enabled,
            index: stored.index,
            backfill: sync.backfill,
            pending: sync.pending,
            estimate,
            logged_at: volatile.logged_at,
        }
    }

    fn volatile(&mut self, website: WebsiteId) -> &mut Volatile {
        self.volatile.entry(website).or_default()
    }

    /// Starts a backfill unless one runs. The next decision asks for it again.
    fn backfill(&mut self, plan: BackfillPlan, code: &str, row: &FirstSyncRow) {
        // One at a time, because backfills share the source and the lease of the feed.
        if !self.backfills.is_empty() || Instant::now() < self.not_before || self.jobs.stop.is_cancelled() {
            return;
        }
        let jobs = self.jobs.clone();
        let options = BackfillOptions {
            created_from: row.floor,
            website: Some(code.to_owned()),
            ..BackfillOptions::default()
        };
        // Beside the loop, which continues to measure and log.
        self.backfills.spawn(async move {
            let stop = || jobs.stop.is_cancelled();
            match plan {
                BackfillPlan::Full => jobs.reindex().await.map(drop),
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
                self.not_before = Instant::now() + RETRY_PAUSE;
                self.source_failures += u64::from(matches!(error, IndexError::Source(_)));
                // Debug, because capture already logs a source that is down.
                tracing::debug!(error = %error, "The backfill of a first sync failed; it continues where it was");
            }
        }
        Ok(())
    }
}

fn read(reader: &Reader<'_>, now: UtcMillis) -> Result<Stored, StoreError> {
    let mut syncs = Vec::new();
    for row in reader.first_syncs()? {
        if row.state == SyncState::Complete {
            continue;
        }
        let backfill = match row.backfill {
            None => BackfillCondition::None,
            // Rows of complete backfills are removed after a while.
            Some(id) => reader
                .backfill(id)?
                .map_or(BackfillCondition::Complete, |backfill| {
                    backfill_condition(&backfill)
                }),
        };
        let dated_ahead = reader.far_ahead(row.website, now)?.of_backfills;
        let pending = reader.pending_of_backfills(row.website)?;
        syncs.push(Sync {
            row,
            backfill,
            pending: pending.saturating_sub(dated_ahead),
            dated_ahead,
        });
    }
    let index = match reader.indexer_state()?.map(|state| state.status) {
        None | Some(IndexerStatus::Invalid) => IndexCondition::Invalid,
        Some(IndexerStatus::Working) => IndexCondition::Busy,
        Some(IndexerStatus::Valid) => IndexCondition::Valid,
        Some(IndexerStatus::Suspended) => IndexCondition::Suspended,
    };
    Ok(Stored {
        codes: reader.websites()?.into_iter().collect(),
        syncs,
        senders: reader.senders()?,
        pauses: reader.pauses()?,
        index,
    })
}

fn backfill_condition(backfill: &Backfill) -> BackfillCondition {
    match (backfill.state, backfill.kind) {
        (BackfillState::Complete, _) => BackfillCondition::Complete,
        (BackfillState::Running, BackfillKind::Reindex) => BackfillCondition::Open(BackfillPlan::Full),
        (BackfillState::Running, _) => BackfillCondition::Open(BackfillPlan::Website),
        // A cancelled backfill starts over.
        (BackfillState::Cancelled, _) => BackfillCondition::None,
    }
}
