//! The command line: one file per family of commands.
//!
//! | file | what lives there |
//! |---|---|
//! | `args` | the command tree with its help |
//! | `exit` | exit codes, and which error means which |
//! | `output`, `table`, `progress` | the only places that print; tables in Commerce's style |
//! | `dispatch` | which command runs what |
//! | `plug` | the commands that live elsewhere: run, demo, emulator, source, config; and work in this process |
//! | `manual` | manual pages, for packages |
//! | `execute` | changes go to the running daemon, or happen here under the store's lock |
//! | `status`, `explain`, `indexer`, `resync`, `cron`, `failed`, `delivery`, `test_connection`, `config`, `doctor` | one family each |
//! | `watch` | showing something again and again |
//! | `status`, `explain`, `indexer`, `resync`, `cron`, `failed`, `delivery`, `verify`, `backup`, `test_connection`, `config` | one family each |
//! | `status`, `explain`, `indexer`, `resync`, `cron`, `failed`, `delivery`, `test_connection`, `config`, `privacy` | one family each |
//! | `suppress`, `import`, `persons` | the suppression list; reading whom a command means |

pub mod args;
pub mod context;
pub mod delivery;
mod dispatch;
pub mod execute;
pub mod exit;
pub mod index;
pub mod inspect;
pub mod output;
pub mod plug;
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
