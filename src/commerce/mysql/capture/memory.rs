//! The state of capture between calls, in memory only.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::commerce::changes::results::Results;
use crate::commerce::changes::window::OverlapWindow;
use crate::commerce::mysql::capture::returns::OpenReturns;
use crate::commerce::mysql::capture::slow::SlowTables;
use crate::commerce::source::Cursors;

/// The windows of all tables, and the cursors that were last returned.
#[derive(Debug)]
pub(crate) struct CaptureMemory {
    pub(super) overlap: Duration,
    pub(super) started: Instant,
    pub(super) results: Results,
    pub(super) windows: BTreeMap<&'static str, OverlapWindow>,
    pub(super) returns: OpenReturns,
    pub(super) slow: SlowTables,
    /// The version up to which the triggers' log was cleared.
    pub(super) cleared: i64,
}

impl CaptureMemory {
    pub(crate) fn new(overlap: Duration) -> Self {
        Self {
            overlap,
            started: Instant::now(),
            results: Results::new(),
            windows: BTreeMap::new(),
            returns: OpenReturns::default(),
            slow: SlowTables::default(),
            cleared: 0,
        }
    }

    /// Starts a call with these cursors. If the caller did not store the last result, everything is forgotten, so that it is
    /// reported again.
    pub(super) fn resume(&mut self, cursors: &Cursors) {
        if !self.results.continues(cursors) {
            self.windows.clear();
            self.returns = OpenReturns::default();
            self.slow.abort_reads();
        }
    }
}
