//! How many requests of a website may be in flight: additive increase, multiplicative decrease. Pure.
//!
//! It starts small, doubles every round trip until something gives, then grows by one a round trip while the latency
//! holds, shrinks by one a round trip while it does not, and halves when the edge says that it is too much (429, 5xx, timeouts). Halving happens once for all requests
//! that were under way together: thirty refusals of one overload are one message.

use std::time::Duration;

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
