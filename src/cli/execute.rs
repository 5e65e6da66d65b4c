//! Runs a request in the running daemon; if no daemon runs, in this process, with the store's lock held.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::cli::context::Context;
use crate::cli::output;
use crate::cli::output::progress::Meter;
use crate::config::{Config, Log};
use crate::daemon::control::socket;
use crate::daemon::control::{ControlError, Outcome, Reply, Request};
use crate::daemon::lifecycle::source_kind::{self, SourceChange};
use crate::daemon::lifecycle::start;
use crate::daemon::lifecycle::start::{DataSpace, Opened, StartError};
use crate::daemon::requests::{Requests, needs_source};
use crate::daemon::schedule::jobs::{Job, Jobs};
use crate::daemon::sources;
use crate::indexer::{Indexer, capture};
use crate::ops::logging;
use crate::store::{Store, StoreError, StoreView};

/// Longest wait for a daemon that holds the lock but does not listen: it is starting or stopping.
const DAEMON_WAIT: Duration = Duration::from_secs(3);
const RETRY: Duration = Duration::from_millis(100);

/// Runs one request. The lock shows `purpose`, the command, to other processes.
pub async fn execute(context: &Context, request: Request, purpose: &str) -> anyhow::Result<Outcome> {
    Session::new(context, purpose)?.execute(request).await
}

/// A command with several requests. A store that had to be opened here stays open and locked until the end.
pub struct Session<'a> {
    context: &'a Context,
    purpose: &'a str,
    config: Config,
    meter: Meter,
    opened: Option<Opened>,
}

impl<'a> Session<'a> {
    /// Loads the configuration; opens and sends nothing yet.
    pub fn new(context: &'a Context, purpose: &'a str) -> anyhow::Result<Self> {
        let config = context.config()?;
        // Only warnings reach stderr, because the command itself reports what it does. It works without a log, too.
        let log = Log {
            level: "warn".to_owned(),
            ..Log::default()
        };
        let _ = logging::init(&log, context.clock.clone());
        Ok(Self {
            context,
            purpose,
            config,
            meter: Meter::default(),
            opened: None,
        })
    }

    pub async fn execute(&mut self, request: Request) -> anyhow::Result<Outcome> {
        let deadline = Instant::now() + DAEMON_WAIT;
        // A daemon may start or stop at any moment, so both ways are tried until one works.
        while self.opened.is_none() {
            let meter = &mut self.meter;
            let answer = socket::send_request(&self.config.store.path, &request, |reply| show(meter, reply));
            match answer.await {
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
        let store = &opened.store;
        let result = run_here(self.context, &self.config, &request, store, &mut self.meter).await;
        self.meter.clear();
        result
    }

    /// Opens the store, or pauses if another process holds the lock and `deadline` has not passed.
    async fn open(&mut self, request: &Request, deadline: Instant) -> anyhow::Result<()> {
        if !creates_store(request) {
            match StoreView::open(&self.config.store.path) {
                // An older schema is migrated below, when the store is opened for writing.
                Ok(_) | Err(StoreError::OlderSchema { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let clock = &self.context.clock;
        match start::open(&self.config, clock, self.purpose, DataSpace::MustMatch).await {
            Ok(opened) => self.opened = Some(opened),
            // The lock is free, or the socket answers, within moments.
            Err(StartError::Store(StoreError::Locked { .. })) if Instant::now() < deadline => {
                sleep(RETRY).await;
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}

/// Returns the error for an outcome of another request, which only a daemon of another version sends.
pub fn another_answer(outcome: &Outcome) -> anyhow::Error {
    let cause = format!("it belongs to another request: {outcome:?}");
    ControlError::Malformed { cause }.into()
}

/// Returns true if the request may create a missing store. For other requests a missing store is a mistake in the
/// configuration.
fn creates_store(request: &Request) -> bool {
    // A suppression list can be filled before the first sync, so that the persons on it are left out of it.
    needs_source(request) || matches!(request, Request::Suppress(_))
}

/// Returns true if the request compares the source with the store.
fn compares(request: &Request) -> bool {
    match request {
        Request::Verify(_) => true,
        Request::CronRun { job } => Job::from_name(job) == Some(Job::VerifySource),
        _ => false,
    }
}

fn show(meter: &mut Meter, reply: Reply) {
    match reply {
        Reply::Progress(progress) => meter.show(progress),
        Reply::Line { text } => {
            meter.clear();
            output::notice(&text);
        }
        Reply::Done(_) | Reply::Failed { .. } => {}
    }
}

async fn run_here(
    context: &Context,
    config: &Config,
    request: &Request,
    store: &Store,
    meter: &mut Meter,
) -> anyhow::Result<Outcome> {
    if matches!(request, Request::Resync(options) if options.wait) {
        return Err(ControlError::NoDaemon)
            .context("--wait needs a running daemon, which delivers the events");
    }
    // No reload happens in a command.
    let (_, shared) = watch::channel(Arc::new(config.clone()));
    let clock = context.clock.clone();
    let requests = if needs_source(request) {
        output::notice(
            "No daemon is running: this command does the work itself. Queued events are sent once the daemon runs: \
             `systemctl start orderfeed`",
        );
        source_kind::bind(store, config, &clock, SourceChange::Refuse).await?;
        let (source, _) = sources::source(config)?;
        if compares(request) {
            // Changes since the daemon's end were not captured, and must not count as differences.
            capture::catch_up(store, source.as_ref(), &clock).await?;
        }
        let indexer = Indexer::new(store.clone(), source, clock.clone(), shared.clone());
        Requests::new(Jobs {
            indexer: Arc::new(indexer),
            clock,
            config: shared,
            stop: CancellationToken::new(),
        })
    } else {
        Requests::without_source(store.clone(), clock, shared)
    };
    let (replies, mut queue) = mpsc::channel(64);
    let mut work = std::pin::pin!(requests.handle(request, replies));
    loop {
        tokio::select! {
            result = &mut work => return result,
            Some(reply) = queue.recv() => show(meter, reply),
        }
    }
}
