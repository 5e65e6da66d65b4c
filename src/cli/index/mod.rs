//! Commands of the index and its schedules.

pub mod cron;
pub mod hint;
pub mod indexer;
pub mod resync;
pub mod verify;
