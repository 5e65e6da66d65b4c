//! `cron`: lists the scheduled jobs, runs one now, shows past runs.

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::cli::context::{Context, view};
use crate::cli::execute::{another_answer, execute};
use crate::cli::exit::Exit;
use crate::cli::output::table::{AsciiTable, Cell, Tone};
use crate::cli::output::{self, Paint};
use crate::config::Config;
use crate::daemon::control::{Outcome, Request};
use crate::daemon::requests::job_named;
use crate::daemon::schedule::jobs::Job;
use crate::ops::sentence::human_duration;
use crate::store::cron::{CronRun, CronStatus};
use crate::store::{Reader, StoreError, StoreView};
use orderfeed_model::clock::UtcMillis;

#[derive(Clone, Debug, Subcommand)]
pub enum CronCommand {
    /// List the jobs with their schedules, next and last runs
    #[command(
        after_help = "Examples:\n  orderfeed cron list\n  orderfeed cron list --json | jq '.[] | {job, next}'"
    )]
    List {
        /// Print a JSON array
        #[arg(long)]
        json: bool,
    },
    /// Run a job once, immediately
    #[command(after_help = "Example:\n  orderfeed cron run resend_failed_items")]
    Run {
        /// Name of the job, as `cron list` prints it
        job: String,
    },
    /// Show past runs; runs without work are not recorded
    #[command(after_help = "Example:\n  orderfeed cron history --job resend_failed_items --limit 5")]
    History(CronHistoryArgs),
}

#[derive(Clone, Debug, Default, Args)]
pub struct CronHistoryArgs {
    /// Only runs of this job
    #[arg(long, value_name = "JOB")]
    pub job: Option<String>,
    /// Largest number of runs, newest first
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub limit: usize,
    /// Print a JSON array
    #[arg(long)]
    pub json: bool,
}

/// A job, as both outputs of `cron list` show it.
#[derive(Clone, Debug, Serialize)]
struct JobRow {
    job: &'static str,
    schedule: String,
    time_zone: String,
    /// Time of the next run in RFC 3339. `None` if the expression has no more slots.
    next: Option<String>,
    /// Slot of the last run in RFC 3339.
    last: Option<String>,
    /// `running`, `success`, `missed` or `error`: result of the last recorded run.
    last_status: Option<CronStatus>,
}

#[derive(Clone, Debug, Serialize)]
struct RunRow {
    id: i64,
    job: String,
    status: CronStatus,
    message: String,
    scheduled_at: String,
    executed_at: Option<String>,
    finished_at: Option<String>,
    duration_ms: Option<i64>,
}

pub async fn run(context: &Context, command: CronCommand) -> anyhow::Result<Exit> {
    match command {
        CronCommand::List { json } => list(context, json),
        CronCommand::Run { job } => run_job(context, job).await,
        CronCommand::History(args) => history(context, &args),
    }
}

fn list(context: &Context, json: bool) -> anyhow::Result<Exit> {
    let config = context.config()?;
    let now = context.clock.now();
    let rows = match view(&config) {
        Ok(mut store) => job_rows(&mut store, &config, now)?,
        // Before the first start there is no store, but there are schedules.
        Err(StoreError::Missing { .. }) => Job::ALL.map(|job| job_row(job, &config, now)).into(),
        Err(error) => return Err(error.into()),
    };
    output::result(json, &rows, || render_jobs(&rows, Paint::for_stdout()))?;
    Ok(Exit::Ok)
}

async fn run_job(context: &Context, job: String) -> anyhow::Result<Exit> {
    // Checked before the daemon or the lock is needed, so that a typing error is reported in any case.
    job_named(&job)?;
    let outcome = execute(context, Request::CronRun { job }, "orderfeed cron run").await?;
    let Outcome::JobRan(ran) = &outcome else {
        return Err(another_answer(&outcome));
    };
    let took = human_duration(i64::try_from(ran.duration_ms).unwrap_or(i64::MAX));
    let message = match ran.message.as_str() {
        "" => "nothing to do",
        message => message,
    };
    output::line(&format!("{} ran in {took}: {message}", ran.job))?;
    Ok(Exit::Ok)
}

fn history(context: &Context, args: &CronHistoryArgs) -> anyhow::Result<Exit> {
    let config = context.config()?;
    if let Some(job) = &args.job {
        job_named(job)?;
    }
    let runs = view(&config)?.read(|r| r.cron_history(args.job.as_deref(), args.limit))?;
    let rows: Vec<RunRow> = runs.iter().map(run_row).collect();
    output::result(args.json, &rows, || render_history(&runs, Paint::for_stdout()))?;
    Ok(Exit::Ok)
}

fn job_rows(store: &mut StoreView, config: &Config, now: UtcMillis) -> Result<Vec<JobRow>, StoreError> {
    store.read(|reader| {
        Job::ALL
            .into_iter()
            .map(|job| with_last(job_row(job, config, now), reader))
            .collect()
    })
}

fn job_row(job: Job, config: &Config, now: UtcMillis) -> JobRow {
    let (schedule, time_zone) = (job.schedule(config), config.cron.time_zone);
    JobRow {
        job: job.as_str(),
        schedule: schedule.to_string(),
        time_zone: time_zone.to_string(),
        next: schedule.next_after(time_zone, now).map(UtcMillis::rfc3339),
        last: None,
        last_status: None,
    }
}

fn with_last(row: JobRow, reader: &Reader<'_>) -> Result<JobRow, StoreError> {
    // A run without work leaves no row, so the slot and the result may belong to different runs.
    let last = reader.cron_history(Some(row.job), 1)?;
    Ok(JobRow {
        last: reader.last_slot(row.job)?.map(UtcMillis::rfc3339),
        last_status: last.into_iter().next().map(|run| run.status),
        ..row
    })
}

fn run_row(run: &CronRun) -> RunRow {
    RunRow {
        id: run.id,
        job: run.job.clone(),
        status: run.status,
        message: run.message.clone(),
        scheduled_at: run.scheduled_at.rfc3339(),
        executed_at: run.executed_at.map(UtcMillis::rfc3339),
        finished_at: run.finished_at.map(UtcMillis::rfc3339),
        duration_ms: took(run),
    }
}

fn took(run: &CronRun) -> Option<i64> {
    Some(run.finished_at?.millis_since(run.executed_at?))
}

fn render_jobs(rows: &[JobRow], paint: Paint) -> String {
    let mut table = AsciiTable::new("Job | Schedule | Time Zone | Next Run | Last Run | Last Status");
    for row in rows {
        table.row([
            row.job.into(),
            row.schedule.as_str().into(),
            row.time_zone.as_str().into(),
            row.next.as_deref().unwrap_or("never").into(),
            row.last.as_deref().unwrap_or("never").into(),
            row.last_status.map_or_else(|| "-".into(), status_cell),
        ]);
    }
    table.render(paint)
}

fn render_history(runs: &[CronRun], paint: Paint) -> String {
    let mut table = AsciiTable::new("Job | Status | Scheduled At | Executed At | Took | Message");
    for run in runs {
        let executed = run.executed_at.map_or_else(|| "-".to_owned(), UtcMillis::sql);
        table.row([
            run.job.as_str().into(),
            status_cell(run.status),
            run.scheduled_at.sql().into(),
            executed.into(),
            took(run).map_or_else(|| "-".to_owned(), human_duration).into(),
            run.message.as_str().into(),
        ]);
    }
    table.render(paint)
}

fn status_cell(status: CronStatus) -> Cell {
    let tone = match status {
        CronStatus::Success => Tone::Good,
        CronStatus::Error | CronStatus::Missed => Tone::Bad,
        CronStatus::Running => Tone::Plain,
    };
    Cell::toned(status.as_str(), tone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_job_is_listed_with_its_next_run() {
        let config = Config::default();
        let now = UtcMillis::parse_rfc3339("2026-11-22T07:00:01Z").unwrap();
        let mut rows: Vec<JobRow> = Job::ALL.map(|job| job_row(job, &config, now)).into();
        rows[0].last = Some("2026-11-22T07:00:00.000Z".into());
        rows[0].last_status = Some(CronStatus::Success);
        insta::assert_snapshot!(render_jobs(&rows, Paint::Plain));
    }

    #[test]
    fn the_error_for_an_unknown_job_lists_the_known_ones() {
        let refusal = job_named("indexer_update").unwrap_err().to_string();
        assert!(
            refusal.contains("indexer_update_all_views, indexer_reindex_all_invalid"),
            "{refusal}"
        );
    }

    #[test]
    fn the_history_shows_result_and_duration() {
        let run = CronRun {
            id: 7,
            job: "indexer_update_all_views".into(),
            status: CronStatus::Error,
            message: "the source is down\n| forged".into(),
            scheduled_at: UtcMillis(0),
            executed_at: Some(UtcMillis(1_000)),
            finished_at: Some(UtcMillis(3_500)),
        };
        insta::assert_snapshot!(render_history(&[run], Paint::Plain));
    }
}
