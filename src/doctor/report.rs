//! The report of all findings, as `doctor --json` prints it.
//!
//! # The shape
//!
//! `version` is 1. It changes only when a field is removed or changes its meaning; fields, checks and subjects may be
//! added. `verdict` is the worst finding: `ok`, `unknown`, `warning` or `problem`. `checks` holds the findings in the order of
//! [`Check::ALL`]; a check with several subjects
//! may occur several times.

use serde::Serialize;

use crate::doctor::finding::{Finding, Verdict};
use crate::ops::status::Moment;
use orderfeed_model::clock::UtcMillis;

pub const SHAPE: u32 = 1;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    pub version: u32,
    /// The most severe verdict; skipped checks and notes count as ok.
    pub verdict: Verdict,
    pub taken_at: Moment,
    pub duration_ms: i64,
    pub problems: usize,
    pub warnings: usize,
    /// Number of checks that could not look.
    pub unknown: usize,
    pub checks: Vec<Finding>,
}

impl Report {
    /// Creates a report; sorts the findings by check.
    pub fn new(mut findings: Vec<Finding>, begun: UtcMillis, ended: UtcMillis) -> Self {
        findings.sort_by_key(|finding| finding.check);
        let count = |verdict| {
            findings
                .iter()
                .filter(|finding| finding.verdict == verdict)
                .count()
        };
        let (problems, warnings) = (count(Verdict::Problem), count(Verdict::Warning));
        let unknown = count(Verdict::Unknown);
        Self {
            version: SHAPE,
            verdict: match (problems, warnings, unknown) {
                (0, 0, 0) => Verdict::Ok,
                (0, 0, _) => Verdict::Unknown,
                (0, _, _) => Verdict::Warning,
                (_, _, _) => Verdict::Problem,
            },
            taken_at: Moment(begun),
            duration_ms: ended.millis_since(begun).max(0),
            problems,
            warnings,
            unknown,
            checks: findings,
        }
    }

    /// Returns the most severe finding; of several, the first: a check comes before those that depend on it.
    pub fn headline(&self) -> Option<&Finding> {
        let is_worst = |finding: &&Finding| finding.verdict == self.verdict;
        self.checks
            .iter()
            .find(is_worst)
            .filter(|_| self.verdict != Verdict::Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::check::Check;

    #[test]
    fn the_most_severe_finding_is_the_verdict_and_skipped_checks_count_as_ok() {
        let of = |findings| Report::new(findings, UtcMillis(5), UtcMillis(3)).verdict;
        let skipped = Check::Disk.skipped("why");
        let warning = Check::Disk.warning("a", "b");
        let problem = Check::Configuration.problem("a", "b");
        assert_eq!(of(vec![skipped.clone()]), Verdict::Ok);
        let unknown = Check::Capture.unknown("a", "b");
        assert_eq!(of(vec![skipped.clone(), unknown.clone()]), Verdict::Unknown);
        assert_eq!(of(vec![skipped, unknown, warning.clone()]), Verdict::Warning);
        let report = Report::new(vec![warning, problem.clone()], UtcMillis(0), UtcMillis(7));
        assert_eq!((report.verdict, report.duration_ms), (Verdict::Problem, 7));
        assert_eq!(report.checks[0], problem, "in the order of the checks");
        assert_eq!(report.headline(), Some(&problem));
    }

    #[test]
    fn the_json_shape_is_stable() {
        let report = Report::new(vec![Check::Disk.ok("enough")], UtcMillis(0), UtcMillis(7));
        let json = serde_json::to_value(&report).unwrap();
        let expected = serde_json::json!({
            "version": 1, "verdict": "ok", "taken_at": "1970-01-01T00:00:00.000Z", "duration_ms": 7,
            "problems": 0, "warnings": 0, "unknown": 0,
            "checks": [{"check": "files.disk", "subject": null, "verdict": "ok", "message": "enough", "remedy": null}],
        });
        assert_eq!(json, expected);
    }
}
