//! One request from the store to the edge, as a task of its own: bodies are read and unpacked straight into the request.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use crate::delivery::http::destination::{Attempt, Destination, Unsent};
use crate::delivery::http::tokens::TokenError;
use crate::delivery::rules::{Decision, RequestShape, RetryScope};
use crate::delivery::sender::queue::{CLOSING, OPENING};
use crate::delivery::stats::DeliveryStats;
use crate::store::outbox::{KindCode, PendingBatch};
use crate::store::{Store, StoreError};

/// What a lane needs besides its batches.
#[derive(Clone, Debug)]
pub(crate) struct LaneContext {
    pub(crate) store: Store,
    pub(crate) destination: Arc<Destination>,
    pub(crate) stats: Arc<DeliveryStats>,
    pub(crate) gate: Arc<PauseGate>,
    pub(crate) stop: CancellationToken,
    pub(crate) website: Arc<str>,
}

/// Stops requests that are about to leave when an answer has just asked for a pause. A lane closings it before it reports;
/// the sender lets go when it has taken the report to heart. Whoever set out before a pull stays held all the same: it
/// may have been waiting for its body or a token meanwhile, and knows nothing of the pause.
#[derive(Debug, Default)]
pub(crate) struct PauseGate {
    holding: AtomicUsize,
    closings: AtomicU64,
}

/// How often the gate had been pulled when a request set out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket(u64);

impl PauseGate {
    pub(crate) fn is_closed(&self) -> bool {
        self.holding.load(Ordering::SeqCst) > 0
    }

    pub(crate) fn release(&self) {
        self.holding.fetch_sub(1, Ordering::SeqCst);
    }

    /// A request sets out.
    pub(crate) fn start(&self) -> Ticket {
        Ticket(self.closings.load(Ordering::SeqCst))
    }

    fn holds(&self, start: Ticket) -> bool {
        self.is_closed() || self.start() != start
    }

    fn close(&self) {
        self.holding.fetch_add(1, Ordering::SeqCst);
        self.closings.fetch_add(1, Ordering::SeqCst);
    }
}

/// A request and what came of it. Moved by value: it is settled once.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) batches: Vec<PendingBatch>,
    pub(crate) epoch: u64,
    /// Where it went: another one may be in force by now.
    pub(crate) destination: Arc<Destination>,
    pub(crate) end: End,
    /// Whether this delivery pulled the gate.
    pub(crate) closed_gate: bool,
}

/// How a delivery ended.
#[derive(Debug)]
pub(crate) enum End {
    /// Sent; with the events of each batch by kind.
    Sent(Box<Attempt>, Vec<Vec<(KindCode, u64)>>),
    /// Not sent: the gate was pulled, or a stop came.
    Held,
    /// Not sent: they hold events that must not leave, or are not as they were when they were chosen.
    Screen,
    /// Not sent: there is no token.
    TokenError(TokenError),
    /// The store failed.
    Store(StoreError),
}

/// Makes the delivery.
pub(crate) async fn deliver(
    context: LaneContext,
    mut batches: Vec<PendingBatch>,
    epoch: u64,
    start: Ticket,
) -> Delivery {
    let end = send(&context, &mut batches, start).await;
    let closed_gate = match &end {
        End::Sent(attempt, _) => stops_others(&attempt.decision),
        End::TokenError(_) => true,
        End::Held | End::Screen | End::Store(_) => false,
    };
    if closed_gate {
        context.gate.close();
    }
    Delivery {
        batches,
        epoch,
        destination: context.destination,
        end,
        closed_gate,
    }
}

async fn send(context: &LaneContext, batches: &mut [PendingBatch], start: Ticket) -> End {
    let (body, kinds) = match read_body(context, batches).await {
        Ok(Some(read)) => read,
        Ok(None) => return End::Screen,
        Err(error) => return End::Store(error),
    };
    // Some of their events may have been suppressed since they were chosen; an answer counts what was sent.
    for (batch, kinds) in batches.iter_mut().zip(&kinds) {
        batch.events = kinds.iter().map(|(_, events)| *events as usize).sum();
    }
    let shape = shape_of(batches);
    let bytes = body.len();
    let held = || context.gate.holds(start) || context.stop.is_cancelled();
    match context.destination.send(body, &shape, held).await {
        Ok(attempt) => {
            say(context, &shape, bytes, &attempt);
            context.stats.answered(attempt.status, attempt.latency);
            End::Sent(Box::new(attempt), kinds)
        }
        Err(Unsent::Held) => End::Held,
        Err(Unsent::TokenError(missing)) => End::TokenError(missing),
    }
}

/// A request's body, and what it holds of each batch by kind.
type Loaded = (Bytes, Vec<Vec<(KindCode, u64)>>);

/// Reads the body and the suppression list from one snapshot. `None` if not all of it may leave.
async fn read_body(context: &LaneContext, batches: &[PendingBatch]) -> Result<Option<Loaded>, StoreError> {
    let ids: Vec<_> = batches.iter().map(|batch| batch.id).collect();
    let size = batches.iter().map(|batch| batch.bytes + 1).sum::<usize>() + OPENING.len() + CLOSING.len();
    let read = context.store.read(move |reader| {
        let listed = reader.has_suppressions()?;
        let mut body = Vec::with_capacity(size);
        body.extend_from_slice(OPENING);
        let mut kinds = Vec::with_capacity(ids.len());
        for id in ids {
            if body.len() > OPENING.len() {
                body.push(b',');
            }
            if listed && reader.holds_suppressed(id)? {
                return Ok(None);
            }
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

/// Whether the last answer to this batch was a server error that may have been its own fault.
pub(crate) fn failed_before(batch: &PendingBatch) -> bool {
    batch
        .last_status
        .is_some_and(|status| status >= 500 && !matches!(status, 502..=504 | 507))
}

fn stops_others(decision: &Decision) -> bool {
    match decision {
        Decision::Retry(retry) => retry.scope == RetryScope::Datastream,
        Decision::Halt(_) | Decision::Reauthenticate(_) => true,
        Decision::Delivered(_) | Decision::Split(..) | Decision::Park(_) => false,
    }
}

fn say(context: &LaneContext, shape: &RequestShape, bytes: usize, attempt: &Attempt) {
    let duration_ms = u64::try_from(attempt.latency.as_millis()).unwrap_or(u64::MAX);
    tracing::debug!(
        website = &*context.website,
        request_id = attempt.request_id,
        status = attempt.status,
        batches = shape.batches,
        events = shape.events,
        bytes,
        attempt = shape.attempts + 1,
        duration_ms,
        decision = word(&attempt.decision),
        "Request answered",
    );
}

fn word(decision: &Decision) -> &'static str {
    match decision {
        Decision::Delivered(_) => "delivered",
        Decision::Split(..) => "split",
        Decision::Park(_) => "park",
        Decision::Retry(_) => "retry",
        Decision::Reauthenticate(_) | Decision::Halt(_) => "halt",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_set_out_before_the_brake_was_pulled_stays_held_after_its_release() {
        let gate = PauseGate::default();
        let early = gate.start();
        assert!(!gate.holds(early));
        gate.close();
        assert!(gate.is_closed() && gate.holds(early));
        gate.release();
        assert!(
            !gate.is_closed() && gate.holds(early),
            "it knows nothing of the pause"
        );
        assert!(!gate.holds(gate.start()));
    }
}
