//! Which stored batches travel in the next request. Pure.
//!
//! A request carries one batch or several small ones of the same class that are ready at the same moment: nothing waits
//! for company. A batch that is under isolation travels alone, and so does one whose last answer was a server error.

use std::collections::VecDeque;

use crate::store::outbox::{BatchId, Class, PendingBatch};

/// What surrounds the events in a request: `{"events":[` and `]}`.
pub(crate) const OPENING: &[u8] = b"{\"events\":[";
pub(crate) const CLOSING: &[u8] = b"]}";

/// How large a request may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RequestLimits {
    pub(crate) bytes: usize,
    pub(crate) events: usize,
}

/// Batches that are ready, in order.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// Halves of a request that was refused as a whole; they go first and stay as they are.
    groups: VecDeque<Vec<PendingBatch>>,
    ready: VecDeque<PendingBatch>,
    /// Below so many, what lies behind the page that was read is wanted; 0 if there is nothing.
    low_water: usize,
}

impl Queue {
    /// Replaces what is ready by what was read with a limit of `page`; groups stay.
    pub(crate) fn refill(&mut self, ready: Vec<PendingBatch>, page: usize) {
        self.low_water = if ready.len() < page { 0 } else { page / 2 };
        self.ready = ready.into();
    }

    /// Whether it runs low and the store has more.
    pub(crate) fn wants_more(&self) -> bool {
        self.ready.len() < self.low_water
    }

    /// A request that was refused as a whole, as two smaller ones.
    pub(crate) fn halve(&mut self, mut batches: Vec<PendingBatch>) {
        let right = batches.split_off(batches.len() / 2);
        for half in [right, batches] {
            if !half.is_empty() {
                self.groups.push_front(half);
            }
        }
    }

    /// Puts a request back that could not be started.
    pub(crate) fn put_back(&mut self, batches: Vec<PendingBatch>) {
        self.groups.push_front(batches);
    }

    /// The next request of a class that there is `room` for.
    pub(crate) fn take(
        &mut self,
        limits: RequestLimits,
        room: impl Fn(Class) -> bool,
        alone: impl Fn(&PendingBatch) -> bool,
    ) -> Option<Vec<PendingBatch>> {
        let is_live = |batch: &PendingBatch| batch.class == Class::Live;
        // What is put back or halved goes before its like, but history never before a live change.
        let live_waits = room(Class::Live) && self.ready.front().is_some_and(is_live);
        let may_go = |batches: &Vec<PendingBatch>| {
            let first = batches.first();
            first.is_none_or(|batch| room(batch.class) && (is_live(batch) || !live_waits))
        };
        if let Some(index) = self.groups.iter().position(may_go) {
            return self.groups.remove(index);
        }
        // The store lists live changes first: behind history there are none.
        if !self.ready.front().is_some_and(|batch| room(batch.class)) {
            return None;
        }
        let first = self.ready.pop_front()?;
        let (class, single) = (first.class, alone(&first));
        let mut bytes = body_bytes(&first);
        let mut events = first.events;
        let mut request = vec![first];
        while let Some(next) = self.ready.front().filter(|_| !single) {
            bytes += 1 + next.bytes;
            events += next.events;
            if next.class != class || bytes > limits.bytes || events > limits.events || alone(next) {
                break;
            }
            request.extend(self.ready.pop_front());
        }
        Some(request)
    }

    /// The smallest batch that is ready, other than `last`: one request that finds out whether it works again.
    pub(crate) fn take_probe(&mut self, last: Option<BatchId>) -> Option<Vec<PendingBatch>> {
        let others = self
            .ready
            .iter()
            .enumerate()
            .filter(|(_, batch)| Some(batch.id) != last);
        let smallest = others
            .min_by_key(|(_, batch)| batch.bytes)
            .map(|(index, _)| index);
        match smallest {
            Some(index) => self.ready.remove(index).map(|batch| vec![batch]),
            None => self
                .ready
                .pop_front()
                .map(|batch| vec![batch])
                .or_else(|| self.groups.pop_front()),
        }
    }
}

/// The size of a request with this batch alone.
pub(crate) fn body_bytes(batch: &PendingBatch) -> usize {
    OPENING.len() + batch.bytes + CLOSING.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use orderfeed_model::clock::UtcMillis;
    use proptest::prelude::*;

    const LIMITS: RequestLimits = RequestLimits {
        bytes: 1000,
        events: 10,
    };

    fn batch(id: BatchId, class: Class, events: usize, bytes: usize) -> PendingBatch {
        PendingBatch {
            id,
            website: 1,
            class,
            events,
            bytes,
            attempts: 0,
            last_status: None,
            changed_at: UtcMillis(0),
        }
    }

    fn ids(request: &[PendingBatch]) -> Vec<BatchId> {
        request.iter().map(|batch| batch.id).collect()
    }

    #[test]
    fn small_ones_travel_together_by_class_and_suspects_alone() {
        let mut queue = Queue::default();
        let live = |id| batch(id, Class::Live, 1, 100);
        queue.refill(
            vec![
                live(1),
                live(2),
                live(3),
                live(4),
                batch(5, Class::History, 1, 100),
            ],
            9,
        );
        let alone = |batch: &PendingBatch| batch.id == 3;
        let requests: Vec<_> = std::iter::from_fn(|| queue.take(LIMITS, |_| true, alone))
            .map(|r| ids(&r))
            .collect();
        assert_eq!(requests, [vec![1, 2], vec![3], vec![4], vec![5]]);
    }

    #[test]
    fn a_refused_request_comes_back_in_halves_and_in_order() {
        let mut queue = Queue::default();
        queue.halve((1..=5).map(|id| batch(id, Class::Live, 1, 10)).collect());
        assert_eq!(ids(&queue.take(LIMITS, |_| true, |_| false).unwrap()), [1, 2]);
        assert_eq!(ids(&queue.take(LIMITS, |_| true, |_| false).unwrap()), [3, 4, 5]);
    }

    #[test]
    fn history_that_has_no_room_waits_and_live_changes_pass_it() {
        let mut queue = Queue::default();
        queue.halve(vec![batch(1, Class::History, 1, 10)]);
        queue.refill(
            vec![batch(2, Class::Live, 1, 10), batch(3, Class::History, 1, 10)],
            9,
        );
        let live_only = |class| class == Class::Live;
        assert_eq!(ids(&queue.take(LIMITS, live_only, |_| false).unwrap()), [2]);
        assert_eq!(queue.take(LIMITS, live_only, |_| false), None);
        let rest = std::iter::from_fn(|| queue.take(LIMITS, |_| true, |_| false));
        assert_eq!(rest.map(|request| ids(&request)).collect::<Vec<_>>(), [[1], [3]]);
    }

    #[test]
    fn a_probe_is_the_smallest_and_not_the_same_again() {
        let mut queue = Queue::default();
        let all = [(1, 300), (2, 100), (3, 200)].map(|(id, bytes)| batch(id, Class::Live, 1, bytes));
        queue.refill(all.to_vec(), 9);
        assert_eq!(ids(&queue.take_probe(None).unwrap()), [2]);
        queue.refill(all.to_vec(), 9);
        assert_eq!(ids(&queue.take_probe(Some(2)).unwrap()), [3]);
        queue.refill(vec![all[1].clone()], 9);
        assert_eq!(
            ids(&queue.take_probe(Some(2)).unwrap()),
            [2],
            "better the same than none"
        );
    }

    proptest! {
        #[test]
        fn requests_keep_order_and_limits_and_lose_nothing(sizes in prop::collection::vec((1usize..12, 1usize..1200, any::<bool>()), 0..40)) {
            let mut queue = Queue::default();
            let all: Vec<_> = (0..).zip(&sizes).map(|(id, (events, bytes, live))| {
                batch(id, if *live { Class::Live } else { Class::History }, *events, *bytes)
            }).collect();
            queue.refill(all.clone(), 99);
            let mut seen = Vec::new();
            while let Some(request) = queue.take(LIMITS, |_| true, |_| false) {
                let bytes = OPENING.len() + CLOSING.len() + request.iter().map(|b| b.bytes + 1).sum::<usize>() - 1;
                let events: usize = request.iter().map(|b| b.events).sum();
                prop_assert!(request.len() == 1 || (bytes <= LIMITS.bytes && events <= LIMITS.events));
                seen.extend(request);
            }
            prop_assert_eq!(seen, all);
        }
    }
}
