//! A local Edge Network and IMS, for trials, demonstrations and tests. It speaks the interfaces that Adobe documents,
//! can be told to misbehave ([`FaultStep`]), and keeps a ledger against which a client's promises are asserted.
//! `docs/EMULATOR.md` is its manual and says which behaviour is Adobe's and which is assumed.
//!
//! ```text
//!            data listeners (server, edge)                 control listener
//!  accept ─▶ [tls] ─▶ service ─▶ fault? ─▶ ims │ edge │ consent │ hub      /__mock/…
//!                                              └──────┴─▶ ledger ◀─────────────┘
//! ```
//!
//! hyper is used without a framework, because faults need the connection itself: closed before the body is read, reset
//! after the events are recorded, torn off in the middle of an answer. An accepted event is read once, borrowed from
//! the request (`envelope`, `scan`), because under load the emulator shares its machine with what it tests.

mod auth;
mod config;
mod conn;
mod consent;
mod control;
mod edge;
mod envelope;
mod fingerprint;
mod gzip;
mod handle;
mod hub;
mod ims;
mod ledger;
mod listener;
mod problem;
mod random;
mod rate;
mod reply;
mod request;
mod route;
mod scan;
mod script;
mod service;
mod state;
mod tls;
mod tokens;
mod validate;
pub mod xdm;

pub use config::{
    Access, ClientConfig, DEFAULT_CLIENT, DEFAULT_DATASTREAM, DEFAULT_ORG, DEFAULT_SECRET, DatastreamConfig,
    EmulatorConfig, FaultMix, InletConfig, LedgerDetail, RandomFaults,
};
pub use handle::{Emulator, EmulatorError, EmulatorHandle};
pub use ledger::{EarlyRequest, EventRow, EventStatus, OrderViolation, PiiFinding, RequestRow, Totals};
pub use problem::codes;
pub use script::{CloseAt, FaultStep, Match, ScriptedEntry, TlsFault};
pub use tls::TlsError;
