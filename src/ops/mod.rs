//! What an on-call person looks at: how outages are told, logging, status.

mod journal;
mod line;
pub mod logging;
pub mod outage;
pub mod sentence;
pub mod status;
