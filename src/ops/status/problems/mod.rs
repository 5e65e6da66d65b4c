//! The problems in a snapshot, the most severe first. `status` begins with them, and `doctor` reports them in the same words.
//!
//! Pure: a problem follows from the snapshot alone, so that every presentation of one snapshot agrees.

mod delivery;
mod index;

use crate::ops::status::problem::{ProblemKind, StatusProblem};
use crate::ops::status::problems::index::missed_window;
use crate::ops::status::{Moment, Snapshot};

impl Snapshot {
    /// Finds the problems, the most severe first.
    pub fn find_problems(&self) -> Vec<StatusProblem> {
        let mut problems: Vec<StatusProblem> = [
            self.daemon_problem(),
            self.source_problem(),
            self.gap_problem(),
            self.intake_problem(),
            self.suspension(),
            self.late_changes(),
            self.unreadable_orders(),
        ]
        .into_iter()
        .flatten()
        .collect();
        problems.extend(self.stopped_jobs());
        problems.extend(self.source_warnings());
        problems.extend(self.late_tables());
        problems.extend(self.websites.iter().flat_map(|website| self.of_website(website)));
        problems.extend(self.first_syncs.iter().filter_map(missed_window));
        // Stable: websites of the same kind stay in their order.
        problems.sort_by_key(|problem| (std::cmp::Reverse(problem.severity), problem.kind));
        problems
    }

    fn age(&self, at: Option<Moment>) -> i64 {
        at.map_or(0, |at| self.taken_at.0.millis_since(at.0))
    }

    fn daemon_problem(&self) -> Option<StatusProblem> {
        let message =
            "no daemon is running on this store; changes wait in the source, events in the outbox".to_owned();
        let remedy = "systemctl start orderfeed; if it does not stay up, `journalctl -u orderfeed -n 20` ends with the reason";
        (!self.daemon.running).then(|| StatusProblem::new(ProblemKind::DaemonNotRunning, message, remedy))
    }
}

#[cfg(test)]
mod tests;
