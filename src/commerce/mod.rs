//! Sources: the systems that orders are read from, behind the trait [`source::Source`].
//!
//! | module | content |
//! |---|---|
//! | [`source`] | the trait, its results and errors |
//! | [`mysql`], [`sqlite`], [`rest`] | the sources: databases, and the REST API |
//! | [`read`] | reading whole orders, one definition for both databases |
//! | [`changes`] | finding changes: watched tables, the overlap window, triggers |
//! | [`grants`] | the rights that an account needs |
//! | [`examination`] | the results of `doctor`'s checks of a source |
//! | [`fingerprint`] | the identity of a database |
//! | [`stores`] | the store views of a shop |
//! | [`stoppable`] | a source whose calls end when the daemon stops |

pub mod changes;
pub mod examination;
pub mod fingerprint;
pub mod grants;
pub mod mysql;
pub mod read;
pub mod rest;
pub mod source;
pub mod sqlite;
pub mod stoppable;
pub mod stores;
