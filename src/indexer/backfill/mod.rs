//! Backfills: passes over the order history, newest order first, in three stages that overlap. One page is read while the
//! one before is derived and the one before that is committed. The position moves with each commit, so a backfill that was
//! killed resumes where it stopped.

pub(crate) mod open;
pub(crate) mod options;
pub mod pace;
pub(crate) mod pipeline;
pub(crate) mod prepared_page;
pub(crate) mod preview;
pub mod restart;

use tokio::sync::{MutexGuard, mpsc};
use tokio::time::Instant;

use crate::indexer::backfill::options::{BackfillKind, BackfillOptions};
use crate::indexer::backfill::prepared_page::PreparedPage;
use crate::indexer::capture::ensure_cursors;
use crate::indexer::export_log;
use crate::indexer::live_traffic::{PIECE, rest};
use crate::indexer::report::{BackfillReport, Progress};
use crate::indexer::{FEED_LEASE, IndexError, Indexer};
use crate::store::backfill::{Backfill, BackfillState};
use crate::store::views::IndexerStatus;
use crate::store::{Durability, Reader, Writer};
use orderfeed_model::clock::UtcMillis;

/// Pages that may be read ahead, whatever the options ask for: each one is memory.
const MAX_READ_AHEAD: u32 = 16;

impl Indexer {
    /// Runs a full reindex, or resumes the one that was interrupted. The index is valid afterwards.
    ///
    /// # Errors
    /// `Busy` if a backfill runs already; `BackfillOptions` if the interrupted one cannot resume; otherwise what failed. The
    /// next call resumes.
    pub async fn reindex(
        &self,
        options: BackfillOptions,
        stop: impl Fn() -> bool + Sync,
        progress: impl FnMut(Progress) + Send,
    ) -> Result<BackfillReport, IndexError> {
        let _guard = self.start_backfilling().await?;
        let at = self.clock.now();
        let start = move |w: &mut Writer<'_>| {
            let before = w.reader().indexer_state()?.map(|state| state.status);
            w.set_indexer_status(IndexerStatus::Working, at)?;
            Ok(before)
        };
        let before = self.store.write(Durability::Durable, start).await?;
        let kind = BackfillKind::Reindex;
        let result = self.backfill(kind, options, stop, progress).await;
        let status = match (before, result.is_ok()) {
            // As in Commerce, a reindex by hand works on a suspended index; here the suspension outlives it.
            (Some(IndexerStatus::Suspended), _) => IndexerStatus::Suspended,
            (_, true) => IndexerStatus::Valid,
            (_, false) => IndexerStatus::Invalid,
        };
        let at = self.clock.now();
        let finish = move |w: &mut Writer<'_>| {
            let now = w.reader().indexer_state()?.map(|state| state.status);
            // An operator may have suspended or reset the index meanwhile; that stays.
            if now == Some(IndexerStatus::Working) {
                w.set_indexer_status(status, at)?;
            }
            Ok(())
        };
        self.store.write(Durability::Durable, finish).await?;
        result.inspect(|report| export_log::log_complete(kind, report))
    }

    /// Runs a backfill that leaves the index's status alone: `saas:resync`.
    pub async fn resync(
        &self,
        options: BackfillOptions,
        stop: impl Fn() -> bool + Sync,
        progress: impl FnMut(Progress) + Send,
    ) -> Result<BackfillReport, IndexError> {
        let _guard = self.start_backfilling().await?;
        let kind = BackfillKind::Resync;
        let result = self.backfill(kind, options, stop, progress).await;
        result.inspect(|report| export_log::log_complete(kind, report))
    }

    /// Runs the first sync of a website that was enabled later. It also leaves the index's status alone.
    pub async fn first_sync(
        &self,
        options: BackfillOptions,
        stop: impl Fn() -> bool + Sync,
    ) -> Result<BackfillReport, IndexError> {
        let _guard = self.start_backfilling().await?;
        let kind = BackfillKind::FirstSync;
        let result = self.backfill(kind, options, stop, |_| {}).await;
        result.inspect(|report| export_log::log_complete(kind, report))
    }

    /// Reserves the one place for a backfill.
    ///
    /// # Errors
    /// `Busy` with the holder of the lease if one runs.
    pub(crate) async fn start_backfilling(&self) -> Result<MutexGuard<'_, ()>, IndexError> {
        if let Ok(guard) = self.backfilling.try_lock() {
            return Ok(guard);
        }
        let leases = self.store.read(|reader: &Reader<'_>| reader.leases()).await?;
        let holder = leases.into_iter().find(|lease| lease.name == FEED_LEASE);
        let name = holder.map_or_else(
            || "full sync".to_owned(),
            |lease| format!("{}({})", lease.holder, lease.pid),
        );
        Err(IndexError::Busy(name))
    }

    async fn backfill(
        &self,
        kind: BackfillKind,
        options: BackfillOptions,
        stop: impl Fn() -> bool + Sync,
        progress: impl FnMut(Progress) + Send,
    ) -> Result<BackfillReport, IndexError> {
        // Before the first page is read: a change after the page must be captured, or it would be lost.
        ensure_cursors(&self.store, self.source.as_ref()).await?;
        let (mut backfill, options) = self.open_backfill(kind, options).await?;
        let read_ahead = options.read_ahead.unwrap_or(1).clamp(1, MAX_READ_AHEAD);
        let (pages, read) = mpsc::channel(read_ahead as usize);
        // One derived page may wait: orders with their events are the largest part of the memory.
        let (ready, prepared) = mpsc::channel(1);
        let reading = self.read_pages(&options, backfill.below, pages);
        let preparing = self.prepare_pages(&options, backfill.id, &stop, read, ready);
        let size = self.batch_size(&options);
        let committing = self.commit_pages(kind, &mut backfill, size, &stop, prepared, progress);
        // The commits own their receiver. When they end, dropping it ends the stages before them.
        let ((), (), committed) = tokio::join!(reading, preparing, committing);
        let mut report = match committed {
            Ok(report) => report,
            Err(error) => {
                let id = backfill.id;
                let release = move |w: &mut Writer<'_>| {
                    w.forget_starts(id)?;
                    w.release_lease(FEED_LEASE)
                };
                self.store.write(Durability::Relaxed, release).await?;
                return Err(error);
            }
        };
        let (id, at) = (backfill.id, self.clock.now());
        let finish = move |w: &mut Writer<'_>| {
            w.release_lease(FEED_LEASE)?;
            w.finish_backfill(id, BackfillState::Complete, at)
        };
        self.store.write(Durability::Durable, finish).await?;
        report.elapsed_ms = at.millis_since(backfill.started_at);
        Ok(report)
    }

    /// Commits derived pages until there are no more.
    async fn commit_pages(
        &self,
        kind: BackfillKind,
        backfill: &mut Backfill,
        size: u64,
        stop: &(impl Fn() -> bool + Sync),
        mut prepared: mpsc::Receiver<Result<PreparedPage, IndexError>>,
        mut progress: impl FnMut(Progress) + Send,
    ) -> Result<BackfillReport, IndexError> {
        let mut report = BackfillReport::default();
        let mut logged_at = self.clock.now();
        let mut later = None;
        while let Some(page) = match later.take() {
            Some(later) => Some(Ok(later)),
            None => prepared.recv().await,
        } {
            let (mut page, begun) = (page?, Instant::now());
            if self.is_live() {
                later = page.split_off(PIECE);
            }
            let PreparedPage { commit, step } = page;
            let indexed = self.commit(commit).await?;
            backfill.below = Some(step.below);
            backfill.done += step.orders;
            backfill.events += indexed.events;
            report.indexed.add(indexed);
            let now = self.clock.now();
            let so_far = progress_of(backfill, now);
            progress(so_far);
            if now.millis_since(logged_at) >= log_interval_ms(kind) {
                logged_at = now;
                export_log::log_progress(kind, so_far, size, report.indexed);
            }
            if stop() {
                return Err(IndexError::Stopped);
            }
            if later.is_some() {
                rest(begun).await;
            }
        }
        Ok(report)
    }
}

/// Returns the interval between two lines about the progress. A first sync also has a line of its website every ten seconds.
const fn log_interval_ms(kind: BackfillKind) -> i64 {
    match kind {
        BackfillKind::FirstSync => 30_000,
        BackfillKind::Reindex | BackfillKind::Resync => 10_000,
    }
}

fn progress_of(backfill: &Backfill, now: UtcMillis) -> Progress {
    Progress {
        total: backfill.total.max(backfill.done),
        done: backfill.done,
        events: backfill.events,
        elapsed_ms: now.millis_since(backfill.started_at),
    }
}
