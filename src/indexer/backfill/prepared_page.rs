//! Derived pages that wait for their transaction. When a live change arrives, such a page is committed in pieces, so that
//! the change waits for one piece at most.

use std::collections::HashSet;

use crate::indexer::apply::commit::{Advance, Commit, Origin};
use crate::store::backfill::BackfillStep;
use orderfeed_model::order::OrderId;

/// Derived orders of a backfill, newest first, and the position after them.
pub(crate) struct PreparedPage {
    pub(crate) commit: Commit,
    pub(crate) step: BackfillStep,
}

impl PreparedPage {
    /// Keeps the first `size` orders, and returns the rest if there is one.
    pub(crate) fn split_off(&mut self, size: usize) -> Option<Self> {
        if self.commit.ids.len() <= size {
            return None;
        }
        let ids = self.commit.ids.split_off(size);
        let later: HashSet<OrderId> = ids.iter().copied().collect();
        let derived = std::mem::take(&mut self.commit.derived);
        let (derived, kept) = derived
            .into_iter()
            .partition(|derived| later.contains(&derived.id()));
        self.commit.derived = kept;
        let rest = self.step_after(&ids)?;
        self.step = self.step_after(&self.commit.ids)?;
        let before = self.commit.origin;
        let origin = |step| Origin {
            advance: Advance::Backfill(step),
            ..before
        };
        self.commit.origin = origin(self.step);
        Some(Self {
            step: rest,
            commit: Commit {
                ids,
                derived,
                // Deleted orders are anywhere between the ends of the page, so only the last piece is past all of them.
                deleted: std::mem::take(&mut self.commit.deleted),
                // A page of history is read whole.
                partial: Vec::new(),
                origin: origin(rest),
                ..self.commit
            },
        })
    }

    fn step_after(&self, ids: &[OrderId]) -> Option<BackfillStep> {
        Some(BackfillStep {
            below: *ids.iter().min()?,
            orders: ids.len() as u64,
            ..self.step
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::indexer::apply::derive::Derived;
    use crate::indexer::backfill::options::Reach;
    use crate::store::outbox::{BatchLimits, Class};
    use orderfeed_model::clock::UtcMillis;

    fn failed(id: OrderId) -> Derived {
        Derived::Failed {
            id,
            reason: String::new(),
        }
    }

    fn page(ids: Vec<OrderId>, derived: Vec<OrderId>, deleted: Vec<OrderId>) -> PreparedPage {
        let step = BackfillStep {
            id: 7,
            below: ids.iter().min().copied().unwrap(),
            orders: ids.len() as u64,
        };
        PreparedPage {
            step,
            commit: Commit {
                ids,
                deleted,
                derived: derived.into_iter().map(failed).collect(),
                partial: Vec::new(),
                origin: Origin {
                    class: Class::History,
                    changed_at: UtcMillis(1),
                    reach: Reach::History,
                    resend: false,
                    advance: Advance::Backfill(step),
                },
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
            assert_eq!(piece.commit.origin.advance.backfill(), Some(7));
            let Advance::Backfill(step) = piece.commit.origin.advance else {
                panic!("not of a backfill")
            };
            assert_eq!(step, piece.step);
            let derived: Vec<OrderId> = piece.commit.derived.iter().map(Derived::id).collect();
            let step = (piece.step.below, piece.step.orders);
            pieces.push((piece.commit.ids, derived, piece.commit.deleted, step));
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
