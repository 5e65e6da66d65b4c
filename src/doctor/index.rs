//! Checks of the index, the intake and the first syncs, on the snapshot that `status` shows.

use crate::doctor::check::Check;
use crate::doctor::finding::Finding;
use crate::ops::sentence::human_duration;
use crate::ops::status::Snapshot;
use crate::ops::status::problem::ProblemKind;
use crate::store::first_sync::SyncState;
use crate::store::intake::Flow;
use crate::store::views::IndexerStatus;

/// Returns the findings of `index.*`. `failure` is the reason for one order that cannot be indexed.
pub fn verdict(snapshot: &Snapshot, failure: Option<&str>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = snapshot
        .find_problems()
        .iter()
        .filter_map(|problem| {
            let mut finding = Finding::of(check_of(problem.kind)?, problem);
            if let (Check::IndexFailures, Some(failure)) = (finding.check, failure) {
                finding.message.push_str(&format!("; one of them: {failure}"));
            }
            Some(finding)
        })
        .collect();
    let without_problems = [status(snapshot), lag(snapshot), failures(), intake(snapshot)];
    for finding in without_problems.into_iter().chain(first_syncs(snapshot)) {
        let is_same = |other: &Finding| {
            other.check == finding.check && (other.subject == finding.subject || finding.subject.is_none())
        };
        if !findings.iter().any(is_same) {
            findings.push(finding);
        }
    }
    findings
}

fn check_of(kind: ProblemKind) -> Option<Check> {
    match kind {
        ProblemKind::IndexSuspended => Some(Check::IndexStatus),
        ProblemKind::ChangesLate => Some(Check::IndexLag),
        ProblemKind::OrdersUnreadable => Some(Check::IndexFailures),
        ProblemKind::DiskNearlyFull | ProblemKind::OutboxFull => Some(Check::Intake),
        ProblemKind::FirstSyncMissed => Some(Check::FirstSync),
        _ => None,
    }
}

fn status(snapshot: &Snapshot) -> Finding {
    let check = Check::IndexStatus;
    let backfills = !snapshot.backfills.is_empty();
    match snapshot.index.status {
        IndexerStatus::Valid => check.ok("the index is ready"),
        IndexerStatus::Working => check.note("a full reindex is running; `orderfeed status` shows its progress"),
        // Not valid yet, because the first backfill is still running.
        _ if backfills => check.note("the history is being indexed; `orderfeed status` shows the progress"),
        _ => check.warning("a full reindex is required; it runs at the next slot of indexer_reindex_all_invalid while a daemon runs",
            "nothing, or to run it now: orderfeed indexer:reindex",
        ),
    }
}

fn lag(snapshot: &Snapshot) -> Finding {
    match snapshot.index.backlog {
        0 => Check::IndexLag.ok("every captured change is indexed"),
        backlog => Check::IndexLag.ok(format!("backlog: {backlog}")),
    }
}

fn failures() -> Finding {
    Check::IndexFailures.ok("every order could be indexed")
}

fn intake(snapshot: &Snapshot) -> Finding {
    match snapshot.intake.flow {
        Some(Flow::HistoryWaits) => {
            Check::Intake.note("history waits until the outbox has room; live changes continue")
        }
        _ => Check::Intake.ok("nothing holds up capture and indexing"),
    }
}

fn first_syncs(snapshot: &Snapshot) -> Vec<Finding> {
    let check = Check::FirstSync;
    let running = snapshot
        .first_syncs
        .iter()
        .filter(|sync| sync.state != SyncState::Complete);
    let mut findings: Vec<Finding> = running
        .map(|sync| {
            let left = human_duration(sync.deadline.0.millis_since(snapshot.taken_at.0));
            let sizes = sync.sizes();
            check
                .note(format!("the first sync runs, its window ends in {left}: {sizes}"))
                .about(&sync.website)
        })
        .collect();
    findings.push(check.ok("no first sync is running"));
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict::{self, Ok as Fine, Problem, Warning};
    use crate::ops::status::Moment;
    use crate::ops::status::problem::{SLOW_MS, STUCK_MS};
    use crate::ops::status::testing::{first_sync, snapshot};
    use crate::store::intake::Shortage;
    use orderfeed_model::clock::UtcMillis;

    fn of(snapshot: &Snapshot, check: Check) -> Finding {
        let mut findings = verdict(snapshot, Some("order 7: no currency")).into_iter();
        findings.find(|finding| finding.check == check).unwrap()
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
        let verdicts: Vec<Verdict> = verdict(&snapshot(), None)
            .iter()
            .map(|finding| finding.verdict)
            .collect();
        assert_eq!(verdicts, [Fine; 5]);
    }

    #[test]
    fn waiting_changes_are_judged_by_their_age() {
        for (millis, expected) in [(1_000, Fine), (SLOW_MS, Warning), (STUCK_MS, Problem)] {
            assert_eq!(of(&waiting_for(millis), Check::IndexLag).verdict, expected);
        }
    }

    #[test]
    fn each_problem_replaces_the_fine_finding_of_its_check() {
        let mut bad = waiting_for(1_000);
        bad.index.status = IndexerStatus::Suspended;
        bad.intake.flow = Some(Flow::Paused(Shortage::Disk));
        bad.index_failures = 1;
        bad.first_syncs = vec![first_sync("base")];
        let expected = [
            (Check::IndexStatus, Warning, "suspended"),
            (Check::Intake, Problem, "disk"),
            (Check::IndexFailures, Warning, "one of them: order 7: no currency"),
            (Check::FirstSync, Warning, "missed its window"),
        ];
        for (check, verdict, words) in expected {
            let finding = of(&bad, check);
            assert_eq!(finding.verdict, verdict);
            assert!(finding.message.contains(words), "{finding:?}");
        }
        assert_eq!(verdict(&bad, None).len(), 5, "one finding for each check");
    }
}
