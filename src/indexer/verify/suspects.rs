//! Orders that differed when they were compared. Only a difference that outlasts the time capture needs is one.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::indexer::verify::reconcile::ComparedOrder;
use crate::indexer::verify::report::Finding;
use crate::store::feed::FeedHash;
use orderfeed_model::order::OrderId;

/// A difference of an order, and the state of it that was compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Suspicion {
    pub(crate) finding: Finding,
    /// Hash of the order in the source; `None` if the source did not return it.
    hash: Option<FeedHash>,
}

impl Suspicion {
    /// An order of the feed that the source lacks.
    pub(crate) const DELETED: Self = Self {
        finding: Finding::Deleted,
        hash: None,
    };

    /// Returns the difference of this order, if it has one.
    pub(crate) fn of(order: &ComparedOrder) -> Option<Self> {
        order.finding.map(|finding| Self {
            finding,
            hash: order.hash,
        })
    }
}

/// Orders to compare again.
#[derive(Debug, Default)]
pub(crate) struct Suspects {
    orders: BTreeMap<OrderId, Suspicion>,
    /// Time at which capture has had the time to notice the changes of all of them.
    due: Option<Instant>,
}

impl Suspects {
    /// Adds an order, which capture needs `delay` to notice.
    pub(crate) fn add(&mut self, order: OrderId, suspicion: Suspicion, delay: Duration) {
        self.orders.insert(order, suspicion);
        self.due = self.due.max(Some(Instant::now() + delay));
    }

    pub(crate) fn len(&self) -> usize {
        self.orders.len()
    }

    /// Waits until they can be compared again. Returns them newest order first.
    pub(crate) async fn wait(&self) -> Vec<OrderId> {
        if let Some(due) = self.due {
            tokio::time::sleep_until(due).await;
        }
        self.orders.keys().rev().copied().collect()
    }

    /// Returns true if the same state of the order differed before. If it is another state, capture may still notice it.
    pub(crate) fn confirm(&self, order: OrderId, found: Suspicion) -> bool {
        self.orders.get(&order) == Some(&found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stale(state: u8) -> Suspicion {
        Suspicion {
            finding: Finding::Stale,
            hash: Some([state; 16]),
        }
    }

    #[test]
    fn only_the_same_difference_of_the_same_state_is_confirmed() {
        let mut suspects = Suspects::default();
        suspects.add(7, stale(1), Duration::ZERO);
        assert!(suspects.confirm(7, stale(1)));
        assert!(!suspects.confirm(7, stale(2)), "changed since");
        assert!(!suspects.confirm(7, Suspicion::DELETED), "deleted since");
        assert!(!suspects.confirm(8, stale(1)), "another order");
    }

    #[tokio::test(start_paused = true)]
    async fn the_longest_delay_is_waited_for_and_none_without_suspects() {
        let begun = Instant::now();
        let mut suspects = Suspects::default();
        assert!(suspects.wait().await.is_empty());
        suspects.add(7, stale(1), Duration::from_secs(90));
        suspects.add(9, stale(1), Duration::from_secs(2));
        assert_eq!(suspects.wait().await, [9, 7]);
        assert_eq!(begun.elapsed(), Duration::from_secs(90));
    }
}
