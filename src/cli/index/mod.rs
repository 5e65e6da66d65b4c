//! Commands that work on the index: `indexer:*`, `saas:resync`, `verify`, `cron`.

pub mod cron;
pub mod indexer;
pub mod resync;
pub mod verify;
