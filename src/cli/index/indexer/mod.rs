//! `indexer:*`, with Commerce's output.

use clap::Args;

use crate::cli::context::{Context, view};
use crate::cli::execute::{another_answer, execute};
use crate::cli::exit::Exit;
use crate::cli::output::table::{AsciiTable, Cell, Tone};
use crate::cli::output::{self, Paint};
use crate::daemon::control::{Outcome, Rebuilt, Request};
use crate::ops::status::IndexSnapshot;
use crate::store::views::{IndexerStatus, TITLE, VIEW_ID, ViewMode};

#[derive(Clone, Debug, Default, Args)]
pub struct IndexerArgs {
    /// Ids of indexers; the only one is sales_order_data_exporter_v2
    #[arg(value_name = "INDEX")]
    pub index: Vec<String>,
}

/// The error for an unknown indexer, in Commerce's words.
#[derive(Debug, thiserror::Error)]
#[error("The following requested index types are not supported: '{}'.\nSupported types: {VIEW_ID}", .0.join("', '"))]
struct UnknownIndexers(Vec<String>);

impl IndexerArgs {
    fn check(&self) -> anyhow::Result<()> {
        // `all` stands for every indexer.
        let unknown = self.index.iter().filter(|id| *id != VIEW_ID && *id != "all");
        let unknown: Vec<String> = unknown.cloned().collect();
        match unknown.is_empty() {
            true => Ok(()),
            false => Err(UnknownIndexers(unknown).into()),
        }
    }
}

pub fn info() -> anyhow::Result<Exit> {
    output::data(&render_info())?;
    Ok(Exit::Ok)
}

/// Runs `indexer:status`, `indexer:status:mview` or `indexer:show-mode`, depending on `render`.
pub fn show(
    context: &Context,
    indexers: &IndexerArgs,
    render: fn(&IndexSnapshot, Paint) -> String,
) -> anyhow::Result<Exit> {
    indexers.check()?;
    let config = context.config()?;
    let snapshot = view(&config)?.read(IndexSnapshot::read)?;
    output::data(&render(&snapshot, Paint::for_stdout()))?;
    Ok(Exit::Ok)
}

/// Returns the name of the user who runs this command, for the log and `status`. Behind sudo it is the user who ran sudo.
pub fn operator() -> String {
    let names = ["SUDO_USER", "LOGNAME", "USER"].into_iter();
    names
        .filter_map(|name| std::env::var(name).ok())
        .find(|name| !name.is_empty())
        .unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()))
}

/// Runs a command that changes the index. `purpose` is the command, which the lock shows to other processes.
pub async fn change(
    context: &Context,
    indexers: &IndexerArgs,
    request: Request,
    purpose: &str,
) -> anyhow::Result<Exit> {
    indexers.check()?;
    let outcome = execute(context, request, purpose).await?;
    let sentence = render_outcome(&outcome).ok_or_else(|| another_answer(&outcome))?;
    output::line(&sentence)?;
    // On stderr, because Commerce prints no counts.
    if let Outcome::Reindexed(rebuilt) = &outcome {
        output::notice(&reindex_counts(rebuilt));
    }
    Ok(Exit::Ok)
}

fn render_info() -> String {
    // The width of Commerce's column.
    format!("{VIEW_ID:<40} {TITLE}\n")
}

pub fn render_status(index: &IndexSnapshot, paint: Paint) -> String {
    let mut table = AsciiTable::new("ID | Title | Status | Update On | Schedule Status | Schedule Updated");
    let (update_on, schedule, schedule_updated) = match index.mode {
        // Without a schedule its columns are empty, as in Commerce.
        ViewMode::Realtime => ("Save", Cell::from(""), String::new()),
        ViewMode::Schedule => {
            let text = format!("{} ({} in backlog)", index.view_status.as_str(), index.backlog);
            (
                "Schedule",
                Cell::toned(&text, backlog_tone(index)),
                updated(index),
            )
        }
    };
    table.row([
        VIEW_ID.into(),
        TITLE.into(),
        Cell::toned(status_word(index.status), status_tone(index.status)),
        update_on.into(),
        schedule,
        schedule_updated.into(),
    ]);
    table.render(paint)
}

pub fn render_mview(index: &IndexSnapshot, paint: Paint) -> String {
    let mut table = AsciiTable::new("ID | Mode | Status | Updated | Version ID | Backlog");
    table.row([
        VIEW_ID.into(),
        index.mode.as_str().into(),
        index.view_status.as_str().into(),
        updated(index).into(),
        index.version.to_string().into(),
        Cell::toned(&index.backlog.to_string(), backlog_tone(index)),
    ]);
    table.render(paint)
}

pub fn render_mode(index: &IndexSnapshot, _paint: Paint) -> String {
    // The width of Commerce's column.
    format!("{:<50} {}\n", format!("{TITLE}:"), mode_word(index.mode))
}

fn updated(index: &IndexSnapshot) -> String {
    index.view_updated.map_or_else(String::new, |at| at.0.sql())
}

fn render_outcome(outcome: &Outcome) -> Option<String> {
    let sentence = match outcome {
        Outcome::Mode { from, to } if from == to => {
            format!("Index mode for Indexer {TITLE} has not been changed")
        }
        Outcome::Mode { from, to } => format!(
            "Index mode for Indexer {TITLE} was changed from '{}' to '{}'",
            mode_word(*from),
            mode_word(*to)
        ),
        Outcome::Reindexed(rebuilt) => format!(
            "{TITLE} index has been rebuilt successfully in {}",
            clock_duration(rebuilt.duration_ms)
        ),
        Outcome::Invalidated => format!("{TITLE} indexer has been invalidated."),
        Outcome::Status { from, to } if from == to => {
            format!("Index status for Indexer '{TITLE}' has not been changed.")
        }
        Outcome::Status { from, to } => {
            format!("Index status for Indexer '{TITLE}' was changed from '{from}' to '{to}'.")
        }
        _ => return None,
    };
    Some(sentence)
}

fn reindex_counts(rebuilt: &Rebuilt) -> String {
    let failures = match rebuilt.failures {
        0 => String::new(),
        count => format!("; {count} orders could not be indexed and are retried; see `orderfeed status`"),
    };
    format!(
        "{} orders, {} new events{failures}",
        rebuilt.orders, rebuilt.events
    )
}

pub(crate) fn status_word(status: IndexerStatus) -> &'static str {
    match status {
        IndexerStatus::Valid => "Ready",
        IndexerStatus::Invalid => "Reindex required",
        IndexerStatus::Working => "Processing",
        IndexerStatus::Suspended => "Suspended",
    }
}

fn status_tone(status: IndexerStatus) -> Tone {
    match status {
        IndexerStatus::Valid => Tone::Good,
        IndexerStatus::Working => Tone::Plain,
        IndexerStatus::Invalid | IndexerStatus::Suspended => Tone::Bad,
    }
}

fn backlog_tone(index: &IndexSnapshot) -> Tone {
    match index.backlog {
        0 => Tone::Good,
        _ => Tone::Bad,
    }
}

pub(crate) fn mode_word(mode: ViewMode) -> &'static str {
    match mode {
        ViewMode::Schedule => "Update by Schedule",
        ViewMode::Realtime => "Update on Save",
    }
}

/// Formats the duration of a reindex as Commerce does: `HH:MM:SS`.
fn clock_duration(millis: u64) -> String {
    let secs = millis / 1000;
    format!("{:02}:{:02}:{:02}", secs / 3600, secs / 60 % 60, secs % 60)
}

#[cfg(test)]
mod tests;
