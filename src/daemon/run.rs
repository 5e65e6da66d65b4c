//! The daemon from start to stop, in the order in which it happens.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

use crate::commerce::source::{Source, SourceError};
use crate::commerce::stoppable::StoppableSource;
use crate::config::{AdminListen, Config};
use crate::daemon::admin::access::Access;
use crate::daemon::admin::actions::Actions;
use crate::daemon::admin::actions::editor::Editor;
use crate::daemon::admin::pages::Pages;
use crate::daemon::admin::snapshots::Snapshots;
use crate::daemon::admin::storefront::StorefrontFiles;
use crate::daemon::admin::views::data::ViewData;
use crate::daemon::admin::views::rates::Rates;
use crate::daemon::control::serve::ExitCodeOf;
use crate::daemon::control::socket::ControlSocket;
use crate::daemon::control::{ControlError, Request, serve};
use crate::daemon::lifecycle::liveness::Liveness;
use crate::daemon::lifecycle::reload::Reloader;
use crate::daemon::lifecycle::signals::Signals;
use crate::daemon::lifecycle::source_kind::{self, SourceChange};
use crate::daemon::lifecycle::start::{DataSpace, Opened, StartError};
use crate::daemon::lifecycle::supervision::{Supervision, extend_while};
use crate::daemon::lifecycle::vitals::Vitals;
use crate::daemon::lifecycle::{Lifecycle, signals, start};
use crate::daemon::page_sources::PageSources;
use crate::daemon::requests::Requests;
use crate::daemon::schedule::jobs::{Job, Jobs};
use crate::daemon::tasks::{TaskContext, TaskEnd};
use crate::daemon::{admin, sources, tasks, traffic};
use crate::delivery::http::transport::Connector;
use crate::delivery::{DeliveryContext, DeliveryStats};
use crate::indexer::Indexer;
use crate::ops::systemd::Notifier;
use crate::store::views::ViewMode;
use crate::store::{Store, StoreError};
use orderfeed_model::clock::Clock;

/// Interval at which unused memory returns to the system, such as that of a first sync. A call takes about a millisecond.
const TRIM_INTERVAL: Duration = Duration::from_secs(10);
/// Growth since the last call that is worth another one.
const TRIM_GROWTH: u64 = 1 << 20;
/// Time that other tasks have beyond `delivery.stop_budget` to end.
const STOP_MARGIN: Duration = Duration::from_secs(5);

pub struct RunOptions {
    pub clock: Clock,
    pub data_space: DataSpace,
    pub source_change: SourceChange,
    /// Ends the daemon from inside the process, as signals do from outside.
    pub lifecycle: Lifecycle,
    pub signals: Signals,
    /// Counters of delivery, shared with the caller.
    pub observer: Arc<DeliveryStats>,
    /// Exit codes for commands whose requests fail.
    pub exit_code: ExitCodeOf,
    pub notifier: Notifier,
    pub pages: PageSources,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    pub pending_events: u64,
}

/// The reason for which the daemon did not start or stop regularly.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("source: {0}")]
    Source(#[from] SourceError),
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store's writer failed while the daemon ran.
    #[error("{0}")]
    StoreFatal(String),
    #[error(transparent)]
    Control(#[from] ControlError),
    #[error("{task} failed: {cause}")]
    Task { task: &'static str, cause: String },
    /// A second signal, or the stop took too long.
    #[error(
        "the daemon ended before every request in flight was finished; the next start sends what is pending"
    )]
    Aborted,
}

/// Runs the daemon until `options.lifecycle` or a signal stops it, or a task fails.
///
/// # Errors
/// See [`DaemonError`]. A start is refused within a second, before any network access.
pub async fn run(config: Config, options: RunOptions) -> Result<Stopped, DaemonError> {
    let (clock, lifecycle, notifier) = (options.clock, options.lifecycle, options.notifier);
    let stop_budget = config.delivery.stop_budget.get();
    // Kept beside the channel: what is bound at the start must not follow a reload.
    let first = Arc::new(config);
    let (config_sender, config) = watch::channel(Arc::clone(&first));
    // Before anything else, so that a SIGTERM during the start is a regular stop.
    let (streams, read) = signals::open(options.signals);
    // Before the store is opened, so that the opening counts as part of the run.
    let vitals = Vitals::new(clock.now());
    let opening = start::open(&first, &clock, "orderfeed run", options.data_space);
    let Opened { lock, store } = extend_while(&notifier, opening).await?;
    source_kind::bind(&store, &first, &clock, options.source_change).await?;
    let (source, interval) = sources::source(&first)?;
    // Only with the lock held: the socket of a killed daemon is replaced.
    let control = ControlSocket::listen(&first.store.path, &lock)?;
    log_start(&first, &store).await?;
    let admin_listen = first.admin.listen.clone();
    // Shared by the status line, the admin endpoint and SIGUSR1, so that they read the store once.
    let snapshots = Snapshots::new(config.clone(), clock.clone());

    let stop = lifecycle.stop.clone();
    let source = Arc::new(StoppableSource::new(source, stop.clone()));
    let for_storefront: Arc<dyn Source> = source.clone();
    let indexer = Arc::new(Indexer::new(store.clone(), source, clock.clone(), config.clone()));
    let jobs = Jobs {
        indexer,
        clock: clock.clone(),
        config: config.clone(),
        stop: stop.clone(),
    };
    let requests = Arc::new(Requests::new(jobs.clone()));
    let of_commands = Arc::clone(&requests);
    let handle = move |request: Request, replies| {
        let requests = Arc::clone(&of_commands);
        async move { requests.handle(&request, replies).await }
    };

    let supervision = Supervision {
        notifier: notifier.clone(),
        liveness: Liveness {
            store: store.clone(),
            vitals: vitals.clone(),
            stats: options.observer.clone(),
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
        stats: options.observer,
    };
    let mut tasks = tasks::start(TaskContext {
        jobs,
        interval,
        vitals,
        delivery,
        connector: Connector::http(),
        tick: None,
    });
    let serving = serve::serve(control, handle, options.exit_code, stop);
    // Drained with the tasks, so that running requests are answered before the end.
    tasks.spawn(async move {
        serving.await;
        ("the control socket", Ok(()))
    });

    let reloader = Arc::new(Reloader {
        read,
        config: config_sender,
        vitals: supervision.liveness.vitals.clone(),
        notifier: notifier.clone(),
        clock: clock.clone(),
        turn: Mutex::default(),
    });
    let storefront = StorefrontFiles::new(supervision.liveness.config.clone(), Some(for_storefront));
    let pages = pages(
        &supervision,
        &clock,
        options.pages,
        requests,
        &reloader,
        storefront,
    );
    let mut observers = observe(&supervision, admin_listen, &clock, pages);
    observers.spawn(signals::listen(streams, lifecycle.clone(), reloader, supervision));
    let ended = supervise(&store, &mut tasks, &lifecycle, &notifier, stop_budget).await;
    // Last, so that readiness and the watchdog cover the drain.
    observers.shutdown().await;
    // Only for the log: the store may be what failed.
    let pending_events = store.read(|reader| reader.pending_events()).await;
    let pending_events = pending_events.unwrap_or_default();
    match &ended {
        Ok(()) => tracing::info!(
            pending_events,
            "The daemon ended; the next start sends what is pending"
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

async fn log_start(config: &Config, store: &Store) -> Result<(), StoreError> {
    let read = store.read(|reader| Ok((reader.view_state()?, reader.changelog_head()?)));
    let (view, head) = read.await?;
    let websites = config.websites.iter();
    let enabled = websites.filter(|(_, website)| website.back_office_events);
    let websites: Vec<_> = enabled.map(|(code, _)| code).collect();
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

/// Creates what the admin endpoint serves.
fn pages(
    supervision: &Supervision,
    clock: &Clock,
    sources: PageSources,
    requests: Arc<Requests>,
    reloader: &Arc<Reloader>,
    storefront: Arc<StorefrontFiles>,
) -> Pages {
    let (liveness, stop) = (&supervision.liveness, &supervision.stop);
    let access = Access::new(liveness.config.clone(), clock.clone());
    let editor = sources.config_path.clone().filter(|_| reloader.is_possible());
    let editor = editor.map(|path| Editor::new(path, Arc::clone(reloader)));
    let actions = Actions::new(
        Arc::clone(&access),
        requests,
        liveness.store.clone(),
        clock.clone(),
        stop.clone(),
        editor,
    );
    let views = ViewData {
        clock: clock.clone(),
        config: liveness.config.clone(),
        store: liveness.store.clone(),
        snapshots: supervision.snapshots.clone(),
        vitals: liveness.vitals.clone(),
        rates: Rates::default(),
        sources,
    };
    Pages {
        clock: clock.clone(),
        liveness: liveness.clone(),
        snapshots: supervision.snapshots.clone(),
        stop: stop.clone(),
        views: Arc::new(views),
        access,
        actions,
        storefront,
    }
}

/// Starts the tasks that report on the daemon until its very end: to the service manager and on the admin endpoint.
fn observe(supervision: &Supervision, listen: AdminListen, clock: &Clock, pages: Pages) -> JoinSet<()> {
    let mut observers = JoinSet::new();
    observers.spawn(supervision.clone().run());
    // Recorded only where the pages can be read.
    if listen != AdminListen::Off {
        let store = supervision.liveness.store.clone();
        observers.spawn(traffic::record(store, clock.clone()));
    }
    observers.spawn(admin::serve(listen, Arc::new(pages), clock.clone()));
    observers.spawn(release_memory(supervision.liveness.store.clone()));
    observers
}

async fn release_memory(store: Store) {
    let mut kept = 0;
    loop {
        tokio::time::sleep(TRIM_INTERVAL).await;
        // An idle daemon keeps its pages: it would only ask for them again.
        if let Some(resident) = orderfeed_memory::resident_bytes()
            && resident < kept + TRIM_GROWTH
        {
            kept = kept.min(resident);
            continue;
        }
        // An error of the store stops the daemon elsewhere.
        let _ = store.release_cache().await;
        orderfeed_memory::release_unused();
        kept = orderfeed_memory::resident_bytes().unwrap_or_default();
    }
}

/// Waits for the stop, then drains. A task that ends early or a store that fails stops the daemon, too.
async fn supervise(
    store: &Store,
    tasks: &mut JoinSet<TaskEnd>,
    lifecycle: &Lifecycle,
    notifier: &Notifier,
    stop_budget: Duration,
) -> Result<(), DaemonError> {
    let mut fatal = store.fatal();
    let first = tokio::select! {
        biased;
        () = lifecycle.stop.cancelled() => Ok(()),
        Some(ended) = tasks.join_next() => Err(ended_early(ended)),
        // The writer reports a failing disk before the tasks meet it.
        Ok(()) = fatal.changed() => Err(DaemonError::StoreFatal(fatal.borrow().clone().unwrap_or_default())),
    };
    // Also after a failure, so that the other tasks drain.
    lifecycle.stop.cancel();
    notifier.stopping();
    notifier.status("stopping: no new requests, those in flight are finished");
    // The service manager must not kill the process before its own budget ends it.
    notifier.extend_timeout(stop_budget + 2 * STOP_MARGIN);
    let drained = tokio::select! {
        // First in order: an abort also ends every task at once, which would look like a complete drain.
        biased;
        () = lifecycle.abort.cancelled() => Err(DaemonError::Aborted),
        drained = drain(tasks) => drained,
        () = tokio::time::sleep(stop_budget + STOP_MARGIN) => Err(DaemonError::Aborted),
    };
    // A failing disk ends several tasks. Whichever ended first, the error is the store's, with its remedy and exit code.
    let fatal = fatal.borrow().clone();
    first
        .and(drained)
        .map_err(|error| fatal.map_or(error, DaemonError::StoreFatal))
}

async fn drain(tasks: &mut JoinSet<TaskEnd>) -> Result<(), DaemonError> {
    let mut result = Ok(());
    while let Some(ended) = tasks.join_next().await {
        let ended = match ended {
            Ok((_, Ok(()))) => Ok(()),
            other => Err(ended_early(other)),
        };
        result = result.and(ended);
    }
    result
}

fn ended_early(ended: Result<TaskEnd, JoinError>) -> DaemonError {
    let (task, cause) = match ended {
        Ok((task, Err(cause))) => (task, cause),
        Ok((task, Ok(()))) => (task, "it ended by itself".to_owned()),
        Err(cause) => ("a task", format!("it crashed: {cause}; please report this")),
    };
    DaemonError::Task { task, cause }
}
