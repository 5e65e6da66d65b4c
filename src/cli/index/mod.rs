//! Commands of the index and its schedules.

pub mod cron;
pub mod indexer;
pub mod resync;
pub mod verify;
