//! The changelog is drained: Commerce's `View::update()`, with a checkpoint after each batch.

use std::sync::atomic::Ordering;
use std::time::Instant;

use super::advance::Advance;
use super::apply::Batch;
use super::export_log;
use super::intake::Flow;
use super::report::Indexed;
use super::walk_options::Reach;
use super::{IndexError, Indexer};
use crate::store::changelog::Window;
use crate::store::outbox::Class;
use crate::store::views::{ViewState, ViewStatus};
use crate::store::{Durability, Reader};

/// Who drains the changelog; walks have a lease of their own.
const UPDATE_LEASE: &str = "feed_update_orders";
/// Rows looked at for one batch: changes of the same few orders do not make a batch small.
const ROWS_PER_ORDER: usize = 20;

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
        let result = loop {
            let config = self.config();
            match self.intake.look(&self.store, &config, &self.clock).await {
                Ok(Flow::Paused(_)) => break Err(IndexError::Paused),
                Ok(Flow::Open | Flow::HistoryWaits) => {}
                Err(error) => break Err(error.into()),
            }
            match self.next_window().await {
                Ok(Some((window, last))) => {
                    // Only a drain that takes several batches is worth two more transactions to be seen.
                    if !last && !marked {
                        self.mark_view(ViewStatus::Working).await?;
                        marked = true;
                    }
                    match self.apply_window(window).await {
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
        export_log::note_changes(&self.untold, update.indexed, update.batches, took_ms, now);
        result.map(|()| update)
    }

    /// The next piece of the changelog, and whether it is the last for now. `None` if there is nothing to do.
    async fn next_window(&self) -> Result<Option<(Window, bool)>, IndexError> {
        let orders = self.config().index.batch_size as usize;
        let read = move |reader: &Reader<'_>| {
            let view = reader.view_state()?;
            let version = view.map_or(0, |view: ViewState| view.version);
            let window = reader.changelog_window(version, orders, orders.saturating_mul(ROWS_PER_ORDER))?;
            let last = window.upto >= reader.changelog_head()?;
            Ok((view, window, last))
        };
        let (view, window, last) = self.store.read(read).await?;
        if view.is_some_and(|view| view.status == ViewStatus::Suspended) {
            return Err(IndexError::Suspended);
        }
        Ok((!window.orders.is_empty()).then_some((window, last)))
    }

    async fn apply_window(&self, window: Window) -> Result<Indexed, IndexError> {
        self.live_at.store(self.clock.now().0, Ordering::Relaxed);
        let orders = self.source.read_orders(&window.orders).await?;
        let batch = Batch {
            asked: window.orders,
            orders,
            vanished: Vec::new(),
            class: Class::Live,
            changed_at: window.oldest.unwrap_or_else(|| self.clock.now()),
            reach: Reach::Everything,
            only_for: None,
            force: false,
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
