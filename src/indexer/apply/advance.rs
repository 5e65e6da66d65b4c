//! What moves together with a batch.

use crate::store::backfill::{BackfillId, BackfillStep};
use crate::store::changelog::VersionId;

/// What moves in the transaction of a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Advance {
    /// The view is indexed up to here.
    View(VersionId),
    /// The backfill has come so far.
    Backfill(BackfillStep),
    /// Nothing: single orders.
    Nothing,
}

impl Advance {
    /// The backfill that moves, if one does.
    pub(crate) fn backfill(self) -> Option<BackfillId> {
        match self {
            Self::Backfill(step) => Some(step.id),
            Self::View(_) | Self::Nothing => None,
        }
    }
}
