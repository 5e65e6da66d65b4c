//! The parts of the daemon that do its work, each a task: capture, the schedules, indexing on save, the first sync,
//! delivery, the heartbeat. A simulation starts them as they are, over a source, a line and a tick of its own.

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
use crate::indexer::capture::{self, CaptureContext};
use crate::store::{Durability, Reader, Store, StoreError};
use orderfeed_model::clock::Clock;

/// How often a lease shows that its holder lives.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// What the parts work with.
pub struct Machinery {
    /// The indexer with its store and source, the clock, the configuration, and the stop.
    pub jobs: Jobs,
    /// Pause between two looks for changes.
    pub interval: Duration,
    /// What the parts note about themselves.
    pub vitals: Arc<Vitals>,
    /// Delivery's store, clock, configuration and ends.
    pub delivery: DeliveryContext,
    /// The line to the edge.
    pub connector: Connector,
    /// What ticks the schedules, about once a second; `None` lets `tokio-cron-scheduler` do it.
    pub tick: Option<Arc<Notify>>,
}

/// A part that ended: which one, and why.
pub type PartEnd = (&'static str, Result<(), String>);

/// Starts all parts. None ends before the stop, unless it failed.
pub fn start(machinery: Machinery) -> JoinSet<PartEnd> {
    let Machinery {
        jobs,
        interval,
        vitals,
        delivery,
        connector,
        tick,
    } = machinery;
    let (store, stop) = (jobs.indexer.store().clone(), jobs.stop.clone());
    let capture = CaptureContext {
        store: store.clone(),
        source: jobs.indexer.source().clone(),
        clock: jobs.clock.clone(),
        intake: jobs.indexer.intake().clone(),
        live: jobs.indexer.live().clone(),
        config: jobs.config.clone(),
        interval,
        stop: stop.clone(),
    };
    let beating = heartbeat(store, jobs.clock.clone(), stop);
    let stats = Arc::clone(&delivery.observer);
    let (syncing, scheduled) = (jobs.clone(), jobs.clone());
    let mut parts = JoinSet::new();
    parts.spawn(part("capture", capture::run(capture)));
    parts.spawn(part("the first sync", first_sync::run(syncing, stats)));
    parts.spawn(part("the scheduler", schedule::run(scheduled, vitals, tick)));
    parts.spawn(part("indexing on save", realtime::run(jobs)));
    parts.spawn(part("the heartbeat", beating));
    let sending = delivery::run_over(delivery, connector);
    parts.spawn(part("delivery", async move { sending.await.map(drop) }));
    parts
}

/// Names a part, so that its end says which one it was.
async fn part<E: std::fmt::Display>(
    name: &'static str,
    work: impl Future<Output = Result<(), E>>,
) -> PartEnd {
    (name, work.await.map_err(|error| error.to_string()))
}

/// A sign of life on the leases of this process while somebody works.
async fn heartbeat(store: Store, clock: Clock, stop: CancellationToken) -> Result<(), StoreError> {
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(HEARTBEAT) => {}
        }
        if store
            .read(|reader: &Reader<'_>| reader.leases())
            .await?
            .is_empty()
        {
            continue;
        }
        let at = clock.now();
        store
            .write(Durability::Relaxed, move |writer| writer.heartbeat(at))
            .await?;
    }
}
