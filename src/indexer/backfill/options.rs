//! The kind and range of a backfill. They are stored with it, so that it resumes the same way after a kill.

use serde::{Deserialize, Serialize};

use crate::commerce::source::OrderFilter;
pub use crate::store::backfill::BackfillKind;
use orderfeed_model::clock::UtcMillis;

impl BackfillKind {
    /// Returns the name of the operation in Commerce's log.
    pub const fn operation(self) -> &'static str {
        match self {
            Self::Reindex => "full sync",
            Self::FirstSync => "first sync",
            Self::Resync => "resync",
        }
    }

    /// Returns the command that cancels a backfill of this kind if it cannot resume.
    pub const fn cancelled_by(self) -> &'static str {
        match self {
            Self::Reindex | Self::FirstSync => "orderfeed indexer:reset",
            Self::Resync => "orderfeed saas:resync --feed orders",
        }
    }
}

/// The limit on the age of orders that have events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// None: for live changes, and for orders named by range or by id.
    #[default]
    Everything,
    /// Orders that were never indexed and are older than their website's history have no events. The history is read with
    /// each batch, because a website may join while a backfill runs.
    History,
}

/// The range of a backfill, and how it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BackfillOptions {
    /// Orders created at or after this time.
    pub created_from: Option<UtcMillis>,
    /// Orders created before this time.
    pub created_before: Option<UtcMillis>,
    /// Orders of this website.
    pub website: Option<String>,
    pub reach: Reach,
    /// True if delivered events are sent again. Stored under its older name.
    #[serde(rename = "force")]
    pub resend: bool,
    /// Orders per batch; `None` means `index.batch_size`.
    pub batch_size: Option<u32>,
    /// Batches read ahead while one is applied; `None` means one.
    pub read_ahead: Option<u32>,
}

impl BackfillOptions {
    pub fn filter(&self) -> OrderFilter {
        OrderFilter {
            created_from: self.created_from,
            created_before: self.created_before,
            website: self.website.clone(),
            ..OrderFilter::default()
        }
    }

    /// Returns true if the range has no limits: only then does an order that the backfill does not meet not exist.
    pub fn covers_all(&self) -> bool {
        self.filter() == OrderFilter::default()
    }
}
