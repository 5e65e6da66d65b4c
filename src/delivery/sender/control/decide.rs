//! The fate of one answer. [`Control::decide`] updates the state of the sender and returns what is to be done.
//!
//! The path of an answer: `rules` classifies it, this file decides with the help of `health` and `isolation`, and
//! `settle` writes the outcome into the store.

use std::time::Duration;

use crate::delivery::http::destination::Attempt;
use crate::delivery::http::tokens::TokenError;
use crate::delivery::limits::backoff::{full_jitter, millis};
use crate::delivery::rules::{Accepted, Blame, Decision, EdgeRefusal, Halt, RetryLater, RetryScope, Split};
use crate::delivery::sender::answer::{Answer, EventCounts, RequestOutcome};
use crate::delivery::sender::control::Control;
use crate::delivery::sender::control::health::Permit;
use crate::delivery::sender::control::isolation::RefusalAction;
use crate::delivery::sender::log::LogEntry;
use crate::delivery::sender::settle::{Settlement, settlements_of_accepted};
use crate::store::outbox::{BatchId, Class, EdgeAnswer, EventVerdict, PendingBatch, Refusal};
use orderfeed_model::clock::UtcMillis;

/// Shortest pause after a server error of unknown cause, unless `delivery.retry.max` is shorter.
const SLOW_RETRY: Duration = Duration::from_secs(60);

/// One thing that the sender does because of an answer. Steps are performed in order.
#[derive(Debug)]
pub(crate) enum Step {
    /// Write the outcome into the store.
    Settle(Settlement),
    /// Send the two halves of a refused request next.
    HalveRequest(Vec<PendingBatch>),
    /// Leave the batches to the store as they are; they are read again.
    Release(Vec<PendingBatch>),
    Log(LogEntry),
    CountRetry,
    CountAccepted {
        delivered: u64,
        suppressed: u64,
        /// Milliseconds from the change to its acceptance, with the number of events, by live batch.
        latencies: Vec<(i64, u64)>,
    },
}

/// A request that was sent, with the record of its answer.
struct Sent {
    batches: Vec<PendingBatch>,
    answer: EdgeAnswer,
    epoch: u64,
    now: UtcMillis,
}

impl Sent {
    /// Sends the same bytes again after `pause`.
    fn retry_after(self, pause: Duration) -> Step {
        Step::Settle(Settlement::Retry {
            ids: ids(&self.batches),
            due_at: self.now.plus_millis(millis(pause)),
            answer: self.answer,
        })
    }
}

impl Control {
    /// Decides about the answer to one request.
    pub(crate) fn decide(&mut self, answer: Answer, now: UtcMillis) -> Vec<Step> {
        let (batches, superseded) = (answer.batches, answer.superseded);
        let in_flight = self.in_flight.total();
        self.in_flight.ended(&batches);
        let (attempt, kinds) = match answer.outcome {
            RequestOutcome::Sent(attempt, kinds) => (attempt, kinds),
            RequestOutcome::Held => return vec![Step::Release(batches)],
            RequestOutcome::NeedsScreening => {
                let ids = ids(&batches);
                return vec![Step::Settle(Settlement::Screen { ids, at: now })];
            }
            RequestOutcome::NoToken(TokenError::Refused(_)) if superseded => {
                return vec![Step::Release(batches)];
            }
            RequestOutcome::NoToken(error) => {
                let entry = self.without_token(error, answer.epoch, now);
                return vec![Step::Release(batches), Step::Log(entry)];
            }
        };
        let sent = Sent {
            batches,
            answer: edge_answer(&attempt, now),
            epoch: answer.epoch,
            now,
        };
        match attempt.decision {
            Decision::Delivered(accepted) => {
                self.lanes.record_success(attempt.latency, in_flight);
                self.accepted(sent, kinds, &accepted)
            }
            // Applies even if the destination is another one by now: the edge asked for the pause.
            Decision::Retry(retry) => self.retry(sent, retry),
            // But a refusal by the old destination is no evidence about the new one.
            _ if superseded => vec![sent.retry_after(Duration::ZERO)],
            Decision::Split(by, refusal) => self.split(sent, by, &refusal),
            Decision::Park(refusal) => self.refuse_one(sent, refusal),
            Decision::Reauthenticate(halt) | Decision::Halt(halt) => self.halt(sent, halt),
        }
    }

    fn accepted(&mut self, sent: Sent, kinds: Vec<EventCounts>, accepted: &Accepted) -> Vec<Step> {
        let (batches, now) = (&sent.batches, sent.now);
        self.isolation
            .record_accepted(batches.iter().map(|batch| batch.id));
        self.health.record_success(now);
        let events: usize = batches.iter().map(|batch| batch.events).sum();
        let suppressed = accepted.suppressed.len();
        // History is left out: it was captured long ago by design and would hide how live changes fare.
        let live = batches.iter().filter(|batch| batch.class == Class::Live);
        let latency = |batch: &PendingBatch| (now.millis_since(batch.changed_at), batch.events as u64);
        let mut steps = vec![Step::CountAccepted {
            delivered: (events - suppressed) as u64,
            suppressed: suppressed as u64,
            latencies: live.map(latency).collect(),
        }];
        if self.health.permit(now) == Permit::Send {
            steps.push(Step::Log(LogEntry::Recovery));
        }
        if *accepted != Accepted::default() {
            let entry = LogEntry::Warnings(accepted.clone(), sent.answer.clone());
            steps.push(Step::Log(entry));
        }
        let settlements = settlements_of_accepted(batches, kinds, accepted, sent.answer);
        steps.extend(settlements.into_iter().map(Step::Settle));
        steps
    }

    fn retry(&mut self, sent: Sent, retry: RetryLater) -> Vec<Step> {
        let (RetryLater { after, scope, code }, now) = (retry, sent.now);
        let jitter = self.jitter(&sent.batches);
        // Requests that were in flight together report one outage: only the first failure of an epoch counts.
        let is_first = self.lanes.record_overload(sent.epoch);
        let pause = match (after, scope) {
            (Some(after), _) => {
                self.health.wait(after, &code, now);
                after
            }
            (None, RetryScope::Organization | RetryScope::Datastream) => {
                if is_first {
                    self.record_overload(&code, now);
                }
                // The sender waits, so the batch needs no pause of its own.
                Duration::ZERO
            }
            (None, scope) => {
                if is_first {
                    let random = (self.random)();
                    self.health.record_failure(&code, &self.config.retry, random, now);
                }
                match scope {
                    RetryScope::RequestSlow => jitter.max(SLOW_RETRY.min(self.config.retry.max.get())),
                    _ => jitter,
                }
            }
        };
        // One request at a time finds out if the edge works again.
        if self.health.permit(now) != Permit::Send {
            self.lanes.collapse();
        }
        let cause = sent.answer.note.clone();
        let failure = Step::Log(LogEntry::Failure {
            code,
            cause,
            pause: end_of_pause(after, now),
        });
        vec![Step::CountRetry, failure, sent.retry_after(pause)]
    }

    /// Something in a request with several events was refused: the parts are sent one by one.
    fn split(&mut self, mut sent: Sent, by: Split, refusal: &EdgeRefusal) -> Vec<Step> {
        let mut steps = self.edge_reached(refusal, sent.now);
        if let Split::Bytes { max } = by {
            steps.extend(self.learn_size(max, &sent.batches));
        }
        if let [batch] = sent.batches.as_slice() {
            let action = match by {
                Split::Bytes { .. } => RefusalAction::Split,
                Split::Events => self.isolation.record_refusal(batch.id, batch.events, refusal),
            };
            steps.push(match action {
                RefusalAction::Split => Step::Settle(Settlement::Split {
                    id: batch.id,
                    by,
                    answer: Some(sent.answer),
                    at: sent.now,
                }),
                _ => self.retry_with_backoff(sent),
            });
            return steps;
        }
        // Several batches are halved in memory and stay as they are in the store.
        for batch in &mut sent.batches {
            batch.attempts += 1;
            batch.last_status = sent.answer.status;
        }
        steps.push(Step::Settle(Settlement::Attempted {
            ids: ids(&sent.batches),
            at: sent.now,
            answer: sent.answer,
        }));
        steps.push(Step::HalveRequest(sent.batches));
        steps
    }

    /// An event that was sent alone was refused.
    fn refuse_one(&mut self, sent: Sent, refusal: EdgeRefusal) -> Vec<Step> {
        let mut steps = self.edge_reached(&refusal, sent.now);
        let Some(id) = sent.batches.first().map(|batch| batch.id) else {
            return steps;
        };
        match self.isolation.record_refusal(id, 1, &refusal) {
            RefusalAction::Park | RefusalAction::Split => {
                self.isolation.forget(id);
                // The line break separates what a list may show; neither text contains one.
                let detail = format!("{}\n{}", refusal.title, refusal.detail);
                let parked = EventVerdict::Parked(Refusal {
                    code: refusal.code,
                    detail,
                });
                steps.push(Step::Settle(Settlement::PerEvent {
                    id,
                    verdicts: vec![(0, parked)],
                    answer: sent.answer,
                }));
            }
            RefusalAction::Retry => steps.push(self.retry_with_backoff(sent)),
            RefusalAction::Halt => steps.extend(self.halt(sent, Halt::everything_refused(&refusal))),
        }
        steps
    }

    /// Updates the health after a refusal: an edge that judges events works, so what paused the sender before is over.
    /// Not so after a server error, nor where the sender halted because every event was refused.
    fn edge_reached(&mut self, refusal: &EdgeRefusal, now: UtcMillis) -> Vec<Step> {
        let judged = refusal.blame != Blame::Server;
        match (self.health.is_halted(), judged) {
            (true, true) if self.health.is_halted_by_edge() => {
                self.health.resume(now);
                return vec![Step::Log(LogEntry::Recovery)];
            }
            (true, _) => self.health.postpone_probe(&self.config.retry, now),
            (false, true) => {
                self.health.record_success(now);
            }
            (false, false) => {}
        }
        Vec::new()
    }

    fn halt(&mut self, sent: Sent, halt: Halt) -> Vec<Step> {
        self.health.halt(&halt, &self.config.retry, sent.now);
        self.lanes.collapse();
        // Due at once: the state of the sender holds the batches back, and a probe needs one.
        vec![Step::Log(LogEntry::Halt(halt)), sent.retry_after(Duration::ZERO)]
    }

    fn without_token(&mut self, error: TokenError, epoch: u64, now: UtcMillis) -> LogEntry {
        let entry = match error {
            TokenError::Refused(halt) => {
                self.health.halt(&halt, &self.config.retry, now);
                LogEntry::Halt(halt)
            }
            TokenError::Unavailable { code, cause, after } => {
                match after {
                    Some(pause) => self.health.wait(pause, &code, now),
                    None if self.lanes.record_overload(epoch) => self.record_overload(&code, now),
                    None => {}
                }
                let pause = end_of_pause(after, now);
                LogEntry::Failure { code, cause, pause }
            }
        };
        self.lanes.collapse();
        entry
    }

    fn record_overload(&mut self, code: &str, now: UtcMillis) {
        let random = (self.random)();
        self.health.record_overload(code, &self.config.retry, random, now);
    }

    /// Stores the largest body that the edge accepts: `max` if it named one, otherwise half of what it refused.
    fn learn_size(&mut self, max: Option<usize>, batches: &[PendingBatch]) -> Option<Step> {
        let sent: usize = batches.iter().map(|batch| batch.bytes + 1).sum();
        let max_bytes = max.unwrap_or(sent / 2).max(1024);
        if self.learned_bytes.is_some_and(|before| max_bytes >= before) {
            return None;
        }
        self.learned_bytes = Some(max_bytes);
        Some(Step::Log(LogEntry::SmallerRequests { max_bytes }))
    }

    fn retry_with_backoff(&self, sent: Sent) -> Step {
        let pause = self.jitter(&sent.batches);
        sent.retry_after(pause)
    }

    /// Returns a random pause before the next attempt, by the batch that was attempted most.
    fn jitter(&self, batches: &[PendingBatch]) -> Duration {
        let attempts = batches.iter().map(|batch| batch.attempts).max().unwrap_or(0);
        let (retry, random) = (&self.config.retry, (self.random)());
        full_jitter(retry.initial.get(), retry.max.get(), attempts + 1, random)
    }
}

fn end_of_pause(asked: Option<Duration>, now: UtcMillis) -> Option<UtcMillis> {
    asked.map(|pause| now.plus_millis(millis(pause)))
}

fn edge_answer(attempt: &Attempt, now: UtcMillis) -> EdgeAnswer {
    EdgeAnswer {
        at: now,
        status: attempt.status,
        request_id: Some(attempt.request_id.clone()),
        code: attempt.code.clone(),
        note: attempt.note.clone(),
        title: attempt.title.clone(),
        duration_ms: Some(attempt.latency_ms()),
    }
}

fn ids(batches: &[PendingBatch]) -> Vec<BatchId> {
    batches.iter().map(|batch| batch.id).collect()
}
