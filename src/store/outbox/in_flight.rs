//! The batches in flight, in memory: after the end of the process nothing is in flight.
//!
//! An answer of the edge refers to events by their position in the request, so the contents of a batch must not change
//! between the building of a request and the settlement of its answer. Each sender registers the batches it takes, and
//! code that rewrites batches (`outbox::screen`, `outbox::erase`) leaves registered ones alone.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::store::outbox::BatchId;

/// The batches in flight of all senders of one store.
#[derive(Clone, Debug, Default)]
pub struct InFlightBatches(Arc<Mutex<HashSet<BatchId>>>);

impl InFlightBatches {
    /// Returns true if a sender has taken the batch.
    pub fn contains(&self, id: BatchId) -> bool {
        self.ids().contains(&id)
    }

    /// Returns the register of one more sender, still empty.
    pub fn of_sender(&self) -> SenderBatches {
        SenderBatches {
            own: HashSet::new(),
            all: self.clone(),
        }
    }

    fn ids(&self) -> MutexGuard<'_, HashSet<BatchId>> {
        // A panic cannot leave the set half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The batches in flight of one sender. Dropping it removes them from [`InFlightBatches`].
#[derive(Debug)]
pub struct SenderBatches {
    own: HashSet<BatchId>,
    all: InFlightBatches,
}

impl SenderBatches {
    pub fn extend(&mut self, ids: impl Iterator<Item = BatchId>) {
        let mut all = self.all.ids();
        for id in ids {
            self.own.insert(id);
            all.insert(id);
        }
    }

    pub fn remove(&mut self, id: BatchId) {
        self.own.remove(&id);
        self.all.ids().remove(&id);
    }

    pub fn ids(&self) -> &HashSet<BatchId> {
        &self.own
    }
}

impl Drop for SenderBatches {
    fn drop(&mut self) {
        let mut all = self.all.ids();
        for id in &self.own {
            all.remove(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_batches_of_a_sender_are_in_flight_until_they_are_removed_or_the_sender_ends() {
        let in_flight = InFlightBatches::default();
        let (mut one, mut other) = (in_flight.of_sender(), in_flight.of_sender());
        one.extend([1, 2].into_iter());
        other.extend([3].into_iter());
        one.remove(1);
        assert!(!in_flight.contains(1) && in_flight.contains(2) && in_flight.contains(3));
        assert_eq!(one.ids(), &HashSet::from([2]));
        drop(one);
        assert!(!in_flight.contains(2) && in_flight.contains(3));
    }
}
