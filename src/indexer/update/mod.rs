//! The changelog is drained: Commerce's `View::update()`, with a checkpoint after each batch.

pub(crate) mod by_ids;
pub(crate) mod index_backoff;
pub(crate) mod progress_log;
pub mod retry;

use std::collections::HashMap;
use std::time::Instant;

use super::apply::OrderBatch;
use super::export_log;
use super::intake::Flow;
use super::report::Indexed;
use super::{IndexError, Indexer};
use crate::indexer::apply::advance::Advance;
use crate::indexer::backfill::options::Reach;
use crate::store::changelog::{ChangelogSlice, VersionId};
use crate::store::outbox::Class;
use crate::store::views::{ViewState, ViewStatus};
use crate::store::{Durability, Reader};
use orderfeed_model::order::OrderId;

/// Who drains the changelog; backfills have a lease of their own.
const UPDATE_LEASE: &str = "feed_update_orders";
/// Rows looked at for one batch: changes of the same few orders do not make a batch small.
const ROWS_PER_ORDER: usize = 20;

/// Orders whose reading is remembered within a drain.
const REMEMBERED: usize = 200_000;

/// A piece of the changelog, and where its end was when the piece was read.
struct Piece {
    window: ChangelogSlice,
    head: VersionId,
}

/// What a drain has read already. A row of the changelog is older than any reading of its order that began after it was
/// there: a long backlog of the same few orders (a daemon that starts again and again looks at the same minutes of the
/// source each time) costs one reading of each.
#[derive(Default)]
struct Readings(HashMap<OrderId, VersionId>);

impl Readings {
    /// The orders of the piece that must be read for it.
    fn unread(&self, piece: &Piece) -> Vec<OrderId> {
        let is_covered = |order: &OrderId| self.0.get(order).is_some_and(|head| *head >= piece.window.upto);
        let orders = piece.window.orders.iter().copied();
        orders.filter(|order| !is_covered(order)).collect()
    }

    /// These were read after the changelog had grown up to `head`.
    fn note(&mut self, orders: &[OrderId], head: VersionId) {
        if self.0.len() + orders.len() > REMEMBERED {
            self.0.clear();
        }
        self.0.extend(orders.iter().map(|order| (*order, head)));
    }
}

/// What a drain did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ViewUpdate {
    /// All batches together.
    pub indexed: Indexed,
    /// How many batches there were.
    pub batches: u64,
}

impl Indexer {
    /// Indexes what the changelog holds, batch by batch, until it is drained or `stop` says so.
    ///
    /// # Errors
    /// `Busy` if it runs already, `Suspended`, or what failed; earlier batches of this run stay committed.
    pub async fn update_view(&self, stop: impl Fn() -> bool) -> Result<ViewUpdate, IndexError> {
        let Ok(_guard) = self.updating.try_lock() else {
            return Err(IndexError::Busy("partial reindex".to_owned()));
        };
        let begun = Instant::now();
        let mut update = ViewUpdate::default();
        let mut marked = false;
        let mut readings = Readings::default();
        let result = loop {
            let config = self.config();
            match self.intake.look(&self.store, &config, &self.clock).await {
                Ok(Flow::Paused(_)) => break Err(IndexError::Paused),
                Ok(Flow::Open | Flow::HistoryWaits) => {}
                Err(error) => break Err(error.into()),
            }
            match self.next_piece().await {
                Ok(Some(piece)) => {
                    let last = piece.window.upto >= piece.head;
                    // Only a drain that takes several batches is worth two more transactions to be seen.
                    if !last && !marked {
                        self.mark_view(ViewStatus::Working).await?;
                        marked = true;
                    }
                    match self.apply_piece(piece, &mut readings).await {
                        Ok(indexed) => update.add(indexed),
                        Err(error) => break Err(error),
                    }
                    if last || stop() {
                        break Ok(());
                    }
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        if marked {
            self.mark_view(ViewStatus::Idle).await?;
        }
        let took_ms = i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX);
        let now = self.clock.now();
        export_log::note_changes(&self.progress_log, update.indexed, update.batches, took_ms, now);
        result.map(|()| update)
    }

    /// The next piece of the changelog; `None` if there is nothing to do.
    async fn next_piece(&self) -> Result<Option<Piece>, IndexError> {
        let orders = self.config().index.batch_size as usize;
        let read = move |reader: &Reader<'_>| {
            let view = reader.view_state()?;
            let version = view.map_or(0, |view: ViewState| view.version);
            let window = reader.changelog_slice(version, orders, orders.saturating_mul(ROWS_PER_ORDER))?;
            let head = reader.changelog_head()?;
            Ok((view, Piece { window, head }))
        };
        let (view, piece) = self.store.read(read).await?;
        if view.is_some_and(|view| view.status == ViewStatus::Suspended) {
            return Err(IndexError::Suspended);
        }
        Ok((!piece.window.orders.is_empty()).then_some(piece))
    }

    async fn apply_piece(&self, piece: Piece, readings: &mut Readings) -> Result<Indexed, IndexError> {
        self.live.note(self.clock.now());
        let asked = readings.unread(&piece);
        let orders = self.source.read_orders(&asked).await?;
        readings.note(&asked, piece.head);
        let window = piece.window;
        let batch = OrderBatch {
            asked,
            orders,
            vanished: Vec::new(),
            class: Class::Live,
            changed_at: window.oldest.unwrap_or_else(|| self.clock.now()),
            reach: Reach::Everything,
            only_for: None,
            resend: false,
            advance: Advance::View(window.upto),
        };
        self.apply(batch).await
    }

    async fn mark_view(&self, status: ViewStatus) -> Result<(), IndexError> {
        let at = self.clock.now();
        let job = move |writer: &mut crate::store::Writer<'_>| {
            match status {
                ViewStatus::Working => writer.take_lease(UPDATE_LEASE, "partial reindex", at)?,
                ViewStatus::Idle | ViewStatus::Suspended => writer.release_lease(UPDATE_LEASE)?,
            }
            // A person may have suspended the view meanwhile; that stays.
            if writer
                .reader()
                .view_state()?
                .is_some_and(|view| view.status == ViewStatus::Suspended)
            {
                return Ok(());
            }
            writer.set_view_status(status, at)
        };
        Ok(self.store.write(Durability::Relaxed, job).await?)
    }
}

impl ViewUpdate {
    fn add(&mut self, indexed: Indexed) {
        self.indexed.add(indexed);
        self.batches += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_that_came_after_the_reading_is_read_again() {
        let piece = |upto, head| Piece {
            window: ChangelogSlice {
                orders: vec![7],
                upto,
                ..ChangelogSlice::default()
            },
            head,
        };
        let mut readings = Readings::default();
        readings.note(&[7], 10);
        assert_eq!(readings.unread(&piece(10, 12)), [0; 0]);
        assert_eq!(readings.unread(&piece(11, 12)), [7]);
    }
}
