//! What a backfill covers; kept with it, so that it goes on the same way after a kill.

use serde::{Deserialize, Serialize};

use crate::commerce::source::OrderFilter;
use orderfeed_model::clock::UtcMillis;

/// Why a backfill goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackfillKind {
    /// A full reindex; the first one is the first sync of every website that has not had one.
    Reindex,
    /// The first sync of a website that was enabled later, beside live traffic.
    FirstSync,
    /// `saas:resync`.
    Resync,
}

impl BackfillKind {
    /// The word in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reindex => "reindex",
            Self::FirstSync => "first_sync",
            Self::Resync => "resync",
        }
    }

    /// As Commerce's log names the operation.
    pub const fn operation(self) -> &'static str {
        match self {
            Self::Reindex => "full sync",
            Self::FirstSync => "first sync",
            Self::Resync => "resync",
        }
    }
}

/// Whether `first_sync.history` limits which orders have events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// However old they are: live changes, and what was asked for by range or by name.
    #[default]
    Everything,
    /// Orders that are met for the first time and are older than their website's history have no events. Which history
    /// is looked up with each batch, because a website may join while a backfill is under way.
    History,
}

/// What a backfill covers, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BackfillOptions {
    /// Orders created at or after this.
    pub created_from: Option<UtcMillis>,
    /// Orders created before this.
    pub created_before: Option<UtcMillis>,
    /// Orders of this website.
    pub website: Option<String>,
    /// How far back events reach.
    pub reach: Reach,
    /// Sends delivered events again. Stored under its older name.
    #[serde(rename = "force")]
    pub resend: bool,
    /// Orders in a batch; `None` takes `index.batch_size`.
    pub batch_size: Option<u32>,
    /// Batches read ahead while one is applied; `None` means one.
    pub read_ahead: Option<u32>,
}

impl BackfillOptions {
    /// What the source is asked for.
    pub fn filter(&self) -> OrderFilter {
        OrderFilter {
            created_from: self.created_from,
            created_before: self.created_before,
            website: self.website.clone(),
            ..OrderFilter::default()
        }
    }

    /// Whether every order is met: only then an order that is not met is gone.
    pub fn covers_all(&self) -> bool {
        self.filter() == OrderFilter::default()
    }
}
