//! Outbox → edge: one sender a website, lanes of requests, and a decision for every answer.
//!
//! # Constraints
//!
//! An event is delivered only when the edge said so (I5), its bytes never change (I4), events of an order arrive in order
//! (I6), and after a kill no more is repeated than what was in flight (I7). One website's trouble is not another's.
//!
//! # How it is built
//!
//! What to do is decided by pure functions over (state, now): [`rules`] reads an answer, `health` says what a sender may
//! do, `suspicion` whose fault a refusal is, [`lanes`] how much may be in flight, [`gate`] how fast, [`backoff`] and
//! [`retry_after`] how long to wait, [`crate::ops::outage_log`] when to speak, `queue` what travels together. Around them lies a thin shell:
//! `sender` (one task a website), `lane` (one task a request), `attempt` (HTTP), [`transport`] (the line), `tokens` (IMS), `settle` (the store).
//!
//! A request holds whole stored batches; what may go is the store's to say (`ready_batches`), so that order and
//! dependencies survive everything. Time is the store's too: each batch has its due time and each sender's pause its row.
//!
//! # Crash cases
//!
//! Killed with requests in flight: their batches are still pending and go out again, the same bytes. Killed after an
//! answer and before its commit: the same. Killed in a pause: the sender's row and the due times say until when. What is
//! only in memory (who is under suspicion, what size the edge takes, how many lanes it likes) costs a few more requests.

pub mod connection_test;
pub(crate) mod context;
mod edge_client;
pub mod http;
pub mod limits;
pub mod rules;
mod sender;
pub(crate) mod sender_pool;
mod stats;

pub use crate::delivery::context::{DeliveryContext, DeliveryError, Drained};
pub use crate::delivery::http::client::{ClientError, USER_AGENT, client};
pub use crate::delivery::sender_pool::{run, run_over};
pub use stats::{DeliveryStats, LATENCY_BOUNDS_MS, StatsSnapshot, Times};
