//! The seam between the daemon and a Commerce instance: which orders changed, and what they hold now.
//!
//! A source keeps no state of its own. Its position is a set of named [`Cursor`]s which the caller stores in the same
//! transaction as the changes they cover (invariant I1) and gives back at the next call.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;

use orderfeed_model::clock::UtcMillis;
use orderfeed_model::order::{Order, OrderId};

/// What a call to a source returns.
pub type SourceFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, SourceError>> + Send + 'a>>;

/// A Commerce instance that orders are read from.
pub trait Source: Send + Sync {
    /// Connects, looks at the schema, and says what was found. Called at start and after an outage.
    fn describe(&self) -> SourceFuture<'_, SourceInfo>;

    /// The cursors from which a source that was never read before starts: "now", so that everything older is
    /// history, which a full reindex reads.
    fn initial_cursors(&self) -> SourceFuture<'_, Cursors>;

    /// The orders that changed since `cursors`, at most about `limit` changes. `more` says that another call would
    /// return more at once.
    fn changes<'a>(&'a self, cursors: &'a Cursors, limit: usize) -> SourceFuture<'a, Captured>;

    /// Tells the source that the changes up to `cursors` are durable here. Capture by triggers deletes its log rows
    /// now, never earlier; other captures do nothing.
    fn acknowledge<'a>(&'a self, cursors: &'a Cursors) -> SourceFuture<'a, ()>;

    /// Reads these orders whole, all from one snapshot. An id that does not exist is absent from the answer.
    fn read_orders<'a>(&'a self, ids: &'a [OrderId]) -> SourceFuture<'a, Vec<ReadOrder>>;

    /// The same for a backfill, beside live changes: a source that answers one question at a time gives it a
    /// way of its own, so that a change never waits behind a page of the backfill.
    fn read_history<'a>(&'a self, ids: &'a [OrderId]) -> SourceFuture<'a, Vec<ReadOrder>> {
        self.read_orders(ids)
    }

    /// A page of existing order ids in `filter`, newest first, below `below` (exclusive; `None` starts at the newest).
    fn order_ids<'a>(
        &'a self,
        filter: &'a OrderFilter,
        below: Option<OrderId>,
        limit: usize,
    ) -> SourceFuture<'a, Vec<OrderId>>;

    /// The lowest and the highest id in `filter`; `None` if nothing is in it.
    fn id_range<'a>(&'a self, filter: &'a OrderFilter) -> SourceFuture<'a, Option<(OrderId, OrderId)>>;

    /// How many orders match, for progress and ETA. May be an estimate for huge tables.
    fn count_orders<'a>(&'a self, filter: &'a OrderFilter) -> SourceFuture<'a, u64>;

    /// The entity ids of the orders with this increment id (several, if store views share it).
    fn find_by_number<'a>(&'a self, number: &'a str) -> SourceFuture<'a, Vec<OrderId>>;
}

/// Which orders a backfill covers. An empty filter covers all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderFilter {
    /// `created_at` at or after this.
    pub created_from: Option<UtcMillis>,
    /// `created_at` before this.
    pub created_before: Option<UtcMillis>,
    /// Only orders of this website code.
    pub website: Option<String>,
    /// `updated_at` at or after this: meant for a short range, which each page sorts anew.
    pub updated_from: Option<UtcMillis>,
    /// Ids at or above this, so that a page does not look for more orders through the rest of the history.
    pub lowest: Option<OrderId>,
}

/// Named positions in the source, opaque to everyone else. Values are what [`Source::changes`] last returned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursors(pub BTreeMap<String, String>);

/// One look at what changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captured {
    /// The changes, oldest first. The same order may occur several times.
    pub changes: Vec<Change>,
    /// Where to go on; covers exactly `changes`.
    pub cursors: Cursors,
    /// Another call would return more at once.
    pub more: bool,
}

/// One observed change of one order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The order that the changed row belongs to.
    pub order: OrderId,
    /// The table in which it was seen, without prefix.
    pub table: &'static str,
    /// What kind of change, as far as this capture can tell.
    pub op: ChangeOp,
}

/// What happened to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChangeOp {
    /// A row appeared.
    Insert,
    /// A row changed.
    Update,
    /// A row went away.
    Delete,
    /// A row was seen to be new or changed; this capture cannot tell which.
    Upsert,
    /// Nothing was seen; the order is looked at again to be sure (end of the overlap window, verification, a command).
    Recheck,
}

impl ChangeOp {
    /// The word that the changelog stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Upsert => "upsert",
            Self::Recheck => "recheck",
        }
    }
}

/// An order that was asked for: whole, or why it could not be understood. One unreadable order never hides others.
#[derive(Clone, Debug)]
pub enum ReadOrder {
    /// The order.
    Whole(Box<Order>),
    /// The row exists, but its content could not be understood; `reason` names table and column.
    Unreadable {
        /// The order's id.
        id: OrderId,
        /// What is wrong, without personal data.
        reason: String,
    },
}

impl ReadOrder {
    /// Its id.
    pub fn id(&self) -> OrderId {
        match self {
            Self::Whole(order) => order.id,
            Self::Unreadable { id, .. } => *id,
        }
    }
}

/// What [`Source::describe`] found out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceInfo {
    /// Server and version, such as `MariaDB 10.11.6`.
    pub product: String,
    /// Identifies this very database: changes when it is swapped for another one. Opaque.
    pub fingerprint: String,
    /// The database's clock at the time of the call.
    pub database_time: UtcMillis,
    /// Optional tables or columns that are missing and what is therefore not sent; each a sentence, said once.
    pub notes: Vec<String>,
}

/// Why a source could not answer.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The database cannot be reached or went away; trying again later may help.
    #[error("{message}")]
    Unavailable {
        /// What failed, without credentials.
        message: String,
    },
    /// The database answers, but something must be changed by a person; `remedy` says what.
    #[error("{message}; {remedy}")]
    Misconfigured {
        /// What failed.
        message: String,
        /// What to do about it.
        remedy: String,
    },
    /// A stored cursor is not one of this source's.
    #[error("the stored position {name}={value:?} is not one that this source understands")]
    BadCursor {
        /// The cursor's name.
        name: String,
        /// Its value.
        value: String,
    },
}
