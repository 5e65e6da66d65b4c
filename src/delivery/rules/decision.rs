//! The types of the response rules: an answer, a request, a decision.

use std::time::Duration;

/// An answer of the edge (at most 64 KiB of the body).
#[derive(Clone, Copy, Debug)]
pub struct Response<'a> {
    pub status: u16,
    /// The pause that `Retry-After` asked for, if it could be parsed.
    pub retry_after: Option<Duration>,
    pub body: &'a [u8],
}

/// The properties of a request that matter for a decision about its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestShape {
    /// Number of stored batches.
    pub batches: usize,
    pub events: usize,
    /// True if all batches were answered with a server error the last time they were sent.
    pub failed_before: bool,
    /// Number of earlier attempts of the batch that was attempted most.
    pub attempts: u32,
}

/// The consequence of an answer for the events in the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The edge accepted the events.
    Delivered(Accepted),
    /// One of several events is refused: send the parts one by one.
    Split(Split, EdgeRefusal),
    /// The only event is refused.
    Park(EdgeRefusal),
    /// Send the same bytes again later.
    Retry(RetryLater),
    /// Send once more with a new token; if that is refused as well, halt.
    Reauthenticate(Halt),
    /// Stop sending until the cause is fixed.
    Halt(Halt),
}

impl Decision {
    /// The word for the log.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Delivered(_) => "delivered",
            Self::Split(..) => "split",
            Self::Park(_) => "park",
            Self::Retry(_) => "retry",
            Self::Reauthenticate(_) | Self::Halt(_) => "halt",
        }
    }

    /// The code of the edge or of orderfeed; `None` if the events were accepted.
    pub(crate) fn code(&self) -> Option<&str> {
        match self {
            Self::Delivered(_) => None,
            Self::Split(_, refusal) | Self::Park(refusal) => Some(&refusal.code),
            Self::Retry(retry) => Some(&retry.code),
            Self::Reauthenticate(halt) | Self::Halt(halt) => Some(&halt.code),
        }
    }
}

/// Details of an accepted request; empty in the usual case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Warnings by position of the event in the request, each as `code title`.
    pub warnings: Vec<(usize, String)>,
    /// Positions of events that the edge accepted and then ignored because of consent.
    pub suppressed: Vec<usize>,
    /// An oddity of the answer as a whole.
    pub anomaly: Option<&'static str>,
}

/// The way to split a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// Half of the events.
    Events,
    /// Half of the bytes.
    Bytes {
        /// Largest body in bytes that the edge accepts, if it named it.
        max: Option<usize>,
    },
}

/// The refusal of one or several events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeRefusal {
    /// Code of the edge, or `http_400` and the like.
    pub code: String,
    pub title: String,
    /// May quote the event: for the store only, never for the log.
    pub detail: String,
    pub blame: Blame,
}

/// The certainty that a refusal is about the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The code describes a fault of the event.
    Event,
    /// A 4xx without a description.
    Unknown,
    /// A server error: the event or the edge may be at fault.
    Server,
}

/// A retry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryLater {
    /// The pause that the edge asked for.
    pub after: Option<Duration>,
    pub scope: RetryScope,
    /// Code of the edge, or `http_503` and the like.
    pub code: String,
}

/// The requests that wait before a retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryScope {
    /// All requests of the organization, whose quota is used up.
    Organization,
    /// All requests to the datastream.
    Datastream,
    /// This request; all requests if others fail too.
    Request,
    /// This request, for long enough that the edge can recover if it is at fault.
    RequestSlow,
}

/// The reason why nothing is accepted, and the remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Halt {
    /// Code of the edge, or a stable word.
    pub code: String,
    pub reason: String,
    pub remedy: &'static str,
    /// True if the halt was inferred from refusals of events; false if the edge reported its cause.
    pub inferred: bool,
}

impl Halt {
    /// Returns the halt of a sender all of whose events are refused, by the last refusal.
    pub(crate) fn everything_refused(refusal: &EdgeRefusal) -> Self {
        let title = match refusal.title.is_empty() {
            true => String::new(),
            false => format!(" ({})", refusal.title),
        };
        Self {
            code: refusal.code.clone(),
            reason: format!("the edge refuses every event{title}"),
            remedy: "check the datastream and its schema at Adobe; `orderfeed failed list` shows what was refused",
            inferred: true,
        }
    }

    /// Returns the halt of a sender whose proxy refuses the login.
    pub(crate) fn proxy_login(reason: String) -> Self {
        Self {
            code: "proxy_login".to_owned(),
            reason,
            remedy: "check user and password in edge.proxy, or in HTTPS_PROXY if that key is not set",
            inferred: false,
        }
    }

    /// Returns reason and remedy as one sentence.
    pub(crate) fn sentence(&self) -> String {
        format!("{}; {}", self.reason, self.remedy)
    }
}

/// Replaces the placeholder `websites.CODE` in a reason or remedy by the website's own key.
pub(crate) fn name_website(text: &str, website: &str) -> String {
    text.replace("websites.CODE", &format!("websites.{website}"))
}
