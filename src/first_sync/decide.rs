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
pub struct Facts {
    /// Whether the website is still configured and its back-office events are on.
    pub enabled: bool,
    /// What the index does.
    pub index: IndexFact,
    /// Its backfill.
    pub backfill: BackfillFact,
    /// Events that its backfill queued and that are not final.
    pub pending: u64,
    /// How it goes; `None` while that cannot be said.
    pub estimate: Option<Estimate>,
    /// When the log last said how far it is, by this process.
    pub said_at: Option<UtcMillis>,
}

/// What the index does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexFact {
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
pub enum BackfillFact {
    /// There was none.
    None,
    /// It is not complete; whether somebody is at it right now is not known.
    Open(Plan),
    /// It is complete.
    Complete,
}

/// How the history is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// By the full reindex, with all websites.
    Full,
    /// By a backfill over this website's orders.
    Own,
}

/// What to do. Actions are done in order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Action {
    /// See that a backfill goes on or begins, unless one does already.
    Backfill(Plan),
    /// The next state.
    Become(SyncState),
    /// It waits until its website is enabled again.
    Interrupt,
    /// Its website is enabled again: a new window begins, and it goes on where it was.
    Reopen,
    /// Say something.
    Say(Line),
}

/// Something to say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Line {
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
pub fn decide(row: &FirstSyncRow, facts: &Facts, now: UtcMillis) -> Vec<Action> {
    match (facts.enabled, row.interrupted_at) {
        (true, Some(_)) => return vec![Action::Reopen, Action::Say(Line::Reopened)],
        (false, Some(_)) => return Vec::new(),
        (false, None) if is_left_unread(row, facts) => {
            return vec![Action::Interrupt, Action::Say(Line::Interrupted)];
        }
        (_, None) => {}
    }
    let next = match row.state {
        SyncState::Complete => return Vec::new(),
        SyncState::NotStarted => begins(row, facts).then_some(SyncState::Reindexing),
        SyncState::Reindexing => is_read(row, facts).then_some(SyncState::Sending),
        SyncState::Sending => (facts.pending == 0).then_some(SyncState::Complete),
    };
    match next {
        Some(SyncState::Complete) => {
            return vec![Action::Become(SyncState::Complete), Action::Say(Line::Complete)];
        }
        Some(next) => return vec![Action::Become(next)],
        None => {}
    }
    let backfill = backfill(row, facts).map(Action::Backfill);
    let lines = lines(row, facts, now).into_iter().map(Action::Say);
    backfill.into_iter().chain(lines).collect()
}

/// Whether orders are left that no backfill may take while the website is switched off. What is queued already still goes.
fn is_left_unread(row: &FirstSyncRow, facts: &Facts) -> bool {
    row.state < SyncState::Sending && facts.backfill != BackfillFact::Complete
}

/// A website that starts "from now" has nothing to read.
fn from_now(row: &FirstSyncRow) -> bool {
    row.floor.is_some_and(|floor| floor >= row.started_at)
}

fn begins(row: &FirstSyncRow, facts: &Facts) -> bool {
    facts.backfill != BackfillFact::None || from_now(row)
}

fn is_read(row: &FirstSyncRow, facts: &Facts) -> bool {
    match facts.backfill {
        BackfillFact::Complete => true,
        BackfillFact::None => from_now(row),
        BackfillFact::Open(_) => false,
    }
}

/// Which backfill is to be under way.
fn backfill(row: &FirstSyncRow, facts: &Facts) -> Option<Plan> {
    if row.state > SyncState::Reindexing || facts.index == IndexFact::Suspended {
        return None;
    }
    match (facts.backfill, facts.index) {
        (BackfillFact::Complete, _) => None,
        (BackfillFact::Open(Plan::Full) | BackfillFact::None, IndexFact::Busy) => None,
        (BackfillFact::Open(plan), _) => Some(plan),
        (BackfillFact::None, IndexFact::Invalid) => Some(Plan::Full),
        (BackfillFact::None, _) => Some(Plan::Own),
    }
}

fn lines(row: &FirstSyncRow, facts: &Facts, now: UtcMillis) -> Vec<Line> {
    let mut lines = Vec::new();
    if !facts.enabled {
        return lines;
    }
    if now > row.deadline {
        if !row.warned_late {
            lines.push(Line::Overdue);
        }
    } else if let Some(estimate) = facts.estimate.filter(|estimate| will_miss(row, estimate, now)) {
        lines.push(Line::WillMiss(estimate));
    }
    let said_at = facts.said_at.unwrap_or(row.started_at);
    if now.millis_since(said_at) >= PROGRESS_EVERY_MS {
        lines.push(Line::Progress);
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
