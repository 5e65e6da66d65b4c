//! The batches that a sender has taken from the store, and the requests made of them.
//!
//! A request holds one batch, or several small ones of the same class that are ready at the same moment: none waits for
//! others. A suspect batch is sent alone, and so is one whose last answer was a server error.

use std::collections::VecDeque;

use crate::store::meta::WebsiteId;
use crate::store::outbox::in_flight::SenderBatches;
use crate::store::outbox::{BatchId, Class, PendingBatch, SenderRow};
use crate::store::{Store, StoreError};
use orderfeed_model::clock::UtcMillis;

/// The bytes around the events of a request: `{"events":[` and `]}`.
pub(crate) const OPENING: &[u8] = b"{\"events\":[";
pub(crate) const CLOSING: &[u8] = b"]}";

/// The size limits of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RequestLimits {
    pub(crate) bytes: usize,
    pub(crate) events: usize,
}

/// The queue of one sender.
#[derive(Debug)]
pub(crate) struct Queue {
    /// Requests that were put back, and halves of refused ones. They go first and are not combined with others.
    groups: VecDeque<Vec<PendingBatch>>,
    /// Ready batches, in the order of the store.
    ready: VecDeque<PendingBatch>,
    /// Number of ready batches below which the store should be read again; 0 if it has no more.
    low_water: usize,
    /// Batches that must not be taken from the store again: in flight, waiting for their commit, or in `groups`.
    taken: SenderBatches,
    /// True if the store may hold ready batches that are not in `ready`: the next refill reads it.
    pub(crate) is_stale: bool,
    /// Time at which the next batch that waits in the store is due.
    pub(crate) next_due: Option<UtcMillis>,
    last_probe: Option<BatchId>,
}

impl Queue {
    pub(crate) fn new(taken: SenderBatches) -> Self {
        Self {
            groups: VecDeque::new(),
            ready: VecDeque::new(),
            low_water: 0,
            taken,
            is_stale: true,
            next_due: None,
            last_probe: None,
        }
    }

    /// Reads at most `page` ready batches, and the sender's row from the same snapshot.
    pub(crate) async fn refill(
        &mut self,
        store: &Store,
        website: WebsiteId,
        page: usize,
        now: UtcMillis,
    ) -> Result<Option<SenderRow>, StoreError> {
        let taken = self.taken.ids().clone();
        let read = store.read(move |reader| {
            let ready = reader.ready_batches(website, now, &taken, page)?;
            Ok((ready, reader.next_due(website, now)?, reader.senders()?))
        });
        let (ready, next_due, senders) = read.await?;
        self.is_stale = false;
        self.next_due = next_due;
        self.fill(ready, page);
        Ok(senders.into_iter().find(|row| row.website == website))
    }

    fn fill(&mut self, ready: Vec<PendingBatch>, page: usize) {
        // A full page means that the store may have more.
        self.low_water = if ready.len() < page { 0 } else { page / 2 };
        self.ready = ready.into();
    }

    /// Returns true if nothing is ready and nothing is in flight.
    pub(crate) fn is_idle(&self) -> bool {
        self.ready.is_empty() && self.taken.ids().is_empty()
    }

    /// Takes the next request of a class that `has_capacity`. A batch that is `alone` does not share a request.
    pub(crate) fn take(
        &mut self,
        limits: RequestLimits,
        has_capacity: impl Fn(Class) -> bool,
        alone: impl Fn(&PendingBatch) -> bool,
    ) -> Option<Vec<PendingBatch>> {
        let request = self.next_request(limits, has_capacity, alone);
        self.is_stale |= self.ready.len() < self.low_water;
        self.taken.extend(request.iter().flatten().map(|batch| batch.id));
        request
    }

    fn next_request(
        &mut self,
        limits: RequestLimits,
        has_capacity: impl Fn(Class) -> bool,
        alone: impl Fn(&PendingBatch) -> bool,
    ) -> Option<Vec<PendingBatch>> {
        let is_live = |batch: &PendingBatch| batch.class == Class::Live;
        // Groups go before ready batches of their class, but history never before a live change.
        let live_waits = has_capacity(Class::Live) && self.ready.front().is_some_and(is_live);
        let may_start = |batches: &Vec<PendingBatch>| {
            let first = batches.first();
            first.is_none_or(|batch| has_capacity(batch.class) && (is_live(batch) || !live_waits))
        };
        if let Some(index) = self.groups.iter().position(may_start) {
            return self.groups.remove(index);
        }
        // The store lists live batches first: behind a history batch there are none.
        if !has_capacity(self.ready.front()?.class) {
            return None;
        }
        let first = self.ready.pop_front()?;
        let (class, is_alone) = (first.class, alone(&first));
        let mut bytes = body_size(std::slice::from_ref(&first));
        let mut events = first.events;
        let mut request = vec![first];
        while let Some(next) = self.ready.front().filter(|_| !is_alone) {
            bytes += 1 + next.bytes;
            events += next.events;
            if next.class != class || bytes > limits.bytes || events > limits.events || alone(next) {
                break;
            }
            request.extend(self.ready.pop_front());
        }
        Some(request)
    }

    /// Takes the smallest ready batch as a probe.
    pub(crate) fn take_probe(&mut self) -> Option<Vec<PendingBatch>> {
        let ready = self.ready.iter().enumerate();
        // Another one than last time, if possible: the batch itself may be at fault.
        let others = ready.filter(|(_, batch)| Some(batch.id) != self.last_probe);
        let smallest = others.min_by_key(|(_, batch)| batch.bytes);
        let index = smallest.map_or(0, |(index, _)| index);
        let probe = match self.ready.remove(index) {
            Some(batch) => vec![batch],
            None => self.groups.pop_front()?,
        };
        self.last_probe = probe.first().map(|batch| batch.id);
        self.taken.extend(probe.iter().map(|batch| batch.id));
        Some(probe)
    }

    /// Puts a request back that could not be started.
    pub(crate) fn put_back(&mut self, batches: Vec<PendingBatch>) {
        self.groups.push_front(batches);
    }

    /// Adds the two halves of a refused request.
    pub(crate) fn halve(&mut self, mut batches: Vec<PendingBatch>) {
        let right = batches.split_off(batches.len() / 2);
        // In reverse, so that the left half is sent first.
        for half in [right, batches] {
            if !half.is_empty() {
                self.groups.push_front(half);
            }
        }
    }

    /// Gives batches back to the store.
    pub(crate) fn release(&mut self, ids: impl IntoIterator<Item = BatchId>) {
        for id in ids {
            self.taken.remove(id);
        }
    }
}

/// Returns the size of a request with these batches, in bytes.
pub(crate) fn body_size(batches: &[PendingBatch]) -> usize {
    let commas = batches.len().saturating_sub(1);
    OPENING.len() + batches.iter().map(|batch| batch.bytes).sum::<usize>() + commas + CLOSING.len()
}

/// Returns true if the last answer to this batch was a server error that the batch itself may have caused.
pub(crate) fn failed_before(batch: &PendingBatch) -> bool {
    batch
        .last_status
        .is_some_and(|status| status >= 500 && !matches!(status, 502..=504 | 507))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::outbox::in_flight::InFlightBatches;
    use orderfeed_model::clock::UtcMillis;
    use proptest::prelude::*;

    const LIMITS: RequestLimits = RequestLimits {
        bytes: 1000,
        events: 10,
    };

    fn queue() -> Queue {
        Queue::new(InFlightBatches::default().of_sender())
    }

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
    fn small_batches_of_a_class_share_a_request_and_suspects_do_not() {
        let mut queue = queue();
        let live = |id| batch(id, Class::Live, 1, 100);
        queue.fill(
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
        let mut queue = queue();
        queue.halve((1..=5).map(|id| batch(id, Class::Live, 1, 10)).collect());
        assert_eq!(ids(&queue.take(LIMITS, |_| true, |_| false).unwrap()), [1, 2]);
        assert_eq!(ids(&queue.take(LIMITS, |_| true, |_| false).unwrap()), [3, 4, 5]);
    }

    #[test]
    fn history_without_capacity_waits_and_live_changes_overtake_it() {
        let mut queue = queue();
        queue.halve(vec![batch(1, Class::History, 1, 10)]);
        queue.fill(
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
        let mut queue = queue();
        let all = [(1, 300), (2, 100), (3, 200)].map(|(id, bytes)| batch(id, Class::Live, 1, bytes));
        queue.fill(all.to_vec(), 9);
        assert_eq!(ids(&queue.take_probe().unwrap()), [2]);
        queue.fill(all.to_vec(), 9);
        assert_eq!(ids(&queue.take_probe().unwrap()), [3]);
        queue.fill(vec![all[2].clone()], 9);
        assert_eq!(
            ids(&queue.take_probe().unwrap()),
            [3],
            "better the same than none"
        );
    }

    proptest! {
        #[test]
        fn requests_keep_order_and_limits_and_lose_nothing(sizes in prop::collection::vec((1usize..12, 1usize..1200, any::<bool>()), 0..40)) {
            let mut queue = queue();
            let all: Vec<_> = (0..).zip(&sizes).map(|(id, (events, bytes, live))| {
                batch(id, if *live { Class::Live } else { Class::History }, *events, *bytes)
            }).collect();
            queue.fill(all.clone(), 99);
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
