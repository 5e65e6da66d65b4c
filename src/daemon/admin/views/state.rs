//! The pages of the present state: overview, index, schedules, order history, reports.

use std::sync::Arc;

use axum::extract::State;

use crate::config::Config;
use crate::daemon::admin::views::data::ViewData;
use crate::daemon::admin::views::framed::Framed;
use crate::daemon::admin::views::page::{Page, found, unreadable};
use crate::daemon::schedule::jobs::Job;
use crate::store::cron::CronRun;
use crate::store::{Reader, StoreError};
use crate::web::Frame;
use crate::web::history::history_page;
use crate::web::indexers::indexers_page;
use crate::web::overview::{Overview, overview_page};
use crate::web::reports::reports_page;
use crate::web::schedules::{JobView, schedules_page};
use orderfeed_model::clock::UtcMillis;

const NEXT_RUNS: usize = 3;
const LAST_RUNS: usize = 10;

/// A page, or the failure to read the store.
type Read = Result<String, StoreError>;

fn page(frame: &Frame, html: Read) -> Page {
    html.map_or_else(|error| unreadable(frame, &error), found)
}

pub(super) async fn overview(State(data): State<Arc<ViewData>>, Framed(frame): Framed) -> Page {
    let html = async {
        let snapshot = data.snapshot(&frame).await?;
        let rates = data.rates.latest(&data.store, frame.now).await?;
        let config = data.config.borrow().clone();
        let overview = Overview {
            snapshot: &snapshot,
            traffic: &rates.traffic,
            accepted: &rates.accepted,
            configured: config.websites.keys().cloned().collect(),
        };
        Ok(overview_page(&frame, &overview))
    };
    page(&frame, html.await)
}

pub(super) async fn indexers(State(data): State<Arc<ViewData>>, Framed(frame): Framed) -> Page {
    let snapshot = data.snapshot(&frame).await;
    page(&frame, snapshot.map(|snapshot| indexers_page(&frame, &snapshot)))
}

pub(super) async fn history(State(data): State<Arc<ViewData>>, Framed(frame): Framed) -> Page {
    let snapshot = data.snapshot(&frame).await;
    page(&frame, snapshot.map(|snapshot| history_page(&frame, &snapshot)))
}

pub(super) async fn reports(State(data): State<Arc<ViewData>>, Framed(frame): Framed) -> Page {
    let html = async {
        let snapshot = data.snapshot(&frame).await?;
        let rates = data.rates.latest(&data.store, frame.now).await?;
        Ok(reports_page(&frame, &snapshot, &rates.traffic))
    };
    page(&frame, html.await)
}

pub(super) async fn schedules(State(data): State<Arc<ViewData>>, Framed(frame): Framed) -> Page {
    let config = data.config.borrow().clone();
    let runs = data.store.read(last_runs).await;
    let html = runs.map(|runs| {
        let jobs: Vec<JobView> = Job::ALL
            .into_iter()
            .zip(runs)
            .map(|(job, runs)| job_view(job, &config, frame.now, runs))
            .collect();
        schedules_page(&frame, config.cron.time_zone.name(), &jobs)
    });
    page(&frame, html)
}

/// Reads the last runs of every job, in the order of [`Job::ALL`].
fn last_runs(reader: &Reader<'_>) -> Result<Vec<Vec<CronRun>>, StoreError> {
    let of_job = |job: Job| reader.cron_history(Some(job.as_str()), LAST_RUNS);
    Job::ALL.into_iter().map(of_job).collect()
}

fn job_view(job: Job, config: &Config, now: UtcMillis, runs: Vec<CronRun>) -> JobView {
    let schedule = job.schedule(config);
    let following = |at: &UtcMillis| schedule.next_after(config.cron.time_zone, *at);
    JobView {
        name: job.as_str(),
        purpose: purpose(job),
        expression: schedule.as_str().to_owned(),
        next: std::iter::successors(following(&now), following)
            .take(NEXT_RUNS)
            .collect(),
        runs,
    }
}

const fn purpose(job: Job) -> &'static str {
    match job {
        Job::UpdateAllViews => "Indexes the changelog, in the mode Update by Schedule.",
        Job::ReindexAllInvalid => "Reindexes in full if the index is invalid.",
        Job::CleanAllChangelogs => "Removes indexed rows of the changelog, and old runs.",
        Job::ResendFailedItems => "Retries orders that could not be indexed.",
        Job::CleanupDeliveredEvents => "Removes bodies of delivered events past their retention.",
        Job::VerifySource => "Compares the source with feed and outbox, and repairs differences.",
    }
}
