//! The number of requests of one website that may be in flight: additive increase, multiplicative decrease. Pure.
//!
//! The limit starts small and doubles every round trip until latency or errors rise. Then it grows by one a round trip
//! while the latency stays low, shrinks by one a round trip while it does not, and halves when the edge is overloaded
//! (429, 5xx, timeouts). It halves once for all requests that were in flight together: thirty refusals during one
//! overload are one signal.

use std::time::Duration;

use crate::store::outbox::{Class, PendingBatch};

const START: f64 = 4.0;
/// Latency is low up to twice the best one, or up to this many milliseconds above it: a difference that small is no sign
/// of load.
const TOLERANCE: f64 = 2.0;
const TOLERANCE_MS: f64 = 50.0;
/// The best latency grows by this factor with each answer, so that an edge that moved does not look slow for ever.
const DRIFT: f64 = 1.000_05;

/// The adaptive concurrency limit of one website.
#[derive(Clone, Debug)]
pub struct Lanes {
    max: usize,
    limit: f64,
    doubling: bool,
    best_ms: f64,
    epoch: u64,
}

impl Lanes {
    /// Creates a limit that never exceeds `max`.
    pub fn new(max: usize) -> Self {
        Self {
            max: max.max(1),
            limit: START.min(max.max(1) as f64),
            doubling: true,
            best_ms: f64::INFINITY,
            epoch: 0,
        }
    }

    /// Number of requests that may be in flight now, at least one.
    pub fn limit(&self) -> usize {
        (self.limit as usize).clamp(1, self.max)
    }

    /// Returns true if one more request of `class` may start beside those in flight.
    pub(crate) fn have_capacity(&self, class: Class, in_flight: InFlightCounts) -> bool {
        let (limit, kept) = (self.limit(), self.kept_for_live());
        match class {
            // Even above the limit, up to the upper bound: it may have fallen below the number of history requests
            // that hang.
            Class::Live => {
                in_flight.total() < limit || (in_flight.live < kept && in_flight.total() < self.max)
            }
            // Never the last lanes, so that history requests that hang do not delay a live change.
            Class::History => {
                in_flight.total() < limit && in_flight.history < limit.saturating_sub(kept).max(1)
            }
        }
    }

    /// Number of lanes that history leaves to live changes: a tenth, at least one.
    fn kept_for_live(&self) -> usize {
        (self.limit() / 10).max(1)
    }

    /// Number of decreases so far. A request carries the epoch of its start, because an overload that it reports after a
    /// later decrease is already accounted for.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Changes the upper bound.
    pub fn set_max(&mut self, max: usize) {
        self.max = max.max(1);
        self.limit = self.limit.min(self.max as f64);
    }

    /// Adapts the limit to a request that was accepted after `latency`, with `in_flight` requests at that time (itself
    /// included).
    pub fn record_success(&mut self, latency: Duration, in_flight: usize) {
        let ms = latency.as_secs_f64() * 1000.0;
        self.best_ms = (self.best_ms * DRIFT).min(ms);
        let is_low = ms <= (self.best_ms * TOLERANCE).max(self.best_ms + TOLERANCE_MS);
        if !is_low {
            self.doubling = false;
            self.limit = (self.limit - 1.0 / self.limit).max(1.0);
            return;
        }
        // Latency below the limit proves nothing about the limit.
        if in_flight * 2 > self.limit() {
            let step = if self.doubling { 1.0 } else { 1.0 / self.limit };
            self.limit = (self.limit + step).min(self.max as f64);
        }
    }

    /// Halves the limit, unless that was done since a request of `epoch` started. Returns true if it was halved.
    pub fn record_overload(&mut self, epoch: u64) -> bool {
        if epoch != self.epoch {
            return false;
        }
        self.epoch += 1;
        self.doubling = false;
        self.limit = (self.limit / 2.0).max(1.0);
        true
    }

    /// Lowers the limit to one, because nothing is accepted at present.
    pub fn collapse(&mut self) {
        self.limit = 1.0;
        self.doubling = true;
    }
}

/// Number of requests in flight. All batches of a request are of one class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct InFlightCounts {
    pub(crate) live: usize,
    pub(crate) history: usize,
}

impl InFlightCounts {
    pub(crate) fn total(self) -> usize {
        self.live + self.history
    }

    /// Counts a request with these batches as started.
    pub(crate) fn started(&mut self, batches: &[PendingBatch]) {
        *self.of(batches) += 1;
    }

    /// Counts a request with these batches as ended.
    pub(crate) fn ended(&mut self, batches: &[PendingBatch]) {
        let count = self.of(batches);
        *count = count.saturating_sub(1);
    }

    fn of(&mut self, batches: &[PendingBatch]) -> &mut usize {
        match batches.first().map_or(Class::Live, |batch| batch.class) {
            Class::Live => &mut self.live,
            Class::History => &mut self.history,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Returns the limits against an edge that serves `capacity` requests at once in `base_ms` and queues the others.
    fn simulate(capacity: usize, base_ms: u64, refuse_above: Option<usize>, rounds: usize) -> Vec<usize> {
        let mut lanes = Lanes::new(32);
        (0..rounds)
            .map(|_| {
                let (load, epoch) = (lanes.limit(), lanes.epoch());
                for _ in 0..load {
                    if refuse_above.is_some_and(|most| load > most) {
                        lanes.record_overload(epoch);
                    } else {
                        let queued = base_ms * load.div_ceil(capacity) as u64;
                        lanes.record_success(Duration::from_millis(queued), load);
                    }
                }
                lanes.limit()
            })
            .collect()
    }

    #[test]
    fn a_fast_edge_gets_all_lanes_within_a_few_round_trips() {
        assert_eq!(simulate(1000, 100, None, 4), [8, 16, 32, 32]);
    }

    #[test]
    fn an_edge_that_refuses_above_ten_is_kept_below_and_near_it() {
        let limits = simulate(1000, 20, Some(10), 200);
        let tail = &limits[100..];
        assert!(tail.iter().all(|limit| (4..=12).contains(limit)), "{tail:?}");
        assert!(tail.iter().sum::<usize>() / tail.len() >= 6, "{tail:?}");
    }

    #[test]
    fn it_settles_where_latency_stays_low() {
        let limits = simulate(8, 100, None, 100);
        assert!(
            limits[50..].iter().all(|limit| (8..=20).contains(limit)),
            "{limits:?}"
        );
    }

    #[test]
    fn overloads_of_requests_in_flight_together_count_once() {
        let mut lanes = Lanes::new(32);
        lanes.limit = 32.0;
        let epoch = lanes.epoch();
        let counted: Vec<_> = (0..32).map(|_| lanes.record_overload(epoch)).collect();
        assert_eq!(
            (lanes.limit(), counted.iter().filter(|counted| **counted).count()),
            (16, 1)
        );
    }

    /// Starts requests of `class` until the capacity is used up.
    fn fill(lanes: &Lanes, class: Class, mut in_flight: InFlightCounts) -> InFlightCounts {
        while lanes.have_capacity(class, in_flight) {
            match class {
                Class::Live => in_flight.live += 1,
                Class::History => in_flight.history += 1,
            }
        }
        in_flight
    }

    #[test]
    fn history_leaves_a_tenth_of_the_lanes_and_at_least_one_to_live_changes() {
        for (limit, history) in [(1, 1), (2, 1), (4, 3), (19, 18), (20, 18), (32, 29)] {
            let mut lanes = Lanes::new(32);
            lanes.limit = limit as f64;
            let full = fill(&lanes, Class::History, InFlightCounts::default());
            assert_eq!(full, InFlightCounts { live: 0, history }, "{limit}");
            let live = fill(&lanes, Class::Live, full).live;
            assert_eq!(live, (limit - history).max(1), "{limit}");
        }
    }

    #[test]
    fn a_live_change_finds_a_lane_also_when_the_limit_fell_below_what_hangs() {
        let mut lanes = Lanes::new(32);
        lanes.limit = 4.0;
        let hanging = InFlightCounts { live: 0, history: 20 };
        assert!(!lanes.have_capacity(Class::History, hanging));
        assert_eq!(fill(&lanes, Class::Live, hanging).live, 1);
    }

    #[test]
    fn live_changes_take_all_lanes_and_one_lane_stays_one() {
        let mut lanes = Lanes::new(32);
        lanes.limit = 32.0;
        assert_eq!(fill(&lanes, Class::Live, InFlightCounts::default()).live, 32);
        let single = Lanes::new(1);
        let busy = InFlightCounts { live: 0, history: 1 };
        assert!(single.have_capacity(Class::History, InFlightCounts::default()));
        assert!(!single.have_capacity(Class::Live, busy));
    }

    proptest! {
        #[test]
        fn it_stays_between_one_and_the_bound(most in 1usize..64, events in prop::collection::vec((0u8..4, 0u64..500), 0..300)) {
            let mut lanes = Lanes::new(most);
            for (what, ms) in events {
                match what {
                    0 => { lanes.record_overload(lanes.epoch()); }
                    1 => lanes.collapse(),
                    _ => lanes.record_success(Duration::from_millis(ms), lanes.limit()),
                }
                prop_assert!((1..=most).contains(&lanes.limit()));
            }
        }
    }
}
