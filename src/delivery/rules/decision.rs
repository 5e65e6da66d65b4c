//! The words of the table: what was asked, what was answered, what to do.

use std::time::Duration;

/// An answer, as far as it was read (at most 64 KiB of body).
#[derive(Clone, Copy, Debug)]
pub struct Response<'a> {
    /// HTTP status.
    pub status: u16,
    /// What `Retry-After` asked for, if it was understood.
    pub retry_after: Option<Duration>,
    /// The body.
    pub body: &'a [u8],
}

/// What was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestShape {
    /// Stored batches in the request.
    pub batches: usize,
    /// Events in the request.
    pub events: usize,
    /// Whether all of it was answered with a server error the last time it was sent.
    pub failed_before: bool,
    /// How often its most tried batch was sent before.
    pub attempts: u32,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The edge has it.
    Delivered(Accepted),
    /// Something in it is refused: find out what, by sending less at a time.
    Split(Split, EdgeRefusal),
    /// This one event is refused.
    Park(EdgeRefusal),
    /// Later, the same bytes.
    Retry(Retry),
    /// Once more with a fresh token; if that does not help, halt.
    Reauthenticate(Halt),
    /// Nothing will get through until a person mends it.
    Halt(Halt),
}

/// What the edge said beside its yes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Remarks by event index, each as `code title`.
    pub warnings: Vec<(usize, String)>,
    /// Events that were accepted and then not used, with the reason.
    pub suppressed: Vec<usize>,
    /// What was odd about the answer as a whole.
    pub anomaly: Option<&'static str>,
}

/// How to send less at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// Half of the events.
    Events,
    /// Half of the bytes, and never more than `max` again, if the edge named it.
    Bytes {
        /// Largest body in bytes.
        max: Option<usize>,
    },
}

/// A refusal of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeRefusal {
    /// The edge's code, or `http_400` and the like.
    pub code: String,
    /// Title.
    pub title: String,
    /// Detail, for the store only.
    pub detail: String,
    /// How sure it is that this is about the event.
    pub blame: Blame,
}

/// How sure a refusal is about an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The code says so.
    Event,
    /// A 4xx that nobody described.
    Unknown,
    /// A server error: it may be the event or the edge.
    Server,
}

/// A later try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// How long the edge asked to be left alone.
    pub after: Option<Duration>,
    /// RetryScope is to wait.
    pub scope: RetryScope,
    /// The edge's code, or `http_503` and the like.
    pub code: String,
}

/// RetryScope waits before a later try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryScope {
    /// The whole datastream: the edge asked for it.
    Datastream,
    /// This request; the datastream too if others fare no better.
    Request,
    /// This request, long enough for the edge to recover if it was the edge.
    RequestSlow,
}

/// Why nothing gets through, and what helps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Halt {
    /// A stable word or the edge's code.
    pub code: String,
    /// A sentence.
    pub reason: String,
    /// What to do.
    pub remedy: &'static str,
    /// Whether it was concluded from refusals of events, rather than said by the edge.
    pub inferred: bool,
}
