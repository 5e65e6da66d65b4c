//! What an order is ([`order`]) and where orders come from ([`source`]).
//!
//! `order` and `amount` are plain data: no SQL, no HTTP, no tokio. A source reads orders whole, many at a time, and
//! says which orders changed.
//!
//! | module | purpose |
//! |---|---|
//! | [`mysql`], [`sqlite`] | the two sources |
//! | [`settings`] | their configuration |
//! | [`read`] | reading whole orders: one definition of tables, columns and decoding for both databases |
//! | [`changes`] | which tables are watched and how; the window over late commits; the triggers and their log |
//! | [`grants`] | the privileges that an account needs |
//! | [`examination`] | the findings of an examination of a source, for `doctor` |
//! | [`fingerprint`] | the identity of a database, which distinguishes it from another |

pub mod changes;
pub mod examination;
pub mod fingerprint;
pub mod grants;
pub mod mysql;
pub mod read;
pub mod source;
pub mod sqlite;
