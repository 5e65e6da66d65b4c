//! The events of an order: where each is, what was tried, and why it is still there.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::ops::explain::remedy::parked_remedy;
use crate::ops::explain::words::document_of;
use crate::ops::explain::{
    ExplainedAttempt, ExplainedBatch, ExplainedEvent, ExplainedParking, ExplainedSuppression, ExplainedWait,
};
use crate::ops::sentence::human_duration;
use crate::ops::status::{Moment, SenderStatus};
use crate::store::outbox::{
    AttemptRecord, BatchId, BatchRecord, Class, ERASED, EventKey, EventState, KnownEvent, LOCAL, ParkedEvent,
    SenderState,
};
use crate::store::{Reader, StoreError};
use orderfeed_events::{EventKind, Fact, event_id};
use orderfeed_model::clock::UtcMillis;

/// What surrounds the events of an order.
pub(super) struct OrderContext<'a> {
    pub(super) now: UtcMillis,
    pub(super) data_space: Uuid,
    pub(super) daemon_runs: bool,
    /// The website's code, if it is known.
    pub(super) website: Option<&'a str>,
    /// Whether the website's events have somewhere to go.
    pub(super) has_destination: bool,
    pub(super) sender: Option<&'a SenderStatus>,
    /// What happened, in the order in which it is sent; empty if the source did not answer.
    pub(super) facts: &'a [Fact],
}

/// The lives of these events, in the order in which they are sent as far as that is known.
pub(super) fn explain_events(
    reader: &Reader<'_>,
    known: &[KnownEvent],
    around: &OrderContext<'_>,
) -> Result<Vec<ExplainedEvent>, StoreError> {
    let mut known = known.to_vec();
    known.sort_by_key(|event| place(event.key, around.facts));
    known
        .iter()
        .map(|event| explain_event(reader, event, around))
        .collect()
}

fn place(key: EventKey, facts: &[Fact]) -> usize {
    let same = |fact: &Fact| fact.kind.code() == key.kind && fact.document_id == key.document;
    facts.iter().position(same).unwrap_or(usize::MAX)
}

fn explain_event(
    reader: &Reader<'_>,
    event: &KnownEvent,
    around: &OrderContext<'_>,
) -> Result<ExplainedEvent, StoreError> {
    let key = event.key;
    let kind = EventKind::from_code(key.kind).ok_or_else(|| {
        StoreError::Invariant(format!("an event of order {} has kind {}", key.order, key.kind))
    })?;
    let batch = reader.batch_record(event.batch)?;
    let pending = event.state == EventState::Pending;
    let waits_for = match pending {
        true => waits(reader, key, event.batch)?,
        false => Vec::new(),
    };
    let parked = match event.state {
        EventState::Parked => reader.parked_event(key)?,
        _ => None,
    };
    let suppressed = match event.state {
        EventState::Suppressed => reader.suppression(key)?,
        _ => None,
    };
    let export_status = export_status(event.state, batch.as_ref(), suppressed.as_ref());
    let submitted = export_status == Some("Submitted");
    let attempts = attempts(reader.attempts_of(event.batch)?, submitted, batch.as_ref());
    let mut life = ExplainedEvent {
        key: format!("{}:{kind}:{}", key.order, key.document),
        kind: kind.to_string(),
        id: event_id(&around.data_space, kind, key.document),
        document: document_of(kind, key.document),
        happened_at: around
            .facts
            .get(place(key, around.facts))
            .map(|fact| Moment(fact.at)),
        state: word(event.state),
        export_status,
        notes: Vec::new(),
        next_attempt_at: batch
            .as_ref()
            .filter(|batch| pending && batch.attempts > 0)
            .map(|batch| Moment(batch.due_at)),
        batch: batch.as_ref().map(explain_batch),
        waits_for,
        attempts,
        parked: parked.as_ref().map(|parked| explain_parked(parked, kind)),
        suppressed: suppressed.map(|(reason, at)| ExplainedSuppression {
            reason,
            at: Moment(at),
        }),
    };
    life.notes = notes(&life, event.state, batch.as_ref(), around);
    life.notes.extend(erased_note(reader.erased_at(key)?));
    Ok(life)
}

/// What must be final first, in words.
fn waits(reader: &Reader<'_>, key: EventKey, batch: BatchId) -> Result<Vec<ExplainedWait>, StoreError> {
    let mut waits = Vec::new();
    for after in reader.dependencies_of(batch)? {
        let held: Vec<EventKey> = reader
            .batch_body(after)?
            .map(|body| body.entries.iter().map(|entry| entry.key).collect())
            .unwrap_or_default();
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
        waits.push(ExplainedWait { batch: after, holds });
    }
    Ok(waits)
}

/// The events travel with those of another order, which has earlier ones there.
fn shared_orders(reader: &Reader<'_>, batch: BatchId, held: &[EventKey]) -> Result<String, StoreError> {
    let companions: BTreeSet<i64> = reader
        .batch_body(batch)?
        .map(|body| body.entries.iter().map(|entry| entry.key.order).collect())
        .unwrap_or_default();
    let earlier: BTreeSet<i64> = held.iter().map(|key| key.order).collect();
    let mut names = Vec::new();
    for order in companions.intersection(&earlier) {
        let row = reader.feed_row(*order)?;
        names.push(row.map_or_else(|| format!("entity {order}"), |(row, _)| row.number));
    }
    Ok(format!(
        "earlier events of order {}, which travels in the same batch",
        names.join(", ")
    ))
}

/// A batch whose event was refused holds others that were not: for those the last answer was a yes.
fn attempts(all: Vec<AttemptRecord>, submitted: bool, batch: Option<&BatchRecord>) -> Vec<ExplainedAttempt> {
    let accepted = |attempt: &AttemptRecord| {
        let last = batch.is_some_and(|batch| {
            batch.finished_at.is_some() && (batch.id, batch.attempts) == (attempt.batch, attempt.number)
        });
        attempt.accepted || (last && submitted)
    };
    all.into_iter()
        .map(|attempt| ExplainedAttempt {
            accepted: accepted(&attempt),
            batch: attempt.batch,
            number: attempt.number,
            at: Moment(attempt.at),
            status: attempt.status,
            request_id: attempt.request_id,
            code: attempt.code,
            error: attempt.error,
            duration_ms: attempt.duration_ms,
        })
        .collect()
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

fn explain_parked(parked: &ParkedEvent, kind: EventKind) -> ExplainedParking {
    ExplainedParking {
        code: parked.code.clone(),
        parked_at: Moment(parked.parked_at),
        status: parked.status,
        request_id: parked.request_id.clone(),
        remedy: parked_remedy(parked, kind),
    }
}

fn word(state: EventState) -> &'static str {
    match state {
        EventState::Pending => "pending",
        EventState::Delivered => "delivered",
        EventState::Suppressed => "suppressed",
        EventState::Parked => "parked",
    }
}

/// Commerce's word. What the edge accepted and did not use was submitted; what an operator gave up was not.
fn export_status(
    state: EventState,
    batch: Option<&BatchRecord>,
    suppressed: Option<&(String, UtcMillis)>,
) -> Option<&'static str> {
    match state {
        EventState::Delivered => Some("Submitted"),
        EventState::Suppressed => suppressed
            .is_some_and(|(reason, _)| reason == "consent")
            .then_some("Submitted"),
        EventState::Parked => Some("Failed, requires attention"),
        EventState::Pending if batch.is_some_and(|batch| batch.attempts > 0) => Some("Failed, will retry"),
        EventState::Pending => Some("Awaiting submission"),
    }
}

/// Why the event is where it is, and what to do.
fn notes(
    life: &ExplainedEvent,
    state: EventState,
    batch: Option<&BatchRecord>,
    around: &OrderContext<'_>,
) -> Vec<String> {
    match (state, batch) {
        (EventState::Pending, Some(batch)) => pending_notes(life, batch, around),
        (EventState::Delivered, None) => vec![
            "delivered; when and by which request is not kept any longer (store.body_retention)".to_owned(),
        ],
        (EventState::Delivered | EventState::Pending, _) => Vec::new(),
        (EventState::Suppressed, _) => match &life.suppressed {
            Some(why) if why.reason == "consent" => {
                vec!["the edge accepted it and does not use it: the shopper did not consent".to_owned()]
            }
            Some(why) if why.reason == LOCAL => {
                vec!["not sent: the shopper is on the local list of `orderfeed suppress`".to_owned()]
            }
            Some(why) if why.reason == ERASED => vec!["not sent: the shopper was erased before".to_owned()],
            Some(why) => vec![format!("given up, it is not sent: {}", why.reason)],
            None => Vec::new(),
        },
        (EventState::Parked, _) => life
            .parked
            .iter()
            .flat_map(|parked| {
                let key = &life.key;
                let shows = match parked.status {
                    Some(_) => "has the edge's own words",
                    None => "shows it",
                };
                [
                    parked.remedy.clone(),
                    format!(
                        "`orderfeed failed show {key}` {shows}; then `orderfeed failed retry {key}` or \
                         `orderfeed failed discard {key}`"
                    ),
                ]
            })
            .collect(),
    }
}

fn erased_note(at: Option<UtcMillis>) -> Option<String> {
    at.map(|at| {
        format!(
            "its body was erased by `orderfeed privacy erase` at {at}; it is never sent or rendered again"
        )
    })
}

fn pending_notes(life: &ExplainedEvent, batch: &BatchRecord, around: &OrderContext<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    let wait = batch.due_at.millis_since(around.now);
    if batch.attempts > 0 {
        let code = life.attempts.last().and_then(|attempt| attempt.code.as_deref());
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
    for earlier in &life.waits_for {
        notes.push(format!(
            "waits until batch {} is final, which holds {}",
            earlier.batch, earlier.holds
        ));
    }
    notes.extend(held_up(around));
    if notes.is_empty() {
        notes.push("next in line, or on its way right now".to_owned());
    }
    notes
}

/// What holds up everything that the website sends.
fn held_up(around: &OrderContext<'_>) -> Option<String> {
    if !around.daemon_runs {
        return Some(
            "no daemon runs, so nothing is sent; start it with `systemctl start orderfeed`".to_owned(),
        );
    }
    if !around.has_destination {
        return Some(format!(
            "the configuration names no datastream for its website, so nothing sends it; set websites.{}.datastream_id",
            around.website.unwrap_or("CODE")
        ));
    }
    let sender = around
        .sender
        .filter(|sender| sender.state != SenderState::Running)?;
    let state = match sender.state {
        SenderState::Halted => "halted",
        SenderState::Paused => "paused",
        _ => "backing off",
    };
    Some(format!("delivery of its website is {state}: {}", sender.reason))
}
