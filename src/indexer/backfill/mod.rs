//! Backfills, newest order first, in three stages that overlap: one page is read while the one before is derived
//! and the one before that is committed. The position moves with each commit, so a backfill that was killed goes on where it
//! was.

pub(crate) mod open;
pub(crate) mod options;
pub mod pace;
pub(crate) mod prepared_page;
pub(crate) mod preview;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::commerce::source::ReadOrder;
use crate::indexer::apply::OrderBatch;
use crate::indexer::apply::advance::Advance;
use crate::indexer::backfill::options::{BackfillKind, BackfillOptions};
use crate::indexer::backfill::prepared_page::{BESIDE_LIVE, PreparedPage, rest};
use crate::indexer::export_log;
use crate::indexer::intake::Flow;
use crate::indexer::report::{BackfillReport, Progress};
use crate::indexer::{FEED_LEASE, IndexError, Indexer};
use crate::store::backfill::{Backfill, BackfillId, BackfillStep};
use crate::store::outbox::Class;
use crate::store::views::IndexerStatus;
use crate::store::{Durability, Reader, Writer};
use orderfeed_model::clock::UtcMillis;
use orderfeed_model::order::OrderId;

const ROOM_POLL_INTERVAL: Duration = Duration::from_millis(500);

/// A page of orders that was read ahead.
struct SourcePage {
    ids: Vec<OrderId>,
    above: Option<OrderId>,
    orders: Vec<ReadOrder>,
}

impl Indexer {
    /// A full reindex: every order is looked at; the index is valid afterwards. Goes on with one that was interrupted.
    ///
    /// # Errors
    /// `Busy` if a backfill runs already; otherwise what failed. The backfill goes on at the next call.
    pub async fn reindex(
        &self,
        options: BackfillOptions,
        stop: impl Fn() -> bool + Sync,
        progress: impl FnMut(Progress) + Send,
    ) -> Result<BackfillReport, IndexError> {
        let _guard = self.start_backfilling().await?;
        let at = self.clock.now();
        let before = self
            .store
            .write(Durability::Durable, move |w| {
                let before = w.reader().indexer_state()?.map(|state| state.status);
                w.set_indexer_status(IndexerStatus::Working, at)?;
                Ok(before)
            })
            .await?;
        let result = self
            .backfill(BackfillKind::Reindex, options, stop, progress)
            .await;
        let status = match (before, result.is_ok()) {
            // As in Commerce, a reindex by hand works on a suspended index; here the suspension outlives it.
            (Some(IndexerStatus::Suspended), _) => IndexerStatus::Suspended,
            (_, true) => IndexerStatus::Valid,
            (_, false) => IndexerStatus::Invalid,
        };
        let at = self.clock.now();
        self.store
            .write(Durability::Durable, move |w| {
                let now = w.reader().indexer_state()?.map(|state| state.status);
                // A person may have suspended or reset it meanwhile; that stays.
                if now == Some(IndexerStatus::Working) {
                    w.set_indexer_status(status, at)
                } else {
                    Ok(())
                }
            })
            .await?;
        told(BackfillKind::Reindex, result)
    }

    /// A backfill that leaves the index's status alone: `saas:resync`.
    ///
    /// # Errors
    /// As [`Indexer::reindex`].
    pub async fn resync(
        &self,
        options: BackfillOptions,
        stop: impl Fn() -> bool + Sync,
        progress: impl FnMut(Progress) + Send,
    ) -> Result<BackfillReport, IndexError> {
        let _guard = self.start_backfilling().await?;
        told(
            BackfillKind::Resync,
            self.backfill(BackfillKind::Resync, options, stop, progress).await,
        )
    }

    /// The first sync of a website that was enabled later: only its orders, and the index's status stays as it is.
    ///
    /// # Errors
    /// As [`Indexer::reindex`].
    pub async fn first_sync(
        &self,
        options: BackfillOptions,
        stop: impl Fn() -> bool + Sync,
    ) -> Result<BackfillReport, IndexError> {
        let _guard = self.start_backfilling().await?;
        told(
            BackfillKind::FirstSync,
            self.backfill(BackfillKind::FirstSync, options, stop, |_| {})
                .await,
        )
    }

    pub(crate) async fn start_backfilling(&self) -> Result<tokio::sync::MutexGuard<'_, ()>, IndexError> {
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
        mut progress: impl FnMut(Progress) + Send,
    ) -> Result<BackfillReport, IndexError> {
        crate::indexer::capture::ensure_cursors(&self.store, self.source.as_ref()).await?;
        let mut backfill = self.open_backfill(kind, options).await?;
        let options: BackfillOptions = serde_json::from_str(&backfill.options).unwrap_or_default();
        let (pages, read) = mpsc::channel(options.read_ahead.unwrap_or(1).clamp(1, 16) as usize);
        let (ready, prepared) = mpsc::channel(1);
        let reading = self.read_pages(&options, backfill.below, pages);
        let preparing = self.prepare_pages(&options, backfill.id, &stop, read, ready);
        let size = self.batch_size(&options);
        let mut report = BackfillReport::default();
        let mut said = self.clock.now();
        // Owning the receiver, it lets those before it go as soon as it ends.
        let committing = async {
            let (mut prepared, mut later) = (prepared, None);
            while let Some(page) = match later.take() {
                Some(later) => Some(Ok(later)),
                None => prepared.recv().await,
            } {
                let (mut page, begun) = (page?, Instant::now());
                if self.is_live() {
                    later = page.split_off(BESIDE_LIVE);
                }
                let PreparedPage { commit, step } = page;
                let indexed = self.commit(commit).await?;
                backfill.below = Some(step.below);
                backfill.done += step.orders;
                backfill.events += indexed.events;
                report.indexed.add(indexed);
                let now = self.clock.now();
                let so_far = progress_of(&backfill, now);
                progress(so_far);
                if now.millis_since(said) >= progress_every_ms(kind) {
                    said = now;
                    export_log::log_progress(kind, so_far, size, report.indexed);
                }
                if stop() {
                    return Err(IndexError::Stopped);
                }
                if later.is_some() {
                    rest(begun).await;
                }
            }
            Ok(())
        };
        let ((), (), applied) = tokio::join!(reading, preparing, committing);
        if applied.is_err() {
            let release = |w: &mut Writer<'_>| w.release_lease(FEED_LEASE);
            self.store.write(Durability::Relaxed, release).await?;
        }
        applied?;
        let (id, at) = (backfill.id, self.clock.now());
        let finish = move |w: &mut Writer<'_>| {
            w.release_lease(FEED_LEASE)?;
            w.finish_backfill(id, "complete", at)
        };
        self.store.write(Durability::Durable, finish).await?;
        report.elapsed_ms = at.millis_since(backfill.started_at);
        Ok(report)
    }

    fn batch_size(&self, options: &BackfillOptions) -> u64 {
        let size = options.batch_size.unwrap_or(self.config().index.batch_size);
        u64::from(size.max(1))
    }

    /// Reads page after page until the end, or until nobody takes them any more.
    async fn read_pages(
        &self,
        options: &BackfillOptions,
        mut below: Option<OrderId>,
        pages: mpsc::Sender<Result<SourcePage, IndexError>>,
    ) {
        let filter = options.filter();
        let size = self.batch_size(options) as usize;
        // A place before the page is read: one more that waits is memory, and makes nothing faster.
        while let Ok(place) = pages.reserve().await {
            let page = async {
                let ids = self.source.order_ids(&filter, below, size).await?;
                let orders = self.read_beside_live(&ids).await?;
                Ok(SourcePage {
                    ids,
                    above: below,
                    orders,
                })
            };
            let page = page.await;
            match &page {
                Ok(page) if page.ids.is_empty() => return,
                Ok(page) => below = page.ids.iter().min().copied(),
                Err(_) => {}
            }
            let failed = page.is_err();
            place.send(page);
            if failed {
                return;
            }
        }
    }

    /// Reads a page: at once while nothing else goes on, in small pieces beside live changes, because a source may
    /// answer one question at a time.
    pub(crate) async fn read_beside_live(&self, ids: &[OrderId]) -> Result<Vec<ReadOrder>, IndexError> {
        let (mut left, mut orders) = (ids, Vec::with_capacity(ids.len()));
        while !left.is_empty() {
            let size = if self.is_live() { BESIDE_LIVE } else { left.len() };
            let (slice, later) = left.split_at(size.min(left.len()));
            left = later;
            orders.append(&mut self.source.read_history(slice).await?);
        }
        Ok(orders)
    }

    /// Derives page after page, one ahead of the commits.
    async fn prepare_pages(
        &self,
        options: &BackfillOptions,
        backfill: BackfillId,
        stop: &(impl Fn() -> bool + Sync),
        mut pages: mpsc::Receiver<Result<SourcePage, IndexError>>,
        ready: mpsc::Sender<Result<PreparedPage, IndexError>>,
    ) {
        loop {
            let begun = Instant::now();
            let Some(page) = pages.recv().await else {
                return;
            };
            self.pace.read(begun.elapsed());
            if let Err(error) = self.prepare_page(options, backfill, stop, page, &ready).await {
                // Nobody listens if the commits ended.
                let _ = ready.send(Err(error)).await;
                return;
            }
        }
    }

    /// Derives a page: for one transaction while nothing else goes on, for small ones beside live changes, which wait for
    /// one of them at most.
    async fn prepare_page(
        &self,
        options: &BackfillOptions,
        backfill: BackfillId,
        stop: &(impl Fn() -> bool + Sync),
        page: Result<SourcePage, IndexError>,
        ready: &mpsc::Sender<Result<PreparedPage, IndexError>>,
    ) -> Result<(), IndexError> {
        let mut page = page?;
        let got = Instant::now();
        self.wait_for_room(options.website.as_deref(), stop).await?;
        let free = Instant::now();
        self.pace.waited(free - got);
        let lowest = page.ids.iter().min().copied().unwrap_or_default();
        let mut vanished = match options.covers_all() {
            true => self.vanished(&page, lowest).await?,
            false => Vec::new(),
        };
        let orders = std::mem::take(&mut page.orders);
        let mut orders: HashMap<OrderId, ReadOrder> =
            orders.into_iter().map(|order| (order.id(), order)).collect();
        let mut left = page.ids.as_slice();
        let mut rested = Duration::ZERO;
        while !left.is_empty() {
            let begun = Instant::now();
            let live = self.is_live();
            let size = if live { BESIDE_LIVE } else { left.len() };
            let (slice, later) = left.split_at(size.min(left.len()));
            left = later;
            let step = BackfillStep {
                id: backfill,
                below: slice.iter().min().copied().unwrap_or(lowest),
                orders: slice.len() as u64,
            };
            let batch = OrderBatch {
                asked: slice.to_vec(),
                orders: slice.iter().filter_map(|id| orders.remove(id)).collect(),
                vanished: match left.is_empty() {
                    true => std::mem::take(&mut vanished),
                    false => Vec::new(),
                },
                class: Class::History,
                changed_at: self.clock.now(),
                reach: options.reach,
                only_for: options.website.clone(),
                resend: options.resend,
                advance: Advance::Backfill(step),
            };
            let commit = self.prepare(batch).await?;
            let sent = ready.send(Ok(PreparedPage { commit, step })).await;
            sent.map_err(|_| IndexError::Stopped)?;
            if live {
                rested += rest(begun).await;
            }
        }
        // Waiting until the commits take more is part of it.
        self.pace.applied(free.elapsed().saturating_sub(rested));
        Ok(())
    }

    /// Whether a live change came in a moment ago.
    pub(crate) fn is_live(&self) -> bool {
        self.live.is_on(self.clock.now())
    }

    /// Orders of the feed that lie between this page and the one before, and do not exist any more.
    async fn vanished(&self, page: &SourcePage, below: OrderId) -> Result<Vec<OrderId>, IndexError> {
        let above = page.above;
        let known = self
            .store
            .read(move |reader: &Reader<'_>| reader.feed_ids(below, above))
            .await?;
        let read: HashSet<OrderId> = page.ids.iter().copied().collect();
        // Above the newest order of the first page there may be orders that were placed since; they are not gone.
        let newest = page.ids.iter().max().copied().unwrap_or(below);
        let gone = |id: &OrderId| !read.contains(id) && (above.is_some() || *id < newest);
        Ok(known.into_iter().filter(gone).collect())
    }

    /// History waits while the outbox is full; live changes do not.
    async fn wait_for_room(
        &self,
        website: Option<&str>,
        stop: &(impl Fn() -> bool + Sync),
    ) -> Result<(), IndexError> {
        loop {
            let config = self.config();
            let flow = self.intake.look(&self.store, &config, &self.clock).await?;
            let is_full = website.is_some_and(|code| self.intake.full_websites().contains(code));
            if flow == Flow::Open && !is_full {
                return Ok(());
            }
            if stop() {
                return Err(IndexError::Stopped);
            }
            tokio::time::sleep(ROOM_POLL_INTERVAL).await;
        }
    }
}

/// Says that a backfill is complete, if it is.
fn told(
    kind: BackfillKind,
    result: Result<BackfillReport, IndexError>,
) -> Result<BackfillReport, IndexError> {
    result.inspect(|report| export_log::log_complete(kind, report))
}

/// How often a backfill says how far it is. The first sync of a website has a line of its own every ten seconds.
const fn progress_every_ms(kind: BackfillKind) -> i64 {
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
