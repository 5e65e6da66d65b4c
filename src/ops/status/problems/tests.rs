//! Checks order and severity of the problems.

use crate::ops::status::problem::{STUCK_MS, Severity};
use crate::ops::status::problems::*;
use crate::ops::status::testing::{snapshot, website};
use crate::ops::status::{DaemonStatus, JobSchedule, SourceFailure};
use crate::store::outbox::SenderState;
use crate::store::views::{ViewMode, ViewStatus};
use orderfeed_model::clock::UtcMillis;

const DAY_MS: i64 = 86_400_000;

fn running() -> Snapshot {
    let mut snapshot = snapshot();
    snapshot.daemon = DaemonStatus {
        running: true,
        ..DaemonStatus::default()
    };
    snapshot
}

fn kinds(snapshot: &Snapshot) -> Vec<ProblemKind> {
    let problems = snapshot.find_problems();
    problems.iter().map(|problem| problem.kind).collect()
}

#[test]
fn an_idle_daemon_has_no_problem() {
    assert_eq!(kinds(&running()), []);
}

#[test]
fn a_table_that_is_late_is_a_warning_while_the_daemon_runs() {
    let mut late = running();
    late.source.late_tables = vec!["magento_rma does not answer in time".into()];
    let found = late.find_problems();
    assert_eq!(
        (found.len(), found[0].kind, found[0].severity),
        (1, ProblemKind::ChangesLate, Severity::Warning)
    );
    assert!(found[0].message.contains("magento_rma"), "{}", found[0].message);
    late.daemon.running = false;
    assert_eq!(kinds(&late), [ProblemKind::DaemonNotRunning]);
}

#[test]
fn the_cause_is_before_its_effects_and_warnings_are_last() {
    let mut all = running();
    all.taken_at = Moment(UtcMillis(100_000_000));
    all.websites = vec![website("base")];
    all.index.backlog = 3;
    all.index.oldest_change_at = Some(Moment(UtcMillis(0)));
    all.index_failures = 1;
    all.source.failure = Some(SourceFailure {
        since: Moment(UtcMillis(99_940_000)),
        message: "connection refused by db:3306".into(),
        remedy: "start it".into(),
    });
    use ProblemKind::*;
    assert_eq!(
        kinds(&all),
        [
            SourceUnreadable,
            DeliveryHalted,
            EventsParked,
            ChangesLate,
            OrdersUnreadable
        ]
    );
    let worst = &all.find_problems()[0];
    assert_eq!(
        worst.message,
        "the source cannot be read for 1m 0s: connection refused by db:3306"
    );
    all.daemon.running = false;
    assert_eq!(kinds(&all)[..2], [DaemonNotRunning, DeliveryHalted]);
}

#[test]
fn a_pause_and_a_suspension_become_problems_when_work_waits() {
    let severity = |snapshot: &Snapshot| snapshot.find_problems()[0].severity;
    for (age, expected) in [(1_000, Severity::Warning), (STUCK_MS + 1, Severity::Problem)] {
        let mut suspended = running();
        suspended.taken_at = Moment(UtcMillis(age));
        suspended.index.view_status = ViewStatus::Suspended;
        suspended.index.oldest_change_at = Some(Moment(UtcMillis(0)));
        suspended.index_suspended_by = Some("root".into());
        assert_eq!(severity(&suspended), expected);
        assert!(
            suspended.find_problems()[0]
                .message
                .starts_with("the index is suspended by root")
        );
        let mut paused = running();
        paused.taken_at = Moment(UtcMillis(age));
        let mut base = website("base");
        base.parked.clear();
        base.sender.state = SenderState::Paused;
        base.sender.since = Some(Moment(UtcMillis(0)));
        paused.websites = vec![base];
        assert_eq!(severity(&paused), expected);
    }
}

#[test]
fn a_job_of_the_index_that_rarely_runs_is_a_problem_with_its_default() {
    let schedule = |job: &str, next: Option<i64>| JobSchedule {
        job: job.to_owned(),
        expression: "0 0 1 * *".to_owned(),
        default_expression: "*/5 * * * * *".to_owned(),
        next_run_at: next.map(|days| Moment(UtcMillis(10_000 + days * DAY_MS))),
    };
    let mut rare = running();
    rare.schedules = vec![
        schedule("indexer_update_all_views", Some(31)),
        schedule("indexer_reindex_all_invalid", Some(1)),
        schedule("cleanup_delivered_events", None),
    ];
    let problems = rare.find_problems();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(
        problems[0].message.contains("next runs in 31d 0h"),
        "{problems:?}"
    );
    for words in ["default \"*/5 * * * * *\"", "cron run indexer_update_all_views"] {
        assert!(problems[0].remedy.contains(words), "{problems:?}");
    }
    rare.index.mode = ViewMode::Realtime;
    assert_eq!(kinds(&rare), []);
}
