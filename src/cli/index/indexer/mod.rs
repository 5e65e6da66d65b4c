//! The `indexer:*` family, with Commerce's output.

use clap::Args;

use crate::cli::context::{Context, view};
use crate::cli::execute::{another_answer, execute};
use crate::cli::exit::Exit;
use crate::cli::output::table::{AsciiTable, Cell, Tone};
use crate::cli::output::{self, Paint};
use crate::daemon::control::{Mode, Outcome, Rebuilt, ReindexOptions, Request, Status};
use crate::ops::status::IndexSnapshot;
use crate::store::views::{IndexerStatus, TITLE, VIEW_ID, ViewMode};

/// Indexers, by id.
#[derive(Clone, Debug, Default, Args)]
pub struct Indexers {
    /// Which indexers; there is one: sales_order_data_exporter_v2
    #[arg(value_name = "INDEX")]
    pub index: Vec<String>,
}

/// `indexer:set-mode`
#[derive(Clone, Debug, Args)]
pub struct SetModeArgs {
    /// Update on save, or by schedule
    #[arg(value_enum)]
    pub mode: Mode,
    /// Which indexers
    #[command(flatten)]
    pub indexers: Indexers,
}

/// `indexer:set-status`
#[derive(Clone, Debug, Args)]
pub struct SetStatusArgs {
    /// The status
    #[arg(value_enum)]
    pub status: Status,
    /// Which indexers
    #[command(flatten)]
    pub indexers: Indexers,
}

/// `indexer:reindex`
#[derive(Clone, Debug, Args)]
pub struct ReindexArgs {
    /// Which indexers
    #[command(flatten)]
    pub indexers: Indexers,
    /// Orders in one batch, instead of index.batch_size
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub batch_size: Option<u32>,
}

/// An indexer that there is not, in Commerce's words.
#[derive(Debug, thiserror::Error)]
#[error("The following requested index types are not supported: '{}'.\nSupported types: {VIEW_ID}", .0.join("', '"))]
struct UnknownIndexers(Vec<String>);

impl Indexers {
    fn check(&self) -> anyhow::Result<()> {
        let unknown: Vec<String> = self
            .index
            .iter()
            .filter(|id| *id != VIEW_ID && *id != "all")
            .cloned()
            .collect();
        match unknown.is_empty() {
            true => Ok(()),
            false => Err(UnknownIndexers(unknown).into()),
        }
    }
}

/// `indexer:info`
///
/// # Errors
/// If stdout cannot be written.
pub fn info() -> anyhow::Result<Exit> {
    output::data(&render_info())?;
    Ok(Exit::Ok)
}

/// `indexer:status`, `indexer:status:mview` or `indexer:show-mode`: `render` is one of them.
///
/// # Errors
/// If there is no such indexer, or the store cannot be read.
pub fn show(
    context: &Context,
    indexers: &Indexers,
    render: fn(&IndexSnapshot, Paint) -> String,
) -> anyhow::Result<Exit> {
    indexers.check()?;
    let config = context.config()?;
    let snapshot = view(&config)?.read(IndexSnapshot::read)?;
    output::data(&render(&snapshot, Paint::for_stdout()))?;
    Ok(Exit::Ok)
}

/// `indexer:set-mode`
///
/// # Errors
/// As [`execute`].
pub async fn set_mode(context: &Context, args: &SetModeArgs) -> anyhow::Result<Exit> {
    let request = Request::SetMode { mode: args.mode };
    change(context, &args.indexers, request, "orderfeed indexer:set-mode").await
}

/// `indexer:reindex`
///
/// # Errors
/// As [`execute`].
pub async fn reindex(context: &Context, args: &ReindexArgs) -> anyhow::Result<Exit> {
    let request = Request::Reindex(ReindexOptions {
        batch_size: args.batch_size,
    });
    change(context, &args.indexers, request, "orderfeed indexer:reindex").await
}

/// `indexer:reset`
///
/// # Errors
/// As [`execute`].
pub async fn reset(context: &Context, indexers: &Indexers) -> anyhow::Result<Exit> {
    change(context, indexers, Request::Reset, "orderfeed indexer:reset").await
}

/// `indexer:set-status`
///
/// # Errors
/// As [`execute`].
pub async fn set_status(context: &Context, args: &SetStatusArgs) -> anyhow::Result<Exit> {
    let request = Request::SetStatus { status: args.status };
    change(context, &args.indexers, request, "orderfeed indexer:set-status").await
}

async fn change(
    context: &Context,
    indexers: &Indexers,
    request: Request,
    purpose: &str,
) -> anyhow::Result<Exit> {
    indexers.check()?;
    let outcome = execute(context, request, purpose).await?;
    let sentence = render_outcome(&outcome).ok_or_else(|| another_answer(&outcome))?;
    output::line(&sentence)?;
    if let Outcome::Reindexed(rebuilt) = &outcome {
        output::talk(&reindexed_beside(rebuilt));
    }
    Ok(Exit::Ok)
}

fn render_info() -> String {
    format!("{VIEW_ID:<40} {TITLE}\n")
}

/// `indexer:status`
pub fn render_status(index: &IndexSnapshot, paint: Paint) -> String {
    let mut table = AsciiTable::new([
        "ID",
        "Title",
        "Status",
        "Update On",
        "Schedule Status",
        "Schedule Updated",
    ]);
    let (update_on, schedule, schedule_updated) = match index.mode {
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

/// `indexer:status:mview`
pub fn render_mview(index: &IndexSnapshot, paint: Paint) -> String {
    let mut table = AsciiTable::new(["ID", "Mode", "Status", "Updated", "Version ID", "Backlog"]);
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

/// `indexer:show-mode`
pub fn render_mode(index: &IndexSnapshot, _paint: Paint) -> String {
    format!("{:<50} {}\n", format!("{TITLE}:"), mode_word(index.mode))
}

fn updated(index: &IndexSnapshot) -> String {
    index.view_updated.map_or_else(String::new, |at| at.0.sql())
}

/// The sentence of Commerce for what was changed.
fn render_outcome(outcome: &Outcome) -> Option<String> {
    let sentence = match outcome {
        Outcome::Mode { from, to } if from == to => {
            format!("Index mode for Indexer {TITLE} has not been changed")
        }
        Outcome::Mode { from, to } => format!(
            "Index mode for Indexer {TITLE} was changed from '{}' to '{}'",
            update_word(*from),
            update_word(*to)
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

fn reindexed_beside(rebuilt: &Rebuilt) -> String {
    let failures = match rebuilt.failures {
        0 => String::new(),
        count => format!("; {count} orders could not be indexed and are retried, see `orderfeed status`"),
    };
    format!(
        "{} orders, {} new events{failures}",
        rebuilt.orders, rebuilt.events
    )
}

fn status_word(status: IndexerStatus) -> &'static str {
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

fn mode_word(mode: ViewMode) -> &'static str {
    match mode {
        ViewMode::Schedule => "Update by Schedule",
        ViewMode::Realtime => "Update on Save",
    }
}

fn update_word(mode: Mode) -> &'static str {
    match mode {
        Mode::Schedule => mode_word(ViewMode::Schedule),
        Mode::Realtime => mode_word(ViewMode::Realtime),
    }
}

/// `HH:MM:SS`, whole seconds, as Commerce prints how long a reindex took.
fn clock_duration(millis: u64) -> String {
    let secs = millis / 1000;
    format!("{:02}:{:02}:{:02}", secs / 3600, secs / 60 % 60, secs % 60)
}

#[cfg(test)]
mod tests;
