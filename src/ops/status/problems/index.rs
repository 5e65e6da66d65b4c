//! Problems of the source, the intake and the index.

use crate::first_sync::report::SyncReport;
use crate::ops::sentence::{count, human_duration};
use crate::ops::status::problem::{ProblemKind, SLOW_MS, STUCK_MS, StatusProblem};
use crate::ops::status::{IndexSnapshot, JobSchedule, Snapshot};
use crate::store::first_sync::SyncState;
use crate::store::intake::{Flow, Shortage};
use crate::store::views::{IndexerStatus, ViewMode, ViewStatus};
use orderfeed_model::clock::UtcMillis;

/// A job that runs less often than once a day does not keep the index up to date.
const STOPPED_MS: i64 = 86_400_000;
/// The jobs without which changes are not indexed.
const INDEX_JOBS: [&str; 3] = [
    "indexer_update_all_views",
    "indexer_reindex_all_invalid",
    "resend_failed_items",
];

/// The log code of the warning that triggers are missing or altered.
const MISSED: &str = "OF03-07";

impl Snapshot {
    pub(super) fn source_problem(&self) -> Option<StatusProblem> {
        // Without a daemon the last failure may be of any age.
        let failure = self.source.failure.as_ref().filter(|_| self.daemon.running)?;
        let lasts = human_duration(self.age(Some(failure.since)));
        let message = format!("the source cannot be read for {lasts}: {}", failure.message);
        let problem = StatusProblem::new(ProblemKind::SourceUnreadable, message, failure.remedy.clone());
        Some(problem.since(Some(failure.since)))
    }

    pub(super) fn source_warnings(&self) -> impl Iterator<Item = StatusProblem> {
        self.source.warnings.iter().map(|warning| {
            let is_serious = warning.code == MISSED;
            let kind = match is_serious {
                true => ProblemKind::ChangesMissed,
                false => ProblemKind::ConnectionExposed,
            };
            let message = format!("{} ({})", warning.message, warning.code);
            StatusProblem::new(kind, message, warning.remedy.clone()).serious_if(is_serious)
        })
    }

    /// Returns the tables of the source whose changes are not captured in time.
    pub(super) fn late_tables(&self) -> impl Iterator<Item = StatusProblem> {
        // Without a daemon they may be of any age.
        let late = self.source.late_tables.iter().filter(|_| self.daemon.running);
        late.map(|late| {
            let message = format!("changes of a table are late: {late}; those of the other tables are not");
            let remedy = "find what locks the table (SHOW FULL PROCESSLIST), or correct what the message names; `orderfeed \
                          doctor` has details";
            StatusProblem::new(ProblemKind::ChangesLate, message, remedy).serious_if(false)
        })
    }

    /// Returns the gap in what was captured, unless every order was compared since.
    pub fn gap_problem(&self) -> Option<StatusProblem> {
        let gap = self.source.gap.as_ref()?;
        let message = format!(
            "rows of {} that capture had read were gone at {} (deleted, or the database was restored or switched): changes \
             may be missing",
            gap.table, gap.at.0
        );
        let remedy = "run `orderfeed indexer:reindex` once the database is complete; it compares every order";
        let problem = StatusProblem::new(ProblemKind::CaptureGap, message, remedy);
        Some(problem.since(Some(gap.at)).serious_if(false))
    }

    pub(super) fn intake_problem(&self) -> Option<StatusProblem> {
        let since = self.intake.since;
        let lasts = since.map_or_else(String::new, |_| {
            format!(", for {}", human_duration(self.age(since)))
        });
        let problem = match self.intake.flow? {
            Flow::Paused(Shortage::Disk) => StatusProblem::new(
                ProblemKind::DiskNearlyFull,
                format!("capture and indexing pause because the disk is nearly full{lasts}"),
                "free some space beside store.path, or lower store.disk_reserve; it continues by itself",
            ),
            Flow::Paused(Shortage::Outbox) => StatusProblem::new(
                ProblemKind::OutboxFull,
                format!("capture and indexing pause because the outbox is full{lasts}"),
                "fix what delivery.sender names, or raise delivery.max_pending_events; it continues by itself",
            ),
            Flow::HistoryWaits | Flow::Open => return None,
        };
        Some(problem.since(since))
    }

    pub(super) fn suspension(&self) -> Option<StatusProblem> {
        if !is_suspended(&self.index) {
            return None;
        }
        let since = self.index.view_updated;
        let at = since.map_or_else(String::new, |at| format!(" since {}", at.0));
        let by = self.index_suspended_by.as_ref();
        let by = by.map_or_else(String::new, |who| format!(" by {who}"));
        let message = format!(
            "the index is suspended{by}{at}: changes are captured but not indexed, {} in the backlog",
            count(self.index.backlog, "order")
        );
        let remedy = "orderfeed indexer:set-status valid sales_order_data_exporter_v2";
        // A suspension is intended, unless it was forgotten while changes wait.
        let is_forgotten = self.age(self.index.oldest_change_at) > STUCK_MS;
        let problem = StatusProblem::new(ProblemKind::IndexSuspended, message, remedy);
        Some(problem.since(since).serious_if(is_forgotten))
    }

    /// Returns the jobs without which nothing is indexed and that next run in more than a day.
    pub fn stopped_jobs(&self) -> impl Iterator<Item = StatusProblem> {
        self.schedules.iter().filter_map(|schedule| {
            // In realtime mode changes are indexed without this job.
            let is_unused = self.index.mode == ViewMode::Realtime && schedule.job == INDEX_JOBS[0];
            let (message, remedy) = stopped_job(schedule, self.taken_at.0).filter(|_| !is_unused)?;
            Some(StatusProblem::new(ProblemKind::JobStopped, message, remedy).about(&schedule.job))
        })
    }

    pub(super) fn late_changes(&self) -> Option<StatusProblem> {
        let waits = self.age(self.index.oldest_change_at);
        // A suspension is its own problem.
        if waits < SLOW_MS || self.index.backlog == 0 || is_suspended(&self.index) {
            return None;
        }
        let message = format!(
            "{} in the backlog, the oldest waits for {}",
            count(self.index.backlog, "order"),
            human_duration(waits)
        );
        let remedy = "see index.status, index.intake, daemon.running and schedules.last_run; to index now: orderfeed cron \
                      run indexer_update_all_views";
        let problem = StatusProblem::new(ProblemKind::ChangesLate, message, remedy);
        Some(
            problem
                .since(self.index.oldest_change_at)
                .serious_if(waits >= STUCK_MS),
        )
    }

    pub(super) fn unreadable_orders(&self) -> Option<StatusProblem> {
        let message = format!("{} could not be indexed", count(self.index_failures, "order"));
        let remedy = "correct the row that OF05-02 in the log or `orderfeed doctor` names; each is retried by itself, after an \
                      hour at most";
        let problem = StatusProblem::new(ProblemKind::OrdersUnreadable, message, remedy).serious_if(false);
        (self.index_failures > 0).then_some(problem)
    }
}

/// Returns why a job of the index does not do its work, and the remedy; `None` if it runs often enough.
fn stopped_job(schedule: &JobSchedule, now: UtcMillis) -> Option<(String, String)> {
    if !INDEX_JOBS.contains(&schedule.job.as_str()) {
        return None;
    }
    let when = match schedule.next_run_at {
        None => "never runs again".to_owned(),
        Some(next) => match next.0.millis_since(now) {
            ..=STOPPED_MS => return None,
            wait => format!("next runs in {} ({})", human_duration(wait), next.0),
        },
    };
    let JobSchedule {
        job,
        expression,
        default_expression,
        ..
    } = schedule;
    let message = format!("cron.{job} = \"{expression}\" {when}; until then its work does not happen");
    let remedy = format!(
        "set cron.{job} back to its default \"{default_expression}\", then `systemctl reload orderfeed`; to run it once now: \
         `orderfeed cron run {job}`"
    );
    Some((message, remedy))
}

fn is_suspended(index: &IndexSnapshot) -> bool {
    index.status == IndexerStatus::Suspended || index.view_status == ViewStatus::Suspended
}

pub(super) fn missed_window(sync: &SyncReport) -> Option<StatusProblem> {
    if !sync.missed || sync.state == SyncState::Complete {
        return None;
    }
    let limit = sync.limited_by.as_deref().unwrap_or("nothing that was measured");
    let message = format!(
        "the first sync missed its window at {}, limited by {}: {}",
        sync.deadline.0,
        limit.replace('_', " "),
        sync.sizes()
    );
    let remedy =
        "it continues by itself, newest orders first; docs/FIRST_SYNC.md has the remedy for each limit";
    let problem = StatusProblem::new(ProblemKind::FirstSyncMissed, message, remedy).about(&sync.website);
    Some(problem.since(Some(sync.deadline)).serious_if(false))
}
