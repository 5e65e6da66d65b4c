//! `shops list` and `shops status`: the shops of this host, each with a configuration file in the directory `shops`.
//!
//! Each shop is asked by a process of its own, `orderfeed status --json`, with a time limit. So a shop whose file, store or disk
//! is broken costs its own line, and root takes the identity of each store's owner in turn.
//!
//! | module | purpose |
//! |---|---|
//! | `find` | the files of the shops |
//! | `probe` | one process per shop with a time limit; processes and their memory from `/proc` |
//! | `row` | the line of a shop, computed from its answer; pure |

mod find;
mod probe;
mod row;

use std::path::Path;

use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::exit::{Exit, UsageError};
use crate::cli::output::table::AsciiTable;
use crate::cli::output::{self, Paint};
use crate::cli::shops::find::ShopFile;
use crate::cli::shops::row::ShopRow;
use crate::config::shop::{ShopName, directory_of_shops};
use crate::ops::status::Moment;

#[derive(Clone, Debug, clap::Subcommand)]
pub enum ShopsCommand {
    /// List the shops of this host: name, configuration file, unit
    #[command(
        after_help = "Reads the names in the directory shops beside the configuration file, and no file of a shop.\n\n\
        Examples:\n  orderfeed shops list\n  \
        orderfeed shops list --json | jq -r '.shops[].shop' | while read -r shop; do orderfeed --shop \"$shop\" doctor; done"
    )]
    List(ListArgs),
    /// Show one line per shop: daemon, role, lag, backlog, pending, parked, memory, and the most severe problem
    #[command(
        after_help = "Works with and without running daemons. A shop that is stopped or broken, or that does not answer \
        within the limit, has its line with the reason and delays no other.\n\nExit code 0 if every status could be read, \
        even if it shows problems; 1 if one could not.\n\nExamples:\n  orderfeed shops status\n  \
        orderfeed shops status agency bakery\n  \
        orderfeed shops status --json | jq '.shops[] | select(.running | not) | .shop'"
    )]
    Status(ShopsStatusArgs),
}

#[derive(Clone, Debug, Default, clap::Args)]
pub struct ListArgs {
    /// Print a JSON object for scripts; its `version` numbers the shape
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Default, clap::Args)]
pub struct ShopsStatusArgs {
    /// Shops to show; all by default
    #[arg(value_name = "SHOP")]
    pub shops: Vec<ShopName>,
    /// Print a JSON object for scripts; its `version` numbers the shape
    #[arg(long)]
    pub json: bool,
}

/// The version of the JSON objects. It changes when a field is removed or changes its meaning.
const SHAPE: u32 = 1;

#[derive(Serialize)]
struct ShopList<'a> {
    version: u32,
    shops: &'a [ShopFile],
}

#[derive(Serialize)]
struct ShopStatuses<'a> {
    version: u32,
    taken_at: Moment,
    shops: &'a [ShopRow],
}

pub fn run(context: &Context, command: &ShopsCommand) -> anyhow::Result<Exit> {
    let directory = directory_of_shops(context.config_path());
    let files = find::shops(&directory)?;
    match command {
        ShopsCommand::List(args) => list(&directory, &files, args),
        ShopsCommand::Status(args) => {
            status(context, chosen(files, &args.shops, &directory)?, args, &directory)
        }
    }
}

fn list(directory: &Path, files: &[ShopFile], args: &ListArgs) -> anyhow::Result<Exit> {
    let list = ShopList {
        version: SHAPE,
        shops: files,
    };
    if files.is_empty() && !args.json {
        no_shops(directory);
        return Ok(Exit::Ok);
    }
    output::result(args.json, &list, || {
        let mut table = AsciiTable::new("Shop | Configuration | Unit");
        for file in files {
            let unit = file
                .unit
                .as_deref()
                .unwrap_or("none: this is not a name of a shop");
            table.row([
                (&file.shop).into(),
                file.config.to_string_lossy().into(),
                unit.into(),
            ]);
        }
        table.render(Paint::for_stdout())
    })?;
    Ok(Exit::Ok)
}

fn status(
    context: &Context,
    files: Vec<ShopFile>,
    args: &ShopsStatusArgs,
    directory: &Path,
) -> anyhow::Result<Exit> {
    let taken_at = Moment(context.clock.now());
    let rows = probe::all(files)?;
    let exit = match rows.iter().all(|row| row.error.is_none()) {
        true => Exit::Ok,
        false => Exit::Failed,
    };
    if rows.is_empty() && !args.json {
        no_shops(directory);
        return Ok(exit);
    }
    let statuses = ShopStatuses {
        version: SHAPE,
        taken_at,
        shops: &rows,
    };
    output::result(args.json, &statuses, || {
        row::table(&rows).render(Paint::for_stdout())
    })?;
    Ok(exit)
}

fn no_shops(directory: &Path) {
    output::notice(&format!(
        "no shops: {} has no file NAME.toml; docs/SHOPS.md describes the set-up",
        directory.display()
    ));
}

/// Returns the files of these shops, or all if none is named.
fn chosen(files: Vec<ShopFile>, names: &[ShopName], directory: &Path) -> Result<Vec<ShopFile>, UsageError> {
    let is_known = |name: &&ShopName| files.iter().any(|file| file.shop == name.to_string());
    if let Some(unknown) = names.iter().find(|name| !is_known(name)) {
        let message = format!(
            "there is no shop {unknown}: {} has no file {unknown}.toml; `orderfeed shops list` lists the shops",
            directory.display()
        );
        return Err(UsageError(message));
    }
    let is_chosen =
        |file: &ShopFile| names.is_empty() || names.iter().any(|name| name.to_string() == file.shop);
    Ok(files.into_iter().filter(is_chosen).collect())
}
