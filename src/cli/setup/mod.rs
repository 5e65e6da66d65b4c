//! Commands of set-up and maintenance.

pub mod backup;
pub mod config;
pub mod manual;
pub mod source;
