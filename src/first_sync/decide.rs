//! The next actions of one website's first sync. Pure.

use super::pace::Estimate;
use crate::store::first_sync::{FirstSyncRow, SyncState};
use orderfeed_model::clock::UtcMillis;

/// Interval between two log entries about progress.
const PROGRESS_EVERY_MS: i64 = 10_000;
/// Part of the window, as a divisor, after which an estimate justifies a warning: a tenth, or a fifth if nothing moves.
const SETTLED: i64 = 10;
const STUCK: i64 = 5;

/// The observed state of one website's first sync.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation {
    /// True if the website is configured and its back-office events are on.
    pub enabled: bool,
    pub index: IndexCondition,
    pub backfill: BackfillCondition,
    /// Number of events that its backfill queued and that are not final.
    pub pending: u64,
    /// The estimate; `None` until there are enough samples.
    pub estimate: Option<Estimate>,
    /// Time at which this process last logged the progress.
    pub logged_at: Option<UtcMillis>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexCondition {
    /// A full reindex is due.
    Invalid,
    /// A reindex is running.
    Busy,
    Valid,
    /// An operator suspended the index.
    Suspended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackfillCondition {
    /// No backfill was started.
    None,
    /// The backfill is not complete. It may be running or not.
    Open(BackfillPlan),
    Complete,
}

/// The way to read the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackfillPlan {
    /// The full reindex, which covers all websites.
    Full,
    /// A backfill of this website's orders.
    Website,
}

/// One thing to do. Actions are performed in order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SyncAction {
    /// Start or continue a backfill, unless one is running.
    Backfill(BackfillPlan),
    /// Enter the next state.
    Become(SyncState),
    /// Wait until the website is enabled again.
    Interrupt,
    /// Continue with a new window, because the website is enabled again.
    Reopen,
    Log(Notice),
}

/// A log entry.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Notice {
    Progress,
    /// The window will be missed. Logged once.
    WillMiss(Estimate),
    /// The window was missed. Logged once.
    Overdue,
    /// The website was switched off before its history was read.
    Interrupted,
    /// The website is enabled again.
    Reopened,
    Complete,
}

/// Returns the actions for the website of `row`. The only state that follows a state is the next one.
pub fn decide(row: &FirstSyncRow, observed: &Observation, now: UtcMillis) -> Vec<SyncAction> {
    match (observed.enabled, row.interrupted_at) {
        (true, Some(_)) => return vec![SyncAction::Reopen, SyncAction::Log(Notice::Reopened)],
        (false, Some(_)) => return Vec::new(),
        (false, None) if is_unread(row, observed) => {
            return vec![SyncAction::Interrupt, SyncAction::Log(Notice::Interrupted)];
        }
        (_, None) => {}
    }
    let next = match row.state {
        SyncState::Complete => return Vec::new(),
        SyncState::NotStarted => has_begun(row, observed).then_some(SyncState::Reindexing),
        SyncState::Reindexing => is_read(row, observed).then_some(SyncState::Sending),
        SyncState::Sending => (observed.pending == 0).then_some(SyncState::Complete),
    };
    match next {
        Some(SyncState::Complete) => {
            let complete = SyncAction::Become(SyncState::Complete);
            return vec![complete, SyncAction::Log(Notice::Complete)];
        }
        Some(next) => return vec![SyncAction::Become(next)],
        None => {}
    }
    let backfill = backfill(row, observed).map(SyncAction::Backfill);
    let notices = notices(row, observed, now).into_iter().map(SyncAction::Log);
    backfill.into_iter().chain(notices).collect()
}

/// Returns true if orders are left that no backfill may read while the website is switched off. Events that are queued
/// are sent all the same.
fn is_unread(row: &FirstSyncRow, observed: &Observation) -> bool {
    row.state < SyncState::Sending && observed.backfill != BackfillCondition::Complete
}

/// Returns true if the website starts "from now", with nothing to read.
fn starts_from_now(row: &FirstSyncRow) -> bool {
    row.floor.is_some_and(|floor| floor >= row.started_at)
}

fn has_begun(row: &FirstSyncRow, observed: &Observation) -> bool {
    observed.backfill != BackfillCondition::None || starts_from_now(row)
}

fn is_read(row: &FirstSyncRow, observed: &Observation) -> bool {
    match observed.backfill {
        BackfillCondition::Complete => true,
        BackfillCondition::None => starts_from_now(row),
        BackfillCondition::Open(_) => false,
    }
}

/// Returns the backfill that should be running.
fn backfill(row: &FirstSyncRow, observed: &Observation) -> Option<BackfillPlan> {
    if row.state > SyncState::Reindexing || observed.index == IndexCondition::Suspended {
        return None;
    }
    match (observed.backfill, observed.index) {
        (BackfillCondition::Complete, _) => None,
        // Waits: the running reindex is this backfill, or its end shows if one is still needed.
        (BackfillCondition::Open(BackfillPlan::Full) | BackfillCondition::None, IndexCondition::Busy) => None,
        (BackfillCondition::Open(plan), _) => Some(plan),
        (BackfillCondition::None, IndexCondition::Invalid) => Some(BackfillPlan::Full),
        (BackfillCondition::None, _) => Some(BackfillPlan::Website),
    }
}

fn notices(row: &FirstSyncRow, observed: &Observation, now: UtcMillis) -> Vec<Notice> {
    let mut notices = Vec::new();
    if !observed.enabled {
        return notices;
    }
    // After the deadline a forecast has no use.
    if now > row.deadline {
        if !row.warned_late {
            notices.push(Notice::Overdue);
        }
    } else if let Some(estimate) = observed.estimate.filter(|estimate| will_miss(row, estimate, now)) {
        notices.push(Notice::WillMiss(estimate));
    }
    // After a restart the first entry is logged at once.
    let logged_at = observed.logged_at.unwrap_or(row.started_at);
    if now.millis_since(logged_at) >= PROGRESS_EVERY_MS {
        notices.push(Notice::Progress);
    }
    notices
}

fn will_miss(row: &FirstSyncRow, estimate: &Estimate, now: UtcMillis) -> bool {
    let window = row.deadline.millis_since(row.started_at);
    let elapsed = now.millis_since(row.started_at);
    let is_sure = match estimate.finish_at {
        // Rates at the start of a window are a poor forecast of its end.
        Some(finish_at) => elapsed >= window / SETTLED && finish_at > row.deadline,
        None => elapsed >= window / STUCK,
    };
    !row.warned_early && is_sure
}
