//! Holds requests back from the moment an answer asks for a pause until the sender has applied it.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// A gate between the sender, which starts requests, and its lanes, which send them.
///
/// A lane closes the gate before it reports an answer that asks for a pause; the sender opens it again when the pause
/// is part of its state. A request that started before a closing stays blocked even when the gate is open again: it may
/// have waited for its body or a token meanwhile, and the pause was not known when the sender started it.
#[derive(Debug, Default)]
pub(crate) struct PauseGate {
    /// Answers that closed the gate and are not applied yet.
    unapplied: AtomicUsize,
    closings: AtomicU64,
}

/// The number of closings at the start of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket(u64);

impl PauseGate {
    pub(crate) fn is_closed(&self) -> bool {
        self.unapplied.load(Ordering::SeqCst) > 0
    }

    pub(crate) fn close(&self) {
        self.unapplied.fetch_add(1, Ordering::SeqCst);
        self.closings.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn open(&self) {
        self.unapplied.fetch_sub(1, Ordering::SeqCst);
    }

    pub(crate) fn ticket(&self) -> Ticket {
        Ticket(self.closings.load(Ordering::SeqCst))
    }

    /// Returns true if the gate is closed, or was closed since `ticket` was taken.
    pub(crate) fn blocks(&self, ticket: Ticket) -> bool {
        self.is_closed() || self.ticket() != ticket
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_started_before_a_closing_stays_blocked_after_the_opening() {
        let gate = PauseGate::default();
        let early = gate.ticket();
        assert!(!gate.blocks(early));
        gate.close();
        assert!(gate.is_closed() && gate.blocks(early));
        gate.open();
        assert!(!gate.is_closed() && gate.blocks(early));
        assert!(!gate.blocks(gate.ticket()));
    }
}
