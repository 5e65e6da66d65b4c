//! Runs `doctor` and evaluates its report.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::daemon::{Installation, Ran};

/// Upper bound of a run. `doctor` takes at most about 15 seconds; longer on a machine busy with other tests.
const BOUND: Duration = Duration::from_secs(40);

/// A report of `doctor`.
#[derive(Debug)]
pub struct Examination {
    pub code: Option<i32>,
    pub report: Value,
}

#[track_caller]
pub fn examine(installation: &Installation) -> Examination {
    examine_with(installation, &[])
}

/// Runs `doctor --json` with more arguments.
#[track_caller]
pub fn examine_with(installation: &Installation, args: &[&str]) -> Examination {
    let begun = Instant::now();
    let ran = installation.run(&[&["doctor", "--json"], args].concat());
    assert!(begun.elapsed() < BOUND, "{:?}", begun.elapsed());
    Examination::of(&ran)
}

impl Examination {
    /// Parses the report printed by a run.
    #[track_caller]
    pub fn of(ran: &Ran) -> Self {
        let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}"));
        assert_eq!(report["version"], 1);
        for words in ["s3cr3t", "Bearer"] {
            assert!(!ran.stdout.contains(words), "a secret: {}", ran.stdout);
        }
        let code = ran.code;
        let expected = if report["problems"] == 0 { 0 } else { 1 };
        assert_eq!(
            code,
            Some(expected),
            "the exit code says whether there is a problem"
        );
        Self { code, report }
    }

    /// Returns the findings of a check.
    pub fn of_check(&self, check: &str) -> Vec<&Value> {
        let findings = self.report["checks"].as_array().unwrap();
        findings
            .iter()
            .filter(|finding| finding["check"] == check)
            .collect()
    }

    /// Asserts that the check has a finding with this verdict whose message and remedy contain these words.
    #[track_caller]
    pub fn finds(&self, check: &str, verdict: &str, message: &[&str], remedy: &[&str]) {
        let holds = |text: &Value, words: &[&str]| {
            let text = text.as_str().unwrap_or_default();
            words.iter().all(|word| text.contains(word))
        };
        let found = self.of_check(check).into_iter().any(|finding| {
            finding["verdict"] == verdict
                && holds(&finding["message"], message)
                && holds(&finding["remedy"], remedy)
        });
        assert!(
            found,
            "no {verdict} of {check} with {message:?} and {remedy:?}: {:#}",
            self.report
        );
    }

    /// Returns every problem and warning.
    pub fn complaints(&self) -> Vec<String> {
        let findings = self.report["checks"].as_array().unwrap();
        let bad = findings
            .iter()
            .filter(|finding| finding["verdict"] == "problem" || finding["verdict"] == "warning");
        bad.map(|finding| format!("{}: {}", finding["check"], finding["message"]))
            .collect()
    }
}
