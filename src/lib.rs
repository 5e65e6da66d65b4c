//! `orderfeed` delivers the order status events of an Adobe Commerce instance to the Adobe Experience Platform
//! edge. This table maps its modules; `docs/ARCHITECTURE.md` describes how they work together.
//!
//! ```text
//! source ──capture──▶ changelog ──indexer──▶ outbox ──delivery──▶ edge
//! ```
//!
//! | module | purpose |
//! |---|---|
//! | [`cli`] | the commands, their help, output and exit codes |
//! | [`doctor`] | the checks of `orderfeed doctor` |
//! | [`daemon`] | start and shutdown, schedules, requests of commands, the admin endpoint |
//! | [`web`] | the web pages: templates, view models, style sheet, script; pure |
//! | [`indexer`] | captures changes into the changelog, and derives feed rows and events from it |
//! | [`delivery`] | sends the outbox to the edge: requests, response rules, backoff, tokens |
//! | [`ops`] | logging, the snapshots behind `status` and `explain`, systemd notifications |
//! | [`first_sync`] | decides the next step, pace and warnings of a first sync; pure |
//! | [`store`] | the one SQLite database: changelog, feed, outbox, schedules |
//! | [`commerce`] | the sources that orders are read from: MySQL, MariaDB, embedded SQLite |
//! | [`storefront`] | the Web SDK deployed for a shop's pages: loader, bundle, policy, snippet; pure |
//! | `http`, `tls` | the HTTP client; the certificate that a server presents |
//! | [`config`] | loads, merges and validates the configuration; errors name the fix |
//!
//! The crates below depend on nothing above:
//!
//! | crate | purpose |
//! |---|---|
//! | `orderfeed_events` | order → status events → XDM; pure |
//! | `orderfeed_model` | orders, exact amounts, and the only reader of the wall clock |
//! | `orderfeed_emulator` | a local Edge Network and IMS for trials and tests |
//! | `orderfeed_demo_shop` | a shop in Commerce's tables, with simulated shoppers |
//! | `orderfeed_test_support` | database servers, the edge and an oracle for tests and benchmarks |
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used))]

pub mod cli;
pub mod commerce;
pub mod config;
pub mod daemon;
pub mod delivery;
pub mod doctor;
pub mod first_sync;
mod http;
pub mod indexer;
pub mod ops;
pub mod store;
pub mod storefront;
mod tls;
pub mod web;
