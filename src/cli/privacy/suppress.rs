//! `suppress`: manages the list of persons whose events are not sent.

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::cli::context::{Context, view};
use crate::cli::execute::{Session, another_answer};
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::cli::output::table::visible;
use crate::cli::privacy::import::{self, ImportArgs, render, suppress};
use crate::cli::privacy::persons::PersonArgs;
use crate::daemon::control::persons::{MAX_PERSONS, PersonId, Screening, Suppressed};
use crate::daemon::control::{Outcome, Request};
use crate::store::suppression::Suppression;

const PAGE: usize = 1_000;

#[derive(Clone, Debug, Subcommand)]
pub enum SuppressCommand {
    /// Add persons: their pending and future events are not sent and count as suppressed (local)
    #[command(
        after_help = "Events in flight may still be delivered; delivered events stay at the edge.\n\nExamples:\n  \
        orderfeed suppress add -               type addresses, one per line, then Ctrl-D\n  \
        orderfeed suppress add --file opt-outs.txt --note \"mail of 2026-11-20\"\n  \
        orderfeed suppress add --sha256 b4c9a289323b21a01c3e940f150eb9b8c542587f1abfd8f0e1cc1ffc5e475514"
    )]
    Add(SuppressAddArgs),
    /// Remove persons: their later events are sent; suppressed events stay suppressed
    #[command(
        after_help = "Exit code 1 if one of them was not on the list.\n\nExample:\n  \
        orderfeed suppress remove -            type addresses, one per line, then Ctrl-D"
    )]
    Remove(SuppressRemoveArgs),
    /// Print the list: hashes, times and notes; it contains no addresses
    #[command(
        after_help = "Examples:\n  orderfeed suppress list\n  orderfeed suppress list --count\n  \
        orderfeed suppress list --json | jq -r '.entries[].sha256' > list.txt"
    )]
    List(SuppressListArgs),
    /// Add all persons of a file
    #[command(
        after_help = "One address or SHA-256 per line, or a column of a CSV file; empty lines and lines that start \
        with # are skipped. An invalid line is reported by its number and skipped, and the exit code is 1. Importing a \
        file twice changes nothing.\n\nExamples:\n  \
        orderfeed suppress import opt-outs.txt\n  \
        orderfeed suppress import customers.csv --column email --note \"newsletter, 2026-11\"\n  \
        orderfeed suppress list --json | jq -r '.entries[].sha256' | \
        orderfeed --config other.toml suppress import -"
    )]
    Import(ImportArgs),
}

#[derive(Clone, Debug, Args)]
pub struct SuppressAddArgs {
    #[command(flatten)]
    pub persons: PersonArgs,
    /// Reason or origin, stored with each person; must not contain an address
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub note: String,
    /// Print a JSON object with the counts
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
pub struct SuppressRemoveArgs {
    #[command(flatten)]
    pub persons: PersonArgs,
    /// Print a JSON object with the counts
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Copy, Debug, Args)]
pub struct SuppressListArgs {
    /// Print only the number of persons on the list
    #[arg(long)]
    pub count: bool,
    /// Print a JSON object
    #[arg(long)]
    pub json: bool,
}

pub async fn run(context: &Context, command: SuppressCommand) -> anyhow::Result<Exit> {
    match command {
        SuppressCommand::Add(args) => add(context, args).await,
        SuppressCommand::Remove(args) => remove(context, &args).await,
        SuppressCommand::List(args) => list(context, args),
        SuppressCommand::Import(args) => import::run(context, args).await,
    }
}

async fn add(context: &Context, args: SuppressAddArgs) -> anyhow::Result<Exit> {
    let persons = args.persons.persons()?;
    let mut session = Session::new(context, "orderfeed suppress add")?;
    let mut sum = Suppressed::default();
    let chunks = persons.chunks(MAX_PERSONS).count();
    for (number, chunk) in (1..).zip(persons.chunks(MAX_PERSONS)) {
        // Pending events are screened once, when the list is complete.
        let screening = match number == chunks {
            true => Screening::Now,
            false => Screening::Later,
        };
        suppress(&mut session, chunk, &args.note, screening, &mut sum).await?;
    }
    output::result(args.json, &sum, || render(&sum))?;
    Ok(Exit::Ok)
}

async fn remove(context: &Context, args: &SuppressRemoveArgs) -> anyhow::Result<Exit> {
    let persons = args.persons.persons()?;
    let mut session = Session::new(context, "orderfeed suppress remove")?;
    let (mut removed, mut missing) = (0, 0);
    // The size of a request is limited.
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
            "{removed} persons removed from the suppression list; their later events are sent, suppressed ones stay suppressed"
        ))?,
    }
    if missing > 0 {
        output::notice(&format!("{missing} of the persons were not on the list"));
        return Ok(Exit::Failed);
    }
    Ok(Exit::Ok)
}

#[derive(Debug, Serialize)]
struct SuppressionRow {
    sha256: String,
    added_at: String,
    note: String,
}

fn list(context: &Context, args: SuppressListArgs) -> anyhow::Result<Exit> {
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
        // By key rather than by offset: concurrent changes neither skip nor repeat a row.
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
        false => output::notice(&format!("{count} persons are on the suppression list")),
    }
    Ok(Exit::Ok)
}

fn row(suppression: &Suppression) -> SuppressionRow {
    SuppressionRow {
        sha256: hex::encode(suppression.person),
        added_at: suppression.added_at.rfc3339(),
        note: suppression.note.clone(),
    }
}

fn text_row(suppression: &Suppression) -> String {
    let row = row(suppression);
    let text = format!("{} {} {}", row.sha256, row.added_at, visible(&row.note));
    format!("{}\n", text.trim_end())
}

/// Formats a row as JSON. The array is written row by row, so that a long list is never in memory as a whole.
fn json_row(suppression: &Suppression, before: usize) -> serde_json::Result<String> {
    let comma = if before == 0 { "" } else { "," };
    Ok(format!(
        "{comma}\n    {}",
        serde_json::to_string(&row(suppression))?
    ))
}
