//! Starts requests: chooses the next one, and checks that health, lanes, pause gate and rate limit let it go.

use std::time::Duration;

use tokio::time::Instant;

use crate::delivery::limits::rate_limit::request_units;
use crate::delivery::sender::Sender;
use crate::delivery::sender::control::health::Permit;
use crate::delivery::sender::lane::deliver;
use crate::delivery::sender::queue::body_size;
use crate::store::outbox::{Class, PendingBatch};
use orderfeed_model::clock::UtcMillis;

/// Most answers that may wait for a commit, as a multiple of the lanes. Above it no request starts.
const UNSETTLED_PER_LANE: usize = 4;

impl Sender {
    /// Starts requests while it may. Returns the time of the next try, if nothing happens before.
    pub(super) fn start_requests(&mut self) -> Option<Instant> {
        loop {
            let now = self.shared.clock.now();
            let (has_capacity, probing) = match self.control.health.permit(now) {
                Permit::Send => (self.control.has_capacity(Class::Live), false),
                // One probe at a time, and only after the requests of before have ended.
                Permit::Probe => (self.deliveries.is_empty(), true),
                Permit::WaitUntil(until) => return Some(self.instant_of(until)),
                Permit::Paused => return None,
            };
            // A closed gate opens when the pause is applied, which starts the next round.
            if !has_capacity
                || self.lane.gate.is_closed()
                || self.ledger.unsettled.len() > UNSETTLED_PER_LANE * self.control.lanes.limit().max(8)
            {
                return None;
            }
            let Some(batches) = self.next_request(probing) else {
                return self.queue.next_due.map(|due| self.instant_of(due));
            };
            if let Some(split) = self.control.split_before_sending(&batches, now) {
                self.ledger.unsettled.push(split);
            } else if let Err(wait) = self.start(batches, now) {
                return Some(Instant::now() + wait);
            }
        }
    }

    fn next_request(&mut self, probing: bool) -> Option<Vec<PendingBatch>> {
        let control = &self.control;
        if probing && control.health.is_halted() {
            return self.queue.take_probe();
        }
        self.queue.take(
            control.request_limits(),
            |class| probing || control.has_capacity(class),
            |batch| control.isolates(batch),
        )
    }

    /// Starts a request. If the rate limit holds it back, puts it into the queue again and returns the time to wait.
    fn start(&mut self, batches: Vec<PendingBatch>, now: UtcMillis) -> Result<(), Duration> {
        let bytes = body_size(&batches);
        let units = request_units(bytes);
        let class = batches.first().map_or(Class::Live, |batch| batch.class);
        if let Err(wait) = self.shared.take_units(units, class) {
            self.queue.put_back(batches);
            self.shared.stats.rate_limit_waits.add(1);
            return Err(wait);
        }
        let stats = &self.shared.stats;
        stats.request_units.add(u64::from(units));
        stats.body_bytes.add(bytes as u64);
        stats.progressed(now);
        self.control.in_flight.started(&batches);
        // Before the task runs: a closing between must block this request.
        let (lane, ticket) = (self.lane.clone(), self.lane.gate.ticket());
        self.deliveries
            .spawn(deliver(lane, batches, self.control.lanes.epoch(), ticket));
        Ok(())
    }
}
