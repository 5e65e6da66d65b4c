//! Where the command tree meets the rest of the house: commands that live elsewhere, and the work on the index in a
//! command's own process.

use std::sync::Arc;

use clap::{Args, Subcommand};

use crate::cli::config::{self, ConfigCommand};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, UsageError};
use crate::daemon::work::IndexWork;
use crate::store::Store;

/// `orderfeed run …`
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct RunArgs {
    /// Show what would be sent, and send nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Accept another data space than the one that the store was filled for: every event gets a new id
    #[arg(long)]
    pub accept_new_data_space: bool,
}

/// `orderfeed demo …`
#[derive(Clone, Debug, Default, Args)]
pub struct DemoArgs {
    /// Orders of history that the shop starts with
    #[arg(long, value_name = "N")]
    pub orders: Option<u64>,
    /// Changes a second
    #[arg(long, value_name = "PER_SECOND")]
    pub rate: Option<f64>,
    /// End by itself after this time, such as 30s or 5m
    #[arg(long, value_name = "TIME")]
    pub duration: Option<crate::config::HumanDuration>,
    /// Let the edge misbehave
    #[arg(long)]
    pub faults: bool,
}

/// `orderfeed emulator …`
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct EmulatorArgs {}

/// `orderfeed source …`
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum SourceCommand {
    /// The triggers of `capture = "triggers"`
    #[command(subcommand)]
    Triggers(TriggersCommand),
}

/// `orderfeed source triggers …`
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum TriggersCommand {
    /// Install what is missing
    Install,
    /// Remove all of them
    Remove,
    /// Say which are there, missing or different
    Check,
}

/// A command that lives elsewhere.
#[derive(Debug)]
pub enum Elsewhere {
    /// The daemon.
    Run(RunArgs),
    /// The demo.
    Demo(DemoArgs),
    /// The emulator.
    Emulator(EmulatorArgs),
    /// The source's triggers.
    Source(SourceCommand),
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
        Elsewhere::Run(_) => not_in_this_build("run"),
        Elsewhere::Demo(_) => not_in_this_build("demo"),
        Elsewhere::Emulator(_) => not_in_this_build("emulator"),
        Elsewhere::Source(_) => not_in_this_build("source"),
    }
}

/// The work on the index, for a command that runs while no daemon does. The store is open, its lock held.
///
/// # Errors
/// If the source cannot be set up.
pub async fn index_work(_context: &Context, _store: &Store) -> anyhow::Result<Arc<dyn IndexWork>> {
    not_in_this_build("work on the index")
}

fn not_in_this_build<T>(what: &str) -> anyhow::Result<T> {
    Err(UsageError(format!("this build has no {what}")).into())
}
