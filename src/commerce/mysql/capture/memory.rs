//! The state of capture between calls, in memory only.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::commerce::changes::window::OverlapWindow;
use crate::commerce::mysql::capture::returns::OpenReturns;
use crate::commerce::mysql::capture::slow::SlowTables;
use crate::commerce::source::Cursors;

/// The windows of all tables, and the cursors that were last returned.
#[derive(Debug)]
pub(crate) struct CaptureMemory {
    pub(super) overlap: Duration,
    pub(super) started: Instant,
    pub(super) last_returned: Option<Cursors>,
    /// Number of results that held changes, from a random start.
    pub(super) results: u64,
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
            last_returned: None,
            // Random, so that the cursors of an earlier process are not mistaken for those last returned.
            results: fastrand::u64(..1 << 48),
            windows: BTreeMap::new(),
            returns: OpenReturns::default(),
            slow: SlowTables::default(),
            cleared: 0,
        }
    }

    /// Starts a call with these cursors. If they are not those last returned, the caller did not store the last result,
    /// and everything is forgotten, so that it is reported again.
    pub(super) fn resume(&mut self, cursors: &Cursors) {
        // Taken: a call that fails or is dropped half-way counts as not returned.
        if self.last_returned.take().as_ref() != Some(cursors) {
            self.windows.clear();
            self.returns = OpenReturns::default();
            self.slow.abort_reads();
        }
    }
}
