//! The state of capture between calls, in memory only.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use crate::commerce::changes::results::Results;
use crate::commerce::changes::window::OverlapWindow;
use crate::commerce::rest::capture::open_returns::OpenReturns;
use crate::commerce::rest::capture::seen_tracks::SeenTracks;
use crate::commerce::rest::list::List;
use crate::commerce::source::Cursors;

/// The windows of all lists, and what was last returned.
#[derive(Debug)]
pub(crate) struct CaptureMemory {
    pub(super) overlap: Duration,
    pub(super) started: Instant,
    pub(super) results: Results,
    pub(super) windows: BTreeMap<List, OverlapWindow>,
    /// Rows of a list that make every page fail, and are left out.
    pub(crate) unreadable: BTreeMap<List, BTreeSet<i64>>,
    pub(super) returns: OpenReturns,
    pub(super) tracks: SeenTracks,
    /// The time before which the lists are not read again.
    pub(super) lists_due: Option<Instant>,
    pub(crate) journal_due: Option<Instant>,
}

impl CaptureMemory {
    pub(crate) fn new(overlap: Duration) -> Self {
        Self {
            overlap,
            started: Instant::now(),
            results: Results::new(),
            windows: BTreeMap::new(),
            unreadable: BTreeMap::new(),
            returns: OpenReturns::default(),
            tracks: SeenTracks::default(),
            lists_due: None,
            journal_due: None,
        }
    }

    /// Starts a call with these cursors. If the caller did not store the last result, everything is forgotten, so that it is
    /// reported again.
    pub(super) fn resume(&mut self, cursors: &Cursors) {
        if !self.results.continues(cursors) {
            self.windows.clear();
            self.returns = OpenReturns::default();
            self.tracks = SeenTracks::default();
            (self.lists_due, self.journal_due) = (None, None);
        }
    }
}
