//! Birth marks outside of indexing: they show that the source was restored, and are adopted by an older feed.
//!
//! A source that was replaced by an older copy of itself may have new rows that have passed the stored position already. The
//! position alone cannot show it: changes of the copy up to that position would never be captured. But orders that were placed
//! since have ids that the feed holds, and other birth marks.

use crate::indexer::backfill::options::BackfillKind;
use crate::indexer::reading::Lane;
use crate::indexer::{IndexError, Indexer};
use crate::store::feed::KnownBirth;
use crate::store::views::IndexerStatus;
use crate::store::{Durability, Reader, Writer};

/// Newest orders of the feed that are compared.
const NEWEST: usize = 8;

impl Indexer {
    /// Compares the newest orders of the feed with the source. If other orders have their ids, the index becomes invalid,
    /// so that a full reindex finds what capture cannot.
    pub(super) async fn check_reused_ids(&self) -> Result<(), IndexError> {
        let read = |reader: &Reader<'_>| reader.newest_feed_ids(NEWEST);
        let ids = self.store.read(read).await?;
        let is_reused = |births: &[KnownBirth]| births.iter().any(KnownBirth::is_reborn);
        let (mut reused, mut left) = (0, ids.as_slice());
        while !left.is_empty() {
            // A locked table of returns must not keep capture from its start.
            let (page, orders, rest) = self.read_page(left, Lane::Changed).await?;
            let prior = self.prior(page.to_vec(), &orders).await?;
            reused += prior.values().filter(|prior| is_reused(&prior.births)).count();
            left = rest;
        }
        if reused == 0 {
            return Ok(());
        }
        tracing::warn!(
            log_code = "OF05-08",
            orders = reused,
            "The source is an older copy: other orders have the ids of the newest indexed ones; a full reindex compares every \
             order",
        );
        match self.cancel_backfills(BackfillKind::Reindex).await {
            // The one that runs leaves the index invalid, and the next one starts over.
            Ok(()) | Err(IndexError::Busy(_)) => {}
            Err(error) => return Err(error),
        }
        let at = self.clock.now();
        let invalidate = move |writer: &mut Writer<'_>| {
            match writer.reader().indexer_state()?.map(|state| state.status) {
                // An operator resumes it, with a full reindex.
                None | Some(IndexerStatus::Suspended) => Ok(()),
                Some(_) => writer.set_indexer_status(IndexerStatus::Invalid, at),
            }
        };
        Ok(self.store.write(Durability::Durable, invalidate).await?)
    }

    /// Stores the birth marks of orders that an earlier version indexed. An equal feed hash has shown that they are the same.
    pub(super) async fn adopt_births(&self, births: Vec<KnownBirth>) -> Result<(), IndexError> {
        if births.is_empty() {
            return Ok(());
        }
        let at = self.clock.now();
        let adopt = move |writer: &mut Writer<'_>| {
            let mut held = Vec::new();
            for birth in births {
                held.extend(writer.holds_birth(&birth)?.then_some(birth));
            }
            writer.store_births(&held, at)
        };
        Ok(self.store.write(Durability::Relaxed, adopt).await?)
    }
}
