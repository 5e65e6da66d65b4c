//! What an order is ([`order`]) and where orders come from ([`source`]).
//!
//! `order` and `amount` are plain data: no SQL, no HTTP, no tokio. A source reads orders whole, many at a time, and
//! says which orders changed.
//!
//! | file | what lives there |
//! |---|---|
//! | [`mysql`], [`sqlite`] | the two sources |
//! | [`settings`] | what they are told |
//! | `parts`, `schema`, `queries`, `cells`, `decode`, `assemble` | reading whole orders, one definition for both databases |
//! | `window`, `watched` | noticing changes: the pure core, and which tables are watched how |
//! | [`triggers`] | our triggers and their log, for both databases |
//! | [`grants`] | what an account needs |
//! | [`examination`] | what a thorough look at a source found, for `doctor` |
//! | `rows` | orders from rows that a test makes up |
//! | [`fingerprint`] | telling one database from another |

pub mod changes;
pub mod examination;
pub mod fingerprint;
pub mod grants;
pub mod mysql;
pub mod read;
pub mod settings;
pub mod source;
pub mod sqlite;
