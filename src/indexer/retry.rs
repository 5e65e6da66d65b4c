//! Orders that could not be indexed are tried again, alone, with growing pauses, for ever: they are few, and giving one
//! up would lose its events.

use std::collections::BTreeMap;

use super::advance::Advance;
use super::apply::Batch;
use super::export_log;
use super::report::Indexed;
use super::{IndexError, Indexer};
use crate::store::Reader;
use crate::store::outbox::Class;

/// Retried together; each is still judged alone.
const AT_ONCE: usize = 100;

impl Indexer {
    /// Tries the orders again that are due.
    ///
    /// # Errors
    /// If source or store fail; the orders stay noted.
    pub async fn retry_failures(&self) -> Result<Indexed, IndexError> {
        let now = self.clock.now();
        // Realtime indexing has no slots of its own in which the rest of what it did could be told.
        self.note_changes(Indexed::default(), 0, 0);
        let due = self
            .store
            .read(move |reader: &Reader<'_>| reader.index_failures_due(now, AT_ONCE))
            .await?;
        let asked: Vec<_> = due.into_iter().map(|failure| failure.order).collect();
        if asked.is_empty() {
            return Ok(Indexed::default());
        }
        let orders = self.source.read_orders(&asked).await?;
        let batch = Batch {
            asked,
            orders,
            vanished: Vec::new(),
            class: Class::Live,
            changed_at: now,
            floors: BTreeMap::new(),
            force: false,
            advance: Advance::Nothing,
        };
        let done = self.apply(batch).await?;
        export_log::say_retried(done, self.clock.now().millis_since(now));
        Ok(done)
    }
}
