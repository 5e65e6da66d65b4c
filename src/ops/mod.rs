//! What an on-call person looks at: how outages are told, logging, status, metrics, what systemd is told.

mod journal;
mod line;
pub mod logging;
pub mod openmetrics;
pub mod outage;
pub mod sentence;
pub mod status;
pub mod systemd;
