//! What an on-call person looks at: how outages are told, logging, status.

pub mod explain;
mod journal;
mod line;
pub mod logging;
pub mod sentence;
pub mod status;
pub mod voice;
