//! Where the command tree meets the rest of the house: commands that live elsewhere, and the work on the index in a
//! command's own process.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::cli::context::Context;
use crate::cli::exit::{Exit, UsageError};
use crate::cli::output;
use crate::cli::run::{self, RunArgs};
use crate::cli::setup::config;
use crate::cli::setup::config::ConfigCommand;
use crate::cli::setup::source;
use crate::cli::setup::source::{SourceArgs, TriggersState};
use crate::cli::trial::demo;
use crate::cli::trial::demo::DemoArgs;
use crate::cli::trial::emulator;
use crate::cli::trial::emulator::EmulatorArgs;
use crate::commerce::mysql::MysqlSource;
use crate::config::SourceKind;
use crate::daemon::requests::index_work::index_work as work_of;
use crate::daemon::requests::work::IndexWork;
use crate::daemon::schedule::jobs::Jobs;
use crate::daemon::sources;
use crate::indexer::{Indexer, capture};
use crate::store::Store;

/// A command that lives elsewhere.
#[derive(Debug)]
pub enum Elsewhere {
    /// The daemon.
    Run(RunArgs),
    /// The demo.
    Demo(Box<DemoArgs>),
    /// The emulator.
    Emulator(Box<EmulatorArgs>),
    /// The source's triggers.
    Source(SourceArgs),
    /// The configuration.
    Config(ConfigCommand),
}

/// Runs a command that lives elsewhere.
///
/// # Errors
/// What it returns.
pub async fn dispatch(command: Elsewhere, context: &Context) -> anyhow::Result<Exit> {
    match command {
        Elsewhere::Config(command) => {
            config::run(context.config_path(), &command)?;
            Ok(Exit::Ok)
        }
        Elsewhere::Run(args) => run::run(args, context).await,
        Elsewhere::Demo(args) => demo::run(*args).await,
        Elsewhere::Emulator(args) => emulator::run(*args).await.map(|()| Exit::Ok),
        Elsewhere::Source(args) => on_source(&args, context).await,
    }
}

async fn on_source(args: &SourceArgs, context: &Context) -> anyhow::Result<Exit> {
    let config = context.config()?;
    if config.source.kind != SourceKind::Mysql {
        let sentence =
            "source.kind is \"sqlite\": the embedded store brings its triggers along, there is nothing to do";
        return Err(UsageError(sentence.to_owned()).into());
    }
    let source = MysqlSource::new(sources::mysql_settings(&config))?;
    let mut report = Vec::new();
    let state = source::run(args, &source, &mut report).await;
    output::data(&String::from_utf8_lossy(&report))?;
    match state? {
        TriggersState::Complete | TriggersState::Removed => Ok(Exit::Ok),
        TriggersState::Incomplete => Ok(Exit::Failed),
    }
}

/// Takes in what the source has to tell, for a command that runs while no daemon does. The store is open, its lock held.
///
/// # Errors
/// If the source cannot be set up or read.
pub async fn capture_first(context: &Context, store: &Store) -> anyhow::Result<()> {
    let (source, _) = sources::source(&context.config()?)?;
    capture::catch_up(store, source.as_ref(), &context.clock).await?;
    Ok(())
}

/// The work on the index, for a command that runs while no daemon does. The store is open, its lock held.
///
/// # Errors
/// If the source cannot be set up.
pub async fn index_work(context: &Context, store: &Store) -> anyhow::Result<Arc<dyn IndexWork>> {
    let config = context.config()?;
    let (source, _) = sources::source(&config)?;
    let (_, config) = watch::channel(Arc::new(config));
    let indexer = Arc::new(Indexer::new(
        store.clone(),
        source,
        context.clock.clone(),
        config.clone(),
    ));
    let stop = CancellationToken::new();
    Ok(work_of(Jobs {
        indexer,
        clock: context.clock.clone(),
        config,
        stop,
    }))
}
