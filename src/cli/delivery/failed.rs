//! `failed`: lists, shows, retries and discards parked events.

use clap::{ArgGroup, Args, Subcommand};
use serde::Serialize;
use serde_json::{Value, json};

use crate::cli::context::{Context, view};
use crate::cli::execute::{another_answer, execute};
use crate::cli::exit::{Exit, UsageError};
use crate::cli::output::table::{AsciiTable, visible};
use crate::cli::output::{self, Paint};
use crate::daemon::control::selection::{Key, Selection, SelectionFilter};
use crate::daemon::control::{Outcome, Request};
use crate::daemon::requests::error::RequestError;
use crate::ops::sentence;
use crate::store::outbox::{ParkedEvent, ParkedFilter};
use crate::store::{Reader, StoreError};

#[derive(Clone, Debug, Subcommand)]
pub enum FailedCommand {
    /// List parked events, which the edge refused for good
    #[command(after_help = "Examples:\n  orderfeed failed list --website base\n  \
        orderfeed failed list --since 2026-11-22T00:00:00Z --json")]
    List(FailedListArgs),
    /// Show one event: why it was parked, and its body
    #[command(after_help = "Example:\n  orderfeed failed show 1042:invoiced:77")]
    Show(FailedShowArgs),
    /// Send events again, with the same bytes
    #[command(after_help = "Examples:\n  orderfeed failed retry 1042:invoiced:77\n  \
        orderfeed failed retry --code EXEG-0102-400\n  orderfeed failed retry --all")]
    Retry(ParkedEventsArgs),
    /// Discard events: they are never sent, and count as suppressed
    #[command(after_help = "Example:\n  orderfeed failed discard 1042:invoiced:77 --reason \"a test order\"")]
    Discard(DiscardArgs),
}

#[derive(Clone, Debug, Args)]
pub struct FailedListArgs {
    #[command(flatten)]
    pub filter: SelectionFilter,
    /// Largest number of events, oldest first
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub limit: usize,
    /// Print a JSON array
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
pub struct FailedShowArgs {
    /// Key of the event, as `failed list` prints it
    #[arg(value_name = "ORDER:KIND:DOCUMENT")]
    pub key: Key,
    /// Print a JSON object
    #[arg(long)]
    pub json: bool,
}

/// The events that a change applies to: named, filtered, or all.
#[derive(Clone, Debug, Args)]
// At least one argument is required, so that a forgotten filter does not select every event.
#[command(group = ArgGroup::new("which").required(true).multiple(true)
    .args(["keys", "all", "order", "website", "code", "kind", "since", "until"]))]
pub struct ParkedEventsArgs {
    /// Keys of events, as `failed list` prints them
    #[arg(value_name = "ORDER:KIND:DOCUMENT", conflicts_with_all = ["all", "order", "website", "code", "kind", "since", "until"])]
    pub keys: Vec<Key>,
    /// All parked events
    #[arg(long, conflicts_with_all = ["order", "website", "code", "kind", "since", "until"])]
    pub all: bool,
    #[command(flatten)]
    pub filter: SelectionFilter,
    /// Print a JSON object with the counts
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
pub struct DiscardArgs {
    #[command(flatten)]
    pub events: ParkedEventsArgs,
    /// Reason, stored with each event
    #[arg(long, value_name = "TEXT", default_value = "discarded by an operator")]
    pub reason: String,
}

impl ParkedEventsArgs {
    fn selection(self) -> Selection {
        Selection {
            keys: self.keys,
            filter: self.filter,
        }
    }
}

/// A parked event, as both outputs show it.
#[derive(Clone, Debug, Serialize)]
struct ParkedRow {
    key: String,
    /// Number of the order. `None` if its feed row was deleted.
    order: Option<String>,
    website: String,
    code: String,
    /// In a list only the title: the rest may quote the event.
    detail: String,
    /// HTTP status of the last answer.
    status: Option<u16>,
    request_id: Option<String>,
    attempts: u32,
    parked_at: String,
}

pub async fn run(context: &Context, command: FailedCommand) -> anyhow::Result<Exit> {
    match command {
        FailedCommand::List(args) => list(context, &args),
        FailedCommand::Show(args) => show(context, &args),
        FailedCommand::Retry(args) => {
            let json = args.json;
            let request = Request::RetryParked(args.selection());
            change(context, request, "orderfeed failed retry", "sent again", json).await
        }
        FailedCommand::Discard(args) => {
            let json = args.events.json;
            let request = Request::DiscardParked {
                selection: args.events.selection(),
                reason: args.reason,
            };
            change(context, request, "orderfeed failed discard", "discarded", json).await
        }
    }
}

fn list(context: &Context, args: &FailedListArgs) -> anyhow::Result<Exit> {
    let config = context.config()?;
    let rows = view(&config)?.read(|reader| Ok(rows(reader, args)))??;
    output::result(args.json, &rows, || match rows.as_slice() {
        [] => "No parked events\n".to_owned(),
        rows => render(rows, Paint::for_stdout()),
    })?;
    if rows.len() == args.limit && !args.json {
        output::notice("There may be more; use --limit to list them");
    }
    Ok(Exit::Ok)
}

fn show(context: &Context, args: &FailedShowArgs) -> anyhow::Result<Exit> {
    let config = context.config()?;
    let key = args.key;
    let found = view(&config)?.read(|reader| {
        let Some(event) = reader.parked_event(key.0)? else {
            return Ok(None);
        };
        let mut row = row(reader, &reader.websites()?, &event)?;
        row.detail = event.detail.replace('\n', " ").trim().to_owned();
        Ok(Some((row, event.body)))
    })?;
    let Some((row, body)) = found else {
        return Err(UsageError(format!("{key} is not parked; see `orderfeed failed list`")).into());
    };
    // Parsed, so that it can be printed with indentation.
    let body: Option<Value> = body.and_then(|json| serde_json::from_slice(&json).ok());
    let shown = json!({ "event": row, "body": body });
    output::result(args.json, &shown, || render_one(&row, body.as_ref()))?;
    Ok(Exit::Ok)
}

async fn change(
    context: &Context,
    request: Request,
    purpose: &str,
    done: &str,
    as_json: bool,
) -> anyhow::Result<Exit> {
    let outcome = execute(context, request, purpose).await?;
    let Outcome::Parked { events, missing } = outcome else {
        return Err(another_answer(&outcome));
    };
    let counts = json!({ "events": events, "missing": missing });
    output::result(as_json, &counts, || {
        format!("{} {done}\n", sentence::count(events, "event"))
    })?;
    if missing > 0 {
        output::notice(&format!("{} not parked", sentence::count(missing, "named event")));
        return Ok(Exit::Failed);
    }
    Ok(Exit::Ok)
}

fn rows(reader: &Reader<'_>, args: &FailedListArgs) -> anyhow::Result<Vec<ParkedRow>> {
    let websites = reader.websites()?;
    let mut filter = ParkedFilter {
        order: None,
        website: None,
        code: args.filter.code.clone(),
        kind: args.filter.kind.map(|kind| kind.0.code()),
        since: args.filter.since,
        until: args.filter.until,
    };
    if let Some(code) = &args.filter.website {
        let found = websites.iter().find(|(_, known)| known == code);
        let (id, _) = found
            .ok_or_else(|| RequestError::unknown_website(code, websites.iter().map(|(_, code)| code)))?;
        filter.website = Some(*id);
    }
    let mut events = Vec::new();
    match &args.filter.order {
        None => events = reader.parked(&filter, args.limit)?,
        Some(number) => {
            // Store views may use the same number for different orders.
            for order in reader.orders_by_number(number)? {
                filter.order = Some(order);
                events.extend(reader.parked(&filter, args.limit)?);
            }
        }
    }
    let rows = events.iter().map(|event| row(reader, &websites, event));
    Ok(rows.collect::<Result<_, StoreError>>()?)
}

fn row(
    reader: &Reader<'_>,
    websites: &[(i64, String)],
    event: &ParkedEvent,
) -> Result<ParkedRow, StoreError> {
    let website = websites.iter().find(|(id, _)| *id == event.website);
    Ok(ParkedRow {
        key: Key(event.key).to_string(),
        order: reader.feed_row(event.key.order)?.map(|(feed, _)| feed.number),
        website: website.map_or_else(|| event.website.to_string(), |(_, code)| code.clone()),
        code: event.code.clone(),
        detail: event.title().to_owned(),
        status: event.status,
        request_id: event.request_id.clone(),
        attempts: event.attempts,
        parked_at: event.parked_at.rfc3339(),
    })
}

fn render(rows: &[ParkedRow], paint: Paint) -> String {
    let mut table = AsciiTable::new("Event | Order | Website | Parked At | Attempts | Code | Title");
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

fn render_one(row: &ParkedRow, body: Option<&Value>) -> String {
    let status = row.status.map(|status| status.to_string());
    let fields = [
        ("Event", row.key.as_str()),
        ("Order", row.order.as_deref().unwrap_or("-")),
        ("Website", &row.website),
        ("Parked at", &row.parked_at),
        ("Attempts", &row.attempts.to_string()),
        ("HTTP status", status.as_deref().unwrap_or("-")),
        ("Request id", row.request_id.as_deref().unwrap_or("-")),
        ("Code", &row.code),
        ("Detail", &row.detail),
    ];
    // The detail is a text of the edge, which may contain control characters.
    let fields = fields.map(|(name, value)| format!("{name:<12} {}\n", visible(value)));
    let body = match body {
        Some(body) => format!("Body\n{body:#}\n"),
        None => "Body         could not be rendered; a retry reads the order again\n".to_owned(),
    };
    let key = &row.key;
    let next = format!("Next         orderfeed failed retry {key}   or   orderfeed failed discard {key}\n");
    fields.concat() + &body + &next
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
            detail: "The value is not an integer\u{1b}[31mforged".into(),
            status: Some(400),
            request_id: Some("b1d3".into()),
            attempts: 1,
            parked_at: "2026-11-22T07:00:00.000Z".into(),
        }
    }

    #[test]
    fn the_list_contains_the_keys_for_other_commands() {
        insta::assert_snapshot!(render(&[parked()], Paint::Plain));
    }

    #[test]
    fn one_event_is_shown_with_its_body_and_the_next_step() {
        let body = json!({ "xdm": { "_id": "x" } });
        insta::assert_snapshot!(render_one(&parked(), Some(&body)));
    }
}
