//! A change goes to the running daemon; if none runs, it happens in this process, under the store's lock.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use crate::cli::context::Context;
use crate::cli::output;
use crate::cli::plug;
use crate::cli::progress::Meter;
use crate::config::Config;
use crate::daemon::control::{
    ControlError, JobRun, Outcome, Progress, Rebuilt, ReindexOptions, Reply, Request, Resynced,
};
use crate::daemon::requests::Requests;
use crate::daemon::resync::ResyncOptions;
use crate::daemon::socket;
use crate::daemon::work::{BoxFuture, ControlHandler, IndexWork, RequestError};
use crate::store::outbox::BatchLimits;
use crate::store::{Durability, Store, StoreError, StoreLock, StoreView};

/// How long a daemon that holds the lock but does not listen yet is waited for: it is starting, or stopping.
const PATIENCE: Duration = Duration::from_secs(3);
const RETRY: Duration = Duration::from_millis(100);

/// Has `request` done, by the daemon or here. `purpose` is the command, as the lock names it to others.
///
/// # Errors
/// Why it was not done; who holds the lock, if neither way is open.
pub async fn execute(context: &Context, request: Request, purpose: &str) -> anyhow::Result<Outcome> {
    let config = context.config()?;
    let mut meter = Meter::new();
    let deadline = Instant::now() + PATIENCE;
    loop {
        match socket::ask(&config.store.path, &request, |reply| show(&mut meter, reply)).await {
            Err(ControlError::NoDaemon) => {}
            answer => {
                meter.clear();
                return Ok(answer?);
            }
        }
        if !needs_index(&request) {
            // Only a daemon and the index make a store; anything else on one that is not there is a mistake.
            StoreView::open(&config.store.path)?;
        }
        match StoreLock::acquire(&config.store.path, purpose) {
            Ok(lock) => {
                let result = here(context, &config, &request, &mut meter).await;
                meter.clear();
                drop(lock);
                return result;
            }
            Err(StoreError::Locked { .. }) if Instant::now() < deadline => sleep(RETRY).await,
            Err(error) => return Err(error.into()),
        }
    }
}

/// An answer that belongs to another request: a daemon of another version.
pub fn another_answer(outcome: &Outcome) -> anyhow::Error {
    let cause = format!("an answer to something else: {outcome:?}");
    ControlError::Malformed { cause }.into()
}

fn needs_index(request: &Request) -> bool {
    matches!(
        request,
        Request::Reindex(_) | Request::Resync(_) | Request::CronRun { .. }
    )
}

fn show(meter: &mut Meter, reply: Reply) {
    match reply {
        Reply::Progress(progress) => meter.show(progress),
        Reply::Line { text } => {
            meter.clear();
            output::talk(&text);
        }
        Reply::Done(_) | Reply::Failed { .. } => {}
    }
}

/// In this process, with the lock held.
async fn here(
    context: &Context,
    config: &Config,
    request: &Request,
    meter: &mut Meter,
) -> anyhow::Result<Outcome> {
    let store = Store::open(&config.store.path)?;
    let now = context.clock.now();
    store
        .write(Durability::Durable, move |w| {
            w.void_leases(now)?;
            w.void_cron_runs(now)
        })
        .await?;
    let index: Arc<dyn IndexWork> = match needs_index(request) {
        true => plug::index_work(context, &store).await?,
        false => Arc::new(NoIndex),
    };
    let limits = BatchLimits {
        bytes: config.delivery.max_batch_bytes,
        events: config.delivery.max_batch_events,
    };
    let handler = Requests::new(store, context.clock.clone(), limits, index);
    let (replies, mut queue) = mpsc::channel(64);
    let mut work = std::pin::pin!(handler.handle(request, replies));
    loop {
        tokio::select! {
            result = &mut work => return result,
            Some(reply) = queue.recv() => show(meter, reply),
        }
    }
}

/// Stands in where a request does not need the index.
struct NoIndex;

impl NoIndex {
    fn refuse<'a, T: Send + 'a>() -> BoxFuture<'a, T> {
        Box::pin(async { Err(RequestError::NeverStarted.into()) })
    }
}

impl IndexWork for NoIndex {
    fn reindex<'a>(&'a self, _: &'a ReindexOptions, _: mpsc::Sender<Progress>) -> BoxFuture<'a, Rebuilt> {
        Self::refuse()
    }

    fn resync<'a>(&'a self, _: &'a ResyncOptions, _: mpsc::Sender<Progress>) -> BoxFuture<'a, Resynced> {
        Self::refuse()
    }

    fn run_job<'a>(&'a self, _: &'a str) -> BoxFuture<'a, JobRun> {
        Self::refuse()
    }
}
