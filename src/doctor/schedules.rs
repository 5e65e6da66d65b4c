//! Checks of the schedules and the runs of jobs.

use chrono_tz::Tz;

use crate::config::CronExpr;
use crate::doctor::check::Check;
use crate::doctor::finding::{Finding, or_ok};
use crate::ops::sentence::human_duration;
use crate::ops::status::problem::StatusProblem;
use crate::store::cron::{CronRun, CronStatus};
use crate::store::views::Lease;
use orderfeed_model::clock::UtcMillis;

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;
/// The last slot of a job that finds nothing to do is stored once a minute, and a busy machine may be late.
const LATE_MS: i64 = 5 * MINUTE_MS;
/// A job that runs longer may hang.
const LONG_RUN_MS: i64 = 2 * 60 * MINUTE_MS;
/// A working process renews its leases every ten seconds.
const SILENT_LEASE_MS: i64 = 5 * MINUTE_MS;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobFacts {
    pub name: &'static str,
    pub expression: CronExpr,
    pub last_slot: Option<UtcMillis>,
    pub last_run: Option<CronRun>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleFacts {
    pub now: UtcMillis,
    pub zone: Tz,
    pub running_since: Option<UtcMillis>,
    pub jobs: Vec<JobFacts>,
    /// The jobs whose work does not happen.
    pub stopped: Vec<StatusProblem>,
    pub leases: Vec<Lease>,
}

pub fn verdict(facts: &ScheduleFacts) -> Vec<Finding> {
    let mut findings = expressions(facts);
    findings.extend(last_runs(facts));
    findings.extend(stuck(facts));
    findings
}

/// Reports expressions that rarely fire. One that never fires is an error of the configuration.
fn expressions(facts: &ScheduleFacts) -> Vec<Finding> {
    let check = Check::Expression;
    let is_stopped = |job: &JobFacts| {
        let mut stopped = facts.stopped.iter();
        stopped.any(|problem| problem.subject.as_deref() == Some(job.name))
    };
    let rare = |job: &JobFacts| {
        let next = job.expression.next_after(facts.zone, facts.now);
        let when = match next.map(|next| next.millis_since(facts.now)) {
            None => "never fires again".to_owned(),
            Some(wait) if wait > 31 * DAY_MS => format!("fires next in {}", human_duration(wait)),
            Some(_) => return None,
        };
        let message = format!("cron.{} = \"{}\" {when}", job.name, job.expression);
        let remedy = format!("if that is not intended, change cron.{}", job.name);
        Some(check.warning(message, remedy).about(job.name))
    };
    let stopped = facts.stopped.iter().map(|problem| Finding::of(check, problem));
    let others = facts.jobs.iter().filter(|job| !is_stopped(job));
    let findings = stopped.chain(others.filter_map(rare)).collect();
    let fine = format!("all {} schedules fire within a month", facts.jobs.len());
    or_ok(findings, check, fine)
}

fn last_runs(facts: &ScheduleFacts) -> Vec<Finding> {
    let jobs = facts.jobs.iter();
    let findings: Vec<_> = jobs
        .flat_map(|job| [failed(facts, job), overdue(facts, job)])
        .flatten()
        .collect();
    match facts.running_since {
        None if findings.is_empty() => {
            let why = "no daemon is running, so no job runs";
            vec![Check::LastRun.skipped(why)]
        }
        _ => or_ok(findings, Check::LastRun, "every job ran when it was due"),
    }
}

fn failed(facts: &ScheduleFacts, job: &JobFacts) -> Option<Finding> {
    let (run, name) = (job.last_run.as_ref()?, job.name);
    if run.status != CronStatus::Error {
        return None;
    }
    let ended = run.finished_at.unwrap_or(run.scheduled_at);
    let age = human_duration(facts.now.millis_since(ended));
    let message = format!("the last run of {name} failed {age} ago: {}", run.message);
    let remedy = format!("it runs again at its next slot; `orderfeed cron run {name}` tries it now");
    Some(Check::LastRun.warning(message, remedy).about(name))
}

/// Reports a job that did not run although a slot passed while the daemon was running.
fn overdue(facts: &ScheduleFacts, job: &JobFacts) -> Option<Finding> {
    let (since, name) = (facts.running_since?, job.name);
    // Slots before the daemon's start are caught up by one run, which counts from the start.
    let from = job.last_slot.map_or(since, |last| last.max(since));
    let due = job.expression.next_after(facts.zone, from)?;
    let late = facts.now.millis_since(due);
    // A long run delays its own next slots.
    let is_running = |run: &CronRun| run.status == CronStatus::Running;
    if late < LATE_MS || job.last_run.as_ref().is_some_and(is_running) {
        return None;
    }
    let message = format!(
        "{name} was due {} ago ({}) and did not run",
        human_duration(late),
        job.expression
    );
    let remedy = format!(
        "see `orderfeed cron history --job {name}`, try `orderfeed cron run {name}`; if no job runs, `systemctl restart \
         orderfeed`"
    );
    Some(Check::LastRun.problem(message, remedy).about(name))
}

fn stuck(facts: &ScheduleFacts) -> Vec<Finding> {
    let check = Check::Stuck;
    let mut findings = Vec::new();
    for run in facts.jobs.iter().filter_map(|job| job.last_run.as_ref()) {
        let began = run.executed_at.unwrap_or(run.scheduled_at);
        let lasts = facts.now.millis_since(began);
        // Without a daemon, a running row was left by a killed one; the next start closes it.
        if run.status == CronStatus::Running && facts.running_since.is_some() && lasts > LONG_RUN_MS {
            let message = format!("{} has been running for {}", run.job, human_duration(lasts));
            let remedy = "see `orderfeed status` for its progress; if there is none, `systemctl restart orderfeed` is safe";
            findings.push(check.warning(message, remedy).about(run.job.clone()));
        }
    }
    findings.extend(
        facts
            .leases
            .iter()
            .filter_map(|lease| without_heartbeat(facts, lease)),
    );
    or_ok(findings, check, "nothing hangs")
}

fn without_heartbeat(facts: &ScheduleFacts, lease: &Lease) -> Option<Finding> {
    let age = facts.now.millis_since(lease.heartbeat_at);
    let who = format!("{} (process {}) works on {}", lease.holder, lease.pid, lease.name);
    if facts.running_since.is_none() {
        let message = format!(
            "{who} according to the store, but no daemon is running: it was killed; the next start continues its work"
        );
        return Some(Check::Stuck.note(message).about(lease.name.clone()));
    }
    (age > SILENT_LEASE_MS).then(|| {
        Check::Stuck
            .problem(
                format!("{who}, without a heartbeat for {}", human_duration(age)),
                "`systemctl restart orderfeed` is safe: the work continues",
            )
            .about(lease.name.clone())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict::{self, Note, Ok as Fine, Problem, Skipped, Warning};

    const NOW: UtcMillis = UtcMillis(1_795_330_800_000);

    fn job(expression: &str, last_slot: Option<i64>) -> JobFacts {
        JobFacts {
            name: "resend_failed_items",
            expression: expression.parse().unwrap(),
            last_slot: last_slot.map(|ago| NOW.plus_millis(-ago)),
            last_run: None,
        }
    }

    fn facts(job: JobFacts) -> ScheduleFacts {
        ScheduleFacts {
            now: NOW,
            zone: Tz::UTC,
            running_since: Some(NOW.plus_millis(-DAY_MS)),
            jobs: vec![job],
            stopped: Vec::new(),
            leases: Vec::new(),
        }
    }

    fn run(status: CronStatus, ago: i64) -> Option<CronRun> {
        Some(CronRun {
            id: 1,
            job: "resend_failed_items".into(),
            status,
            message: "made up".into(),
            scheduled_at: NOW.plus_millis(-ago),
            executed_at: None,
            finished_at: None,
        })
    }

    fn verdicts(facts: &ScheduleFacts) -> Vec<Verdict> {
        verdict(facts).iter().map(|finding| finding.verdict).collect()
    }

    #[test]
    fn a_job_that_runs_when_due_is_fine() {
        assert_eq!(verdicts(&facts(job("*/5 * * * *", Some(200_000)))), [Fine; 3]);
    }

    #[test]
    fn rare_overdue_failed_and_endless_jobs_are_reported() {
        assert_eq!(verdicts(&facts(job("0 0 29 2 *", Some(1))))[0], Warning);
        assert_eq!(
            verdicts(&facts(job("*/5 * * * *", Some(4 * 3_600_000)))),
            [Fine, Problem, Fine]
        );
        let failed = JobFacts {
            last_run: run(CronStatus::Error, 1_000),
            ..job("*/5 * * * *", Some(1_000))
        };
        assert_eq!(verdicts(&facts(failed)), [Fine, Warning, Fine]);
        let endless = JobFacts {
            last_run: run(CronStatus::Running, 9_000_000),
            ..job("*/5 * * * *", Some(9_000_000))
        };
        assert_eq!(verdicts(&facts(endless)), [Fine, Fine, Warning]);
    }

    #[test]
    fn without_a_daemon_nothing_is_overdue_and_an_old_lease_is_a_note() {
        let lease = Lease {
            name: "feed_sync_orders".into(),
            holder: "full sync".into(),
            pid: 7,
            acquired_at: NOW,
            heartbeat_at: NOW.plus_millis(-3_600_000),
        };
        let dead = ScheduleFacts {
            running_since: None,
            leases: vec![lease],
            ..facts(job("*/5 * * * *", Some(4 * 3_600_000)))
        };
        assert_eq!(verdicts(&dead), [Fine, Skipped, Note]);
        let hangs = ScheduleFacts {
            running_since: Some(NOW.plus_millis(-1000)),
            ..dead
        };
        assert_eq!(verdicts(&hangs), [Fine, Fine, Problem]);
    }
}
