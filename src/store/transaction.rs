//! What a job on the store is given: a snapshot to read, or the current transaction. The verbs are in the files of their
//! tables.

use rusqlite::Connection;

/// How much of a power cut a transaction must survive; see the room's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// May be lost by a power cut, as a whole.
    Relaxed,
    /// On the disk before the answer.
    Durable,
}

/// What a transaction may have touched, for those who wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// Changes to index.
    Changelog,
    /// Events to send, or a sender's state.
    Outbox,
}

/// One snapshot. All reading verbs are its methods.
#[derive(Debug)]
pub struct Reader<'a> {
    pub(super) connection: &'a Connection,
}

/// The current write transaction. All writing verbs are its methods; it can read as well.
#[derive(Debug)]
pub struct Writer<'a> {
    pub(super) connection: &'a Connection,
    pub(super) touched: [bool; 2],
}

impl Writer<'_> {
    /// The reading verbs, on what this transaction sees.
    pub fn reader(&self) -> Reader<'_> {
        Reader {
            connection: self.connection,
        }
    }

    pub(super) fn touch(&mut self, topic: Topic) {
        self.touched[topic as usize] = true;
    }
}
