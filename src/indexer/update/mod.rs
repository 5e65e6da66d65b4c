//! Drains the changelog: Commerce's `View::update()`, with a commit after each batch.

pub(crate) mod by_ids;
mod retry;

use std::collections::HashMap;
use std::time::Instant;

use super::apply::OrderBatch;
use super::export_log;
use super::intake::Flow;
use super::report::{Indexed, ViewUpdate};
use super::{IndexError, Indexer};
use crate::indexer::apply::commit::Advance;
use crate::indexer::reading::Lane;
use crate::store::changelog::{ChangelogSlice, VersionId};
use crate::store::views::ViewStatus;
use crate::store::{Durability, Reader, Writer};
use orderfeed_model::order::OrderId;

/// Lease of an update; backfills have their own.
const UPDATE_LEASE: &str = "feed_update_orders";
/// Changelog rows read per order of a batch: repeated changes of the same few orders do not make a batch small.
const ROWS_PER_ORDER: usize = 20;
/// Orders whose last reading is kept in memory during a drain.
const MAX_READINGS: usize = 200_000;

/// The next changes, and the changelog's head when they were read.
struct NextSlice {
    slice: ChangelogSlice,
    head: VersionId,
}

/// The changelog's head at the last reading of each order during this drain.
///
/// A row of the changelog is older than any reading of its order that began after it was written. So a long backlog of the
/// same few orders costs one reading of each: a daemon that restarts again and again captures the same minutes of the source
/// each time.
#[derive(Default)]
struct Readings(HashMap<OrderId, VersionId>);

impl Readings {
    /// Returns the orders of the slice that must be read for it.
    fn unread(&self, next: &NextSlice) -> Vec<OrderId> {
        let is_covered = |order: &OrderId| self.0.get(order).is_some_and(|head| *head >= next.slice.upto);
        let orders = next.slice.orders.iter().copied();
        orders.filter(|order| !is_covered(order)).collect()
    }

    /// Records that these orders were read after the changelog had grown up to `head`.
    fn record(&mut self, orders: &[OrderId], head: VersionId) {
        if self.0.len() + orders.len() > MAX_READINGS {
            self.0.clear();
        }
        self.0.extend(orders.iter().map(|order| (*order, head)));
    }
}

impl Indexer {
    /// Indexes the changelog batch by batch, until it is drained or `stop` returns true.
    ///
    /// # Errors
    /// `Busy` if an update runs already, `Suspended`, `Paused`, or the failure of source or store. Earlier batches of this
    /// run stay committed.
    pub async fn update_view(&self, stop: impl Fn() -> bool) -> Result<ViewUpdate, IndexError> {
        let Ok(_guard) = self.updating.try_lock() else {
            return Err(IndexError::Busy("partial reindex".to_owned()));
        };
        let begun = Instant::now();
        let mut update = ViewUpdate::default();
        let mut marked = false;
        let result = self.drain(&mut update, &mut marked, stop).await;
        if marked {
            self.mark_view(ViewStatus::Idle).await?;
        }
        update.took_ms = i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX);
        export_log::log_changes(&self.progress_log, update, self.clock.now());
        result.map(|()| update)
    }

    async fn drain(
        &self,
        update: &mut ViewUpdate,
        marked: &mut bool,
        stop: impl Fn() -> bool,
    ) -> Result<(), IndexError> {
        let mut readings = Readings::default();
        loop {
            if let Flow::Paused(_) = self.flow().await? {
                return Err(IndexError::Paused);
            }
            let Some(next) = self.next_slice().await? else {
                return Ok(());
            };
            let last = next.slice.upto >= next.head;
            // Only a drain of several batches is worth the two more transactions that make it visible.
            if !last && !*marked {
                self.mark_view(ViewStatus::Working).await?;
                *marked = true;
            }
            update.indexed.add(self.apply_slice(next, &mut readings).await?);
            update.batches += 1;
            // Changes that arrived meanwhile are for the next run: under constant load, this one would not end.
            if last || stop() {
                return Ok(());
            }
        }
    }

    /// Reads the next changes; `None` if the changelog is drained.
    async fn next_slice(&self) -> Result<Option<NextSlice>, IndexError> {
        let orders = self.config().index.batch_size as usize;
        let read = move |reader: &Reader<'_>| {
            let view = reader.view_state()?;
            let version = view.map_or(0, |view| view.version);
            let slice = reader.changelog_slice(version, orders, orders.saturating_mul(ROWS_PER_ORDER))?;
            let head = reader.changelog_head()?;
            Ok((view, NextSlice { slice, head }))
        };
        let (view, next) = self.store.read(read).await?;
        if view.is_some_and(|view| view.status == ViewStatus::Suspended) {
            return Err(IndexError::Suspended);
        }
        Ok((!next.slice.orders.is_empty()).then_some(next))
    }

    async fn apply_slice(&self, next: NextSlice, readings: &mut Readings) -> Result<Indexed, IndexError> {
        // Capture recorded them when they arrived, which may be long ago.
        self.live.record(self.clock.now());
        let ids = readings.unread(&next);
        let slice = next.slice;
        let changed_at = slice.oldest.unwrap_or_else(|| self.clock.now());
        let (mut indexed, mut left) = (Indexed::default(), ids.as_slice());
        loop {
            let (page, orders, rest) = self.read_page(left, Lane::Changed).await?;
            let mut batch = OrderBatch::live(page.to_vec(), orders, changed_at);
            // With the last page: the view is then past all of them.
            if rest.is_empty() {
                batch.origin.advance = Advance::View(slice.upto);
            }
            indexed.add(self.apply(batch).await?);
            readings.record(page, next.head);
            left = rest;
            if left.is_empty() {
                return Ok(indexed);
            }
        }
    }

    async fn mark_view(&self, status: ViewStatus) -> Result<(), IndexError> {
        let at = self.clock.now();
        let job = move |writer: &mut Writer<'_>| {
            match status {
                ViewStatus::Working => writer.take_lease(UPDATE_LEASE, "partial reindex", at)?,
                ViewStatus::Idle | ViewStatus::Suspended => writer.release_lease(UPDATE_LEASE)?,
            }
            let view = writer.reader().view_state()?;
            // An operator may have suspended the view meanwhile; that stays.
            if view.is_some_and(|view| view.status == ViewStatus::Suspended) {
                return Ok(());
            }
            writer.set_view_status(status, at)
        };
        Ok(self.store.write(Durability::Relaxed, job).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_that_came_after_the_reading_is_read_again() {
        let next = |upto, head| NextSlice {
            slice: ChangelogSlice {
                orders: vec![7],
                upto,
                ..ChangelogSlice::default()
            },
            head,
        };
        let mut readings = Readings::default();
        readings.record(&[7], 10);
        assert_eq!(readings.unread(&next(10, 12)), [0; 0]);
        assert_eq!(readings.unread(&next(11, 12)), [7]);
    }
}
