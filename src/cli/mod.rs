//! The command line: parses the arguments, runs one command, and returns the exit code.
//!
//! | module | purpose |
//! |---|---|
//! | `args` | the command tree and its help |
//! | `dispatch` | maps each command to the function that runs it |
//! | `context` | what commands receive or create: the configuration, the clock, a view of the store |
//! | `execute` | runs a request in the daemon, or in this process while it holds the store's lock |
//! | `exit` | the exit codes, and the code of each error |
//! | `output` | everything that prints: data, notices, tables, progress, `--watch` |
//! | `run` | the daemon in the foreground |
//! | `inspect` | `status`, `explain`, `doctor` |
//! | `shops` | the shops of a host: `shops list`, `shops status` |
//! | `index` | `indexer:*`, `saas:resync`, `verify`, `cron` |
//! | `delivery` | `delivery`, `failed`, `test-connection` |
//! | `privacy` | `suppress`, `privacy` |
//! | `setup` | `config`, `source`, `storefront`, `backup`, `restore`, `manual` |
//! | `trial` | `demo`, `emulator` |

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
pub mod shops;
pub mod trial;

use std::ffi::OsString;

use clap::Parser;

use crate::cli::args::{Cli, Command};
use crate::cli::context::CONFIG_FILE;
use crate::cli::exit::Exit;
use crate::cli::output::address::Addressee;
use crate::store::file::identity::forbid_core_dumps;

/// Worker threads of the runtime. Store and source block threads of their own, so two are enough.
const WORKERS: usize = 2;

/// Runs the program with these arguments, and returns how the process ends.
pub fn main(args: impl IntoIterator<Item = OsString>) -> Exit {
    // Before any secret is read.
    forbid_core_dumps();
    match Cli::try_parse_from(args) {
        Ok(cli) => {
            let shop = Addressee::of_file(&cli.config_file(), CONFIG_FILE.as_ref());
            exit_of(run(cli), shop.as_ref())
        }
        Err(message) => print_clap(&message),
    }
}

/// Prints clap's message. Help and version are data; every other message reports a wrong command line.
fn print_clap(message: &clap::Error) -> Exit {
    let printed = output::clap(message);
    match message.use_stderr() {
        true => Exit::Usage,
        false => exit_of(printed.map(|()| Exit::Ok).map_err(Into::into), None),
    }
}

fn run(cli: Cli) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()?;
    let is_doctor = matches!(cli.command, Command::Doctor(_));
    let result = runtime.block_on(dispatch::dispatch(cli));
    if is_doctor {
        // Dropping the runtime would wait for name lookups and disk reads that hang, although the report is complete.
        runtime.shutdown_background();
    }
    result
}

fn exit_of(result: anyhow::Result<Exit>, shop: Option<&Addressee>) -> Exit {
    result.unwrap_or_else(|error| {
        let exit = Exit::of(&error);
        // A closed stdout is an error with the exit code 0.
        if exit != Exit::Ok {
            output::error(&error, shop);
        }
        exit
    })
}
