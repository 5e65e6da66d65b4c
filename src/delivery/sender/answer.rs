//! The report of a lane about one delivery, as the input of a decision.

use crate::delivery::http::destination::Attempt;
use crate::delivery::http::tokens::TokenError;
use crate::store::outbox::{KindCode, PendingBatch};

/// The answer to one request, or the reason that it was not sent.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) batches: Vec<PendingBatch>,
    /// Epoch of the lanes in which the request started.
    pub(crate) epoch: u64,
    pub(crate) outcome: RequestOutcome,
    /// True if the destination was changed by a reload while the request was in flight.
    pub(crate) superseded: bool,
}

/// The end of a delivery.
#[derive(Debug)]
pub(crate) enum RequestOutcome {
    /// Sent; with the number of events by kind of each batch.
    Sent(Box<Attempt>, Vec<EventCounts>),
    /// Not sent: the pause gate was closed, or the daemon stops.
    Held,
    /// Not sent: a batch holds events of a suppressed person, or changed since it was chosen.
    NeedsScreening,
    /// Not sent: there is no token.
    NoToken(TokenError),
}

/// Number of events of a batch by kind.
pub(crate) type EventCounts = Vec<(KindCode, u64)>;
