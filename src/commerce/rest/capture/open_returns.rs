//! The open returns at the last comparison. Pure.

use std::collections::HashMap;

use crate::commerce::source::{Change, ChangeOp};
use orderfeed_model::order::OrderId;

/// The source table of returns, for changes and messages.
pub(super) const TABLE: &str = "magento_rma";

/// The open returns, by id.
#[derive(Debug, Default)]
pub(crate) struct OpenReturns {
    /// `None` before the first comparison.
    known: Option<HashMap<i64, OpenReturn>>,
    pub(super) due: Option<tokio::time::Instant>,
}

/// A return that is not closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpenReturn {
    pub(crate) order: OrderId,
    /// Hash of everything that may change.
    pub(crate) content: u64,
}

impl OpenReturns {
    /// Compares all open returns with those of the last time, and returns the orders of those that differ. The first
    /// comparison reports every open return, because it cannot find out which of them changed. `before` are the returns that were
    /// open when an earlier process compared them; the ids of those that are not open any more come second.
    pub(super) fn compare(
        &mut self,
        now: HashMap<i64, OpenReturn>,
        before: &[i64],
    ) -> (Vec<Change>, Vec<i64>) {
        let (changes, closed) = match &self.known {
            None => {
                let rechecked = now.values().map(|open| change(open.order, ChangeOp::Recheck));
                let closed = before.iter().filter(|id| !now.contains_key(id)).copied();
                (rechecked.collect(), closed.collect())
            }
            Some(known) => {
                let differing = now.iter().filter(|(id, open)| known.get(id) != Some(open));
                let closed = known.iter().filter(|(id, _)| !now.contains_key(id));
                let orders = differing
                    .chain(closed)
                    .map(|(_, open)| change(open.order, ChangeOp::Upsert));
                (orders.collect(), Vec::new())
            }
        };
        self.known = Some(now);
        (changes, closed)
    }
}

pub(super) fn change(order: OrderId, op: ChangeOp) -> Change {
    Change {
        order,
        table: TABLE,
        op,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(list: &[(i64, u64)]) -> HashMap<i64, OpenReturn> {
        let open = |&(id, content)| {
            (
                id,
                OpenReturn {
                    order: id * 10,
                    content,
                },
            )
        };
        list.iter().map(open).collect()
    }

    fn orders(changes: Vec<Change>) -> Vec<OrderId> {
        let mut orders: Vec<_> = changes.into_iter().map(|change| change.order).collect();
        orders.sort_unstable();
        orders
    }

    #[test]
    fn returns_that_differ_appear_or_disappear_are_reported() {
        let mut returns = OpenReturns::default();
        let (changes, closed) = returns.compare(open(&[(1, 5), (2, 5)]), &[2, 9]);
        assert_eq!((orders(changes), closed), (vec![10, 20], vec![9]));
        assert!(returns.compare(open(&[(1, 5), (2, 5)]), &[]).0.is_empty());
        let (changes, closed) = returns.compare(open(&[(1, 6), (3, 5)]), &[9]);
        assert_eq!((orders(changes), closed), (vec![10, 20, 30], vec![]));
    }
}
