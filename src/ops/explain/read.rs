//! Takes the snapshot from one read transaction.

use std::path::Path;

use crate::ops::explain::events::{OrderContext, explain_events};
use crate::ops::explain::shop::{explain_shop_order, missing};
use crate::ops::explain::{
    ExplainRequest, ExplainedChange, ExplainedFeed, ExplainedIndexFailure, ExplainedOrder, ExplainedSource,
    Explanation, FoundOrder, SHAPE, SourceAnswer, SourceOrder, SubmissionStatus,
};
use crate::ops::pause;
use crate::ops::status::{DaemonStatus, Moment, SenderStatus};
use crate::store::feed::{Exported, FeedRow, KnownBirth};
use crate::store::outbox::EventState;
use crate::store::{Reader, StoreError, StoreLock};
use orderfeed_events::Fact;

/// Changes of an order that are listed.
const MAX_CHANGES: usize = 20;

impl Explanation {
    /// Takes the snapshot of the store at `path`, on which `reader` is open.
    pub fn read(reader: &Reader<'_>, path: &Path, request: &ExplainRequest) -> Result<Self, StoreError> {
        let daemon = DaemonStatus::of(StoreLock::holder(path).as_deref());
        let mut ids = reader.orders_by_number(&request.number)?;
        ids.extend(request.answer.orders().iter().map(FoundOrder::id));
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
    let found = request.answer.orders().iter().find(|found| found.id() == id);
    let whole = match found {
        Some(FoundOrder::Whole(order)) => Some(order),
        _ => None,
    };
    let row = reader.feed_row(id)?;
    let websites = reader.websites()?;
    let by_feed = row.as_ref().and_then(|(row, _)| row.website);
    let by_feed = by_feed.and_then(|website| websites.iter().find(|(id, _)| *id == website));
    let website = by_feed
        .map(|(_, code)| code.clone())
        .or_else(|| whole?.website.clone());
    let sender = match &website {
        Some(code) => sender_of(reader, &websites, code, request)?,
        None => None,
    };
    let known = reader.events_of(id)?;
    let births = whole
        .into_iter()
        .flat_map(|order| &order.births)
        .map(|(document, mark)| reader.birth(*document, *mark))
        .collect::<Result<Vec<_>, _>>()?;
    let facts = whole.map_or_else(Vec::new, |order| facts_of(order, &births));
    let context = OrderContext {
        now: request.now,
        data_space: request.data_space,
        daemon_runs,
        website: website.as_deref(),
        has_destination: website
            .as_ref()
            .is_some_and(|code| request.sending.contains(code)),
        sender: sender.as_ref(),
        facts: &facts,
        births: &births,
    };
    let events = explain_events(reader, &known, &context)?;
    let mut explained = ExplainedOrder {
        entity_id: id,
        generation: births.first().map(|order| order.generation),
        website,
        summary: String::new(),
        shop: match &request.answer {
            SourceAnswer::Unreachable(_) => None,
            SourceAnswer::Answered(_) => Some(explain_shop_order(found)),
        },
        changes: changes(reader, id)?,
        feed: row.map(explain_feed),
        index_failure: reader.index_failure(id)?.map(|failure| ExplainedIndexFailure {
            reason: failure.reason,
            attempts: failure.attempts,
            due_at: Moment(failure.due_at),
        }),
        sender,
        events,
        missing: Vec::new(),
    };
    if let Some(order) = whole {
        explained.missing = missing(order, &facts, &explained, &known, request, daemon_runs);
    }
    explained.summary = summary(&explained, whole);
    Ok(explained)
}

/// Returns the facts of an order with the generations that the store gives its documents.
fn facts_of(order: &SourceOrder, births: &[KnownBirth]) -> Vec<Fact> {
    let mut facts = order.facts.clone();
    for fact in &mut facts {
        let is_its = |birth: &&KnownBirth| {
            (birth.document.kind, birth.document.id) == (fact.kind.document(), fact.document_id)
        };
        fact.generation = births.iter().find(is_its).map_or(0, |birth| birth.generation);
    }
    facts
}

fn explain_feed((row, deleted): (FeedRow, bool)) -> ExplainedFeed {
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

fn sender_of(
    reader: &Reader<'_>,
    websites: &[(i64, String)],
    code: &str,
    request: &ExplainRequest,
) -> Result<Option<SenderStatus>, StoreError> {
    let Some((id, _)) = websites.iter().find(|(_, known)| known == code) else {
        return Ok(None);
    };
    let senders = reader.senders()?;
    let row = senders.iter().find(|sender| sender.website == *id);
    let owners = request.owners.get(code).map_or(&[][..], Vec::as_slice);
    let pauses = reader.pauses()?;
    let pause = pause::of_sender(owners, row, &pauses, request.now);
    Ok(Some(SenderStatus::of(code, row, pause, request.now)))
}

fn changes(reader: &Reader<'_>, id: i64) -> Result<Vec<ExplainedChange>, StoreError> {
    let version = reader.view_state()?.map_or(0, |view| view.version);
    // Newest first, so that the limit leaves out the oldest.
    let changes = reader.changes_of(id, MAX_CHANGES)?.into_iter().rev();
    Ok(changes
        .map(|change| ExplainedChange {
            version: change.version,
            table: change.table,
            op: change.op,
            observed_at: Moment(change.observed_at),
            indexed: change.version <= version,
        })
        .collect())
}

/// Summarizes the events in one sentence: first those that need an operator, then those that wait, then the others.
fn summary(order: &ExplainedOrder, found: Option<&SourceOrder>) -> String {
    let count = |state, status: Option<SubmissionStatus>| {
        let events = order.events.iter();
        events
            .filter(|event| event.state == state && event.export_status == status)
            .count()
    };
    let withheld = order.missing.iter().filter(|event| event.withheld).count();
    let submitted = Some(SubmissionStatus::Submitted);
    let mut parts = Vec::new();
    for (number, words) in [
        (
            count(
                EventState::Parked,
                Some(SubmissionStatus::FailedRequiresAttention),
            ),
            "failed and requires attention",
        ),
        (
            count(EventState::Pending, Some(SubmissionStatus::FailedWillRetry)),
            "failed and will be sent again",
        ),
        (
            count(EventState::Pending, Some(SubmissionStatus::AwaitingSubmission)),
            "awaiting submission",
        ),
        (order.missing.len() - withheld, "not an event yet"),
        (withheld, "withheld"),
        (count(EventState::Suppressed, None), "discarded"),
        (count(EventState::Suppressed, submitted), "submitted and not used"),
        (count(EventState::Delivered, submitted), "submitted"),
    ] {
        if number > 0 {
            parts.push(format!("{number} {words}"));
        }
    }
    if !parts.is_empty() {
        return format!("events: {}", parts.join(", "));
    }
    if order.index_failure.is_some() {
        return "it has no events, because it could not be indexed".to_owned();
    }
    let feed = order.feed.as_ref().filter(|feed| !feed.exported);
    let withheld = feed
        .map(|feed| feed.reason)
        .or_else(|| found.map(|order| order.exported.as_sentence()));
    match withheld {
        Some(reason) => format!("it has no events: {reason}"),
        None => "it has no events".to_owned(),
    }
}
