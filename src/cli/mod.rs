//! The command line: one module per family of commands.
//!
//! | module | purpose |
//! |---|---|
//! | `args` | the command tree with its help |
//! | `dispatch` | which command runs what |
//! | `exit` | exit codes, and which error means which |
//! | `output` | the only module that prints: lines, progress, tables in Commerce's style |
//! | `execute` | changes are sent to the running daemon, or made here under the store's lock |
//! | `inspect` | commands that only read: `status`, `explain`, `doctor` |
//! | `index` | commands of the index: `indexer:*`, `saas:resync`, `verify`, `cron` |
//! | `delivery` | `delivery`, `failed`, `test-connection` |
//! | `privacy` | `suppress`, `privacy erase` |
//! | `setup` | `config`, `source`, `backup`, `restore`, manual pages |
//! | `run`, `trial` | the daemon in the foreground; the demo and the emulator |

pub mod args;
pub mod context;
pub mod delivery;
mod dispatch;
pub mod execute;
pub mod exit;
pub mod index;
pub mod inspect;
pub mod output;
pub mod privacy;
pub mod run;
pub mod setup;
pub mod trial;

use std::ffi::OsString;

use clap::Parser;

use crate::cli::args::{Cli, Command};
use crate::cli::exit::Exit;

/// Worker threads of the runtime: the store and the source do their work on threads of their own.
const WORKERS: usize = 2;

/// The whole program: parses `args`, runs the command, and says how it ended.
pub fn main(args: impl IntoIterator<Item = OsString>) -> Exit {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(refusal) => return refused(&refusal),
    };
    ended(run(cli))
}

/// Help and version are data; anything else that clap says is a complaint about the command line.
fn refused(refusal: &clap::Error) -> Exit {
    let printed = output::clap(refusal);
    match refusal.use_stderr() {
        true => Exit::Usage,
        false => ended(printed.map(|()| Exit::Ok).map_err(Into::into)),
    }
}

fn run(cli: Cli) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()?;
    // A name that is still being resolved, or a disk that hangs, must not hold up what has its answer.
    let waits_for_nobody = matches!(cli.command, Command::Doctor(_));
    let result = runtime.block_on(dispatch::dispatch(cli));
    if waits_for_nobody {
        runtime.shutdown_background();
    }
    result
}

fn ended(result: anyhow::Result<Exit>) -> Exit {
    match result {
        Ok(exit) => exit,
        Err(error) => {
            let exit = Exit::of(&error);
            if exit != Exit::Ok {
                output::failure(&error);
            }
            exit
        }
    }
}
