//! A local stand-in for Commerce's REST API, for trials, demonstrations and tests.
//!
//! It serves a shop in Commerce's tables (a SQLite file, as the demo has) over the paths, search criteria and
//! authentication of Adobe Commerce and of Adobe Commerce as a Cloud Service. Where the answers of the real API differ
//! from its database, so do these: rewritten row totals, absent nulls, titles without keys. Faults are injected on
//! request ([`Fault`]), and a ledger counts the requests.
//!
//! ```text
//!  accept ─▶ service ─▶ fault? ─▶ auth ─▶ endpoints ─▶ search ─▶ shop (SQLite)
//!                                             └──────▶ bodies ─▶ fields ─▶ reply
//! ```
//!
//! | module | content |
//! |---|---|
//! | [`http`] | connections, paths, and the ways to break an answer |
//! | [`auth`] | signatures, bearer tokens, permissions |
//! | [`endpoints`] | lists and single documents, with their errors |
//! | [`search`] | search criteria, as SQL; the filter of fields |
//! | [`bodies`] | rows as JSON |
//! | [`shop`] | the database |
//! | [`journal`] | the journal of I/O Events |
//! | [`faults`], [`ledger`] | injected faults, and counts of requests |
//!
//! Its code shares nothing with the source in the daemon: each checks the other.

mod auth;
mod bodies;
mod config;
mod endpoints;
mod faults;
mod handle;
mod http;
mod journal;
mod json;
mod ledger;
mod problem;
mod search;
mod shop;
mod state;

#[cfg(test)]
mod tests;

pub use crate::config::{
    CloudService, Consumer, DEFAULT_CLOUD_ORG, MockConfig, PageLimits, Permission, Release,
};
pub use crate::faults::{Effect, Fault, RandomFaults};
pub use crate::handle::{MockCommerce, MockError, MockHandle};
pub use crate::ledger::{Ledger, RequestRow};
