//! Isolates poison events: finds out if a refusal is about one event or about everything. Pure.
//!
//! A refusal that can have either cause is blamed on the event only if other requests were accepted meanwhile. Where
//! everything fails even alone, the edge is at fault, and the sender halts instead of parking every event.

use std::collections::HashMap;

use crate::delivery::rules::{Blame, EdgeRefusal};
use crate::store::outbox::BatchId;

/// Server errors to events that were sent alone, without a success between, that halt the sender.
const LONE_FAILURES: u32 = 3;
/// Refusals in a row of events with the same code or status that the edge does not describe, that halt the sender.
const UNKNOWN_IN_A_ROW: u32 = 3;
/// The same for refusals that the edge describes as being about the event.
const KNOWN_IN_A_ROW: u32 = 100;

/// The consequence of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalAction {
    /// Send the parts of the batch one by one.
    Split,
    /// Park the event.
    Park,
    /// Send the batch again later: the cause is not clear yet.
    Retry,
    /// Halt the sender: the refusal is not about single events.
    Halt,
}

/// Evidence from earlier answers. A restart forgets it, which costs a few more requests.
#[derive(Clone, Debug, Default)]
pub struct PoisonIsolation {
    successes: u64,
    /// Batches that are sent alone, with the number of successes at the time they became suspect.
    suspects: HashMap<BatchId, u64>,
    lone_failures: u32,
    /// Code of the last refusals of single events, and their number.
    run: Option<(String, u32)>,
}

impl PoisonIsolation {
    /// Records that the edge accepted a request with these batches.
    pub fn record_accepted(&mut self, batches: impl IntoIterator<Item = BatchId>) {
        self.successes += 1;
        self.lone_failures = 0;
        self.run = None;
        // Skips the loop in the usual case, for every accepted request.
        if !self.suspects.is_empty() {
            for batch in batches {
                self.suspects.remove(&batch);
            }
        }
    }

    /// Returns true if the batch is to be sent alone.
    pub fn is_suspect(&self, batch: BatchId) -> bool {
        self.suspects.contains_key(&batch)
    }

    /// Records that a batch was split; both halves stay suspect.
    pub fn record_split(&mut self, whole: BatchId, half: BatchId) {
        let since = *self.suspects.entry(whole).or_insert(self.successes);
        self.suspects.insert(half, since);
    }

    /// Forgets a batch whose events are final.
    pub fn forget(&mut self, batch: BatchId) {
        self.suspects.remove(&batch);
    }

    /// Records the refusal of a batch that was sent alone.
    pub fn record_refusal(&mut self, batch: BatchId, events: usize, refusal: &EdgeRefusal) -> RefusalAction {
        match refusal.blame {
            Blame::Server => self.server_error(batch, events),
            _ if events > 1 => {
                self.suspects.entry(batch).or_insert(self.successes);
                RefusalAction::Split
            }
            Blame::Event => self.refused_alone(&refusal.code, KNOWN_IN_A_ROW),
            Blame::Unknown => self.refused_alone(&refusal.code, UNKNOWN_IN_A_ROW),
        }
    }

    fn server_error(&mut self, batch: BatchId, events: usize) -> RefusalAction {
        let others_suspect = !self.suspects.is_empty() && !self.is_suspect(batch);
        let since = *self.suspects.entry(batch).or_insert(self.successes);
        if events > 1 {
            // While nothing is accepted, only one batch is taken apart: splitting all of them would not find the cause
            // sooner.
            if others_suspect && self.lone_failures > 0 {
                self.suspects.remove(&batch);
                return RefusalAction::Retry;
            }
            return RefusalAction::Split;
        }
        // Others were accepted since this batch became suspect, so the edge works and the event is at fault.
        if self.successes > since {
            return RefusalAction::Park;
        }
        self.lone_failures += 1;
        match self.lone_failures >= LONE_FAILURES {
            true => RefusalAction::Halt,
            false => RefusalAction::Retry,
        }
    }

    fn refused_alone(&mut self, code: &str, max: u32) -> RefusalAction {
        let count = match &self.run {
            Some((same, count)) if same == code => count.saturating_add(1),
            _ => 1,
        };
        self.run = Some((code.to_owned(), count));
        match count >= max {
            true => RefusalAction::Halt,
            false => RefusalAction::Park,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(blame: Blame) -> EdgeRefusal {
        EdgeRefusal {
            code: "http_418".to_owned(),
            title: String::new(),
            detail: String::new(),
            blame,
        }
    }

    #[test]
    fn a_server_error_is_blamed_on_an_event_only_while_others_get_through() {
        let mut isolation = PoisonIsolation::default();
        let server = refused(Blame::Server);
        assert_eq!(isolation.record_refusal(1, 4, &server), RefusalAction::Split);
        isolation.record_split(1, 2);
        assert_eq!(isolation.record_refusal(1, 1, &server), RefusalAction::Retry);
        isolation.record_accepted([2]);
        assert_eq!(isolation.record_refusal(1, 1, &server), RefusalAction::Park);
    }

    #[test]
    fn when_everything_fails_alone_it_is_the_edge() {
        let mut isolation = PoisonIsolation::default();
        let verdicts: Vec<_> = (1..=3)
            .map(|id| isolation.record_refusal(id, 1, &refused(Blame::Server)))
            .collect();
        assert_eq!(
            verdicts,
            [RefusalAction::Retry, RefusalAction::Retry, RefusalAction::Halt]
        );
    }

    #[test]
    fn a_third_event_in_a_row_with_the_same_unknown_refusal_halts() {
        let mut isolation = PoisonIsolation::default();
        let unknown = refused(Blame::Unknown);
        assert_eq!(isolation.record_refusal(1, 1, &unknown), RefusalAction::Park);
        assert_eq!(isolation.record_refusal(2, 1, &unknown), RefusalAction::Park);
        assert_eq!(isolation.record_refusal(3, 1, &unknown), RefusalAction::Halt);
        isolation.record_accepted([4]);
        assert_eq!(isolation.record_refusal(3, 1, &unknown), RefusalAction::Park);
    }

    #[test]
    fn many_events_that_the_edge_describes_as_bad_are_parked() {
        let mut isolation = PoisonIsolation::default();
        let known = refused(Blame::Event);
        assert!((0..99).all(|id| isolation.record_refusal(id, 1, &known) == RefusalAction::Park));
        assert_eq!(isolation.record_refusal(99, 1, &known), RefusalAction::Halt);
    }
}
