//! Checks of the index, the intake and the first syncs, on the snapshot that `status` shows.

use crate::doctor::check::Check;
use crate::doctor::finding::{Finding, or_ok};
use crate::first_sync::report::SyncReport;
use crate::ops::sentence::{count, human_duration};
use crate::ops::status::{Moment, Snapshot};
use crate::store::first_sync::SyncState;
use crate::store::intake::{Flow, Shortage};
use crate::store::views::{IndexerStatus, ViewStatus};
use orderfeed_model::clock::UtcMillis;

/// Ages of a waiting change at which it is a warning and a problem.
const SLOW_MS: i64 = 5 * 60_000;
pub(in crate::doctor) const STUCK_MS: i64 = 30 * 60_000;

/// Returns the findings of `index.*`. `failure` is the reason for one order that cannot be indexed.
pub fn verdict(snapshot: &Snapshot, failure: Option<&str>) -> Vec<Finding> {
    let mut findings = vec![
        status(snapshot),
        lag(snapshot),
        failures(snapshot, failure),
        intake(snapshot),
    ];
    findings.extend(first_syncs(snapshot));
    findings
}

fn age(snapshot: &Snapshot, at: Moment) -> i64 {
    snapshot.taken_at.0.millis_since(at.0)
}

fn waiting(snapshot: &Snapshot) -> i64 {
    let oldest = snapshot.index.oldest_change_at;
    oldest.map_or(0, |at| age(snapshot, at))
}

fn status(snapshot: &Snapshot) -> Finding {
    let (check, index) = (Check::IndexStatus, &snapshot.index);
    if index.status == IndexerStatus::Suspended || index.view_status == ViewStatus::Suspended {
        let since = index
            .view_updated
            .map_or_else(String::new, |at| format!(" since {}", at.0));
        let message = format!(
            "the index is suspended{since}: changes are captured but not indexed, {} in the backlog",
            count(index.backlog, "order")
        );
        let remedy = "orderfeed indexer:set-status valid sales_order_data_exporter_v2";
        // A suspension is intended, unless it was forgotten while changes wait.
        let is_forgotten = waiting(snapshot) > STUCK_MS;
        return check.warning_or_problem(is_forgotten, message, remedy);
    }
    let backfills = !snapshot.backfills.is_empty();
    match index.status {
        IndexerStatus::Valid => check.ok("the index is ready"),
        IndexerStatus::Working => check.note("a full reindex is running; `orderfeed status` shows its progress",
        ),
        // Not valid yet, because the first backfill is still running.
        _ if backfills => check.note("the history is being indexed; `orderfeed status` shows the progress",
        ),
        _ => check.warning("a full reindex is required; it runs at the next slot of indexer_reindex_all_invalid while a daemon runs",
            "nothing, or to run it now: orderfeed indexer:reindex",
        ),
    }
}

fn lag(snapshot: &Snapshot) -> Finding {
    let (check, waits) = (Check::IndexLag, waiting(snapshot));
    let message = match snapshot.index.backlog {
        0 => return check.ok("every captured change is indexed"),
        backlog => format!(
            "{} in the backlog, the oldest waits for {}",
            count(backlog, "order"),
            human_duration(waits)
        ),
    };
    let remedy = "see index.status, index.intake, daemon.running and schedules.last_run; to index now: orderfeed cron run \
                  indexer_update_all_views";
    of_lag(check, waits, message, remedy)
}

/// Returns the finding for changes or events that have waited for `waits` milliseconds.
pub(in crate::doctor) fn of_lag(check: Check, waits: i64, message: String, remedy: &str) -> Finding {
    match waits {
        ..SLOW_MS => check.ok(message),
        _ => check.warning_or_problem(waits >= STUCK_MS, message, remedy),
    }
}

fn failures(snapshot: &Snapshot, failure: Option<&str>) -> Finding {
    let check = Check::IndexFailures;
    match snapshot.index_failures {
        0 => check.ok("every order could be indexed"),
        failures => check.warning(
            format!(
                "{} could not be indexed; one of them: {}",
                count(failures, "order"),
                failure.unwrap_or("see the log")
            ),
            "correct the row that the message names; each is retried by itself, after an hour at most",
        ),
    }
}

fn intake(snapshot: &Snapshot) -> Finding {
    let (check, intake) = (Check::Intake, &snapshot.intake);
    let since = intake.since.map_or_else(String::new, |at| {
        format!(", for {}", human_duration(age(snapshot, at)))
    });
    match intake.flow {
        Some(Flow::Paused(Shortage::Disk)) => check.problem(
            format!("capture and indexing pause because the disk is nearly full{since}"),
            "free some space beside store.path, or lower store.disk_reserve; it continues by itself",
        ),
        Some(Flow::Paused(Shortage::Outbox)) => check.problem(
            format!("capture and indexing pause because the outbox is full{since}"),
            "fix what delivery.sender names, or raise delivery.max_pending_events; it continues by itself",
        ),
        Some(Flow::HistoryWaits) => check.note(format!(
            "history waits until the outbox has room{since}; live changes continue"
        )),
        Some(Flow::Open) | None => check.ok("nothing holds up capture and indexing"),
    }
}

fn first_syncs(snapshot: &Snapshot) -> Vec<Finding> {
    let check = Check::FirstSync;
    let running = snapshot
        .first_syncs
        .iter()
        .filter(|sync| sync.state != SyncState::Complete);
    let findings = running.map(|sync| first_sync(sync, snapshot.taken_at.0).about(sync.website.clone()));
    or_ok(findings.collect(), check, "no first sync is running")
}

fn first_sync(sync: &SyncReport, now: UtcMillis) -> Finding {
    let check = Check::FirstSync;
    let sizes = format!(
        "{}/{} orders, {}/{} events sent",
        sync.done_orders, sync.total_orders, sync.sent_events, sync.events
    );
    if !sync.missed {
        let left = human_duration(sync.deadline.0.millis_since(now));
        return check.note(format!("the first sync runs, its window ends in {left}: {sizes}"));
    }
    let limit = sync
        .limited_by
        .as_deref()
        .unwrap_or("nothing that was measured")
        .replace('_', " ");
    check.warning(
        format!(
            "the first sync missed its window at {}, limited by {limit}: {sizes}",
            sync.deadline.0
        ),
        "it continues by itself, newest orders first; docs/FIRST_SYNC.md has the remedy for each limit",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict::{self, Ok as Fine, Problem, Warning};
    use crate::ops::status::testing::snapshot;

    fn verdicts(snapshot: &Snapshot) -> Vec<Verdict> {
        verdict(snapshot, None)
            .iter()
            .map(|finding| finding.verdict)
            .collect()
    }

    fn waiting_for(millis: i64) -> Snapshot {
        let mut snapshot = snapshot();
        snapshot.taken_at = Moment(UtcMillis(100_000_000));
        snapshot.index.backlog = 3;
        snapshot.index.oldest_change_at = Some(Moment(UtcMillis(100_000_000 - millis)));
        snapshot
    }

    #[test]
    fn a_ready_index_is_fine() {
        assert_eq!(verdicts(&snapshot()), [Fine; 5]);
    }

    #[test]
    fn waiting_changes_are_judged_by_their_age() {
        for (millis, expected) in [(1_000, Fine), (SLOW_MS, Warning), (STUCK_MS, Problem)] {
            assert_eq!(verdicts(&waiting_for(millis))[1], expected);
        }
    }

    #[test]
    fn a_suspended_index_is_a_warning_and_later_a_problem() {
        for (millis, expected) in [(1_000, Warning), (STUCK_MS + 1, Problem)] {
            let mut suspended = waiting_for(millis);
            suspended.index.status = IndexerStatus::Suspended;
            let finding = status(&suspended);
            assert_eq!(finding.verdict, expected);
            assert!(
                finding.message.contains("suspended") && finding.remedy.unwrap().contains("set-status valid")
            );
        }
    }

    #[test]
    fn a_paused_intake_is_a_problem_with_its_reason() {
        let mut paused = snapshot();
        paused.intake.flow = Some(Flow::Paused(Shortage::Disk));
        assert_eq!(verdicts(&paused)[3], Problem);
    }
}
