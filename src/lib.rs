//! `orderfeed` delivers the order status events of an Adobe Commerce instance to the Adobe Experience Platform
//! edge. This is the map of the house; `docs/ARCHITECTURE.md` draws it.
//!
//! ```text
//! source ──capture──▶ changelog ──indexer──▶ outbox ──delivery──▶ edge
//! ```
//!
//! | room | what lives there |
//! |---|---|
//! | [`clock`] | time: the only reader of the wall clock |
//! | [`config`] | what an operator may write, in layers, with messages that name the remedy |
//! | [`commerce`] | what an order is, and where orders come from (MySQL, embedded SQLite) |
//! | [`events`] | order → status events → XDM; pure |
//! | [`store`] | the one SQLite database: changelog, feed, outbox, schedules |
//! | [`first_sync`] | the five-minute window: what comes next, pace and warnings; pure |
//! | [`indexer`] | capture into the changelog, changelog into feed rows and events |
//! | [`delivery`] | outbox → edge: requests, response rules, backoff, tokens |
//! | [`daemon`] | start, schedules, wiring, drain, stop |
//! | [`ops`] | logging, health, what an on-call person looks at |
//! | [`emulator`] | a local Edge Network and IMS for trials and tests |
//! | [`demo`] | an embedded shop with simulated shoppers |
//! | [`doctor`] | everything an on-call person would check, at once |
//! | [`cli`] | one file per family of commands |
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used))]

pub mod cli;
pub mod commerce;
pub mod config;
pub mod daemon;
pub mod delivery;
pub mod doctor;
pub mod first_sync;
pub mod indexer;
pub mod ops;
pub mod store;
