//! One request from the store to the edge, as a task of its own: bodies are read and unpacked straight into the request.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use crate::delivery::http::attempt::{Attempt, Destination, Unsent};
use crate::delivery::http::tokens::NoToken;
use crate::delivery::rules::{Decision, RequestShape, Who};
use crate::delivery::sender::queue::{CLOSING, OPENING};
use crate::delivery::stats::DeliveryStats;
use crate::store::outbox::{BatchId, KindCode, PendingBatch};
use crate::store::{Reader, Store, StoreError};
use orderfeed_events::person_of;

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
/// the sender lets go when it has taken the report to heart. Whoever set out before a pull stays held all the same: it
/// may have been waiting for its body or a token meanwhile, and knows nothing of the pause.
#[derive(Debug, Default)]
pub(crate) struct Brake {
    holding: AtomicUsize,
    pulls: AtomicU64,
}

/// How often the brake had been pulled when a request set out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Start(u64);

impl Brake {
    pub(crate) fn is_pulled(&self) -> bool {
        self.holding.load(Ordering::SeqCst) > 0
    }

    pub(crate) fn release(&self) {
        self.holding.fetch_sub(1, Ordering::SeqCst);
    }

    /// A request sets out.
    pub(crate) fn start(&self) -> Start {
        Start(self.pulls.load(Ordering::SeqCst))
    }

    fn holds(&self, start: Start) -> bool {
        self.is_pulled() || self.start() != start
    }

    fn pull(&self) {
        self.holding.fetch_add(1, Ordering::SeqCst);
        self.pulls.fetch_add(1, Ordering::SeqCst);
    }
}

/// A request and what came of it. Moved by value: it is settled once.
#[derive(Debug)]
pub(crate) struct Trip {
    pub(crate) batches: Vec<PendingBatch>,
    pub(crate) epoch: u64,
    /// Where it went: another one may be in force by now.
    pub(crate) destination: Arc<Destination>,
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
    /// Not sent: they hold events that must not leave, or are not as they were when they were chosen.
    Screen,
    /// Not sent: there is no token.
    NoToken(NoToken),
    /// The store failed.
    Store(StoreError),
}

/// Makes the trip.
pub(crate) async fn travel(kit: LaneKit, mut batches: Vec<PendingBatch>, epoch: u64, start: Start) -> Trip {
    let end = send(&kit, &mut batches, start).await;
    let braked = match &end {
        End::Sent(attempt, _) => stops_others(&attempt.decision),
        End::NoToken(_) => true,
        End::Held | End::Screen | End::Store(_) => false,
    };
    if braked {
        kit.brake.pull();
    }
    Trip {
        batches,
        epoch,
        destination: kit.destination,
        end,
        braked,
    }
}

async fn send(kit: &LaneKit, batches: &mut [PendingBatch], start: Start) -> End {
    let (body, kinds) = match read_body(kit, batches).await {
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
    let held = || kit.brake.holds(start) || kit.stop.is_cancelled();
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

/// A request's body, and what it holds of each batch by kind.
type Loaded = (Bytes, Vec<Vec<(KindCode, u64)>>);

/// Reads the body and the suppression list from one snapshot. `None` if not all of it may leave.
async fn read_body(kit: &LaneKit, batches: &[PendingBatch]) -> Result<Option<Loaded>, StoreError> {
    let ids: Vec<_> = batches.iter().map(|batch| batch.id).collect();
    let size = batches.iter().map(|batch| batch.bytes + 1).sum::<usize>() + OPENING.len() + CLOSING.len();
    let read = kit.store.read(move |reader| {
        let listed = reader.has_suppressions()?;
        let mut body = Vec::with_capacity(size);
        body.extend_from_slice(OPENING);
        let mut kinds = Vec::with_capacity(ids.len());
        for id in ids {
            if body.len() > OPENING.len() {
                body.push(b',');
            }
            if listed && !may_leave(reader, id)? {
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

/// Whether nobody in this batch is on the suppression list.
fn may_leave(reader: &Reader<'_>, id: BatchId) -> Result<bool, StoreError> {
    match reader.batch_body(id)? {
        Some(body) => Ok(!reader.suppressed_in(&body, person_of)?),
        None => Ok(false),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_set_out_before_the_brake_was_pulled_stays_held_after_its_release() {
        let brake = Brake::default();
        let early = brake.start();
        assert!(!brake.holds(early));
        brake.pull();
        assert!(brake.is_pulled() && brake.holds(early));
        brake.release();
        assert!(
            !brake.is_pulled() && brake.holds(early),
            "it knows nothing of the pause"
        );
        assert!(!brake.holds(brake.start()));
    }
}
