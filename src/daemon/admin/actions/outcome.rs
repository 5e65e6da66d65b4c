//! The outcome of a request as a sentence and a count.

use crate::daemon::control::{Outcome, Request};
use crate::ops::sentence::{count, human_duration};
use crate::store::views::ViewMode;

/// Returns the number of orders, events or websites that the request concerned.
pub(crate) fn number(outcome: &Outcome) -> u64 {
    match outcome {
        Outcome::Reindexed(rebuilt) => rebuilt.orders,
        Outcome::Resynced(resynced) => resynced.orders,
        Outcome::ResyncStopped { orders, .. } => *orders,
        Outcome::Parked { events, .. } => *events,
        Outcome::Delivery { changed, .. } => changed.len() as u64,
        Outcome::Mode { from, to } => u64::from(from != to),
        Outcome::Status { from, to } => u64::from(from != to),
        _ => 1,
    }
}

/// Returns the outcome as a sentence.
pub(crate) fn sentence(request: &Request, outcome: &Outcome) -> String {
    match outcome {
        Outcome::Mode { from, to } if from == to => format!("The mode is {} already.", mode_word(*to)),
        Outcome::Mode { to, .. } => format!("The mode is {} now.", mode_word(*to)),
        Outcome::Invalidated => {
            "The index is invalid; the next scheduled run reindexes every order.".to_owned()
        }
        Outcome::Status { from, to } if from == to => format!("The status of the index is {to} already."),
        Outcome::Status { from, to } => format!("The status of the index was changed from {from} to {to}."),
        Outcome::Reindexed(rebuilt) => format!(
            "The index was rebuilt: {}, {}{}.",
            count(rebuilt.orders, "order"),
            count(rebuilt.events, "new event"),
            failures(rebuilt.failures)
        ),
        Outcome::Resynced(resynced) => format!(
            "{} processed, {} queued{}.",
            count(resynced.orders, "order"),
            count(resynced.events, "event"),
            failures(resynced.failures)
        ),
        Outcome::ResyncStopped {
            was_running: false, ..
        } => "No resync is running.".to_owned(),
        Outcome::ResyncStopped { orders, events, .. } => format!(
            "The resync was stopped after {}. The events that it queued ({events}) are still sent.",
            count(*orders, "order")
        ),
        Outcome::JobRan(run) => {
            let took = human_duration(i64::try_from(run.duration_ms).unwrap_or(i64::MAX));
            format!("{}: {} ({took}).", run.job, run.message)
        }
        Outcome::Parked { events, missing } => parked(request, *events, *missing),
        Outcome::Delivery { changed, unchanged } => delivery(request, changed, unchanged),
        _ => "The request is done.".to_owned(),
    }
}

fn failures(count: u64) -> String {
    match count {
        0 => String::new(),
        count => format!(", {count} failed"),
    }
}

fn parked(request: &Request, events: u64, missing: u64) -> String {
    let done = match request {
        Request::DiscardParked { .. } => "discarded",
        _ => "queued to be sent again",
    };
    let gone = match missing {
        0 => String::new(),
        missing => format!("; {missing} of the selection were not parked any more"),
    };
    format!("{} {done}{gone}.", count(events, "event"))
}

fn delivery(request: &Request, changed: &[String], unchanged: &[String]) -> String {
    let (done, state) = match request {
        Request::PauseDelivery { .. } => ("Paused", "paused already"),
        _ => ("Resumed", "not paused or halted"),
    };
    match (changed, unchanged) {
        ([], []) => "There is no website yet.".to_owned(),
        ([], unchanged) => format!("{} {state}.", unchanged.join(", ")),
        (changed, _) => format!("{done}: {}.", changed.join(", ")),
    }
}

fn mode_word(mode: ViewMode) -> &'static str {
    match mode {
        ViewMode::Schedule => "Update by Schedule",
        ViewMode::Realtime => "Update on Save",
    }
}
