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
//! | [`fingerprint`] | telling one database from another |

pub mod amount;
mod assemble;
mod cells;
mod decode;
pub mod examination;
pub mod fingerprint;
pub mod grants;
pub mod mysql;
pub mod order;
mod parts;
mod queries;
mod schema;
pub mod settings;
pub mod source;
pub mod sqlite;
pub mod triggers;
mod watched;
mod window;
