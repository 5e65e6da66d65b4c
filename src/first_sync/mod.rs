//! The first-sync window: a website whose back-office events are enabled for the first time has its history at the edge
//! within `first_sync.window`, newest orders first, visibly, and without anybody asking for it.
//!
//! # Design
//!
//! A persisted state machine a website, `not_started → reindexing → sending → complete`. [`decide`] is its only logic and
//! is pure: it looks at the row, at what can be seen of the walk, the outbox and the index, and says what to do. Because
//! it works from what is stored alone, it survives a kill at any point: whatever was done is seen, the rest is said again.
//!
//! - `not_started`: enrolled, the window counts. A walk is to begin: the full reindex where the index is invalid anyway
//!   (one walk for all websites), otherwise a walk over this website's orders, beside live traffic.
//! - `reindexing`: the walk reads orders, newest first, and queues their events, which leave at the same time.
//! - `sending`: the walk is complete; events that it queued are not final yet. Live events do not prolong this.
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

pub use decide::{Action, Facts, IndexFact, Line, Plan, WalkFact, decide};
