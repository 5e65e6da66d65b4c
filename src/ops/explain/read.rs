//! Taking the snapshot: everything from one read transaction.

use std::path::Path;

use crate::ops::explain::events::{OrderContext, explain_events};
use crate::ops::explain::shop::{explain_shop, found_ids, gone, missing};
use crate::ops::explain::{
    ExplainRequest, ExplainedChange, ExplainedEvent, ExplainedFeed, ExplainedIndexFailure, ExplainedOrder,
    ExplainedSource, Explanation, FoundOrder, MissingEvent, SHAPE, SourceAnswer, SourceOrder,
};
use crate::ops::status::{DaemonStatus, Moment, SenderStatus};
use crate::store::feed::Exported;
use crate::store::{Reader, StoreError, StoreLock};

/// Changes that are shown: the latest.
const MOST_CHANGES: usize = 20;

impl Explanation {
    /// Takes it from the store at `path`, on which `reader` is open.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn read(reader: &Reader<'_>, path: &Path, request: &ExplainRequest) -> Result<Self, StoreError> {
        let daemon = DaemonStatus::of(StoreLock::holder(path).as_deref());
        let mut ids = reader.orders_by_number(&request.number)?;
        ids.extend(found_ids(&request.answer));
        ids.sort_unstable();
        ids.dedup();
        let orders = ids
            .into_iter()
            .map(|id| explain_order(reader, id, request, daemon.running));
        Ok(Self {
            version: SHAPE,
            number: request.number.clone(),
            taken_at: Moment(request.now),
            orders: orders.collect::<Result<_, _>>()?,
            daemon,
            source: match &request.answer {
                SourceAnswer::Answered(_) => ExplainedSource {
                    reachable: true,
                    reason: None,
                },
                SourceAnswer::Unreachable(reason) => ExplainedSource {
                    reachable: false,
                    reason: Some(reason.clone()),
                },
            },
        })
    }
}

fn explain_order(
    reader: &Reader<'_>,
    id: i64,
    request: &ExplainRequest,
    daemon_runs: bool,
) -> Result<ExplainedOrder, StoreError> {
    let found = reader.feed_row(id)?;
    let seen = found_with_id(&request.answer, id);
    let whole = match seen {
        Some(FoundOrder::Whole(order)) => Some(order),
        _ => None,
    };
    let (row_website, feed) = match found {
        Some((row, deleted)) => (row.website, Some(explain_feed(row, deleted))),
        None => (None, None),
    };
    let website = website_of(reader, row_website, whole)?;
    let sender = sender_of(reader, website.as_deref())?;
    let surroundings = OrderContext {
        now: request.now,
        data_space: request.data_space,
        daemon_runs,
        website: website.as_deref(),
        has_destination: website
            .as_ref()
            .is_some_and(|code| request.sending.contains(code)),
        sender: sender.as_ref(),
        facts: whole.map_or(&[], |order| order.facts.as_slice()),
    };
    let known = reader.events_of(id)?;
    let events = explain_events(reader, &known, &surroundings)?;
    let changes = changes(reader, id)?;
    let index_failure = reader.index_failure(id)?.map(|failure| ExplainedIndexFailure {
        reason: failure.reason,
        attempts: failure.attempts,
        due_at: Moment(failure.due_at),
    });
    let missing = whole.map_or_else(Vec::new, |order| {
        missing(
            order,
            &known,
            request,
            &changes,
            feed.as_ref(),
            index_failure.as_ref(),
            daemon_runs,
        )
    });
    let shop = match (&request.answer, seen) {
        (SourceAnswer::Unreachable(_), _) => None,
        (SourceAnswer::Answered(_), Some(seen)) => Some(explain_shop(seen)),
        (SourceAnswer::Answered(_), None) => Some(gone()),
    };
    Ok(ExplainedOrder {
        entity_id: id,
        website,
        summary: summary(&events, &missing, feed.as_ref(), index_failure.as_ref(), whole),
        shop,
        changes,
        feed,
        index_failure,
        sender,
        events,
        missing,
    })
}

fn found_with_id(answer: &SourceAnswer, id: i64) -> Option<&FoundOrder> {
    match answer {
        SourceAnswer::Answered(seen) => seen.iter().find(|seen| seen.id() == id),
        SourceAnswer::Unreachable(_) => None,
    }
}

fn explain_feed(row: crate::store::feed::FeedRow, deleted: bool) -> ExplainedFeed {
    ExplainedFeed {
        hash: row
            .hash
            .map(|hash| hash.iter().take(4).map(|byte| format!("{byte:02x}")).collect()),
        exported: row.exported == Exported::Yes,
        follows: row.exported == Exported::OutboxFull,
        reason: row.exported.as_sentence(),
        deleted,
        modified_at: Moment(row.modified_at),
    }
}

/// The website by the feed, else by the source.
fn website_of(
    reader: &Reader<'_>,
    row: Option<i64>,
    seen: Option<&SourceOrder>,
) -> Result<Option<String>, StoreError> {
    let codes = reader.websites()?;
    let by_feed = row.and_then(|website| codes.into_iter().find(|(id, _)| *id == website));
    let by_source = || seen?.website.clone();
    Ok(by_feed.map(|(_, code)| code).or_else(by_source))
}

fn sender_of(reader: &Reader<'_>, website: Option<&str>) -> Result<Option<SenderStatus>, StoreError> {
    let Some(code) = website else { return Ok(None) };
    let websites = reader.websites()?;
    let Some((id, _)) = websites.iter().find(|(_, known)| known == code) else {
        return Ok(None);
    };
    let senders = reader.senders()?;
    let row = senders.iter().find(|sender| sender.website == *id);
    Ok(Some(SenderStatus::of(code, row)))
}

fn changes(reader: &Reader<'_>, id: i64) -> Result<Vec<ExplainedChange>, StoreError> {
    let version = reader.view_state()?.map_or(0, |view| view.version);
    let mut changes: Vec<_> = reader
        .changes_of(id, MOST_CHANGES)?
        .into_iter()
        .map(|change| ExplainedChange {
            version: change.version,
            table: change.table,
            op: change.op,
            observed_at: Moment(change.observed_at),
            indexed: change.version <= version,
        })
        .collect();
    changes.reverse();
    Ok(changes)
}

/// The order's life in one sentence: what needs a person first, then what waits, then what is fine.
fn summary(
    events: &[ExplainedEvent],
    missing: &[MissingEvent],
    feed: Option<&ExplainedFeed>,
    failure: Option<&ExplainedIndexFailure>,
    seen: Option<&SourceOrder>,
) -> String {
    let count = |state: &str| events.iter().filter(|event| event.state == state).count();
    let retried = events
        .iter()
        .filter(|event| event.export_status == Some("Failed, will retry"))
        .count();
    let unused = events
        .iter()
        .filter(|event| event.state == "suppressed" && event.export_status.is_some())
        .count();
    let withheld = missing
        .iter()
        .filter(|event| event.why.starts_with("withheld"))
        .count();
    let mut parts = Vec::new();
    for (number, words) in [
        (count("parked"), "failed and requires attention"),
        (retried, "failed and will be sent again"),
        (count("pending") - retried, "awaiting submission"),
        (missing.len() - withheld, "not an event yet"),
        (withheld, "withheld"),
        (count("suppressed") - unused, "given up"),
        (unused, "submitted and not used"),
        (count("delivered"), "submitted"),
    ] {
        if number > 0 {
            parts.push(format!("{number} {words}"));
        }
    }
    if !parts.is_empty() {
        return format!("events: {}", parts.join(", "));
    }
    if failure.is_some() {
        return "it has no events, because it could not be indexed".to_owned();
    }
    let withheld = feed
        .filter(|feed| !feed.exported)
        .map(|feed| feed.reason)
        .or_else(|| seen.map(|order| order.exported.as_sentence()));
    match withheld {
        Some(reason) => format!("it has no events: {reason}"),
        None => "it has no events".to_owned(),
    }
}
