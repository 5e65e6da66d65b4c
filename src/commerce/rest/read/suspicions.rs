//! Orders that did not exist when they were requested: a deletion is proven when the same answer comes minutes later.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use orderfeed_model::order::OrderId;

/// Time between the two answers that prove a deletion.
const PROOF: Duration = Duration::from_secs(120);
/// Suspicions that are kept. More would be a shop that empties its tables.
const MOST: usize = 10_000;

/// The orders that did not exist when they were requested, with the time of the first answer.
#[derive(Debug, Default)]
pub(crate) struct Suspicions(Mutex<HashMap<OrderId, Instant>>);

impl Suspicions {
    /// Records that an order does not exist. Returns true if that is proven.
    pub(crate) fn record(&self, id: OrderId, now: Instant) -> bool {
        let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if first.len() >= MOST {
            first.clear();
        }
        let first = *first.entry(id).or_insert(now);
        now.duration_since(first) >= PROOF
    }

    pub(crate) fn clear(&self, id: OrderId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_answer_is_a_suspicion_and_two_minutes_apart_are_a_proof() {
        let suspicions = Suspicions::default();
        assert!(!suspicions.record(7, Instant::now()));
        tokio::time::advance(PROOF / 2).await;
        assert!(!suspicions.record(7, Instant::now()));
        tokio::time::advance(PROOF / 2).await;
        assert!(suspicions.record(7, Instant::now()));
        suspicions.clear(7);
        assert!(!suspicions.record(7, Instant::now()));
    }
}
