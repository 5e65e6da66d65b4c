//! What comes next for one website. Pure.

use super::pace::Estimate;
use crate::store::first_sync::{FirstSyncRow, SyncState};
use orderfeed_model::clock::UtcMillis;

/// How often the log says how far it is.
const PROGRESS_EVERY_MS: i64 = 10_000;
/// A guess is worth a warning once so much of the window is over, as a divisor: a tenth; a fifth, if nothing moves.
const SETTLED: i64 = 10;
const STUCK: i64 = 5;

/// What can be seen of one website's first sync.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation {
    /// Whether the website is still configured and its back-office events are on.
    pub enabled: bool,
    /// What the index does.
    pub index: IndexCondition,
    /// Its backfill.
    pub backfill: BackfillCondition,
    /// Events that its backfill queued and that are not final.
    pub pending: u64,
    /// How it goes; `None` while that cannot be said.
    pub estimate: Option<Estimate>,
    /// When the log last said how far it is, by this process.
    pub logged_at: Option<UtcMillis>,
}

/// What the index does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexCondition {
    /// A full reindex is due.
    Invalid,
    /// Somebody reindexes.
    Busy,
    /// It is up to date.
    Valid,
    /// An operator suspended it.
    Suspended,
}

/// What became of the backfill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackfillCondition {
    /// There was none.
    None,
    /// It is not complete; whether somebody is at it right now is not known.
    Open(BackfillPlan),
    /// It is complete.
    Complete,
}

/// How the history is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackfillPlan {
    /// By the full reindex, with all websites.
    Full,
    /// By a backfill over this website's orders.
    Website,
}

/// What to do. Actions are done in order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SyncAction {
    /// See that a backfill goes on or begins, unless one does already.
    Backfill(BackfillPlan),
    /// The next state.
    Become(SyncState),
    /// It waits until its website is enabled again.
    Interrupt,
    /// Its website is enabled again: a new window begins, and it goes on where it was.
    Reopen,
    /// Say something.
    Log(Notice),
}

/// Something to say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Notice {
    /// How far it is.
    Progress,
    /// The window will be missed. Said once.
    WillMiss(Estimate),
    /// The window was missed. Said once.
    Overdue,
    /// Its website was switched off before its history was read.
    Interrupted,
    /// Its website is enabled again.
    Reopened,
    /// It is complete.
    Complete,
}

/// What to do for the website of `row` at `now`. A state is never left for anything but the next one.
pub fn decide(row: &FirstSyncRow, observed: &Observation, now: UtcMillis) -> Vec<SyncAction> {
    match (observed.enabled, row.interrupted_at) {
        (true, Some(_)) => return vec![SyncAction::Reopen, SyncAction::Log(Notice::Reopened)],
        (false, Some(_)) => return Vec::new(),
        (false, None) if is_left_unread(row, observed) => {
            return vec![SyncAction::Interrupt, SyncAction::Log(Notice::Interrupted)];
        }
        (_, None) => {}
    }
    let next = match row.state {
        SyncState::Complete => return Vec::new(),
        SyncState::NotStarted => begins(row, observed).then_some(SyncState::Reindexing),
        SyncState::Reindexing => is_read(row, observed).then_some(SyncState::Sending),
        SyncState::Sending => (observed.pending == 0).then_some(SyncState::Complete),
    };
    match next {
        Some(SyncState::Complete) => {
            return vec![
                SyncAction::Become(SyncState::Complete),
                SyncAction::Log(Notice::Complete),
            ];
        }
        Some(next) => return vec![SyncAction::Become(next)],
        None => {}
    }
    let backfill = backfill(row, observed).map(SyncAction::Backfill);
    let lines = lines(row, observed, now).into_iter().map(SyncAction::Log);
    backfill.into_iter().chain(lines).collect()
}

/// Whether orders are left that no backfill may take while the website is switched off. What is queued already still goes.
fn is_left_unread(row: &FirstSyncRow, observed: &Observation) -> bool {
    row.state < SyncState::Sending && observed.backfill != BackfillCondition::Complete
}

/// A website that starts "from now" has nothing to read.
fn from_now(row: &FirstSyncRow) -> bool {
    row.floor.is_some_and(|floor| floor >= row.started_at)
}

fn begins(row: &FirstSyncRow, observed: &Observation) -> bool {
    observed.backfill != BackfillCondition::None || from_now(row)
}

fn is_read(row: &FirstSyncRow, observed: &Observation) -> bool {
    match observed.backfill {
        BackfillCondition::Complete => true,
        BackfillCondition::None => from_now(row),
        BackfillCondition::Open(_) => false,
    }
}

/// Which backfill is to be under way.
fn backfill(row: &FirstSyncRow, observed: &Observation) -> Option<BackfillPlan> {
    if row.state > SyncState::Reindexing || observed.index == IndexCondition::Suspended {
        return None;
    }
    match (observed.backfill, observed.index) {
        (BackfillCondition::Complete, _) => None,
        (BackfillCondition::Open(BackfillPlan::Full) | BackfillCondition::None, IndexCondition::Busy) => None,
        (BackfillCondition::Open(plan), _) => Some(plan),
        (BackfillCondition::None, IndexCondition::Invalid) => Some(BackfillPlan::Full),
        (BackfillCondition::None, _) => Some(BackfillPlan::Website),
    }
}

fn lines(row: &FirstSyncRow, observed: &Observation, now: UtcMillis) -> Vec<Notice> {
    let mut lines = Vec::new();
    if !observed.enabled {
        return lines;
    }
    if now > row.deadline {
        if !row.warned_late {
            lines.push(Notice::Overdue);
        }
    } else if let Some(estimate) = observed.estimate.filter(|estimate| will_miss(row, estimate, now)) {
        lines.push(Notice::WillMiss(estimate));
    }
    let logged_at = observed.logged_at.unwrap_or(row.started_at);
    if now.millis_since(logged_at) >= PROGRESS_EVERY_MS {
        lines.push(Notice::Progress);
    }
    lines
}

fn will_miss(row: &FirstSyncRow, estimate: &Estimate, now: UtcMillis) -> bool {
    let window = row.deadline.millis_since(row.started_at);
    let elapsed = now.millis_since(row.started_at);
    let is_sure = match estimate.finish_at {
        Some(finish_at) => elapsed >= window / SETTLED && finish_at > row.deadline,
        None => elapsed >= window / STUCK,
    };
    !row.warned_early && is_sure
}
