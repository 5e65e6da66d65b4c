//! The seam between the daemon and a Commerce instance: which orders changed, and what they hold now.
//!
//! A source stores nothing. Its position is a set of named [`Cursors`], which the caller stores in the same transaction as
//! the changes that they cover (invariant I1) and passes to the next call.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;

use crate::commerce::stores::ShopStoreView;
use crate::config::SourceKind;
use orderfeed_model::clock::UtcMillis;
use orderfeed_model::order::{Order, OrderId};
use orderfeed_model::words;

/// The result of a call to a source.
pub type SourceFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, SourceError>> + Send + 'a>>;

/// A Commerce instance that orders are read from.
pub trait Source: Send + Sync {
    /// Connects, inspects the schema, and returns what it found. Called at start and after an outage.
    fn describe(&self) -> SourceFuture<'_, SourceInfo>;

    /// Returns the cursors of a source that was never read before: "now". Everything older is history, which a full reindex
    /// reads.
    fn initial_cursors(&self) -> SourceFuture<'_, Cursors>;

    /// Returns the orders that changed since `cursors`, at most about `limit` changes.
    fn changes<'a>(&'a self, cursors: &'a Cursors, limit: usize) -> SourceFuture<'a, Captured>;

    /// Acknowledges that the changes up to `cursors` are stored. Capture by triggers deletes their log rows now, never
    /// earlier; other captures do nothing.
    fn acknowledge<'a>(&'a self, cursors: &'a Cursors) -> SourceFuture<'a, ()>;

    /// Returns the conditions that an administrator should change. Called now and then while the source can be read.
    fn warnings(&self) -> SourceFuture<'_, Vec<SourceWarning>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    /// Returns the number of requests to the shop in the last full minute; `None` if the source counts none.
    fn requests_per_minute(&self) -> Option<u64> {
        None
    }

    /// Reads these orders whole, all from one snapshot. An id that does not exist is absent from the result. Several orders
    /// that take too much memory together are an error, `TooLarge`; the caller then reads fewer at once.
    fn read_orders<'a>(&'a self, ids: &'a [OrderId]) -> SourceFuture<'a, Vec<ReadOrder>>;

    /// Reads orders that changed a moment ago. A table that some shops lack and that is locked or slow does not hold them up:
    /// its rows are left out then, and the order is [`ReadOrder::Partial`].
    fn read_changed<'a>(&'a self, ids: &'a [OrderId]) -> SourceFuture<'a, Vec<ReadOrder>> {
        self.read_orders(ids)
    }

    /// Reads orders for a backfill. A source that runs one statement at a time uses a second connection, so that a live
    /// change never waits behind a page of the backfill.
    fn read_history<'a>(&'a self, ids: &'a [OrderId]) -> SourceFuture<'a, Vec<ReadOrder>> {
        self.read_orders(ids)
    }

    /// Returns a page of existing order ids in `filter`, newest first, below `below` (exclusive; `None` starts at the newest).
    fn order_ids<'a>(
        &'a self,
        filter: &'a OrderFilter,
        below: Option<OrderId>,
        limit: usize,
    ) -> SourceFuture<'a, Vec<OrderId>>;

    /// Returns the lowest and the highest id in `filter`; `None` if it matches no order.
    fn id_range<'a>(&'a self, filter: &'a OrderFilter) -> SourceFuture<'a, Option<(OrderId, OrderId)>>;

    /// Returns the number of orders in `filter`, for progress and ETA. May be an estimate for huge tables.
    fn count_orders<'a>(&'a self, filter: &'a OrderFilter) -> SourceFuture<'a, u64>;

    /// Returns those of these orders, which no page of ids holds, that do not exist any more. A source that cannot be certain
    /// leaves an order out, and is asked again by a later backfill or verification.
    fn deleted<'a>(&'a self, missing: &'a [OrderId]) -> SourceFuture<'a, Vec<OrderId>> {
        Box::pin(std::future::ready(Ok(missing.to_vec())))
    }

    /// Returns the entity ids of the orders with this increment id, which several store views may share.
    fn find_by_number<'a>(&'a self, number: &'a str) -> SourceFuture<'a, Vec<OrderId>>;

    /// Returns the active store views, with what the storefront needs of them; none if the source cannot list them.
    fn store_views(&self) -> SourceFuture<'_, Vec<ShopStoreView>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }
}

/// The orders that a backfill covers. An empty filter covers all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderFilter {
    /// `created_at` at or after this time.
    pub created_from: Option<UtcMillis>,
    /// `created_at` before this time.
    pub created_before: Option<UtcMillis>,
    /// Only orders of the website with this code.
    pub website: Option<String>,
    /// `updated_at` at or after this time. Meant for a short range, because each page sorts all of it.
    pub updated_from: Option<UtcMillis>,
    /// Ids at or above this, so that the last page does not search the rest of the history for more orders.
    pub lowest: Option<OrderId>,
}

/// Named positions in the source, opaque to every other module. Values are those that [`Source::changes`] last returned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursors(pub BTreeMap<String, String>);

/// The cursor that holds the last gap in what was captured.
const GAP: &str = "gap";

impl Cursors {
    /// Returns time and table of the last gap in what was captured: rows were gone before they were read.
    pub fn gap(&self) -> Option<(UtcMillis, &str)> {
        let (at, table) = self.0.get(GAP)?.split_once('/')?;
        Some((UtcMillis::parse_sql(at)?, table))
    }

    pub(crate) fn record_gap(&mut self, at: UtcMillis, table: &str) {
        self.0.insert(GAP.to_owned(), format!("{}/{table}", at.sql()));
    }
}

/// The result of one poll for changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captured {
    /// The changes, oldest first. The same order may occur several times.
    pub changes: Vec<Change>,
    /// The position after exactly these `changes`.
    pub cursors: Cursors,
    /// True if another call would return more at once.
    pub more: bool,
    /// The tables whose changes are late. Those of the others are complete.
    pub late: Vec<LateTable>,
}

/// A table whose changes could not be read. Its cursor stays where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LateTable {
    /// The name without prefix.
    pub table: &'static str,
    pub cause: LateCause,
}

/// The reason for which the changes of a table are late.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LateCause {
    /// A lock or a slow server: the table is read by itself until it answers in time again.
    Slow,
    /// Its rows cannot be followed: the sentence names why.
    Unreadable(String),
}

/// One observed change of one order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub order: OrderId,
    /// The table of the changed row, without prefix.
    pub table: &'static str,
    pub op: ChangeOp,
}

words! {
    /// The kind of a change, as far as the capture can distinguish it; the changelog stores its word.
    #[derive(Hash)]
    pub enum ChangeOp {
        Insert = "insert",
        Update = "update",
        Delete = "delete",
        /// A row is new or changed; this capture cannot distinguish the two.
        Upsert = "upsert",
        /// No change was seen; the order is read again to be sure (end of the overlap window, verification, a command).
        Recheck = "recheck",
    }
}

/// A requested order: whole, or the reason why it cannot be understood. One unreadable order never hides others.
#[derive(Clone, Debug)]
pub enum ReadOrder {
    Whole(Box<Order>),
    /// An order without the rows of `missing`, a table that did not answer in time.
    Partial {
        order: Box<Order>,
        missing: &'static str,
    },
    /// The row exists, but its content cannot be understood. `reason` names table and column, and no personal data.
    Unreadable {
        id: OrderId,
        reason: String,
    },
}

impl ReadOrder {
    /// Returns the order's id.
    pub fn id(&self) -> OrderId {
        match self {
            Self::Whole(order) | Self::Partial { order, .. } => order.id,
            Self::Unreadable { id, .. } => *id,
        }
    }
}

/// The result of [`Source::describe`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceInfo {
    /// Server and version, such as `MariaDB 10.11.6`.
    pub product: String,
    /// Identifies the database: it changes when another database takes its place. Opaque.
    pub fingerprint: String,
    /// The database's clock at the time of the call.
    pub database_time: UtcMillis,
    /// Missing optional tables or columns, and what is therefore not sent; one sentence each, logged once.
    pub notes: Vec<String>,
}

/// A condition that an administrator should change, although the source can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceWarning {
    /// Changes are missed, because of the triggers that capture depends on.
    Triggers { why: String, remedy: &'static str },
    /// Orders and password cross the network in plain text.
    Plain,
    /// Connections are encrypted, but to a server whose certificate is not verified.
    Unverified,
    /// The journal of I/O Events cannot be read, so that changes are noticed by the polls alone.
    Journal { why: String },
}

impl SourceWarning {
    /// Returns the code of its log line.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Triggers { .. } => "OF03-07",
            Self::Plain => "OF03-08",
            Self::Unverified => "OF03-09",
            Self::Journal { .. } => "OF03-15",
        }
    }

    /// Returns the condition as a sentence.
    pub fn message(&self) -> String {
        match self {
            Self::Triggers { why, .. } => format!("changes of orders are missed: {why}"),
            Self::Plain => "orders and the database's password cross the network in plain text".to_owned(),
            Self::Unverified => {
                "connections to the database are encrypted, but its certificate is not verified".to_owned()
            }
            Self::Journal { why } => format!("the journal of I/O Events cannot be read: {why}"),
        }
    }

    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Journal { .. } => {
                "check source.rest.journal and its registration; changes are found by the polls meanwhile, tracking numbers later"
            }
            Self::Triggers { remedy, .. } => remedy,
            Self::Plain => {
                "set source.mysql.tls.mode = \"required\", and source.mysql.tls.ca_file if the certificate is signed by an \
                 authority of your own"
            }
            Self::Unverified => {
                "set source.mysql.tls.ca_file to the certificate of the authority that signed the server's, and \
                 source.mysql.tls.mode = \"verify-ca\" if that names no host"
            }
        }
    }
}

/// An error of a source.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The database cannot be reached, or the connection was lost. A later call may succeed.
    #[error("{message}")]
    Unavailable {
        /// Names what failed, without credentials.
        message: String,
    },
    /// A statement exceeded its time limit, and the server ended it. A later call may succeed.
    #[error("{message}")]
    TooSlow { message: String },
    /// The daemon shuts down, and waits for the source no longer.
    #[error("the daemon shuts down")]
    Stopped,
    /// The database answers, but an administrator must change something, which `remedy` names.
    #[error("{message}; {remedy}")]
    Misconfigured { message: String, remedy: String },
    /// The orders take more memory together than a page may; at most `fit` of them should be read at once.
    #[error("the orders take too much memory; read {fit} of them at once")]
    TooLarge { fit: usize },
    /// A stored cursor is not of this source's form.
    #[error("the stored position {name}={value:?} is not a position of this source")]
    BadCursor { name: String, value: String },
}

impl SourceError {
    /// Returns what failed, and what an operator does about it.
    pub fn message_and_remedy(&self, kind: SourceKind) -> (String, String) {
        match self {
            Self::Misconfigured { message, remedy } => (message.clone(), remedy.clone()),
            Self::BadCursor { .. } | Self::TooLarge { .. } | Self::Stopped => (
                self.to_string(),
                "restore a backup of the store, or start with a new one".to_owned(),
            ),
            Self::TooSlow { message } if kind == SourceKind::Rest => (
                message.clone(),
                "find what loads the shop; fewer orders are read at once from now on, and the daemon continues by itself"
                    .to_owned(),
            ),
            Self::TooSlow { message } => (
                message.clone(),
                "find what locks the table or loads the server (SHOW FULL PROCESSLIST); the daemon continues by itself \
                 once it answers"
                    .to_owned(),
            ),
            Self::Unavailable { message } => {
                let remedy = match kind {
                    SourceKind::Mysql => {
                        "is the database server up (`systemctl status mariadb`, or mysql)? check host and port in \
                         source.mysql.url, and firewalls in between; the daemon continues by itself once it answers"
                    }
                    SourceKind::Sqlite => "check source.sqlite.path, and other processes that use the file",
                    SourceKind::Rest => {
                        "is the shop up, and not in maintenance? check source.rest.url, and firewalls in between; the daemon \
                         continues by itself once it answers"
                    }
                };
                (message.clone(), remedy.to_owned())
            }
        }
    }
}
