//! Derives the status events of an order and renders them as XDM. Pure: no clock, no I/O, no memory of earlier calls.
//!
//! [`facts`] lists the events an order calls for, [`event_id`] computes the identity of each, and [`render`] writes its
//! JSON. Each event belongs to a document (order, invoice, shipment, credit memo, return), so deriving an order again
//! yields the same events with the same `_id`s. New events are those the outbox does not hold yet. Deriving is therefore
//! split: `facts` is cheap and runs over every document, rendering runs for new events only.
//!
//! Rendering a changed order again may yield other bytes for the same `_id`. The caller must store the bytes of the first
//! rendering and send those.
//!
//! `docs/EVENTS.md` documents every field, with the profiles that send it.

mod address;
mod context;
mod documents;
mod facts;
mod identity;
mod items;
mod kinds;
mod limits;
mod payment;
mod render;
mod text;
mod xdm;

#[cfg(test)]
mod tests;

pub use crate::context::{EventContext, EventTypes, Profile};
pub use crate::facts::{Fact, facts};
pub use crate::identity::{event_id, person};
pub use crate::kinds::{EventKind, UnknownKind};
pub use crate::limits::{MAX_EVENT_BYTES, MAX_TEXT_BYTES, Unsendable};
pub use crate::render::{Renderer, render};

use uuid::Uuid;

use orderfeed_model::clock::UtcMillis;
use orderfeed_model::order::Order;

/// A rendered event, ready for the outbox.
#[derive(Clone, Debug, PartialEq)]
pub struct StatusEvent {
    pub kind: EventKind,
    /// See [`Fact::document_id`].
    pub document_id: i64,
    pub id: Uuid,
    /// Time at which the event happened in Commerce.
    pub timestamp: UtcMillis,
    /// The person whom the event names, as [`person`] computes it. `None` if it names none.
    pub person: Option<[u8; 32]>,
    /// The JSON object `{"xdm":{…}}`, or the reason it cannot be rendered.
    pub body: Result<Vec<u8>, Unsendable>,
}

/// Derives and renders all events of an order, in sending order.
pub fn status_events(order: &Order, context: &EventContext) -> Vec<StatusEvent> {
    let renderer = Renderer::new(order, context);
    facts(order)
        .iter()
        .map(|fact| StatusEvent {
            kind: fact.kind,
            document_id: fact.document_id,
            id: fact.event_id(&context.data_space_id),
            timestamp: fact.at,
            person: renderer.person(),
            body: renderer.render(fact),
        })
        .collect()
}
