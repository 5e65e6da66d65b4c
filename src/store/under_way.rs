//! Which batches are in a sender's hands. Memory of this process alone: nobody sends after its end.
//!
//! An answer of the edge names events by their place in the request, so the contents of a batch must not change between
//! the building of a request and the settlement of its answer. A sender claims what it takes, and whoever rewrites
//! batches of others (`outbox::screen`, `outbox::erase`) leaves claimed ones alone.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::store::outbox::BatchId;

/// All claims on the batches of one store.
#[derive(Clone, Debug, Default)]
pub struct Claims(Arc<Mutex<HashSet<BatchId>>>);

impl Claims {
    /// Whether a sender has it.
    pub fn holds(&self, id: BatchId) -> bool {
        self.ids().contains(&id)
    }

    /// The hands of one more sender, still empty.
    pub fn sender(&self) -> UnderWay {
        UnderWay {
            own: HashSet::new(),
            claims: self.clone(),
        }
    }

    fn ids(&self) -> MutexGuard<'_, HashSet<BatchId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one sender has; everybody can see it. Let go of when it is dropped.
#[derive(Debug)]
pub struct UnderWay {
    own: HashSet<BatchId>,
    claims: Claims,
}

impl UnderWay {
    /// Takes batches.
    pub fn extend(&mut self, ids: impl Iterator<Item = BatchId>) {
        let mut all = self.claims.ids();
        for id in ids {
            self.own.insert(id);
            all.insert(id);
        }
    }

    /// Lets go of one.
    pub fn remove(&mut self, id: BatchId) {
        self.own.remove(&id);
        self.claims.ids().remove(&id);
    }

    /// Its own.
    pub fn ids(&self) -> &HashSet<BatchId> {
        &self.own
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut all = self.claims.ids();
        for id in &self.own {
            all.remove(id);
        }
    }
}
