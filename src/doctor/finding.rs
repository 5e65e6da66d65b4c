//! The finding of a check.

use serde::{Serialize, Serializer};

use crate::doctor::check::Check;
use crate::ops::status::problem::{ProblemKind, Severity, StatusProblem};

/// The result of one check, or of one subject of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    #[serde(serialize_with = "id")]
    pub check: Check,
    /// The website, job, table or key, for checks with several of them.
    pub subject: Option<String>,
    pub verdict: Verdict,
    pub message: String,
    /// `None` if there is nothing to do.
    pub remedy: Option<String>,
}

/// The verdict of a finding, in ascending severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Ok,
    /// Not checked; the message has the reason.
    Skipped,
    /// Worth knowing, with nothing to do.
    Note,
    /// Could not be checked, so that a problem may exist.
    Unknown,
    /// Works, but needs attention.
    Warning,
    /// Does not work, or will soon fail.
    Problem,
}

impl Check {
    pub fn ok(self, message: impl Into<String>) -> Finding {
        self.finding(Verdict::Ok, message.into(), None)
    }

    pub fn note(self, message: impl Into<String>) -> Finding {
        self.finding(Verdict::Note, message.into(), None)
    }

    pub fn skipped(self, why: impl Into<String>) -> Finding {
        self.finding(Verdict::Skipped, why.into(), None)
    }

    pub fn unknown(self, message: impl Into<String>, remedy: impl Into<String>) -> Finding {
        self.finding(Verdict::Unknown, message.into(), Some(remedy.into()))
    }

    pub fn warning(self, message: impl Into<String>, remedy: impl Into<String>) -> Finding {
        self.finding(Verdict::Warning, message.into(), Some(remedy.into()))
    }

    pub fn problem(self, message: impl Into<String>, remedy: impl Into<String>) -> Finding {
        self.finding(Verdict::Problem, message.into(), Some(remedy.into()))
    }

    fn finding(self, verdict: Verdict, message: String, remedy: Option<String>) -> Finding {
        Finding {
            check: self,
            subject: None,
            verdict,
            message,
            remedy,
        }
    }
}

impl Finding {
    /// Converts a problem that `status` shows as well.
    pub fn of(check: Check, problem: &StatusProblem) -> Self {
        let verdict = match (problem.kind, problem.severity) {
            // Changes may be missing, or not.
            (ProblemKind::CaptureGap, _) => Verdict::Unknown,
            (_, Severity::Warning) => Verdict::Warning,
            (_, Severity::Problem) => Verdict::Problem,
        };
        Self {
            subject: problem.subject.clone(),
            ..check.finding(verdict, problem.message.clone(), Some(problem.remedy.clone()))
        }
    }

    /// Sets the website, job, table or key that the finding is about.
    #[must_use]
    pub fn about(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }
}

pub fn all_skipped(checks: impl IntoIterator<Item = Check>, why: &str) -> impl Iterator<Item = Finding> {
    checks.into_iter().map(move |check| check.skipped(why))
}

/// Returns `findings`, or if there are none, that `check` is fine.
pub fn or_ok(findings: Vec<Finding>, check: Check, message: impl Into<String>) -> Vec<Finding> {
    match findings.is_empty() {
        true => vec![check.ok(message)],
        false => findings,
    }
}

fn id<S: Serializer>(check: &Check, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(check.as_str())
}
