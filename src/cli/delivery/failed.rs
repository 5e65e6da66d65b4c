//! `failed list|show|retry|discard`: the events that need a decision.

use clap::{ArgGroup, Args, Subcommand};
use serde::Serialize;

use crate::cli::context::{Context, view};
use crate::cli::execute::{another_answer, execute};
use crate::cli::exit::{Exit, UsageError};
use crate::cli::index::resync::parse_time;
use crate::cli::output::table::{AsciiTable, visible};
use crate::cli::output::{self, Paint};
use crate::daemon::control::selection::{Key, Selection};
use crate::daemon::control::{Outcome, Request};
use crate::daemon::requests::error::RequestError;
use crate::store::outbox::{ParkedEvent, ParkedFilter};
use crate::store::{Reader, StoreError};
use orderfeed_model::clock::UtcMillis;

/// `orderfeed failed …`
#[derive(Clone, Debug, Subcommand)]
pub enum FailedCommand {
    /// List events that were given up until somebody decides
    #[command(
        after_help = "Examples:\n  orderfeed failed list --website base\n  orderfeed failed list --since 2026-11-22T00:00:00Z --json"
    )]
    List(ListArgs),
    /// Show one event: why it failed, and its frozen body
    #[command(after_help = "Example:\n  orderfeed failed show 1042:invoiced:77")]
    Show(ShowArgs),
    /// Send events again, with the same bytes
    #[command(after_help = "Examples:\n  orderfeed failed retry 1042:invoiced:77\n  \
        orderfeed failed retry --code EXEG-0102-400\n  orderfeed failed retry --all")]
    Retry(WhichArgs),
    /// Give events up for good: they end as suppressed
    #[command(after_help = "Example:\n  orderfeed failed discard 1042:invoiced:77 --reason \"a test order\"")]
    Discard(DiscardArgs),
}

/// Options of `failed list`.
#[derive(Clone, Debug, Args)]
pub struct ListArgs {
    /// Which events
    #[command(flatten)]
    pub filter: FilterArgs,
    /// At most so many, oldest first
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub limit: usize,
    /// A JSON array
    #[arg(long)]
    pub json: bool,
}

/// Options of `failed show`.
#[derive(Clone, Debug, Args)]
pub struct ShowArgs {
    /// The event, as `failed list` prints it
    #[arg(value_name = "ORDER:KIND:DOCUMENT")]
    pub key: Key,
    /// A JSON object
    #[arg(long)]
    pub json: bool,
}

/// Which events a change is about: named, filtered, or all.
#[derive(Clone, Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).multiple(true))]
pub struct WhichArgs {
    /// Events, as `failed list` prints them
    #[arg(value_name = "ORDER:KIND:DOCUMENT", group = "which", conflicts_with_all = ["all", "order", "website", "code", "since", "until"])]
    pub keys: Vec<Key>,
    /// All of them
    #[arg(long, group = "which", conflicts_with_all = ["order", "website", "code", "since", "until"])]
    pub all: bool,
    /// Of the orders with this number
    #[arg(long, value_name = "NUMBER", group = "which")]
    pub order: Option<String>,
    /// Of this website
    #[arg(long, value_name = "CODE", group = "which")]
    pub website: Option<String>,
    /// With this code, such as EXEG-0102-400
    #[arg(long, value_name = "CODE", group = "which")]
    pub code: Option<String>,
    /// That failed at or after this
    #[arg(long, value_name = "TIME", group = "which", value_parser = parse_time)]
    pub since: Option<UtcMillis>,
    /// That failed before this
    #[arg(long, value_name = "TIME", group = "which", value_parser = parse_time)]
    pub until: Option<UtcMillis>,
    /// A JSON object with the counts
    #[arg(long)]
    pub json: bool,
}

/// Which events are listed.
#[derive(Clone, Debug, Default, Args)]
pub struct FilterArgs {
    /// Of the orders with this number
    #[arg(long, value_name = "NUMBER")]
    pub order: Option<String>,
    /// Of this website
    #[arg(long, value_name = "CODE")]
    pub website: Option<String>,
    /// With this code, such as EXEG-0102-400
    #[arg(long, value_name = "CODE")]
    pub code: Option<String>,
    /// That failed at or after this
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub since: Option<UtcMillis>,
    /// That failed before this
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub until: Option<UtcMillis>,
}

/// Options of `failed discard`.
#[derive(Clone, Debug, Args)]
pub struct DiscardArgs {
    /// Which events
    #[command(flatten)]
    pub which: WhichArgs,
    /// Why, for whoever looks later
    #[arg(long, value_name = "TEXT", default_value = "discarded by an operator")]
    pub reason: String,
}

/// A dead letter as it is shown.
#[derive(Clone, Debug, Serialize)]
struct ParkedRow {
    key: String,
    /// The order's number; none if its feed row is gone.
    order: Option<String>,
    website: String,
    code: String,
    detail: String,
    /// HTTP status of the last answer.
    status: Option<u16>,
    request_id: Option<String>,
    attempts: u32,
    parked_at: String,
}

/// Runs a `failed` command.
///
/// # Errors
/// If the store cannot be read, or as [`execute`].
pub async fn run(context: &Context, command: FailedCommand) -> anyhow::Result<Exit> {
    match command {
        FailedCommand::List(args) => list(context, &args),
        FailedCommand::Show(args) => show(context, &args),
        FailedCommand::Retry(which) => {
            let form = Form::of(which.json);
            let request = Request::RetryParked(selection(which));
            change(context, request, "orderfeed failed retry", "sent again", form).await
        }
        FailedCommand::Discard(args) => {
            let form = Form::of(args.which.json);
            let request = Request::DiscardParked {
                selection: selection(args.which),
                reason: args.reason,
            };
            change(context, request, "orderfeed failed discard", "discarded", form).await
        }
    }
}

fn list(context: &Context, args: &ListArgs) -> anyhow::Result<Exit> {
    let config = context.config()?;
    let rows = view(&config)?.read(|reader| Ok(rows(reader, args)))??;
    match args.json {
        true => output::json(&rows)?,
        false if rows.is_empty() => output::line("No event needs a decision")?,
        false => output::data(&render(&rows, Paint::for_stdout()))?,
    }
    if rows.len() == args.limit && !args.json {
        output::talk("There may be more; see --limit");
    }
    Ok(Exit::Ok)
}

fn show(context: &Context, args: &ShowArgs) -> anyhow::Result<Exit> {
    let config = context.config()?;
    let key = args.key;
    let found = view(&config)?.read(|reader| {
        let Some(event) = reader.parked_event(key.0)? else {
            return Ok(None);
        };
        Ok(Some((row(reader, &event)?, event.body)))
    })?;
    let Some((row, body)) = found else {
        return Err(UsageError(format!("{key} is not parked; see `orderfeed failed list`")).into());
    };
    let body: Option<serde_json::Value> = body.and_then(|json| serde_json::from_slice(&json).ok());
    match args.json {
        true => output::json(&serde_json::json!({ "event": row, "body": body }))?,
        false => output::data(&render_one(&row, body.as_ref()))?,
    }
    Ok(Exit::Ok)
}

/// For whom the result is.
#[derive(Clone, Copy, Debug)]
enum Form {
    Text,
    Json,
}

impl Form {
    fn of(json: bool) -> Self {
        if json { Self::Json } else { Self::Text }
    }
}

async fn change(
    context: &Context,
    request: Request,
    purpose: &str,
    done: &str,
    form: Form,
) -> anyhow::Result<Exit> {
    let outcome = execute(context, request, purpose).await?;
    let Outcome::Parked { events, missing } = outcome else {
        return Err(another_answer(&outcome));
    };
    match form {
        Form::Json => output::json(&serde_json::json!({ "events": events, "missing": missing }))?,
        Form::Text => output::line(&format!("{events} events are {done}"))?,
    }
    if missing > 0 {
        output::talk(&format!("{missing} of the named events are not parked"));
        return Ok(Exit::Failed);
    }
    Ok(Exit::Ok)
}

fn selection(which: WhichArgs) -> Selection {
    Selection {
        keys: which.keys,
        order: which.order,
        website: which.website,
        code: which.code,
        since: which.since,
        until: which.until,
    }
}

fn rows(reader: &Reader<'_>, args: &ListArgs) -> anyhow::Result<Vec<ParkedRow>> {
    let mut filter = ParkedFilter {
        order: None,
        website: None,
        code: args.filter.code.clone(),
        since: args.filter.since,
        until: args.filter.until,
    };
    if let Some(code) = &args.filter.website {
        let websites = reader.websites()?;
        let found = websites.iter().find(|(_, known)| known == code);
        filter.website = Some(
            found
                .map(|(id, _)| *id)
                .ok_or_else(|| unknown_website(code, &websites))?,
        );
    }
    let mut events = Vec::new();
    match &args.filter.order {
        None => events = reader.parked(&filter, args.limit)?,
        Some(number) => {
            for order in reader.orders_by_number(number)? {
                filter.order = Some(order);
                events.extend(reader.parked(&filter, args.limit)?);
            }
        }
    }
    Ok(events
        .iter()
        .map(|event| row(reader, event))
        .collect::<Result<_, StoreError>>()?)
}

fn unknown_website(code: &str, websites: &[(i64, String)]) -> RequestError {
    let known: Vec<&str> = websites.iter().map(|(_, code)| code.as_str()).collect();
    RequestError::UnknownWebsite {
        code: code.to_owned(),
        known: known.join(", "),
    }
}

fn row(reader: &Reader<'_>, event: &ParkedEvent) -> Result<ParkedRow, StoreError> {
    let websites = reader.websites()?;
    let website = websites.into_iter().find(|(id, _)| *id == event.website);
    Ok(ParkedRow {
        key: Key(event.key).to_string(),
        order: reader.feed_row(event.key.order)?.map(|(feed, _)| feed.number),
        website: website.map_or_else(|| event.website.to_string(), |(_, code)| code),
        code: event.code.clone(),
        detail: event.detail.clone(),
        status: event.status,
        request_id: event.request_id.clone(),
        attempts: event.attempts,
        parked_at: event.parked_at.rfc3339(),
    })
}

fn render(rows: &[ParkedRow], paint: Paint) -> String {
    let mut table = AsciiTable::new([
        "Event",
        "Order",
        "Website",
        "Failed At",
        "Attempts",
        "Code",
        "Detail",
    ]);
    for row in rows {
        table.row([
            row.key.as_str().into(),
            row.order.as_deref().unwrap_or("-").into(),
            row.website.as_str().into(),
            row.parked_at.as_str().into(),
            row.attempts.to_string().into(),
            row.code.as_str().into(),
            row.detail.as_str().into(),
        ]);
    }
    table.render(paint)
}

fn render_one(row: &ParkedRow, body: Option<&serde_json::Value>) -> String {
    let none = "-".to_owned();
    let fields = [
        ("Event", row.key.clone()),
        ("Order", row.order.clone().unwrap_or_else(|| none.clone())),
        ("Website", row.website.clone()),
        ("Failed at", row.parked_at.clone()),
        ("Attempts", row.attempts.to_string()),
        (
            "HTTP status",
            row.status
                .map_or_else(|| none.clone(), |status| status.to_string()),
        ),
        ("Request id", row.request_id.clone().unwrap_or(none)),
        ("Code", row.code.clone()),
        ("Detail", row.detail.clone()),
    ];
    let mut text: String = fields
        .iter()
        .map(|(name, value)| format!("{name:<12} {}\n", visible(value)))
        .collect();
    match body {
        Some(body) => text.push_str(&format!("Body\n{body:#}\n")),
        None => text.push_str("Body         could not be rendered; a retry reads the order again\n"),
    }
    text.push_str(&format!(
        "Next         orderfeed failed retry {0}   or   orderfeed failed discard {0}\n",
        row.key
    ));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parked() -> ParkedRow {
        ParkedRow {
            key: "1042:invoiced:77".into(),
            order: Some("000001042".into()),
            website: "base".into(),
            code: "EXEG-0102-400".into(),
            detail: "The value is not an integer\n\u{1b}[31mforged".into(),
            status: Some(400),
            request_id: Some("b1d3".into()),
            attempts: 1,
            parked_at: "2026-11-22T07:00:00.000Z".into(),
        }
    }

    #[test]
    fn the_list_names_what_other_commands_take() {
        insta::assert_snapshot!(render(&[parked()], Paint::Plain));
    }

    #[test]
    fn one_event_is_shown_with_its_body_and_the_next_step() {
        let body = serde_json::json!({ "xdm": { "_id": "x" } });
        insta::assert_snapshot!(render_one(&parked(), Some(&body)));
    }
}
