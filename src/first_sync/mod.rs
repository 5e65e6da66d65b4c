//! The first-sync window: a website whose back-office events are enabled for the first time has its history at the edge
//! within `first_sync.window`, newest orders first, visibly, and without anybody asking for it.
//!
//! # Design
//!
//! A persisted state machine a website, `not_started → reindexing → sending → complete`. [`decide`] is its only logic and
//! is pure: it looks at the row, at what can be seen of the backfill, the outbox and the index, and says what to do. Because
//! it works from what is stored alone, it survives a kill at any point: whatever was done is seen, the rest is said again.
//!
//! - `not_started`: enrolled, the window counts. A backfill is to begin: the full reindex where the index is invalid anyway
//!   (one backfill for all websites), otherwise a backfill over this website's orders, beside live traffic.
//! - `reindexing`: the backfill reads orders, newest first, and queues their events, which leave at the same time.
//! - `sending`: the backfill is complete; events that it queued are not final yet. Live events do not prolong this.
//! - `complete`: for ever.
//!
//! [`pace`] measures how fast it goes and what holds it up; [`history`] says how far back it reaches; [`report`] is what
//! `status` and metrics show.

mod decide;
pub mod history;
pub mod pace;
pub mod report;

#[cfg(test)]
mod tests;

pub use decide::{BackfillCondition, BackfillPlan, IndexCondition, Notice, Observation, SyncAction, decide};
