//! The events of an order: their states, their attempts, and the reasons why pending ones are not delivered yet.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::ops::explain::remedy::parked_remedy;
use crate::ops::explain::words::{document_of, is_of};
use crate::ops::explain::{
    ExplainedBatch, ExplainedEvent, ExplainedParking, ExplainedSuppression, ExplainedWait, SubmissionStatus,
};
use crate::ops::sentence::{event_key, human_duration};
use crate::ops::status::{Moment, SenderStatus};
use crate::store::feed::KnownBirth;
use crate::store::outbox::{
    AttemptRecord, BatchId, BatchRecord, Class, ERASED, EventKey, EventState, KnownEvent, LOCAL, ParkedEvent,
    SenderState,
};
use crate::store::{Reader, StoreError};
use orderfeed_events::{EventKind, Fact, event_id};
use orderfeed_model::clock::UtcMillis;

/// The circumstances that all events of an order share.
pub(super) struct OrderContext<'a> {
    pub(super) now: UtcMillis,
    pub(super) data_space: Uuid,
    pub(super) daemon_runs: bool,
    pub(super) website: Option<&'a str>,
    /// True if the website has a datastream.
    pub(super) has_destination: bool,
    pub(super) sender: Option<&'a SenderStatus>,
    /// The facts in the order of their events; empty if the source is unreachable.
    pub(super) facts: &'a [Fact],
    /// The generations of the order and its documents in the source.
    pub(super) births: &'a [KnownBirth],
}

/// The reason why an event is suppressed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Suppression {
    Consent,
    LocalList,
    Erased,
    /// Discarded by an operator.
    Discarded,
}

impl Suppression {
    fn of(reason: &str) -> Self {
        match reason {
            "consent" => Self::Consent,
            LOCAL => Self::LocalList,
            ERASED => Self::Erased,
            _ => Self::Discarded,
        }
    }
}

/// Explains these events, in the order in which they are sent.
pub(super) fn explain_events(
    reader: &Reader<'_>,
    known: &[KnownEvent],
    context: &OrderContext<'_>,
) -> Result<Vec<ExplainedEvent>, StoreError> {
    let mut known = known.to_vec();
    known.sort_by_key(|event| position(event.key, context.facts));
    known
        .iter()
        .map(|event| explain_event(reader, event, context))
        .collect()
}

fn position(key: EventKey, facts: &[Fact]) -> usize {
    let found = facts.iter().position(|fact| is_of(key, fact));
    found.unwrap_or(usize::MAX)
}

fn explain_event(
    reader: &Reader<'_>,
    event: &KnownEvent,
    context: &OrderContext<'_>,
) -> Result<ExplainedEvent, StoreError> {
    let (key, state) = (event.key, event.state);
    let kind = EventKind::from_code(key.kind).ok_or_else(|| {
        StoreError::Invariant(format!("an event of order {} has kind {}", key.order, key.kind))
    })?;
    let batch = reader.batch_record(event.batch)?;
    let waits_for = match state {
        EventState::Pending => waits(reader, key, event.batch)?,
        _ => Vec::new(),
    };
    let parked = match state {
        EventState::Parked => reader.parked_event(key)?,
        _ => None,
    };
    let suppressed = match state {
        EventState::Suppressed => reader.suppression(key)?,
        _ => None,
    };
    let suppression = suppressed.as_ref().map(|(reason, _)| Suppression::of(reason));
    let export_status = export_status(state, batch.as_ref(), suppression);
    let submitted = export_status == Some(SubmissionStatus::Submitted);
    let fact = context.facts.get(position(key, context.facts));
    let retried = batch
        .as_ref()
        .filter(|batch| state == EventState::Pending && batch.attempts > 0);
    let mut explained = ExplainedEvent {
        key: event_key(key),
        generation: key.generation,
        kind: kind.to_string(),
        id: event_id(&context.data_space, kind, key.document, key.generation),
        document: document_of(kind, key.document),
        happened_at: fact.map(|fact| Moment(fact.at)),
        state,
        export_status,
        notes: Vec::new(),
        next_attempt_at: retried.map(|batch| Moment(batch.due_at)),
        batch: batch.as_ref().map(explain_batch),
        waits_for,
        attempts: attempts(reader.attempts_of(event.batch)?, submitted, batch.as_ref()),
        parked: parked.as_ref().map(|parked| explain_parking(parked, kind)),
        suppressed: suppressed.map(|(reason, at)| ExplainedSuppression {
            reason,
            at: Moment(at),
        }),
    };
    explained.notes = notes(&explained, suppression, batch.as_ref(), context);
    explained.notes.extend(other_document(key, kind, context.births));
    explained.notes.extend(reader.erased_at(key)?.map(|at| {
        format!(
            "its body was erased by `orderfeed privacy erase` at {at}; it is never sent or rendered again"
        )
    }));
    Ok(explained)
}

/// Notes that an event belongs to a document other than the one that has its id in the source now.
fn other_document(key: EventKey, kind: EventKind, births: &[KnownBirth]) -> Option<String> {
    let now = births
        .iter()
        .find(|birth| (birth.document.kind, birth.document.id) == (kind.document(), key.document))?;
    let name = document_of(kind, key.document);
    (now.generation != key.generation).then(|| {
        format!(
            "it belongs to another {name}: the id was used again (the database was restored, or rows were deleted)"
        )
    })
}

/// Returns the batches that must be final first.
fn waits(reader: &Reader<'_>, key: EventKey, batch: BatchId) -> Result<Vec<ExplainedWait>, StoreError> {
    let mut waits = Vec::new();
    for earlier in reader.dependencies_of(batch)? {
        let held = keys_of(reader, earlier)?;
        let own: Vec<String> = held
            .iter()
            .filter(|held| held.order == key.order)
            .filter_map(|held| {
                let kind = EventKind::from_code(held.kind)?;
                Some(format!("{kind} ({})", document_of(kind, held.document)))
            })
            .collect();
        let holds = match own.is_empty() {
            false => format!("{} of this order", own.join(", ")),
            true => shared_orders(reader, batch, &held)?,
        };
        waits.push(ExplainedWait {
            batch: earlier,
            holds,
        });
    }
    Ok(waits)
}

fn keys_of(reader: &Reader<'_>, batch: BatchId) -> Result<Vec<EventKey>, StoreError> {
    let body = reader.batch_body(batch)?;
    let entries = body.into_iter().flat_map(|body| body.entries);
    Ok(entries.map(|entry| entry.key).collect())
}

/// Names the other orders of `batch` with earlier events among `held`: the whole batch waits for those.
fn shared_orders(reader: &Reader<'_>, batch: BatchId, held: &[EventKey]) -> Result<String, StoreError> {
    let orders = |keys: &[EventKey]| -> BTreeSet<i64> { keys.iter().map(|key| key.order).collect() };
    let mut names = Vec::new();
    for order in orders(&keys_of(reader, batch)?).intersection(&orders(held)) {
        let row = reader.feed_row(*order)?;
        names.push(row.map_or_else(|| format!("entity {order}"), |(row, _)| row.number));
    }
    Ok(format!(
        "earlier events of order {}, which is in the same batch",
        names.join(", ")
    ))
}

fn attempts(mut all: Vec<AttemptRecord>, submitted: bool, batch: Option<&BatchRecord>) -> Vec<AttemptRecord> {
    // If the edge refused one event of a batch, the batch's last attempt is no success; but it accepted the other events.
    let finished = batch.filter(|batch| submitted && batch.finished_at.is_some());
    for attempt in &mut all {
        attempt.accepted |=
            finished.is_some_and(|batch| (batch.id, batch.attempts) == (attempt.batch, attempt.number));
    }
    all
}

fn explain_batch(batch: &BatchRecord) -> ExplainedBatch {
    ExplainedBatch {
        id: batch.id,
        class: match batch.class {
            Class::Live => "live",
            Class::History => "history",
        },
        events: batch.events,
        entered_at: Moment(batch.created_at),
        finished_at: batch.finished_at.map(Moment),
        attempts: batch.attempts,
        parent: batch.parent,
    }
}

fn explain_parking(parked: &ParkedEvent, kind: EventKind) -> ExplainedParking {
    ExplainedParking {
        code: parked.code.clone(),
        parked_at: Moment(parked.parked_at),
        status: parked.status,
        request_id: parked.request_id.clone(),
        remedy: parked_remedy(parked, kind),
    }
}

fn export_status(
    state: EventState,
    batch: Option<&BatchRecord>,
    suppression: Option<Suppression>,
) -> Option<SubmissionStatus> {
    Some(match state {
        EventState::Delivered => SubmissionStatus::Submitted,
        // The edge accepted it, but does not use it.
        EventState::Suppressed if suppression == Some(Suppression::Consent) => SubmissionStatus::Submitted,
        EventState::Suppressed => return None,
        EventState::Parked => SubmissionStatus::FailedRequiresAttention,
        EventState::Pending if batch.is_some_and(|batch| batch.attempts > 0) => {
            SubmissionStatus::FailedWillRetry
        }
        EventState::Pending => SubmissionStatus::AwaitingSubmission,
    })
}

/// Returns the reasons for the state of an event, and what to do.
fn notes(
    event: &ExplainedEvent,
    suppression: Option<Suppression>,
    batch: Option<&BatchRecord>,
    context: &OrderContext<'_>,
) -> Vec<String> {
    match (event.state, batch) {
        (EventState::Pending, Some(batch)) => pending_notes(event, batch, context),
        (EventState::Delivered, None) => vec![
            "delivered; when and by which request is not kept any longer (store.body_retention)".to_owned(),
        ],
        (EventState::Delivered | EventState::Pending, _) => Vec::new(),
        (EventState::Suppressed, _) => {
            let (Some(suppression), Some(suppressed)) = (suppression, &event.suppressed) else {
                return Vec::new();
            };
            vec![match suppression {
                Suppression::Consent => {
                    "the edge accepted it and does not use it: the shopper did not consent".to_owned()
                }
                Suppression::LocalList => {
                    "not sent: the shopper is on the local list of `orderfeed suppress`".to_owned()
                }
                Suppression::Erased => "not sent: the shopper was erased before".to_owned(),
                Suppression::Discarded => {
                    format!("discarded by an operator and not sent: {}", suppressed.reason)
                }
            }]
        }
        (EventState::Parked, _) => {
            let Some(parked) = &event.parked else {
                return Vec::new();
            };
            let key = &event.key;
            let shows = match parked.status {
                Some(_) => "prints the edge's answer",
                None => "prints it",
            };
            vec![
                parked.remedy.clone(),
                format!(
                    "`orderfeed failed show {key}` {shows}; then `orderfeed failed retry {key}` or \
                     `orderfeed failed discard {key}`"
                ),
            ]
        }
    }
}

fn pending_notes(event: &ExplainedEvent, batch: &BatchRecord, context: &OrderContext<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    let wait = batch.due_at.millis_since(context.now);
    if batch.attempts > 0 {
        let code = event.attempts.last().and_then(|attempt| attempt.code.as_deref());
        let code = code.map_or_else(String::new, |code| format!(" ({code})"));
        notes.push(match wait > 0 {
            true => format!(
                "the last attempt failed{code}; the same bytes are sent again at {}, in {}",
                batch.due_at,
                human_duration(wait)
            ),
            false => format!("the last attempt failed{code}; the same bytes are due to be sent again"),
        });
    } else if wait > 0 {
        notes.push(format!(
            "held back until {}, in {}: it is dated in the future, so the shop's clock is ahead",
            batch.due_at,
            human_duration(wait)
        ));
    }
    for earlier in &event.waits_for {
        notes.push(format!(
            "waits until batch {} is final, which holds {}",
            earlier.batch, earlier.holds
        ));
    }
    notes.extend(blocked_by(context));
    if notes.is_empty() {
        notes.push("next in the queue, or in flight".to_owned());
    }
    notes
}

/// Returns what blocks every event of the website.
fn blocked_by(context: &OrderContext<'_>) -> Option<String> {
    if !context.daemon_runs {
        return Some(
            "no daemon runs, so nothing is sent; start it with `systemctl start orderfeed`".to_owned(),
        );
    }
    if !context.has_destination {
        return Some(format!(
            "the configuration names no datastream for its website, so nothing sends it; set websites.{}.datastream_id",
            context.website.unwrap_or("CODE")
        ));
    }
    let sender = context.sender?;
    let state = match sender.state {
        SenderState::Running => return None,
        SenderState::Halted => "halted",
        SenderState::Paused => "paused",
        SenderState::BackingOff => "backing off",
    };
    Some(format!("delivery of its website is {state}: {}", sender.reason))
}
