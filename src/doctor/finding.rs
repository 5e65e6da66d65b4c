//! What a check found.

use serde::{Serialize, Serializer};

use crate::doctor::check::Check;

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which check, by its stable id.
    #[serde(serialize_with = "id")]
    pub check: Check,
    /// What it is about, where a check looks at several: a website, a job, a table, a key. Null elsewhere.
    pub subject: Option<String>,
    /// How it stands.
    pub verdict: Verdict,
    /// A sentence.
    pub message: String,
    /// What to do; null if nothing is to be done.
    pub remedy: Option<String>,
}

/// How it stands. In the order of weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Not looked at; the message says why.
    Skipped,
    /// Worth knowing; nothing is to be done.
    Note,
    /// Works, and somebody should look at it.
    Warning,
    /// Does not work, or will not for long.
    Problem,
}

impl Finding {
    /// As it should be.
    pub fn ok(check: Check, message: impl Into<String>) -> Self {
        Self::new(check, Verdict::Ok, message.into(), None)
    }

    /// Worth knowing.
    pub fn note(check: Check, message: impl Into<String>) -> Self {
        Self::new(check, Verdict::Note, message.into(), None)
    }

    /// Not looked at, and why.
    pub fn skipped(check: Check, why: impl Into<String>) -> Self {
        Self::new(check, Verdict::Skipped, why.into(), None)
    }

    /// Somebody should look at it.
    pub fn warning(check: Check, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(check, Verdict::Warning, message.into(), Some(remedy.into()))
    }

    /// Does not work.
    pub fn problem(check: Check, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(check, Verdict::Problem, message.into(), Some(remedy.into()))
    }

    /// About this website, job, table or key.
    #[must_use]
    pub fn about(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    fn new(check: Check, verdict: Verdict, message: String, remedy: Option<String>) -> Self {
        Self {
            check,
            subject: None,
            verdict,
            message,
            remedy,
        }
    }
}

/// These checks, not looked at for one reason.
pub fn all_skipped(checks: &[Check], why: &str) -> Vec<Finding> {
    checks.iter().map(|check| Finding::skipped(*check, why)).collect()
}

fn id<S: Serializer>(check: &Check, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(check.id())
}
