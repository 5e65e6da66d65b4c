//! Which request leaves next, and whether it may: health, lanes by class, the gate, the rate gate.

use std::time::Duration;

use tokio::time::Instant;

use crate::delivery::limits::rate_limit::request_units;
use crate::delivery::rules::Split;
use crate::delivery::sender::Sender;
use crate::delivery::sender::health::Permit;
use crate::delivery::sender::lane::{deliver, failed_before};
use crate::delivery::sender::queue::{RequestLimits, body_bytes};
use crate::delivery::sender::settle::Settlement;
use crate::store::outbox::{Class, PendingBatch};
use orderfeed_model::clock::UtcMillis;

/// Answers that may wait for a commit, as a multiple of the lanes: beyond it no request starts.
const UNSETTLED_PER_LANE: usize = 4;

impl Sender {
    /// Starts requests as long as it may. Returns when to look again, if nothing else happens.
    pub(super) fn start_requests(&mut self) -> Option<Instant> {
        loop {
            let now = self.shared.clock.now();
            let (free, probing) = match self.health.permit(now) {
                Permit::Send => (self.has_capacity(Class::Live), false),
                Permit::Probe => (self.deliveries.is_empty(), true),
                Permit::WaitUntil(until) => return Some(self.instant_of(until)),
                Permit::Paused => return None,
            };
            if !free
                || self.context.gate.is_closed()
                || self.unsettled.len() > UNSETTLED_PER_LANE * self.lanes.limit().max(8)
            {
                return None;
            }
            let Some(batches) = self.next_request(probing) else {
                return self.next_due.map(|due| self.instant_of(due));
            };
            let ids = batches.iter().map(|batch| batch.id);
            self.under_way.extend(ids);
            if let Some(batches) = self.split_if_too_large(batches)
                && let Err(wait) = self.start(batches, now)
            {
                return Some(Instant::now() + wait);
            }
        }
    }

    fn next_request(&mut self, probing: bool) -> Option<Vec<PendingBatch>> {
        let limits = RequestLimits {
            bytes: self.most_bytes(),
            events: self.client.config.delivery.max_batch_events,
        };
        if probing && self.health.is_halted() {
            let probe = self.queue.take_probe(self.last_probe)?;
            self.last_probe = probe.first().map(|batch| batch.id);
            return Some(probe);
        }
        let (isolation, lanes, in_flight) = (&self.isolation, &self.lanes, self.in_flight);
        let room = |class| probing || lanes.have_capacity(class, in_flight);
        let request = self.queue.take(limits, room, |batch| {
            isolation.suspects(batch.id) || failed_before(batch)
        });
        self.stale |= self.queue.wants_more();
        request
    }

    fn most_bytes(&self) -> usize {
        let configured = self.client.config.delivery.max_batch_bytes;
        self.learned_bytes
            .map_or(configured, |learned| learned.min(configured))
    }

    /// A stored batch that is larger than the edge said it takes is split without asking.
    fn split_if_too_large(&mut self, batches: Vec<PendingBatch>) -> Option<Vec<PendingBatch>> {
        match (self.learned_bytes, batches.as_slice()) {
            (Some(most), [batch]) if body_bytes(batch) > most && batch.events > 1 => {
                self.unsettled.push(Settlement::Halve {
                    id: batch.id,
                    by: Split::Bytes { max: None },
                    answer: None,
                    at: self.shared.clock.now(),
                });
                None
            }
            _ => Some(batches),
        }
    }

    /// Starts a request, or puts it back and says when the rate gate lets it through.
    fn start(&mut self, batches: Vec<PendingBatch>, now: UtcMillis) -> Result<(), Duration> {
        let bytes = batches.iter().map(|batch| batch.bytes + 1).sum::<usize>() + 12;
        let units = request_units(bytes);
        let class = batches.first().map_or(Class::Live, |batch| batch.class);
        if let Err(wait) = self.shared.take_units(units, class) {
            self.queue.put_back(batches);
            self.shared.stats.held_back();
            return Err(wait);
        }
        self.shared.stats.sent(units, bytes);
        self.shared.stats.progressed(now);
        self.in_flight.started(&batches);
        let (context, start) = (self.context.clone(), self.context.gate.start());
        self.deliveries
            .spawn(deliver(context, batches, self.lanes.epoch(), start));
        Ok(())
    }

    /// Whether a request of `class` may start now; where a live one may not, none may.
    pub(super) fn has_capacity(&self, class: Class) -> bool {
        self.lanes.have_capacity(class, self.in_flight)
    }
}
