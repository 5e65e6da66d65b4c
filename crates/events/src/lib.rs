//! An order becomes status events: which ones ([`facts`]), who they are ([`event_id`]), and the JSON that is sent
//! ([`render`]). Pure: no clock, no I/O, no memory of what was sent.
//!
//! Each event belongs to a document (order, invoice, shipment, credit memo, return), so that reading an order again
//! finds the same events with the same `_id`s. What is new is what the outbox does not hold yet; deriving therefore
//! comes in two steps, a cheap one for all documents and the rendering for those that are new. A body may differ
//! when it is rendered again from a changed order: whoever sends it keeps the bytes.
//!
//! `docs/EVENTS.md` says field by field what is sent in which profile and why.

mod address;
mod context;
mod documents;
mod facts;
mod identity;
mod kinds;
mod limits;
mod payment;
mod render;
mod text;
mod xdm;

mod items;
#[cfg(test)]
mod tests;

pub use crate::context::{EventContext, EventTypes, Profile};
pub use crate::facts::{Fact, facts};
pub use crate::identity::{event_id, from_hex, hex, identity_hash, person, person_of};
pub use crate::kinds::{EventKind, UnknownKind};
pub use crate::limits::{MAX_EVENT_BYTES, MAX_TEXT_BYTES, Unsendable};
pub use crate::render::{Renderer, render};

use uuid::Uuid;

use orderfeed_model::clock::UtcMillis;
use orderfeed_model::order::Order;

/// An event with everything that is needed to queue it.
#[derive(Clone, Debug, PartialEq)]
pub struct StatusEvent {
    /// What happened.
    pub kind: EventKind,
    /// The document that it happened to; see [`Fact::document_id`].
    pub document_id: i64,
    /// The `_id`.
    pub id: Uuid,
    /// When it happened.
    pub timestamp: UtcMillis,
    /// The JSON object `{"xdm":{…}}`, or why there can be none.
    pub body: Result<Vec<u8>, Unsendable>,
}

/// All events of an order, in the order in which they are to be sent.
pub fn status_events(order: &Order, context: &EventContext) -> Vec<StatusEvent> {
    let renderer = Renderer::new(order, context);
    facts(order)
        .iter()
        .map(|fact| StatusEvent {
            kind: fact.kind,
            document_id: fact.document_id,
            id: event_id(&context.data_space_id, fact.kind, fact.document_id),
            timestamp: fact.at,
            body: renderer.render(fact),
        })
        .collect()
}
