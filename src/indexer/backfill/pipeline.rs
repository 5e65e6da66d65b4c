//! The stages before the commits of a backfill: pages are read, then derived. Each stage is one page ahead of the next.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::commerce::source::ReadOrder;
use crate::indexer::apply::OrderBatch;
use crate::indexer::apply::commit::{Advance, Origin};
use crate::indexer::backfill::options::BackfillOptions;
use crate::indexer::backfill::prepared_page::PreparedPage;
use crate::indexer::intake::Flow;
use crate::indexer::live_traffic::{PIECE, rest};
use crate::indexer::reading::Lane;
use crate::indexer::{IndexError, Indexer};
use crate::store::Reader;
use crate::store::backfill::{BackfillId, BackfillStep};
use crate::store::outbox::Class;
use orderfeed_model::order::OrderId;

/// Interval at which a backfill checks whether the outbox has room again.
const ROOM_POLL: Duration = Duration::from_millis(500);

/// A page of orders that was read ahead.
pub(super) struct SourcePage {
    ids: Vec<OrderId>,
    /// Lowest id of the page before; `None` for the first page.
    above: Option<OrderId>,
    orders: Vec<ReadOrder>,
}

impl Indexer {
    pub(crate) fn batch_size(&self, options: &BackfillOptions) -> u64 {
        let size = options.batch_size.unwrap_or(self.config().index.batch_size);
        u64::from(size.max(1))
    }

    /// Reads page after page until the end, an error, or until the receiver is dropped.
    pub(super) async fn read_pages(
        &self,
        options: &BackfillOptions,
        mut below: Option<OrderId>,
        pages: mpsc::Sender<Result<SourcePage, IndexError>>,
    ) {
        let filter = options.filter();
        let size = self.batch_size(options) as usize;
        // The place is reserved before the page is read: a page that waits for a place costs memory and saves no time.
        // Ids of the page that are not read yet.
        let mut left = Vec::new();
        while let Ok(place) = pages.reserve().await {
            let page = async {
                let ids = match left.is_empty() {
                    true => self.source.order_ids(&filter, below, size).await?,
                    false => std::mem::take(&mut left),
                };
                let (read, orders) = self.read_beside_live(&ids).await?;
                left = ids[read..].to_vec();
                Ok(SourcePage {
                    ids: ids[..read].to_vec(),
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

    /// Reads the first of these orders of the history: as many as a page may hold, or a few beside live changes, because a
    /// source may answer one request at a time. Returns their number.
    pub(crate) async fn read_beside_live(
        &self,
        ids: &[OrderId],
    ) -> Result<(usize, Vec<ReadOrder>), IndexError> {
        let (piece, _) = split_piece(self.is_live(), ids);
        let (read, orders, _) = self.read_page(piece, Lane::History).await?;
        Ok((read.len(), orders))
    }

    /// Derives page after page.
    pub(super) async fn prepare_pages(
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
            self.pace.add_reading(begun.elapsed());
            if let Err(error) = self.prepare_page(options, backfill, stop, page, &ready).await {
                // The receiver is gone if a commit failed: then that error is the one to report.
                let _ = ready.send(Err(error)).await;
                return;
            }
        }
    }

    /// Derives a page: for one transaction, or beside live changes for several small ones, so that a live change waits for one
    /// of them at most.
    async fn prepare_page(
        &self,
        options: &BackfillOptions,
        backfill: BackfillId,
        stop: &(impl Fn() -> bool + Sync),
        page: Result<SourcePage, IndexError>,
        ready: &mpsc::Sender<Result<PreparedPage, IndexError>>,
    ) -> Result<(), IndexError> {
        let page = page?;
        let received = Instant::now();
        self.wait_for_room(options.website.as_deref(), stop).await?;
        let begun = Instant::now();
        self.pace.add_waiting(begun - received);
        let mut deleted = match options.covers_all() {
            true => self.deleted_between(&page).await?,
            false => Vec::new(),
        };
        let mut orders: HashMap<OrderId, ReadOrder> =
            page.orders.into_iter().map(|order| (order.id(), order)).collect();
        let mut left = page.ids.as_slice();
        let mut rested = Duration::ZERO;
        while !left.is_empty() {
            let piece_begun = Instant::now();
            let live = self.is_live();
            let piece;
            (piece, left) = split_piece(live, left);
            let step = BackfillStep {
                id: backfill,
                below: piece.iter().min().copied().unwrap_or_default(),
                orders: piece.len() as u64,
            };
            let batch = OrderBatch {
                ids: piece.to_vec(),
                orders: piece.iter().filter_map(|id| orders.remove(id)).collect(),
                // With the last piece: the position is then past all of them.
                deleted: match left.is_empty() {
                    true => std::mem::take(&mut deleted),
                    false => Vec::new(),
                },
                website: options.website.clone(),
                origin: Origin {
                    class: Class::History,
                    changed_at: self.clock.now(),
                    reach: options.reach,
                    resend: options.resend,
                    advance: Advance::Backfill(step),
                },
            };
            let commit = self.prepare(batch).await?;
            let sent = ready.send(Ok(PreparedPage { commit, step })).await;
            sent.map_err(|_| IndexError::Stopped)?;
            if live {
                rested += rest(piece_begun).await;
            }
        }
        // This includes waiting until the commits take more.
        self.pace.add_applying(begun.elapsed().saturating_sub(rested));
        Ok(())
    }

    /// Returns the orders of the feed that are between this page and the one before, and do not exist any more.
    async fn deleted_between(&self, page: &SourcePage) -> Result<Vec<OrderId>, IndexError> {
        let above = page.above;
        let lowest = page.ids.iter().min().copied().unwrap_or_default();
        let known = self
            .store
            .read(move |reader: &Reader<'_>| reader.feed_ids(lowest, above))
            .await?;
        let read: HashSet<OrderId> = page.ids.iter().copied().collect();
        // Orders above the newest one of the first page may have been placed since it was read.
        let newest = page.ids.iter().max().copied().unwrap_or(lowest);
        let is_deleted = |id: &OrderId| !read.contains(id) && (above.is_some() || *id < newest);
        let missing: Vec<OrderId> = known.into_iter().filter(is_deleted).collect();
        Ok(self.source.deleted(&missing).await?)
    }

    /// Waits while the outbox is full, or that of the backfill's website. Live changes do not wait.
    async fn wait_for_room(
        &self,
        website: Option<&str>,
        stop: &(impl Fn() -> bool + Sync),
    ) -> Result<(), IndexError> {
        loop {
            let flow = self.flow().await?;
            let is_full = website.is_some_and(|code| self.intake.full_websites().contains(code));
            if flow == Flow::Open && !is_full {
                return Ok(());
            }
            if stop() {
                return Err(IndexError::Stopped);
            }
            tokio::time::sleep(ROOM_POLL).await;
        }
    }
}

/// Splits off the orders that are processed at once: all of them, or a few beside live changes.
fn split_piece(live: bool, left: &[OrderId]) -> (&[OrderId], &[OrderId]) {
    left.split_at(if live { PIECE.min(left.len()) } else { left.len() })
}
