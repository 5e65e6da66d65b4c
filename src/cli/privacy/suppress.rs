//! `suppress add|remove|list|import`: persons whose events are not sent.

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::cli::context::{Context, view};
use crate::cli::execute::{Session, another_answer};
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::cli::output::table::visible;
use crate::cli::privacy::import;
use crate::cli::privacy::import::{ImportArgs, ask, render};
use crate::cli::privacy::persons::WhoArgs;
use crate::daemon::control::persons::{MAX_PERSONS, PersonId, Screening, Suppressed};
use crate::daemon::control::{Outcome, Request};
use crate::store::suppression::Suppression;
use orderfeed_events::hex;

/// Rows of the list that are read and printed at a time.
const PAGE: usize = 1_000;

/// `orderfeed suppress …`
#[derive(Clone, Debug, Subcommand)]
pub enum SuppressCommand {
    /// Send nothing of these persons any more: what waits and what comes ends as suppressed (local)
    #[command(
        after_help = "What is on its way to the edge in this moment is on its way; what was delivered stays \
        delivered.\n\nExamples:\n  \
        orderfeed suppress add -               type addresses, one a line, then Ctrl-D\n  \
        orderfeed suppress add --file opt-outs.txt --note \"mail of 2026-11-20\"\n  \
        orderfeed suppress add --sha256 b4c9a289323b21a01c3e940f150eb9b8c542587f1abfd8f0e1cc1ffc5e475514"
    )]
    Add(AddArgs),
    /// Send later events of these persons again; what was suppressed stays so
    #[command(
        after_help = "Exit code 1 if one of them was not on the list.\n\nExample:\n  \
        orderfeed suppress remove -            type addresses, one a line, then Ctrl-D"
    )]
    Remove(RemoveArgs),
    /// Show the list: hashes, since when, and notes; never addresses
    #[command(
        after_help = "Examples:\n  orderfeed suppress list\n  orderfeed suppress list --count\n  \
        orderfeed suppress list --json | jq -r '.entries[].sha256' > list.txt"
    )]
    List(ListArgs),
    /// Put all persons of a file on the list
    #[command(
        after_help = "One address or SHA-256 a line, or a column of a CSV file; empty lines and lines that begin \
        with # are skipped. A bad line is named by its number and skipped, then the exit code is 1. Importing a file \
        again changes nothing.\n\nExamples:\n  \
        orderfeed suppress import opt-outs.txt\n  \
        orderfeed suppress import customers.csv --column email --note \"newsletter, 2026-11\"\n  \
        orderfeed suppress list --json | jq -r '.entries[].sha256' | \
        orderfeed --config other.toml suppress import -"
    )]
    Import(ImportArgs),
}

/// Options of `suppress add`.
#[derive(Clone, Debug, Args)]
pub struct AddArgs {
    /// Whom
    #[command(flatten)]
    pub who: WhoArgs,
    /// Why, or where it comes from, for whoever looks later; no address
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub note: String,
    /// A JSON object with the counts
    #[arg(long)]
    pub json: bool,
}

/// Options of `suppress remove`.
#[derive(Clone, Debug, Args)]
pub struct RemoveArgs {
    /// Whom
    #[command(flatten)]
    pub who: WhoArgs,
    /// A JSON object with the counts
    #[arg(long)]
    pub json: bool,
}

/// Options of `suppress list`.
#[derive(Clone, Copy, Debug, Args)]
pub struct ListArgs {
    /// How many persons are on the list, and nothing else
    #[arg(long)]
    pub count: bool,
    /// A JSON object
    #[arg(long)]
    pub json: bool,
}

/// Runs a `suppress` command.
///
/// # Errors
/// If its input or the store cannot be read, or as [`crate::cli::execute::execute`].
pub async fn run(context: &Context, command: SuppressCommand) -> anyhow::Result<Exit> {
    match command {
        SuppressCommand::Add(args) => add(context, args).await,
        SuppressCommand::Remove(args) => remove(context, &args).await,
        SuppressCommand::List(args) => list(context, args),
        SuppressCommand::Import(args) => import::run(context, args).await,
    }
}

async fn add(context: &Context, args: AddArgs) -> anyhow::Result<Exit> {
    let persons = args.who.persons()?;
    let mut session = Session::new(context, "orderfeed suppress add")?;
    let mut sum = Suppressed::default();
    let chunks = persons.chunks(MAX_PERSONS).count();
    for (number, chunk) in (1..).zip(persons.chunks(MAX_PERSONS)) {
        let screening = match number == chunks {
            true => Screening::Now,
            false => Screening::Later,
        };
        ask(&mut session, chunk, &args.note, screening, &mut sum).await?;
    }
    match args.json {
        true => output::json(&sum)?,
        false => output::data(&render(&sum))?,
    }
    Ok(Exit::Ok)
}

async fn remove(context: &Context, args: &RemoveArgs) -> anyhow::Result<Exit> {
    let persons = args.who.persons()?;
    let mut session = Session::new(context, "orderfeed suppress remove")?;
    let (mut removed, mut missing) = (0, 0);
    for chunk in persons.chunks(MAX_PERSONS) {
        let persons = chunk.iter().copied().map(PersonId).collect();
        let outcome = session.execute(Request::Unsuppress { persons }).await?;
        let Outcome::Unsuppressed {
            removed: some,
            missing: others,
        } = outcome
        else {
            return Err(another_answer(&outcome));
        };
        removed += some;
        missing += others;
    }
    match args.json {
        true => output::json(&serde_json::json!({ "removed": removed, "missing": missing }))?,
        false => output::line(&format!(
            "{removed} persons removed from the suppression list; later events of theirs are sent, suppressed ones stay so"
        ))?,
    }
    if missing > 0 {
        output::talk(&format!("{missing} of the persons were not on the list"));
        return Ok(Exit::Failed);
    }
    Ok(Exit::Ok)
}

/// A row as it is shown.
#[derive(Debug, Serialize)]
struct Entry {
    sha256: String,
    added_at: String,
    note: String,
}

fn list(context: &Context, args: ListArgs) -> anyhow::Result<Exit> {
    let config = context.config()?;
    let mut view = view(&config)?;
    let count = view.read(|reader| reader.suppression_count())?;
    if args.count {
        match args.json {
            true => output::json(&serde_json::json!({ "count": count }))?,
            false => output::line(&count.to_string())?,
        }
        return Ok(Exit::Ok);
    }
    if args.json {
        output::data(&format!("{{\n  \"count\": {count},\n  \"entries\": ["))?;
    }
    let (mut after, mut shown) = (None, 0usize);
    loop {
        let page = view.read(|reader| reader.suppressions(after, PAGE))?;
        let Some(last) = page.last() else { break };
        after = Some(last.person);
        let mut text = String::new();
        for row in &page {
            text.push_str(&match args.json {
                true => json_row(row, shown)?,
                false => text_row(row),
            });
            shown += 1;
        }
        output::data(&text)?;
    }
    match args.json {
        true if shown == 0 => output::data("]\n}\n")?,
        true => output::data("\n  ]\n}\n")?,
        false => output::talk(&format!("{count} persons are on the suppression list")),
    }
    Ok(Exit::Ok)
}

fn entry(row: &Suppression) -> Entry {
    Entry {
        sha256: hex(&row.person),
        added_at: row.added_at.rfc3339(),
        note: row.note.clone(),
    }
}

fn text_row(row: &Suppression) -> String {
    let Entry {
        sha256,
        added_at,
        note,
    } = entry(row);
    format!("{} {added_at} {}", sha256, visible(&note))
        .trim_end()
        .to_owned()
        + "\n"
}

/// Row by row, so that a long list is never in memory as a whole.
fn json_row(row: &Suppression, before: usize) -> serde_json::Result<String> {
    let comma = if before == 0 { "" } else { "," };
    Ok(format!("{comma}\n    {}", serde_json::to_string(&entry(row))?))
}
