//! The pure core of a sender: what may be sent now, and what an answer changes. No I/O; time and randomness are passed in.
//!
//! [`decide`] turns one answer into steps that the sender performs. It uses [`health`] (may this website send at all),
//! [`isolation`] (is a refusal about one event or about everything) and [`crate::delivery::limits`] (how much, how long).

pub(crate) mod decide;
pub(crate) mod health;
pub(crate) mod isolation;

use crate::config;
use crate::delivery::limits::lanes::{InFlightCounts, Lanes};
use crate::delivery::limits::retry_after;
use crate::delivery::rules::Split;
use crate::delivery::sender::control::health::Health;
use crate::delivery::sender::control::isolation::PoisonIsolation;
use crate::delivery::sender::queue::{RequestLimits, body_size, failed_before};
use crate::delivery::sender::settle::Settlement;
use crate::store::outbox::{Class, PendingBatch};
use orderfeed_model::clock::UtcMillis;

/// The state that decides about requests and answers of one website.
#[derive(Debug)]
pub(crate) struct Control {
    pub(crate) health: Health,
    pub(crate) isolation: PoisonIsolation,
    pub(crate) lanes: Lanes,
    pub(crate) in_flight: InFlightCounts,
    /// Largest body that the edge accepts, if a refusal has shown it. Forgotten by a restart.
    learned_bytes: Option<usize>,
    config: config::Delivery,
    /// Time of the last check of the clock. Later than now: the clock was set back.
    seen_at: UtcMillis,
    random: fn() -> u64,
}

impl Control {
    pub(crate) fn new(health: Health, config: config::Delivery, random: fn() -> u64) -> Self {
        Self {
            health,
            isolation: PoisonIsolation::default(),
            lanes: Lanes::new(config.lanes),
            in_flight: InFlightCounts::default(),
            learned_bytes: None,
            config,
            seen_at: UtcMillis(i64::MAX),
            random,
        }
    }

    /// Applies a configuration that was read again. Returns true if a halted sender tries again because of it.
    pub(crate) fn reconfigure(
        &mut self,
        config: config::Delivery,
        same_destination: bool,
        now: UtcMillis,
    ) -> bool {
        self.lanes.set_max(config.lanes);
        self.config = config;
        if same_destination {
            // Files that it names may have changed, such as the certificate authorities.
            return self.health.probe_now(now);
        }
        // Both were learned from the old destination.
        self.learned_bytes = None;
        self.isolation = PoisonIsolation::default();
        let was_halted = self.health.is_halted();
        if was_halted {
            self.health.resume(now);
        }
        was_halted
    }

    /// Shortens pauses after a start, and where the clock was set back since the last call. Returns the latest time at
    /// which a batch may be retried, if the batches in the store have to be shortened too.
    pub(crate) fn clamp_to_clock(&mut self, now: UtcMillis) -> Option<UtcMillis> {
        let was_set_back = now < self.seen_at;
        self.seen_at = now;
        let longest = retry_after::LONGEST.max(self.config.retry.max.get());
        was_set_back.then(|| self.health.clamp_to_clock(now, longest))
    }

    /// Returns true if one more request of `class` may start. Where a live one may not, none may.
    pub(crate) fn has_capacity(&self, class: Class) -> bool {
        self.lanes.have_capacity(class, self.in_flight)
    }

    pub(crate) fn request_limits(&self) -> RequestLimits {
        let configured = self.config.max_batch_bytes;
        RequestLimits {
            bytes: self
                .learned_bytes
                .map_or(configured, |learned| learned.min(configured)),
            events: self.config.max_batch_events,
        }
    }

    /// Returns true if the batch must not share a request with others.
    pub(crate) fn isolates(&self, batch: &PendingBatch) -> bool {
        self.isolation.is_suspect(batch.id) || failed_before(batch)
    }

    /// Returns the split of a stored batch that is larger than what the edge accepts: sending it would be refused.
    pub(crate) fn split_before_sending(
        &self,
        batches: &[PendingBatch],
        now: UtcMillis,
    ) -> Option<Settlement> {
        match (self.learned_bytes, batches) {
            (Some(max), [batch]) if body_size(batches) > max && batch.events > 1 => Some(Settlement::Split {
                id: batch.id,
                by: Split::Bytes { max: None },
                answer: None,
                at: now,
            }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
