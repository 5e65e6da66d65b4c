//! What moves together with a batch.

use crate::store::changelog::VersionId;
use crate::store::walk::{WalkId, WalkStep};

/// What moves in the transaction of a batch.
#[derive(Clone, Copy, Debug)]
pub(super) enum Advance {
    /// The view is indexed up to here.
    View(VersionId),
    /// The walk has come so far.
    Walk(WalkStep),
    /// Nothing: single orders.
    Nothing,
}

impl Advance {
    /// The walk that moves, if one does.
    pub(super) fn walk(self) -> Option<WalkId> {
        match self {
            Self::Walk(step) => Some(step.id),
            Self::View(_) | Self::Nothing => None,
        }
    }
}
