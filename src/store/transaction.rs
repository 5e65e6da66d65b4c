//! The two handles of a job: a snapshot to read, and the current write transaction. Their methods are in the files of the
//! tables.

use rusqlite::Connection;

/// The loss that a power cut may cause; see the header of [`crate::store`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// The transaction may be lost, as a whole.
    Relaxed,
    /// The transaction is on the disk before the caller continues.
    Durable,
}

/// A kind of change that tasks wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// Changes to index.
    Changelog,
    /// Events to send, or a sender's state.
    Outbox,
}

/// A snapshot of the database.
#[derive(Debug)]
pub struct Reader<'a> {
    pub(super) connection: &'a Connection,
}

/// The current write transaction.
#[derive(Debug)]
pub struct Writer<'a> {
    pub(super) connection: &'a Connection,
    pub(super) touched: [bool; 2],
}

impl Writer<'_> {
    /// Returns a reader of what this transaction sees.
    pub fn reader(&self) -> Reader<'_> {
        Reader {
            connection: self.connection,
        }
    }

    /// Wakes the subscribers of `topic` after the commit.
    pub(super) fn touch(&mut self, topic: Topic) {
        self.touched[topic as usize] = true;
    }
}
