//! `run`: the daemon in the foreground.

mod bar;

use std::sync::Arc;

use crate::cli::context::{Context, ContextError, temporary_directory};
use crate::cli::exit::{self, Exit};
use crate::cli::output;
use crate::config::{Config, load, process_environment};
use crate::daemon::lifecycle::Lifecycle;
use crate::daemon::lifecycle::signals::Signals;
use crate::daemon::lifecycle::source_kind::SourceChange;
use crate::daemon::lifecycle::start;
use crate::daemon::lifecycle::start::DataSpace;
use crate::daemon::page_sources::PageSources;
use crate::daemon::run::{self, RunOptions};
use crate::daemon::sources;
use crate::delivery::DeliveryStats;
use crate::indexer::{BackfillOptions, Indexer, Reach};
use crate::ops::logging;
use crate::ops::screen;
use crate::ops::systemd::Notifier;
use crate::store::{Store, StoreLock};
use orderfeed_model::clock::Clock;

#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct RunArgs {
    /// Report what would be sent for the current orders; store and send nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Accept a data space other than the store's: every event gets a new _id
    #[arg(long)]
    pub accept_new_data_space: bool,
    /// Accept another kind of source for the same shop: every order is compared again
    #[arg(long)]
    pub accept_new_source: bool,
}

/// Runs the daemon until a signal stops it.
pub async fn run(args: RunArgs, context: &Context) -> anyhow::Result<Exit> {
    let loaded = match context.load() {
        Err(ContextError::Config(errors)) => return Err(errors.in_short().into()),
        loaded => loaded?,
    };
    let log = logging::init(&loaded.config.log, context.clock.clone())?;
    for warning in &loaded.warnings {
        tracing::warn!(log_code = "OF01-01", "Configuration: {warning}");
    }
    if args.dry_run {
        return dry_run(loaded.config).await;
    }
    let path = context.config_path().to_owned();
    let recent = log.recent();
    let pages = PageSources {
        config_path: Some(path.clone()),
        recent,
    };
    // Called at each reload. The daemon applies the other settings; only the log belongs to this process.
    let read = move || {
        let config = load(&path, process_environment(&path))?.config;
        if let Err(error) = log.set_level(&config.log.level) {
            tracing::error!(log_code = "OF01-03", %error, "The new level of the log is not used");
        }
        Ok(config)
    };
    let notifier = Notifier::from_environment();
    let options = RunOptions {
        clock: Clock::System,
        data_space: match args.accept_new_data_space {
            true => DataSpace::AcceptNew,
            false => DataSpace::MustMatch,
        },
        source_change: match args.accept_new_source {
            true => SourceChange::Accept,
            false => SourceChange::Refuse,
        },
        lifecycle: Lifecycle::default(),
        signals: Signals::Daemon(Box::new(read)),
        observer: Arc::new(DeliveryStats::default()),
        exit_code: exit::code_of,
        notifier: notifier.clone(),
        pages,
    };
    let store = loaded.config.store.path.clone();
    let drawing =
        output::stderr_is_terminal().then(|| tokio::spawn(bar::follow(store, context.clock.clone())));
    let ended = run::run(loaded.config, options).await;
    if let Some(drawing) = drawing {
        drawing.abort();
        // The task may draw once more until it has ended.
        let _ = drawing.await;
        screen::set_bar("");
    }
    if let Err(error) = &ended {
        // Shown by `systemctl status`.
        notifier.status(&format!("ended: {error}"));
    }
    ended?;
    Ok(Exit::Ok)
}

/// Derives all events into a temporary store and counts them.
async fn dry_run(mut config: Config) -> anyhow::Result<Exit> {
    let directory = temporary_directory()?;
    let real = config.store.path.clone();
    config.store.path = directory.path().join("dry-run.db");
    if real.exists() && StoreLock::holder(&real).is_none() {
        tracing::info!(
            "The dry run ignores what the store holds; `saas:resync --dry-run` takes it into account"
        );
    }
    let opened = start::open(
        &config,
        &Clock::System,
        "orderfeed run --dry-run",
        DataSpace::MustMatch,
    )
    .await?;
    let store: Store = opened.store.clone();
    let (source, _) = sources::source(&config)?;
    // Reports a wrong database or a missing grant before any order is read.
    source.describe().await?;
    let (_sender, config) = tokio::sync::watch::channel(Arc::new(config));
    let indexer = Indexer::new(store, source, Clock::System, config);
    let options = BackfillOptions {
        reach: Reach::History,
        ..BackfillOptions::default()
    };
    let found = indexer.preview(&options, None, || false, |_| {}).await?;
    output::line(&format!(
        "{} orders would be indexed; {} events would be sent, {} would be parked at once, {} orders cannot be read. \
         Nothing was stored or sent.",
        found.orders, found.events, found.parked, found.failed
    ))?;
    Ok(Exit::Ok)
}
