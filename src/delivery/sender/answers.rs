//! A delivery is over: what that means for its events, for the sender, and for the next request.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinError;

use crate::delivery::context::DeliveryError;
use crate::delivery::http::destination::Attempt;
use crate::delivery::http::tokens::TokenError;
use crate::delivery::limits::backoff;
use crate::delivery::rules::{Blame, Decision, EdgeRefusal, Halt, Retry, RetryScope, Split};
use crate::delivery::sender::Sender;
use crate::delivery::sender::health::Permit;
use crate::delivery::sender::lane::{Delivery, End};
use crate::delivery::sender::poison_isolation::RefusalAction;
use crate::delivery::sender::settle::Settlement;
use crate::store::outbox::{BatchId, EdgeAnswer, EventVerdict, KindCode, PendingBatch, Refusal};
use orderfeed_model::clock::UtcMillis;

/// A server error that may be the edge's is not asked about again sooner, where `delivery.retry.max` allows it.
const LONG_PAUSE: Duration = Duration::from_secs(60);

impl Sender {
    /// Takes a delivery's report to heart.
    pub(super) async fn arrived(
        &mut self,
        delivery: Result<Delivery, JoinError>,
    ) -> Result<(), DeliveryError> {
        let delivery = delivery.map_err(|error| DeliveryError::Lane(error.to_string()))?;
        let now = self.shared.clock.now();
        self.shared.stats.progressed(now);
        let closed_gate = delivery.closed_gate;
        self.in_flight.ended(&delivery.batches);
        // The configuration changed meanwhile: what the old destination refused says nothing of this one.
        let is_past = !Arc::ptr_eq(&delivery.destination, &self.context.destination);
        match delivery.end {
            End::TokenError(TokenError::Refused(_)) if is_past => self.release(&delivery.batches),
            End::Sent(attempt, _) if is_past && refuses(&attempt.decision) => {
                self.finished += 1;
                self.failed(&delivery.batches, now, answer_of(&attempt, now));
            }
            End::Sent(attempt, kinds) => {
                self.finished += 1;
                self.answered(delivery.batches, kinds, *attempt, delivery.epoch, now);
            }
            End::Held => self.release(&delivery.batches),
            End::Screen => self.unsettled.push(Settlement::Screen {
                ids: ids(&delivery.batches),
                at: now,
            }),
            End::TokenError(missing) => {
                self.release(&delivery.batches);
                self.without_token(missing, delivery.epoch, now);
            }
            End::Store(error) => return Err(error.into()),
        }
        if closed_gate {
            self.context.gate.release();
        }
        self.repeat(now).await
    }

    /// Says that it still fails, with the backlog, if that is due.
    async fn repeat(&mut self, now: UtcMillis) -> Result<(), DeliveryError> {
        let Some(repeat) = self.log.take_reminder() else {
            return Ok(());
        };
        let all = self
            .shared
            .store
            .read(|reader| reader.outbox_by_website())
            .await?;
        let own = all.into_iter().find(|outbox| outbox.website == self.website);
        let pending = own.map_or(0, |own| own.pending_live + own.pending_history);
        let next_try = self.health.row(self.website).until.unwrap_or(now);
        self.log.log_reminder(&repeat, pending, next_try, now);
        Ok(())
    }

    fn answered(
        &mut self,
        batches: Vec<PendingBatch>,
        kinds: Vec<Vec<(KindCode, u64)>>,
        attempt: Attempt,
        epoch: u64,
        now: UtcMillis,
    ) {
        let answer = answer_of(&attempt, now);
        match attempt.decision {
            Decision::Delivered(accepted) => {
                self.lanes.answered(attempt.latency, self.deliveries.len() + 1);
                self.delivered(batches, kinds, accepted, answer, now);
            }
            Decision::Retry(retry) => self.later(batches, &retry, answer, epoch, now),
            Decision::Split(by, refused) => self.refused(batches, Some(by), &refused, answer, now),
            Decision::Park(refused) => self.refused(batches, None, &refused, answer, now),
            Decision::Reauthenticate(halt) | Decision::Halt(halt) => self.halted(batches, halt, answer, now),
        }
    }

    fn later(
        &mut self,
        batches: Vec<PendingBatch>,
        retry: &Retry,
        answer: EdgeAnswer,
        epoch: u64,
        now: UtcMillis,
    ) {
        self.shared.stats.retried();
        self.log.log_failure(&retry.code, answer.note.as_deref(), now);
        let policy = self.retry().clone();
        let attempts = batches.iter().map(|batch| batch.attempts).max().unwrap_or(0);
        let own = backoff::full_jitter(
            policy.initial.get(),
            policy.max.get(),
            attempts + 1,
            fastrand::u64(..),
        );
        let news = self.lanes.overloaded(epoch);
        let pause = match (retry.after, retry.scope) {
            (Some(after), _) => {
                self.health.wait_as_asked(after, &retry.code, now);
                after
            }
            (None, RetryScope::Datastream) if news => {
                self.health
                    .overloaded(&retry.code, &policy, fastrand::u64(..), now);
                Duration::ZERO
            }
            (None, RetryScope::Datastream) => Duration::ZERO,
            (None, scope) => {
                if news {
                    self.health.stumbled(&retry.code, &policy, fastrand::u64(..), now);
                }
                match scope {
                    RetryScope::RequestSlow => own.max(LONG_PAUSE.min(policy.max.get())),
                    _ => own,
                }
            }
        };
        if self.health.permit(now) != Permit::Send {
            self.lanes.collapse();
        }
        self.failed(&batches, now.plus_millis(pause_millis(pause)), answer);
    }

    fn refused(
        &mut self,
        batches: Vec<PendingBatch>,
        by: Option<Split>,
        refused: &EdgeRefusal,
        answer: EdgeAnswer,
        now: UtcMillis,
    ) {
        self.edge_reached(refused, now);
        if let Some(Split::Bytes { max }) = by {
            self.learn(max, &batches);
        }
        let (Some(by), [batch]) = (by, batches.as_slice()) else {
            return match by {
                Some(_) => self.halve_request(batches, answer, now),
                None => self.refused_alone(&batches, refused, answer, now),
            };
        };
        let verdict = match by {
            Split::Bytes { .. } => RefusalAction::Split,
            Split::Events => self.isolation.refused(batch.id, batch.events, refused),
        };
        if verdict != RefusalAction::Split {
            return self.failed(&batches, now.plus_millis(self.jitter(batch.attempts)), answer);
        }
        self.unsettled.push(Settlement::Halve {
            id: batch.id,
            by,
            answer: Some(answer),
            at: now,
        });
    }

    /// An event was refused on its own.
    fn refused_alone(
        &mut self,
        batches: &[PendingBatch],
        refused: &EdgeRefusal,
        answer: EdgeAnswer,
        now: UtcMillis,
    ) {
        let Some(batch) = batches.first() else {
            return;
        };
        match self.isolation.refused(batch.id, 1, refused) {
            RefusalAction::Park | RefusalAction::Split => {
                self.isolation.forget(batch.id);
                let refusal = Refusal {
                    code: refused.code.clone(),
                    detail: [refused.title.as_str(), refused.detail.as_str()]
                        .join(" ")
                        .trim()
                        .to_owned(),
                };
                self.unsettled.push(Settlement::Each {
                    id: batch.id,
                    verdicts: vec![(0, EventVerdict::Parked(refusal))],
                    answer,
                });
            }
            RefusalAction::Retry => {
                let due = now.plus_millis(self.jitter(batch.attempts));
                self.failed(batches, due, answer);
            }
            RefusalAction::Halt => self.halted(batches.to_vec(), everything_refused(refused), answer, now),
        }
    }

    /// An edge that judges events is there: what held us back before is over. Not so for a server error, nor where we
    /// halted because everything was refused.
    fn edge_reached(&mut self, refused: &EdgeRefusal, now: UtcMillis) {
        if self.health.is_halted() {
            if self.health.halted_by_edge() && refused.blame != Blame::Server {
                self.health.resume(now);
                self.log.log_recovery(now);
            } else {
                let policy = self.retry().clone();
                self.health.still_halted(&policy, now);
            }
            return;
        }
        if refused.blame != Blame::Server {
            self.health.accepted(now);
        }
    }

    /// A request of several batches is asked about half by half; they stay as they are in the store.
    fn halve_request(&mut self, mut batches: Vec<PendingBatch>, answer: EdgeAnswer, now: UtcMillis) {
        for batch in &mut batches {
            batch.attempts += 1;
            batch.last_status = answer.status;
        }
        self.unsettled.push(Settlement::Noted {
            ids: ids(&batches),
            at: now,
            answer,
        });
        self.queue.halve(batches);
    }

    fn halted(&mut self, batches: Vec<PendingBatch>, halt: Halt, answer: EdgeAnswer, now: UtcMillis) {
        let policy = self.retry().clone();
        self.log.log_halt(&halt, now);
        self.health.halt(halt, &policy, now);
        self.lanes.collapse();
        self.failed(&batches, now, answer);
    }

    fn without_token(&mut self, missing: TokenError, epoch: u64, now: UtcMillis) {
        let policy = self.retry().clone();
        match missing {
            TokenError::Refused(halt) => {
                self.log.log_halt(&halt, now);
                self.health.halt(halt, &policy, now);
            }
            TokenError::Unavailable { code, cause, after } => {
                self.log.log_failure(&code, cause.as_deref(), now);
                match after {
                    Some(pause) => self.health.wait_as_asked(pause, &code, now),
                    None if self.lanes.overloaded(epoch) => {
                        self.health.overloaded(&code, &policy, fastrand::u64(..), now);
                    }
                    None => {}
                }
            }
        }
        self.lanes.collapse();
    }

    /// Remembers what the edge takes; where it did not say, less than what it refused.
    fn learn(&mut self, max: Option<usize>, batches: &[PendingBatch]) {
        let sent: usize = batches.iter().map(|batch| batch.bytes + 1).sum();
        let most = max.unwrap_or(sent / 2).max(1024);
        if self.learned_bytes.is_none_or(|before| most < before) {
            self.learned_bytes = Some(most);
            tracing::info!(
                website = &*self.code,
                max_bytes = most,
                "The edge takes smaller requests only, batches are split"
            );
        }
    }

    fn failed(&mut self, batches: &[PendingBatch], due_at: UtcMillis, answer: EdgeAnswer) {
        self.unsettled.push(Settlement::Failed {
            ids: ids(batches),
            due_at,
            answer,
        });
    }

    /// Back to the store, as if nothing had been.
    fn release(&mut self, batches: &[PendingBatch]) {
        for batch in batches {
            self.under_way.remove(batch.id);
        }
        self.stale = true;
    }

    fn jitter(&self, attempts: u32) -> i64 {
        let policy = self.retry();
        let pause = backoff::full_jitter(
            policy.initial.get(),
            policy.max.get(),
            attempts + 1,
            fastrand::u64(..),
        );
        pause_millis(pause)
    }
}

fn answer_of(attempt: &Attempt, now: UtcMillis) -> EdgeAnswer {
    EdgeAnswer {
        at: now,
        status: attempt.status,
        request_id: Some(attempt.request_id.clone()),
        code: attempt.code.clone(),
        note: attempt.note.clone(),
        title: attempt.title.clone(),
        duration_ms: Some(u64::try_from(attempt.latency.as_millis()).unwrap_or(u64::MAX)),
    }
}

/// Not "later": a pause that the edge asks for counts, whatever changed meanwhile.
fn refuses(decision: &Decision) -> bool {
    match decision {
        Decision::Halt(_) | Decision::Reauthenticate(_) | Decision::Split(..) | Decision::Park(_) => true,
        Decision::Delivered(_) | Decision::Retry(_) => false,
    }
}

fn everything_refused(refused: &EdgeRefusal) -> Halt {
    let said = match refused.title.is_empty() {
        true => String::new(),
        false => format!(" ({})", refused.title),
    };
    Halt {
        code: refused.code.clone(),
        reason: format!("the edge refuses every event{said}"),
        remedy: "check the datastream and its schema at Adobe; `orderfeed failed list` shows what was refused",
        inferred: true,
    }
}

fn ids(batches: &[PendingBatch]) -> Vec<BatchId> {
    batches.iter().map(|batch| batch.id).collect()
}

/// Rounded up: a pause is never cut short.
fn pause_millis(pause: Duration) -> i64 {
    i64::try_from(pause.as_nanos().div_ceil(1_000_000)).unwrap_or(i64::MAX)
}
