//! The results of capture. A call recognizes by its cursors whether the caller stored the last one.

use crate::commerce::source::Cursors;
use orderfeed_model::clock::UtcMillis;

/// The last result of capture, and the number of those that held changes.
#[derive(Debug)]
pub(crate) struct Results {
    last: Option<Cursors>,
    number: u64,
}

impl Results {
    pub(crate) fn new() -> Self {
        Self {
            last: None,
            // Random, so that the cursors of an earlier process are not mistaken for those last returned.
            number: fastrand::u64(..1 << 48),
        }
    }

    /// Starts a call with these cursors. Returns false if they are not those last returned: the caller did not store the
    /// last result, which has to be reported again.
    pub(crate) fn continues(&mut self, cursors: &Cursors) -> bool {
        // Taken: a call that fails or is dropped half-way counts as not returned.
        self.last.take().as_ref() == Some(cursors)
    }

    /// Keeps the cursors of a result that is returned.
    pub(crate) fn returned(&mut self, cursors: &Cursors) {
        self.last = Some(cursors.clone());
    }

    /// Returns the text that a result with changes stores: the time, and a number that no other result has.
    pub(crate) fn stamp(&mut self, now: UtcMillis) -> String {
        self.number += 1;
        format!("{}/{}", now.sql(), self.number)
    }
}
