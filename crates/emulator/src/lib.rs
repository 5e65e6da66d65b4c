//! A local Edge Network and IMS for trials, demonstrations and tests.
//!
//! It implements the interfaces Adobe documents, injects faults on request ([`FaultStep`]), and keeps a ledger for
//! assertions about a client. `docs/EMULATOR.md` is its manual and states which behaviour is Adobe's and which is
//! assumed.
//!
//! ```text
//!            data listeners (server, edge)                 control listener
//!  accept ─▶ [tls] ─▶ service ─▶ fault? ─▶ ims │ edge │ consent │ hub      /__mock/…
//!                                              └──────┴─▶ ledger ◀─────────────┘
//! ```
//!
//! The data listeners use hyper without a framework, because faults need the connection itself: closed before the
//! body is read, reset after the events are recorded, cut in the middle of an answer. An event is parsed once,
//! borrowing from the request (`envelope`, `scan`), because under load the emulator shares its machine with the
//! program under test.

mod config;
mod control;
mod edge;
mod faults;
mod handle;
mod http;
mod ims;
mod ledger;
mod state;
pub mod xdm;

pub use crate::config::{
    Access, ClientConfig, DEFAULT_CLIENT, DEFAULT_DATASTREAM, DEFAULT_ORG, DEFAULT_SECRET, DatastreamConfig,
    EmulatorConfig, FaultMix, InletConfig, LedgerDetail, RandomFaults,
};
pub use crate::edge::problem::codes;
pub use crate::faults::script::{CloseAt, FaultStep, Match, ScriptedEntry, TlsFault};
pub use crate::handle::{Emulator, EmulatorError, EmulatorHandle};
pub use crate::http::tls::TlsError;
pub use crate::ledger::{
    Consent, EarlyRequest, EventRow, EventStatus, OrderViolation, PiiFinding, RequestRow, Totals,
};
