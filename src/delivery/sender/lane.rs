//! One delivery: a request from the store to the edge, as a task of its own. Bodies are decompressed straight into the
//! request.

use std::sync::Arc;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use crate::delivery::http::destination::{Attempt, Destination, Unsent};
use crate::delivery::rules::{Decision, RequestShape, RetryScope};
use crate::delivery::sender::answer::{Answer, EventCounts, RequestOutcome};
use crate::delivery::sender::pause_gate::{PauseGate, Ticket};
use crate::delivery::sender::queue::{CLOSING, OPENING, body_size, failed_before};
use crate::delivery::stats::DeliveryStats;
use crate::store::outbox::PendingBatch;
use crate::store::{Store, StoreError};

/// The part of a sender that its lanes share.
#[derive(Clone, Debug)]
pub(crate) struct LaneContext {
    pub(crate) store: Store,
    pub(crate) destination: Arc<Destination>,
    pub(crate) stats: Arc<DeliveryStats>,
    pub(crate) gate: Arc<PauseGate>,
    pub(crate) stop: CancellationToken,
    pub(crate) website: Arc<str>,
}

/// A delivery that ended.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) answer: Result<Answer, StoreError>,
    pub(crate) destination: Arc<Destination>,
    /// True if this delivery closed the pause gate.
    pub(crate) closed_gate: bool,
}

/// Sends `batches` as one request.
pub(crate) async fn deliver(
    context: LaneContext,
    mut batches: Vec<PendingBatch>,
    epoch: u64,
    ticket: Ticket,
) -> Delivery {
    let result = send(&context, &mut batches, ticket).await;
    let closed_gate = match &result {
        Ok(RequestOutcome::Sent(attempt, _)) => stops_others(&attempt.decision),
        Ok(RequestOutcome::NoToken(_)) => true,
        Ok(RequestOutcome::Held | RequestOutcome::NeedsScreening) | Err(_) => false,
    };
    // Closed by the lane, because other lanes may be about to send before the sender receives this report.
    if closed_gate {
        context.gate.close();
    }
    let answer = result.map(|outcome| Answer {
        batches,
        epoch,
        outcome,
        superseded: false,
    });
    Delivery {
        answer,
        destination: context.destination,
        closed_gate,
    }
}

async fn send(
    context: &LaneContext,
    batches: &mut [PendingBatch],
    ticket: Ticket,
) -> Result<RequestOutcome, StoreError> {
    let Some((body, kinds)) = read_body(context, batches).await? else {
        return Ok(RequestOutcome::NeedsScreening);
    };
    // Events may have been suppressed since the batches were chosen; positions in an answer count what was sent.
    for (batch, kinds) in batches.iter_mut().zip(&kinds) {
        batch.events = kinds.iter().map(|(_, events)| *events as usize).sum();
    }
    let shape = shape_of(batches);
    let bytes = body.len();
    let held = || context.gate.blocks(ticket) || context.stop.is_cancelled();
    Ok(match context.destination.send(body, &shape, held).await {
        Ok(attempt) => {
            log_answer(context, &shape, bytes, &attempt);
            context.stats.answered(attempt.status, attempt.latency);
            RequestOutcome::Sent(Box::new(attempt), kinds)
        }
        Err(Unsent::Held) => RequestOutcome::Held,
        Err(Unsent::NoToken(error)) => RequestOutcome::NoToken(error),
    })
}

/// Reads the body and the suppression list from one snapshot. Returns `None` if a batch must not be sent as it is.
async fn read_body(
    context: &LaneContext,
    batches: &[PendingBatch],
) -> Result<Option<(Bytes, Vec<EventCounts>)>, StoreError> {
    let ids: Vec<_> = batches.iter().map(|batch| batch.id).collect();
    let size = body_size(batches);
    let read = context.store.read(move |reader| {
        let any_suppressed = reader.has_suppressions()?;
        let mut body = Vec::with_capacity(size);
        body.extend_from_slice(OPENING);
        let mut kinds = Vec::with_capacity(ids.len());
        for id in ids {
            if body.len() > OPENING.len() {
                body.push(b',');
            }
            if any_suppressed && reader.holds_suppressed(id)? {
                return Ok(None);
            }
            // A batch without a body was settled or erased meanwhile.
            let Some(found) = reader.append_payload(id, &mut body)? else {
                return Ok(None);
            };
            kinds.push(found);
        }
        body.extend_from_slice(CLOSING);
        Ok(Some((Bytes::from(body), kinds)))
    });
    read.await
}

fn shape_of(batches: &[PendingBatch]) -> RequestShape {
    RequestShape {
        batches: batches.len(),
        events: batches.iter().map(|batch| batch.events).sum(),
        failed_before: batches.iter().all(failed_before),
        attempts: batches.iter().map(|batch| batch.attempts).max().unwrap_or(0),
    }
}

fn stops_others(decision: &Decision) -> bool {
    match decision {
        Decision::Retry(retry) => matches!(retry.scope, RetryScope::Organization | RetryScope::Datastream),
        Decision::Halt(_) | Decision::Reauthenticate(_) => true,
        Decision::Delivered(_) | Decision::Split(..) | Decision::Park(_) => false,
    }
}

fn log_answer(context: &LaneContext, shape: &RequestShape, bytes: usize, attempt: &Attempt) {
    tracing::debug!(
        website = &*context.website,
        request_id = attempt.request_id,
        status = attempt.status,
        batches = shape.batches,
        events = shape.events,
        bytes,
        attempt = shape.attempts + 1,
        duration_ms = attempt.latency_ms(),
        decision = attempt.decision.as_str(),
        "Request answered",
    );
}
