//! What an on-call person looks at: how outages are told, logging, status, metrics, what systemd is told.

pub mod explain;
mod journal;
mod line;
pub mod logging;
pub mod openmetrics;
pub mod outage_log;
pub mod screen;
pub mod sentence;
pub mod status;
pub mod stderr;
pub mod systemd;
