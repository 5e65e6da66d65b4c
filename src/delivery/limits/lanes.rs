//! How many requests of a website may be in flight: additive increase, multiplicative decrease. Pure.
//!
//! It starts small, doubles every round trip until something gives, then grows by one a round trip while the latency
//! holds, shrinks by one a round trip while it does not, and halves when the edge says that it is too much (429, 5xx, timeouts). Halving happens once for all requests
//! that were under way together: thirty refusals of one overload are one message.

use std::time::Duration;

use crate::store::outbox::{Class, PendingBatch};

const START: f64 = 4.0;
/// Latency "holds" up to twice the best one seen, or so much above it: below that, more lanes cost nobody anything.
const TOLERANCE: f64 = 2.0;
const TOLERANCE_MS: f64 = 50.0;
/// The best latency is forgotten slowly, so that a moved edge does not look slow for ever.
const DRIFT: f64 = 1.000_05;

/// The controller of one website.
#[derive(Clone, Debug)]
pub struct Lanes {
    most: usize,
    limit: f64,
    doubling: bool,
    best_ms: f64,
    /// Counts the decreases: a request that started before the last one says nothing new.
    epoch: u64,
}

impl Lanes {
    /// At most `most` requests.
    pub fn new(most: usize) -> Self {
        Self {
            most: most.max(1),
            limit: START.min(most.max(1) as f64),
            doubling: true,
            best_ms: f64::INFINITY,
            epoch: 0,
        }
    }

    /// How many requests may be in flight now, at least one.
    pub fn limit(&self) -> usize {
        (self.limit as usize).clamp(1, self.most)
    }

    /// Whether one more request of `class` may start beside those in flight.
    ///
    /// History never takes the last lanes, so that history requests that hang do not hold up a change that just happened.
    /// Nor do those that hang when the limit falls: the lanes kept for live changes are theirs up to the upper bound.
    pub(crate) fn have_capacity(&self, class: Class, in_flight: InFlight) -> bool {
        let (limit, kept) = (self.limit(), self.kept_for_live());
        let total = in_flight.live + in_flight.history;
        match class {
            Class::Live => total < limit || (in_flight.live < kept && total < self.most),
            Class::History => total < limit && in_flight.history < limit.saturating_sub(kept).max(1),
        }
    }

    /// A tenth of the lanes, at least one.
    fn kept_for_live(&self) -> usize {
        (self.limit() / 10).max(1)
    }

    /// What a request carries along to say when it started.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Changes the upper bound.
    pub fn set_most(&mut self, most: usize) {
        self.most = most.max(1);
        self.limit = self.limit.min(self.most as f64);
    }

    /// A request was answered well after `latency`, with `in_flight` under way (itself included).
    pub fn answered(&mut self, latency: Duration, in_flight: usize) {
        let ms = latency.as_secs_f64() * 1000.0;
        self.best_ms = (self.best_ms * DRIFT).min(ms);
        let holds = ms <= (self.best_ms * TOLERANCE).max(self.best_ms + TOLERANCE_MS);
        if !holds {
            self.doubling = false;
            self.limit = (self.limit - 1.0 / self.limit).max(1.0);
            return;
        }
        // Room that is not used proves nothing.
        if in_flight * 2 > self.limit() {
            let step = if self.doubling { 1.0 } else { 1.0 / self.limit };
            self.limit = (self.limit + step).min(self.most as f64);
        }
    }

    /// The edge had too much, said by a request of `epoch`. Whether this was news.
    pub fn overloaded(&mut self, epoch: u64) -> bool {
        if epoch != self.epoch {
            return false;
        }
        self.epoch += 1;
        self.doubling = false;
        self.limit = (self.limit / 2.0).max(1.0);
        true
    }

    /// Nothing gets through: one request finds out when that changes.
    pub fn collapse(&mut self) {
        self.limit = 1.0;
        self.doubling = true;
    }
}

/// Requests under way. All batches of a request are of one class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct InFlight {
    pub(crate) live: usize,
    pub(crate) history: usize,
}

impl InFlight {
    /// A request with these batches left.
    pub(crate) fn started(&mut self, batches: &[PendingBatch]) {
        *self.of(batches) += 1;
    }

    /// It ended.
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

    /// An edge that serves `capacity` requests at once in `base_ms` and lets the others queue up.
    fn simulate(capacity: usize, base_ms: u64, refuse_above: Option<usize>, rounds: usize) -> Vec<usize> {
        let mut lanes = Lanes::new(32);
        (0..rounds)
            .map(|_| {
                let (load, epoch) = (lanes.limit(), lanes.epoch());
                for _ in 0..load {
                    if refuse_above.is_some_and(|most| load > most) {
                        lanes.overloaded(epoch);
                    } else {
                        let queued = base_ms * load.div_ceil(capacity) as u64;
                        lanes.answered(Duration::from_millis(queued), load);
                    }
                }
                lanes.limit()
            })
            .collect()
    }

    #[test]
    fn an_edge_with_room_gets_all_lanes_within_a_few_round_trips() {
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
    fn it_settles_where_latency_holds() {
        let limits = simulate(8, 100, None, 100);
        assert!(
            limits[50..].iter().all(|limit| (8..=20).contains(limit)),
            "{limits:?}"
        );
    }

    #[test]
    fn refusals_that_were_under_way_together_count_once() {
        let mut lanes = Lanes::new(32);
        lanes.limit = 32.0;
        let epoch = lanes.epoch();
        let news: Vec<_> = (0..32).map(|_| lanes.overloaded(epoch)).collect();
        assert_eq!((lanes.limit(), news.iter().filter(|new| **new).count()), (16, 1));
    }

    /// Lets requests of `class` start until there is no room.
    fn fill(lanes: &Lanes, class: Class, mut in_flight: InFlight) -> InFlight {
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
            let full = fill(&lanes, Class::History, InFlight::default());
            assert_eq!(full, InFlight { live: 0, history }, "{limit}");
            let live = fill(&lanes, Class::Live, full).live;
            assert_eq!(live, (limit - history).max(1), "{limit}");
        }
    }

    #[test]
    fn a_live_change_finds_a_lane_also_when_the_limit_fell_below_what_hangs() {
        let mut lanes = Lanes::new(32);
        lanes.limit = 4.0;
        let hanging = InFlight { live: 0, history: 20 };
        assert!(!lanes.have_capacity(Class::History, hanging));
        assert_eq!(fill(&lanes, Class::Live, hanging).live, 1);
    }

    #[test]
    fn live_changes_take_all_lanes_and_one_lane_stays_one() {
        let mut lanes = Lanes::new(32);
        lanes.limit = 32.0;
        assert_eq!(fill(&lanes, Class::Live, InFlight::default()).live, 32);
        let single = Lanes::new(1);
        let busy = InFlight { live: 0, history: 1 };
        assert!(single.have_capacity(Class::History, InFlight::default()));
        assert!(!single.have_capacity(Class::Live, busy));
    }

    proptest! {
        #[test]
        fn it_stays_between_one_and_the_bound(most in 1usize..64, events in prop::collection::vec((0u8..4, 0u64..500), 0..300)) {
            let mut lanes = Lanes::new(most);
            for (what, ms) in events {
                match what {
                    0 => { lanes.overloaded(lanes.epoch()); }
                    1 => lanes.collapse(),
                    _ => lanes.answered(Duration::from_millis(ms), lanes.limit()),
                }
                prop_assert!((1..=most).contains(&lanes.limit()));
            }
        }
    }
}
