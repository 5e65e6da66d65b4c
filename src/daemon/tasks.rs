//! The long-running tasks of the daemon: capture, the schedules, indexing on save, the first syncs, delivery, the
//! heartbeat. The simulation starts the same tasks with its own source, connection and tick.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::daemon::lifecycle::vitals::Vitals;
use crate::daemon::schedule::jobs::Jobs;
use crate::daemon::schedule::realtime;
use crate::daemon::{first_sync, schedule};
use crate::delivery::http::transport::Connector;
use crate::delivery::{self, DeliveryContext};
use crate::indexer::capture;
use crate::store::{Durability, Store, StoreError};
use orderfeed_model::clock::Clock;

const HEARTBEAT: Duration = Duration::from_secs(10);

pub struct TaskContext {
    pub jobs: Jobs,
    pub interval: Duration,
    pub vitals: Arc<Vitals>,
    pub delivery: DeliveryContext,
    pub connector: Connector,
    /// Ticks the schedules about once a second; `None` follows the clock.
    pub tick: Option<Arc<Notify>>,
}

/// The name of a task that ended, and its result.
pub type TaskEnd = (&'static str, Result<(), String>);

/// Starts every task. A task ends before the stop only if it failed.
pub fn start(context: TaskContext) -> JoinSet<TaskEnd> {
    let (jobs, delivery) = (context.jobs, context.delivery);
    let (store, stop) = (jobs.store().clone(), jobs.stop.clone());
    let capture = capture::run(jobs.indexer.clone(), context.interval, stop.clone());
    let beating = heartbeat(store, jobs.clock.clone(), stop);
    // The first syncs measure their pace with the counters of delivery.
    let syncing = first_sync::run(jobs.clone(), Arc::clone(&delivery.stats));
    let scheduling = schedule::run(jobs.clone(), context.vitals, context.tick);
    let sending = delivery::run(delivery, context.connector);
    let mut tasks = JoinSet::new();
    tasks.spawn(named("capture", capture));
    tasks.spawn(named("the first sync", syncing));
    tasks.spawn(named("the scheduler", scheduling));
    tasks.spawn(named("indexing on save", realtime::run(jobs)));
    tasks.spawn(named("the heartbeat", beating));
    tasks.spawn(named("delivery", async move { sending.await.map(drop) }));
    tasks
}

async fn named<E: std::fmt::Display>(
    name: &'static str,
    work: impl Future<Output = Result<(), E>>,
) -> TaskEnd {
    (name, work.await.map_err(|error| error.to_string()))
}

/// Renews the leases of this process, which `doctor` checks.
async fn heartbeat(store: Store, clock: Clock, stop: CancellationToken) -> Result<(), StoreError> {
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            // Well below the age at which `doctor` calls a lease silent.
            () = tokio::time::sleep(HEARTBEAT) => {}
        }
        // Without leases nothing is written, so an idle daemon causes no writes.
        if store.read(|reader| reader.leases()).await?.is_empty() {
            continue;
        }
        let at = clock.now();
        store
            .write(Durability::Relaxed, move |writer| writer.heartbeat(at))
            .await?;
    }
}
