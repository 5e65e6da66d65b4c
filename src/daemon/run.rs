//! The daemon, from start to stop. Reads from top to bottom.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::lifecycle::Lifecycle;
use super::requests::Requests;
use super::{admin, sources};
use crate::commerce::source::SourceError;
use crate::config::{AdminListen, Config};
use crate::daemon::admin::pages::Pages;
use crate::daemon::admin::snapshots::Snapshots;
use crate::daemon::control::Request;
use crate::daemon::control::serve;
use crate::daemon::control::serve::ExitCodeOf;
use crate::daemon::control::socket::ControlSocket;
use crate::daemon::lifecycle::liveness::Liveness;
use crate::daemon::lifecycle::signals;
use crate::daemon::lifecycle::signals::Signals;
use crate::daemon::lifecycle::start;
use crate::daemon::lifecycle::start::{DataSpace, Opened, StartError};
use crate::daemon::lifecycle::supervision::{Supervision, with_time};
use crate::daemon::lifecycle::vitals::Vitals;
use crate::daemon::schedule::jobs::{Job, Jobs};
use crate::daemon::tasks;
use crate::daemon::tasks::{Machinery, PartEnd};
use crate::delivery::http::transport::Connector;
use crate::delivery::{DeliveryContext, DeliveryStats};
use crate::indexer::Indexer;
use crate::ops::systemd::Notifier;
use crate::store::views::ViewMode;
use crate::store::{Reader, Store, StoreError};
use orderfeed_model::clock::Clock;

/// What the rest of the house gets beyond `delivery.stop_budget` to end.
const STOP_MARGIN: Duration = Duration::from_secs(5);

/// How to run.
pub struct RunOptions {
    /// Time.
    pub clock: Clock,
    /// What to do about another data space.
    pub data_space: DataSpace,
    /// Ends the daemon from inside the process; signals do it from outside.
    pub lifecycle: Lifecycle,
    /// Whether this process listens to signals for the daemon.
    pub signals: Signals,
    /// Shared with whoever shows what delivery does.
    pub observer: Arc<DeliveryStats>,
    /// The exit code of the command whose request failed.
    pub exit_code: ExitCodeOf,
    /// The service manager, if one listens.
    pub notifier: Notifier,
}

/// How the daemon ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Events that wait for the next start.
    pub pending_events: u64,
}

/// Why the daemon ended otherwise.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The start was refused.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The source's settings cannot be used.
    #[error("source: {0}")]
    Source(#[from] SourceError),
    /// The store failed; nothing is lost.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store failed while the daemon ran.
    #[error("{0}")]
    StoreFatal(String),
    /// The control socket cannot be made.
    #[error(transparent)]
    Control(#[from] super::control::ControlError),
    /// A part of the daemon failed.
    #[error("{part} failed: {cause}")]
    Part {
        /// Which one.
        part: &'static str,
        /// Why.
        cause: String,
    },
    /// A second signal, or the stop took too long.
    #[error(
        "the daemon was ended before everything in flight was finished; what is pending is sent after the next start"
    )]
    Aborted,
}

/// Runs the daemon until it is told to stop, or cannot go on.
///
/// # Errors
/// See [`DaemonError`]; a start that is refused ends within a second, before any network contact.
pub async fn run(config: Config, options: RunOptions) -> Result<Stopped, DaemonError> {
    let RunOptions {
        clock,
        data_space,
        lifecycle,
        signals,
        observer,
        exit_code,
        notifier,
    } = options;
    let stop_budget = config.delivery.stop_budget.get();
    let first = Arc::new(config);
    let (config_sender, config) = watch::channel(Arc::clone(&first));
    // Before anything else: a SIGTERM during the start is a stop like any other.
    let ears = signals::open(signals);
    let vitals = Vitals::new(clock.now());
    let opening = start::open(&first, &clock, "orderfeed run", data_space);
    let Opened { lock, store } = with_time(&notifier, opening).await?;
    let (source, interval) = sources::source(&first)?;
    let control = ControlSocket::listen(&first.store.path, &lock)?;
    announce(&first, &store).await?;
    let admin_listen = first.admin.listen.clone();
    let snapshots = Snapshots::of(config.clone(), clock.clone());

    let indexer = Arc::new(Indexer::new(store.clone(), source, clock.clone(), config.clone()));
    let stop = lifecycle.stop.clone();
    let jobs = Jobs {
        indexer,
        clock: clock.clone(),
        config: config.clone(),
        stop: stop.clone(),
    };
    let requests = Arc::new(Requests::new(jobs.clone()));
    let handle = move |request: Request, replies| {
        let requests = Arc::clone(&requests);
        async move { requests.handle(&request, replies).await }
    };

    let supervision = Supervision {
        notifier: notifier.clone(),
        liveness: Liveness {
            store: store.clone(),
            vitals: vitals.clone(),
            stats: observer.clone(),
            config: config.clone(),
        },
        snapshots,
        stop: stop.clone(),
    };
    let delivery = DeliveryContext {
        store: store.clone(),
        clock: clock.clone(),
        config,
        stop: stop.clone(),
        abort: lifecycle.abort.clone(),
        observer,
    };
    let mut parts = tasks::start(Machinery {
        jobs,
        interval,
        vitals,
        delivery,
        connector: Connector::http(),
        tick: None,
    });
    let serving = serve::serve(control, handle, exit_code, stop);
    parts.spawn(async move {
        serving.await;
        ("the control socket", Ok(()))
    });

    let mut attendants = attend(&supervision, admin_listen, &clock);
    let listening = signals::listen(ears, lifecycle.clone(), config_sender, supervision, clock);
    attendants.spawn(listening);
    let ended = supervise(&store, &mut parts, &lifecycle, &notifier, stop_budget).await;
    attendants.shutdown().await;
    let pending_events = store
        .read(|reader: &Reader<'_>| reader.pending_events())
        .await
        .unwrap_or_default();
    match &ended {
        Ok(()) => tracing::info!(
            pending_events,
            "The daemon ended; what is pending is sent after the next start"
        ),
        Err(error) => {
            tracing::error!(
                log_code = "OF02-01",
                pending_events, error = %error,
                "The daemon ended because of a failure",
            )
        }
    }
    ended.map(|()| Stopped { pending_events })
}

/// What the log shows first: what runs, on what, and when it will do something.
async fn announce(config: &Config, store: &Store) -> Result<(), StoreError> {
    let (view, head) = store
        .read(|reader: &Reader<'_>| Ok((reader.view_state()?, reader.changelog_head()?)))
        .await?;
    let websites: Vec<_> = config
        .websites
        .iter()
        .filter(|(_, w)| w.back_office_events)
        .map(|(code, _)| code)
        .collect();
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        sqlite = crate::store::sqlite_version(),
        store = %config.store.path.display(),
        mode = view.map(|view| match view.mode {
            ViewMode::Schedule => "schedule",
            ViewMode::Realtime => "realtime",
        }),
        changelog_version = head,
        view_version = view.map(|view| view.version),
        websites = ?websites,
        "orderfeed starts",
    );
    for job in Job::ALL {
        let schedule = job.schedule(config);
        tracing::debug!(job = job.as_str(), schedule = schedule.as_str(), zone = %config.cron.time_zone, "A job is scheduled");
    }
    Ok(())
}

/// Those who look after the daemon, up to its very end: for the service manager, and behind the admin endpoint.
fn attend(supervision: &Supervision, listen: AdminListen, clock: &Clock) -> JoinSet<()> {
    let pages = Pages {
        clock: clock.clone(),
        liveness: supervision.liveness.clone(),
        snapshots: supervision.snapshots.clone(),
        stop: supervision.stop.clone(),
    };
    let mut attendants = JoinSet::new();
    attendants.spawn(supervision.clone().run());
    attendants.spawn(admin::serve(listen, Arc::new(pages), clock.clone()));
    attendants
}

/// Waits for the stop, then for the parts to end. A part that ends before it, or a store that fails, is the end of all.
async fn supervise(
    store: &Store,
    parts: &mut JoinSet<PartEnd>,
    lifecycle: &Lifecycle,
    notifier: &Notifier,
    stop_budget: Duration,
) -> Result<(), DaemonError> {
    let mut fatal = store.fatal();
    let first = tokio::select! {
        biased;
        () = lifecycle.stop.cancelled() => Ok(()),
        Some(ended) = parts.join_next() => Err(ended_early(ended)),
        Ok(()) = fatal.changed() => Err(DaemonError::StoreFatal(fatal.borrow().clone().unwrap_or_default())),
    };
    lifecycle.stop.cancel();
    notifier.stopping();
    notifier.status("stopping: requests in flight are finished, nothing new is taken in");
    notifier.extend_timeout(stop_budget + 2 * STOP_MARGIN);
    let drained = tokio::select! {
        // First in order: the parts end at once when they are told to, which is no drain.
        biased;
        () = lifecycle.abort.cancelled() => Err(DaemonError::Aborted),
        drained = drain(parts) => drained,
        () = tokio::time::sleep(stop_budget + STOP_MARGIN) => Err(DaemonError::Aborted),
    };
    // Whichever part met a failing disk first: its end is the store's, with the store's remedy and exit code.
    let fatal = fatal.borrow().clone();
    first
        .and(drained)
        .map_err(|error| fatal.map_or(error, DaemonError::StoreFatal))
}

async fn drain(parts: &mut JoinSet<PartEnd>) -> Result<(), DaemonError> {
    let mut result = Ok(());
    while let Some(ended) = parts.join_next().await {
        let ended = ended
            .map_err(|cause| crashed(&cause))
            .and_then(|(part, result)| result.map_err(|cause| DaemonError::Part { part, cause }));
        result = result.and(ended);
    }
    result
}

fn ended_early(ended: Result<PartEnd, tokio::task::JoinError>) -> DaemonError {
    match ended {
        Ok((part, Err(cause))) => DaemonError::Part { part, cause },
        Ok((part, Ok(()))) => DaemonError::Part {
            part,
            cause: "it ended by itself".to_owned(),
        },
        Err(cause) => crashed(&cause),
    }
}

fn crashed(cause: &tokio::task::JoinError) -> DaemonError {
    DaemonError::Part {
        part: "a task",
        cause: format!("it crashed: {cause}; please report this"),
    }
}
