//! What a backfill has derived and waits for its transaction. While nothing else goes on, that is a page; when a live change
//! comes in, the pages that wait already are committed in pieces, so that it waits for a piece at most.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::Instant;

use crate::indexer::apply::advance::Advance;
use crate::indexer::apply::commit::Commit;
use crate::store::backfill::BackfillStep;
use orderfeed_model::order::OrderId;

/// Orders that a backfill reads at once, and writes in one transaction, beside live changes.
pub(crate) const BESIDE_LIVE: usize = 50;
/// A backfill rests so many times as long as such a piece took.
const RESTS: u32 = 2;
/// Longest rest.
const LONGEST_REST: Duration = Duration::from_millis(40);

/// A backfill's orders that were derived, newest first, and how far the backfill is with them.
pub(crate) struct PreparedPage {
    pub(crate) commit: Commit,
    pub(crate) step: BackfillStep,
}

impl PreparedPage {
    /// Keeps the first `size` orders, and returns the rest, if there is one. What vanished goes with the rest: it lies
    /// anywhere between the page's ends.
    pub(crate) fn split_off(&mut self, size: usize) -> Option<Self> {
        if self.commit.asked.len() <= size {
            return None;
        }
        let asked = self.commit.asked.split_off(size);
        let below = asked.iter().min().copied()?;
        let later: HashSet<OrderId> = asked.iter().copied().collect();
        let derived = std::mem::take(&mut self.commit.derived);
        let (derived, kept) = derived
            .into_iter()
            .partition(|derived| later.contains(&derived.id()));
        self.commit.derived = kept;
        let step = |asked: &[OrderId], below| BackfillStep {
            below,
            orders: asked.len() as u64,
            ..self.step
        };
        let rest = step(&asked, below);
        self.step = step(
            &self.commit.asked,
            self.commit.asked.iter().min().copied().unwrap_or(below),
        );
        self.commit.advance = Advance::Backfill(self.step);
        Some(Self {
            step: rest,
            commit: Commit {
                asked,
                derived,
                vanished: std::mem::take(&mut self.commit.vanished),
                advance: Advance::Backfill(rest),
                ..self.commit
            },
        })
    }
}

/// After a piece beside live changes that began then: a change that comes in now finds a free core. Returns for how long.
pub(crate) async fn rest(begun: Instant) -> Duration {
    let pause = (begun.elapsed() * RESTS).min(LONGEST_REST);
    tokio::time::sleep(pause).await;
    pause
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::indexer::apply::derive::Derived;
    use crate::store::outbox::{BatchLimits, Class};
    use orderfeed_model::clock::UtcMillis;

    fn failed(id: OrderId) -> Derived {
        Derived::Failed {
            id,
            reason: String::new(),
        }
    }

    fn page(asked: Vec<OrderId>, derived: Vec<OrderId>, vanished: Vec<OrderId>) -> PreparedPage {
        let step = BackfillStep {
            id: 7,
            below: asked.iter().min().copied().unwrap(),
            orders: asked.len() as u64,
        };
        PreparedPage {
            step,
            commit: Commit {
                asked,
                vanished,
                derived: derived.into_iter().map(failed).collect(),
                class: Class::History,
                changed_at: UtcMillis(1),
                advance: Advance::Backfill(step),
                resend: false,
                limited: true,
                limits: BatchLimits { bytes: 1, events: 1 },
                at: UtcMillis(2),
            },
        }
    }

    #[test]
    fn a_page_is_committed_in_pieces_that_hold_all_of_it() {
        // 6 does not exist any more; the source answers in any order.
        let mut next = Some(page(vec![9, 8, 6, 5, 3], vec![3, 8, 5, 9], vec![7, 4]));
        let mut pieces = Vec::new();
        while let Some(mut piece) = next {
            next = piece.split_off(2);
            assert_eq!(piece.commit.advance.backfill(), Some(7));
            let Advance::Backfill(step) = piece.commit.advance else {
                panic!("not of a walk")
            };
            assert_eq!(step, piece.step);
            let derived: Vec<OrderId> = piece.commit.derived.iter().map(Derived::id).collect();
            let step = (piece.step.below, piece.step.orders);
            pieces.push((piece.commit.asked, derived, piece.commit.vanished, step));
        }
        assert_eq!(
            pieces,
            [
                (vec![9, 8], vec![8, 9], vec![], (8, 2)),
                (vec![6, 5], vec![5], vec![], (5, 2)),
                (vec![3], vec![3], vec![7, 4], (3, 1)),
            ]
        );
    }
}
