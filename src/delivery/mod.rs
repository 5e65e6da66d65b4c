//! Outbox → edge: one sender for each website, several lanes for each sender, and a decision for every answer.
//!
//! # Constraints
//!
//! An event counts as delivered only after the edge accepted it (I5), its bytes never change (I4), events of an order
//! arrive in order (I6), and after a kill only requests that were in flight are repeated (I7). Trouble of one website
//! does not affect another.
//!
//! # Structure
//!
//! Pure functions over (state, now) decide:
//!
//! | file | decides |
//! |---|---|
//! | [`rules`] | what an answer means for the events in the request |
//! | `sender/control/decide` | what follows from an answer: settle, retry, split, park, wait, halt |
//! | `sender/control/health` | if a website may send, must wait, or may only probe |
//! | `sender/control/isolation` | if a refusal is about one event or about everything |
//! | [`limits`] | how many requests, how fast, how long to wait |
//! | `sender/queue` | which batches share a request |
//!
//! A thin shell performs it: [`sender_pool`] (one sender for each website), `sender` (one task), `sender/lane` (one task
//! for each request), [`http`] (requests, answers, tokens), `sender/settle` (the store). To follow one answer, read
//! `rules/mod`, `decide`, `health`, `isolation` and `settle`.
//!
//! A request holds whole stored batches. The store alone decides which may be sent (`ready_batches`), so that order and
//! dependencies survive every failure. Times are stored too: each batch has its due time, each sender's wait is in its
//! row, and each pause that a peer asked for has a row ([`pauses`]). A pause belongs to what asked for it: the datastream,
//! the organization whose quota is used up, or the token client.
//!
//! # Crash cases
//!
//! - Killed with requests in flight: their batches are still pending and are sent again, with the same bytes.
//! - Killed between an answer and its commit: the same.
//! - Killed during a pause: the sender's row and the due times hold its end.
//!
//! State that is only in memory (suspect batches, the size that the edge accepts, the number of lanes) is learned again,
//! which costs a few more requests.
//!
//! [`connection_test`] uses the same HTTP code for `orderfeed test-connection`; [`connection_report`] is its result.

pub mod connection_report;
pub mod connection_test;
pub(crate) mod context;
mod edge_client;
pub mod http;
pub mod limits;
mod pauses;
pub mod rules;
mod sender;
pub(crate) mod sender_pool;
mod stats;

pub use crate::delivery::context::{DeliveryContext, DeliveryError, Drained};
pub use crate::delivery::http::client::ClientError;
pub use crate::delivery::sender_pool::run;
pub use stats::{DeliveryStats, LATENCY_BOUNDS_MS, LatencyCounts, StatsSnapshot};
