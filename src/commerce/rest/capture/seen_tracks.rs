//! The tracking numbers that were seen. Pure.
//!
//! Their ids are taken before a transaction commits, so one may appear below those that were seen. The cursor therefore is
//! the highest id of the comparison before the last one.

use std::collections::HashSet;

use tokio::time::Instant;

use orderfeed_model::order::OrderId;

/// The tracks of recent shipments at the last comparison.
#[derive(Debug, Default)]
pub(crate) struct SeenTracks {
    seen: HashSet<i64>,
    /// Highest id of the last comparison.
    newest: i64,
    pub(super) due: Option<Instant>,
}

impl SeenTracks {
    /// Compares the tracks above the cursor, each with its order. Returns the orders of those that are new, and the cursor to
    /// store.
    pub(super) fn compare(&mut self, tracks: &[(i64, OrderId)], cursor: i64) -> (Vec<OrderId>, i64) {
        let above = tracks.iter().filter(|(id, _)| *id > cursor);
        let mut orders: Vec<OrderId> = above
            .filter(|(id, _)| !self.seen.contains(id))
            .map(|(_, order)| *order)
            .collect();
        orders.sort_unstable();
        orders.dedup();
        let next = cursor.max(self.newest);
        self.newest = tracks
            .iter()
            .map(|(id, _)| *id)
            .max()
            .unwrap_or_default()
            .max(next);
        self.seen = tracks.iter().map(|(id, _)| *id).filter(|id| *id > next).collect();
        (orders, next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_track_is_reported_once_also_below_one_that_was_seen() {
        let mut tracks = SeenTracks::default();
        assert_eq!(tracks.compare(&[(5, 1), (7, 2)], 5), (vec![2], 5));
        assert_eq!(tracks.compare(&[(5, 1), (6, 3), (7, 2)], 5), (vec![3], 7));
        assert_eq!(tracks.compare(&[(5, 1), (6, 3), (7, 2), (8, 2)], 7), (vec![2], 7));
        assert_eq!(tracks.compare(&[(8, 2)], 7), (vec![], 8));
    }

    #[test]
    fn a_restart_reports_again_what_came_since_the_comparison_before_the_last() {
        let mut tracks = SeenTracks::default();
        let (_, cursor) = tracks.compare(&[(7, 2)], 5);
        assert_eq!(SeenTracks::default().compare(&[(7, 2)], cursor).0, [2]);
    }
}
