//! One request from the store to the edge, as a task of its own: bodies are read and unpacked straight into the request.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use crate::delivery::attempt::{Attempt, Destination, Unsent};
use crate::delivery::queue::{CLOSING, OPENING};
use crate::delivery::rules::{Decision, RequestShape, Who};
use crate::delivery::stats::DeliveryStats;
use crate::delivery::tokens::NoToken;
use crate::store::outbox::{KindCode, PendingBatch};
use crate::store::{Store, StoreError};

/// What a lane needs besides its batches.
#[derive(Clone, Debug)]
pub(crate) struct LaneKit {
    pub(crate) store: Store,
    pub(crate) destination: Arc<Destination>,
    pub(crate) stats: Arc<DeliveryStats>,
    pub(crate) brake: Arc<Brake>,
    pub(crate) stop: CancellationToken,
    pub(crate) website: Arc<str>,
}

/// Stops requests that are about to leave when an answer has just asked for a pause. A lane pulls it before it reports;
/// the sender lets go when it has taken the report to heart.
#[derive(Debug, Default)]
pub(crate) struct Brake(AtomicUsize);

impl Brake {
    pub(crate) fn is_pulled(&self) -> bool {
        self.0.load(Ordering::SeqCst) > 0
    }

    pub(crate) fn release(&self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }

    fn pull(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A request and what came of it. Moved by value: it is settled once.
#[derive(Debug)]
pub(crate) struct Trip {
    pub(crate) batches: Vec<PendingBatch>,
    pub(crate) epoch: u64,
    pub(crate) end: End,
    /// Whether this trip pulled the brake.
    pub(crate) braked: bool,
}

/// How a trip ended.
#[derive(Debug)]
pub(crate) enum End {
    /// Sent; with the events of each batch by kind.
    Sent(Box<Attempt>, Vec<Vec<(KindCode, u64)>>),
    /// Not sent: the brake was pulled, or a stop came.
    Held,
    /// Not sent: there is no token.
    NoToken(NoToken),
    /// The store failed.
    Store(StoreError),
}

/// Makes the trip.
pub(crate) async fn travel(kit: LaneKit, batches: Vec<PendingBatch>, epoch: u64) -> Trip {
    let end = send(&kit, &batches).await;
    let braked = match &end {
        End::Sent(attempt, _) => stops_others(&attempt.decision),
        End::NoToken(_) => true,
        End::Held | End::Store(_) => false,
    };
    if braked {
        kit.brake.pull();
    }
    Trip {
        batches,
        epoch,
        end,
        braked,
    }
}

async fn send(kit: &LaneKit, batches: &[PendingBatch]) -> End {
    let (body, kinds) = match read_body(kit, batches).await {
        Ok(read) => read,
        Err(error) => return End::Store(error),
    };
    let shape = shape_of(batches);
    let bytes = body.len();
    let held = || kit.brake.is_pulled() || kit.stop.is_cancelled();
    match kit.destination.send(body, &shape, held).await {
        Ok(attempt) => {
            say(kit, &shape, bytes, &attempt);
            kit.stats.answered(attempt.status, attempt.latency);
            End::Sent(Box::new(attempt), kinds)
        }
        Err(Unsent::Held) => End::Held,
        Err(Unsent::NoToken(missing)) => End::NoToken(missing),
    }
}

async fn read_body(
    kit: &LaneKit,
    batches: &[PendingBatch],
) -> Result<(Bytes, Vec<Vec<(KindCode, u64)>>), StoreError> {
    let ids: Vec<_> = batches.iter().map(|batch| batch.id).collect();
    let size = batches.iter().map(|batch| batch.bytes + 1).sum::<usize>() + OPENING.len() + CLOSING.len();
    let read = kit.store.read(move |reader| {
        let mut body = Vec::with_capacity(size);
        body.extend_from_slice(OPENING);
        let mut kinds = Vec::with_capacity(ids.len());
        for id in ids {
            if body.len() > OPENING.len() {
                body.push(b',');
            }
            let found = reader.append_payload(id, &mut body)?;
            kinds
                .push(found.ok_or_else(|| StoreError::Invariant(format!("pending batch {id} has no body")))?);
        }
        body.extend_from_slice(CLOSING);
        Ok((body, kinds))
    });
    let (body, kinds) = read.await?;
    Ok((Bytes::from(body), kinds))
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
        Decision::Retry(retry) => retry.who == Who::Datastream,
        Decision::Halt(_) | Decision::Reauthenticate(_) => true,
        Decision::Delivered(_) | Decision::Split(..) | Decision::Park(_) => false,
    }
}

fn say(kit: &LaneKit, shape: &RequestShape, bytes: usize, attempt: &Attempt) {
    let duration_ms = u64::try_from(attempt.latency.as_millis()).unwrap_or(u64::MAX);
    tracing::debug!(
        website = &*kit.website,
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
