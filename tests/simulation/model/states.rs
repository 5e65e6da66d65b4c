//! The pure model: the steps, and the effect of each on the events' states and order.

use std::collections::BTreeMap;

use orderfeed::store::outbox::{EventKey, EventState};
use proptest::prelude::*;

use crate::simulation::sim::shop::Fact;

/// A step of a sequence.
#[derive(Clone, Debug)]
pub enum Step {
    Act(u64),
    Capture(usize),
    Index,
    Reindex,
    Force,
    /// Takes up to this many ready batches of a website into flight.
    Send(usize, usize),
    Accept(usize),
    Fail(usize),
    Split(usize),
    /// Parks or suppresses one event of a batch; the others are accepted.
    Single(usize, usize, bool),
    RetryParked,
    DiscardParked,
    CleanChangelog,
    Crash,
}

/// Generates steps, most often those that move events.
pub fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => any::<u64>().prop_map(Step::Act),
        3 => (1usize..20).prop_map(Step::Capture),
        3 => Just(Step::Index),
        1 => Just(Step::Reindex),
        1 => Just(Step::Force),
        4 => (0usize..2, 1usize..5).prop_map(|(website, count)| Step::Send(website, count)),
        4 => (0usize..5).prop_map(Step::Accept),
        2 => (0usize..5).prop_map(Step::Fail),
        2 => (0usize..5).prop_map(Step::Split),
        2 => (0usize..5, 0usize..9, any::<bool>()).prop_map(|(batch, event, park)| Step::Single(batch, event, park)),
        1 => Just(Step::RetryParked),
        1 => Just(Step::DiscardParked),
        1 => Just(Step::CleanChangelog),
        1 => Just(Step::Crash),
    ]
}

/// The expected state of every event, and the expected sequence of each order's events.
#[derive(Debug, Default)]
pub struct Model {
    pub states: BTreeMap<EventKey, EventState>,
    pub sequence: BTreeMap<i64, Vec<EventKey>>,
    pub bytes: BTreeMap<EventKey, Vec<u8>>,
}

impl Model {
    /// Records that an order was indexed.
    pub fn indexed(&mut self, facts: &[Fact], force: bool) {
        let mut facts = facts.to_vec();
        facts.sort_by_key(Fact::place);
        let keys: Vec<_> = facts.iter().map(key_of).collect();
        let sent = keys
            .iter()
            .filter(|key| force && self.states.get(*key) == Some(&EventState::Delivered));
        let again: Vec<_> = sent.copied().collect();
        let new = keys.iter().filter(|key| !self.states.contains_key(*key)).copied();
        let entering: Vec<_> = again.into_iter().chain(new.collect::<Vec<_>>()).collect();
        for key in entering {
            self.enters(key);
        }
    }

    pub fn enters(&mut self, key: EventKey) {
        let sequence = self.sequence.entry(key.order).or_default();
        sequence.retain(|known| *known != key);
        sequence.push(key);
        self.states.insert(key, EventState::Pending);
    }

    pub fn becomes(&mut self, keys: impl IntoIterator<Item = EventKey>, state: EventState) {
        for key in keys {
            self.states.insert(key, state);
        }
    }
}

fn key_of(fact: &Fact) -> EventKey {
    EventKey {
        order: fact.order,
        kind: fact.kind,
        document: fact.document,
        generation: 0,
    }
}
