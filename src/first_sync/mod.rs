//! The first-sync window: the history of a website whose back-office events are enabled for the first time reaches the
//! edge within `first_sync.window`, newest orders first, without a command. Progress and delays are visible.
//!
//! # Design
//!
//! A persisted state machine for each website, `not_started → reindexing → sending → complete`. [`decide`] holds all of
//! its logic and is pure: from the row and the observed state of backfill, outbox and index it derives what to do.
//! Because it works from stored state alone, it survives a kill at any point: what was done is observed, and the rest is
//! requested again.
//!
//! - `not_started`: enrolled, the window has begun. A backfill is to start: the full reindex if the index is invalid
//!   anyway (one backfill for all websites), otherwise a backfill of this website's orders, beside live traffic.
//! - `reindexing`: the backfill reads orders, newest first, and queues their events, which are sent at the same time.
//! - `sending`: the backfill is complete, but events that it queued are not final yet. Live events do not prolong this.
//! - `complete`: final.
//!
//! [`pace`] measures the speed and finds the bottleneck; [`history`] determines how far back the history reaches;
//! [`report`] prepares the figures for `status` and metrics.

mod decide;
pub mod history;
pub mod pace;
pub mod report;

#[cfg(test)]
mod tests;

pub use decide::{BackfillCondition, BackfillPlan, IndexCondition, Notice, Observation, SyncAction, decide};
