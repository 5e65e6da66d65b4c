//! `orderfeed status`.

use clap::Args;

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::output;

/// Options of `status`.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct StatusArgs {
    /// A JSON object for scripts; `version` counts its shape
    #[arg(long)]
    pub json: bool,
}

/// Runs `status`.
///
/// # Errors
/// If there is no store, or it cannot be read.
pub fn run(_context: &Context, _args: StatusArgs) -> anyhow::Result<Exit> {
    output::line("")?;
    Ok(Exit::Ok)
}
