//! `/schedules`: the cron jobs, their next and last runs.

mod words;

use askama::Template;

use crate::ops::sentence::human_duration;
use crate::store::cron::{CronRun, CronStatus};
use crate::web::parts::Stamp;
use crate::web::{Frame, rendered};
use orderfeed_model::clock::UtcMillis;
use words::in_words;

/// One job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobView {
    pub name: &'static str,
    /// Its purpose, one sentence.
    pub purpose: &'static str,
    pub expression: String,
    /// The next runs, the first first.
    pub next: Vec<UtcMillis>,
    /// The last runs, newest first.
    pub runs: Vec<CronRun>,
}

#[derive(Template)]
#[template(path = "schedules.html")]
struct SchedulesTemplate<'a> {
    frame: &'a Frame,
    zone: &'a str,
    jobs: &'a [JobView],
}

/// Renders the page. `zone` is the time zone of the expressions.
pub fn schedules_page(frame: &Frame, zone: &str, jobs: &[JobView]) -> String {
    rendered(SchedulesTemplate { frame, zone, jobs })
}

impl SchedulesTemplate<'_> {
    fn words(&self, job: &JobView) -> String {
        in_words(&job.expression)
    }

    fn next(&self, job: &JobView) -> Vec<Stamp> {
        job.next.iter().map(|at| Stamp::second(*at)).collect()
    }

    fn last<'r>(&self, job: &'r JobView) -> Option<&'r CronRun> {
        job.runs.first()
    }

    fn at(&self, run: &CronRun) -> Stamp {
        Stamp::second(run.executed_at.unwrap_or(run.scheduled_at))
    }

    fn took(&self, run: &CronRun) -> String {
        match (run.executed_at, run.finished_at) {
            (Some(begin), Some(end)) => human_duration(end.millis_since(begin)),
            _ => String::new(),
        }
    }

    fn tone(&self, run: &CronRun) -> &'static str {
        match run.status {
            CronStatus::Success => "good",
            CronStatus::Error => "bad",
            CronStatus::Missed => "warn",
            CronStatus::Running => "",
        }
    }

    /// Returns the mark of a run in the row of the last runs. Each outcome has a sign of its own.
    fn tick(&self, run: &CronRun) -> &'static str {
        match run.status {
            CronStatus::Success => "✓",
            CronStatus::Error => "✗",
            CronStatus::Missed => "–",
            CronStatus::Running => "…",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::testing::{HOSTILE, frame, operator};

    fn job(runs: Vec<CronRun>) -> JobView {
        JobView {
            name: "indexer_update_all_views",
            purpose: "Indexes the changelog.",
            expression: "*/5 * * * *".to_owned(),
            next: vec![UtcMillis(300_000), UtcMillis(600_000), UtcMillis(900_000)],
            runs,
        }
    }

    fn run(status: CronStatus) -> CronRun {
        CronRun {
            id: 7,
            job: "indexer_update_all_views".to_owned(),
            status,
            message: HOSTILE.to_owned(),
            scheduled_at: UtcMillis(0),
            executed_at: Some(UtcMillis(1_000)),
            finished_at: Some(UtcMillis(3_500)),
        }
    }

    #[test]
    fn a_job_has_words_next_runs_and_last_runs() {
        let runs = [CronStatus::Error, CronStatus::Success, CronStatus::Missed].map(run);
        let page = schedules_page(&operator("/schedules"), "Europe/Berlin", &[job(runs.into())]);
        assert!(!page.contains(HOSTILE));
        insta::assert_snapshot!(page);
    }

    #[test]
    fn a_job_that_never_ran_has_no_run() {
        insta::assert_snapshot!(schedules_page(&frame("/schedules"), "UTC", &[job(Vec::new())]));
    }
}
