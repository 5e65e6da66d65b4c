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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_sender_has_is_seen_by_others_until_it_lets_go_or_ends() {
        let claims = Claims::default();
        let (mut one, mut other) = (claims.sender(), claims.sender());
        one.extend([1, 2].into_iter());
        other.extend([3].into_iter());
        one.remove(1);
        assert!(!claims.holds(1) && claims.holds(2) && claims.holds(3));
        assert_eq!(one.ids(), &HashSet::from([2]));
        drop(one);
        assert!(!claims.holds(2) && claims.holds(3));
    }
}
