//! A change goes to the running daemon; if none runs, it happens in this process, under the store's lock.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use crate::cli::context::Context;
use crate::cli::output;
use crate::cli::output::progress::Meter;
use crate::cli::plug;
use crate::config::{Config, Log};
use crate::daemon::control::socket;
use crate::daemon::control::{
    ControlError, JobRun, Outcome, Progress, Rebuilt, ReindexOptions, Reply, Request, Resynced,
};
use crate::daemon::lifecycle::start;
use crate::daemon::lifecycle::start::{DataSpace, Opened, StartError};
use crate::daemon::requests::Requests;
use crate::daemon::requests::resync::ResyncOptions;
use crate::daemon::requests::verify::VerifyOptions;
use crate::daemon::requests::work::{BoxFuture, ControlHandler, IndexWork, RequestError};
use crate::daemon::schedule::jobs::Job;
use crate::indexer::VerifyReport;
use crate::ops::logging;
use crate::store::outbox::BatchLimits;
use crate::store::{Store, StoreError, StoreView};

/// How long a daemon that holds the lock but does not listen yet is waited for: it is starting, or stopping.
const PATIENCE: Duration = Duration::from_secs(3);
const RETRY: Duration = Duration::from_millis(100);

/// Has `request` done, by the daemon or here. `purpose` is the command, as the lock names it to others.
///
/// # Errors
/// Why it was not done; who holds the lock, if neither way is open.
pub async fn execute(context: &Context, request: Request, purpose: &str) -> anyhow::Result<Outcome> {
    Session::new(context, purpose)?.ask(request).await
}

/// Several requests of one command. Once the store was opened here, it stays open and locked until the end.
pub struct Session<'a> {
    context: &'a Context,
    purpose: &'a str,
    config: Config,
    meter: Meter,
    opened: Option<Opened>,
}

impl<'a> Session<'a> {
    /// Nothing is asked or opened yet.
    ///
    /// # Errors
    /// If the configuration is wrong.
    pub fn new(context: &'a Context, purpose: &'a str) -> anyhow::Result<Self> {
        let config = context.config()?;
        quiet_log(context);
        Ok(Self {
            context,
            purpose,
            config,
            meter: Meter::new(),
            opened: None,
        })
    }

    /// As [`execute`].
    ///
    /// # Errors
    /// As there.
    pub async fn ask(&mut self, request: Request) -> anyhow::Result<Outcome> {
        let deadline = Instant::now() + PATIENCE;
        while self.opened.is_none() {
            let meter = &mut self.meter;
            match socket::ask(&self.config.store.path, &request, |reply| show(meter, reply)).await {
                Err(ControlError::NoDaemon) => {}
                answer => {
                    meter.clear();
                    return Ok(answer?);
                }
            }
            self.open(&request, deadline).await?;
        }
        let Some(opened) = &self.opened else {
            return Err(ControlError::NoDaemon.into());
        };
        let result = here(
            self.context,
            &self.config,
            &request,
            &opened.store,
            &mut self.meter,
        )
        .await;
        self.meter.clear();
        result
    }

    /// Opens the store here, or waits a moment for whoever has it.
    async fn open(&mut self, request: &Request, deadline: Instant) -> anyhow::Result<()> {
        if !makes_store(request) {
            // Anything else on a store that is not there is a mistake.
            match StoreView::open(&self.config.store.path) {
                // Opening it for writing brings it up to date.
                Ok(_) | Err(StoreError::OlderSchema { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        match start::open(
            &self.config,
            &self.context.clock,
            self.purpose,
            DataSpace::MustMatch,
        )
        .await
        {
            Ok(opened) => self.opened = Some(opened),
            Err(StartError::Store(StoreError::Locked { .. })) if Instant::now() < deadline => {
                sleep(RETRY).await;
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}

/// Warnings of the work in this process go to stderr; what it does is said by the command itself.
fn quiet_log(context: &Context) {
    let log = Log {
        level: "warn".to_owned(),
        ..Log::default()
    };
    // Without a log, the command still says how it ended.
    let _ = logging::init(&log, context.clock.clone());
}

/// An answer that belongs to another request: a daemon of another version.
pub fn another_answer(outcome: &Outcome) -> anyhow::Error {
    let cause = format!("an answer to something else: {outcome:?}");
    ControlError::Malformed { cause }.into()
}

fn needs_index(request: &Request) -> bool {
    matches!(
        request,
        Request::Reindex(_) | Request::Resync(_) | Request::Verify(_) | Request::CronRun { .. }
    )
}

/// Whether the source is compared with the store.
fn compares(request: &Request) -> bool {
    match request {
        Request::Verify(_) => true,
        Request::CronRun { job } => Job::from_name(job) == Some(Job::VerifySource),
        _ => false,
    }
}

/// The index does, as the daemon; and who does not want to be in the first sync has to be on the list before it.
fn makes_store(request: &Request) -> bool {
    needs_index(request) || matches!(request, Request::Suppress(_))
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
    store: &Store,
    meter: &mut Meter,
) -> anyhow::Result<Outcome> {
    if matches!(request, Request::Resync(options) if options.wait) {
        return Err(ControlError::NoDaemon).context("--wait follows what a daemon sends");
    }
    if needs_index(request) {
        output::talk(
            "No daemon is running: the work is done here, and what it queues is sent once the daemon runs: `systemctl start orderfeed`",
        );
    }
    let index: Arc<dyn IndexWork> = match needs_index(request) {
        true => plug::index_work(context, store).await?,
        false => Arc::new(NoIndex),
    };
    if compares(request) {
        // Nobody captured since the daemon's end: what it would have seen by now is no difference.
        plug::capture_first(context, store).await?;
    }
    let limits = BatchLimits {
        bytes: config.delivery.max_batch_bytes,
        events: config.delivery.max_batch_events,
    };
    let handler = Requests::new(store.clone(), context.clock.clone(), limits, index);
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

    fn verify<'a>(&'a self, _: &'a VerifyOptions, _: mpsc::Sender<Progress>) -> BoxFuture<'a, VerifyReport> {
        Self::refuse()
    }

    fn run_job<'a>(&'a self, _: &'a str) -> BoxFuture<'a, JobRun> {
        Self::refuse()
    }
}
