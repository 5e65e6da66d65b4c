//! Whose fault is it: the event's or the edge's? A refusal that can be either is blamed on the event only if others got
//! through meanwhile; when everything fails alone, it is the edge, and the sender halts instead of parking the world.
//! Pure.

use std::collections::HashMap;

use crate::delivery::rules::{Blame, EdgeRefusal};
use crate::store::outbox::BatchId;

/// Events that failed alone with a server error, without a success in between, before it is the edge.
const LONE_FAILURES: u32 = 3;
/// Different events in a row with the same undescribed refusal before it is no longer about events.
const UNKNOWN_IN_A_ROW: u32 = 3;
/// The same for a refusal that the edge describes as being about the event.
const KNOWN_IN_A_ROW: u32 = 100;

/// What to do about a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalAction {
    /// Send less at a time.
    Split,
    /// Give the event up.
    Park,
    /// Not enough is known: later.
    Retry,
    /// It is not about events.
    Halt,
}

/// What a sender remembers between answers. Forgotten by a restart, which costs a few more requests.
#[derive(Clone, Debug, Default)]
pub struct PoisonIsolation {
    successes: u64,
    /// Batches that are to travel alone, with the count of successes when they became suspect.
    suspects: HashMap<BatchId, u64>,
    lone_failures: u32,
    row: Option<(String, u32)>,
}

impl PoisonIsolation {
    /// Something got through.
    pub fn accepted(&mut self, batches: impl IntoIterator<Item = BatchId>) {
        self.successes += 1;
        self.lone_failures = 0;
        self.row = None;
        if !self.suspects.is_empty() {
            for batch in batches {
                self.suspects.remove(&batch);
            }
        }
    }

    /// Whether this batch is to travel alone.
    pub fn suspects(&self, batch: BatchId) -> bool {
        self.suspects.contains_key(&batch)
    }

    /// Both halves of a split stay suspect.
    pub fn split(&mut self, whole: BatchId, half: BatchId) {
        let since = *self.suspects.entry(whole).or_insert(self.successes);
        self.suspects.insert(half, since);
    }

    /// Its events are final.
    pub fn forget(&mut self, batch: BatchId) {
        self.suspects.remove(&batch);
    }

    /// A batch was refused that holds so many events.
    pub fn refused(&mut self, batch: BatchId, events: usize, refused: &EdgeRefusal) -> RefusalAction {
        match refused.blame {
            Blame::Server => self.server_error(batch, events),
            _ if events > 1 => {
                self.suspects.entry(batch).or_insert(self.successes);
                RefusalAction::Split
            }
            Blame::Event => self.in_a_row(&refused.code, KNOWN_IN_A_ROW),
            Blame::Unknown => self.in_a_row(&refused.code, UNKNOWN_IN_A_ROW),
        }
    }

    fn server_error(&mut self, batch: BatchId, events: usize) -> RefusalAction {
        let known = self.suspects.contains_key(&batch);
        let others_suspect = !self.suspects.is_empty() && !known;
        let since = *self.suspects.entry(batch).or_insert(self.successes);
        let edge_works = self.successes > since;
        if events > 1 {
            // While nothing gets through, one batch is taken apart and the others stay whole.
            if others_suspect && self.lone_failures > 0 {
                self.suspects.remove(&batch);
                return RefusalAction::Retry;
            }
            return RefusalAction::Split;
        }
        if edge_works {
            return RefusalAction::Park;
        }
        self.lone_failures += 1;
        match self.lone_failures >= LONE_FAILURES {
            true => RefusalAction::Halt,
            false => RefusalAction::Retry,
        }
    }

    fn in_a_row(&mut self, code: &str, most: u32) -> RefusalAction {
        let count = match &mut self.row {
            Some((same, count)) if same == code => {
                *count = count.saturating_add(1);
                *count
            }
            row => {
                *row = Some((code.to_owned(), 1));
                1
            }
        };
        match count >= most {
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
        assert_eq!(isolation.refused(1, 4, &server), RefusalAction::Split);
        isolation.split(1, 2);
        assert_eq!(isolation.refused(1, 1, &server), RefusalAction::Retry);
        isolation.accepted([2]);
        assert_eq!(isolation.refused(1, 1, &server), RefusalAction::Park);
    }

    #[test]
    fn when_everything_fails_alone_it_is_the_edge() {
        let mut isolation = PoisonIsolation::default();
        let verdicts: Vec<_> = (1..=3)
            .map(|id| isolation.refused(id, 1, &refused(Blame::Server)))
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
        assert_eq!(isolation.refused(1, 1, &unknown), RefusalAction::Park);
        assert_eq!(isolation.refused(2, 1, &unknown), RefusalAction::Park);
        assert_eq!(isolation.refused(3, 1, &unknown), RefusalAction::Halt);
        isolation.accepted([4]);
        assert_eq!(isolation.refused(3, 1, &unknown), RefusalAction::Park);
    }

    #[test]
    fn many_events_that_the_edge_describes_as_bad_are_parked() {
        let mut isolation = PoisonIsolation::default();
        let known = refused(Blame::Event);
        assert!((0..99).all(|id| isolation.refused(id, 1, &known) == RefusalAction::Park));
        assert_eq!(isolation.refused(99, 1, &known), RefusalAction::Halt);
    }
}
