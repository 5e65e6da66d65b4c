//! A problem of the installation: its kind, severity, sentence and remedy.

use serde::Serialize;

use orderfeed_model::clock::Moment;

/// Ages of a pending change or event at which it is a warning and a problem.
pub const SLOW_MS: i64 = 5 * 60_000;
pub const STUCK_MS: i64 = 30 * 60_000;

/// A condition that an operator should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StatusProblem {
    pub kind: ProblemKind,
    pub severity: Severity,
    /// The website or job that is concerned, if there are several.
    pub subject: Option<String>,
    pub message: String,
    /// Start of the condition, if it is known.
    pub since: Option<Moment>,
    pub remedy: String,
}

/// The kinds of problems. Of two with the same severity, the one that can be the cause of the other is first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemKind {
    DaemonNotRunning,
    SourceUnreadable,
    DiskNearlyFull,
    DeliveryHalted,
    OutboxFull,
    IndexSuspended,
    JobStopped,
    ChangesMissed,
    CaptureGap,
    EventsParked,
    DeliveryFailing,
    DeliveryPaused,
    ChangesLate,
    EventsLate,
    OrdersUnreadable,
    WebsiteOff,
    FirstSyncMissed,
    ConnectionExposed,
}

/// The severity of a problem, in ascending order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Works, but needs attention.
    Warning,
    /// Does not work, or will soon fail.
    Problem,
}

impl StatusProblem {
    pub(super) fn new(kind: ProblemKind, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            kind,
            severity: Severity::Problem,
            subject: None,
            message: message.into(),
            since: None,
            remedy: remedy.into(),
        }
    }

    #[must_use]
    pub(super) fn since(mut self, since: Option<Moment>) -> Self {
        self.since = since;
        self
    }

    #[must_use]
    pub(super) fn about(mut self, subject: &str) -> Self {
        self.subject = Some(subject.to_owned());
        self
    }

    /// Lowers the severity to a warning, unless `is_serious`.
    #[must_use]
    pub(super) fn serious_if(mut self, is_serious: bool) -> Self {
        if !is_serious {
            self.severity = Severity::Warning;
        }
        self
    }
}
