//! From a fact to the bytes that are sent.

use super::context::EventContext;
use super::facts::Fact;
use super::identity::{Identity, event_id};
use super::limits::{MAX_EVENT_BYTES, Unsendable};
use crate::commerce::order::Order;

/// The event's JSON object `{"xdm":{…}}` exactly as it is sent, frozen from here on.
pub fn render(order: &Order, fact: &Fact, context: &EventContext) -> Result<Vec<u8>, Unsendable> {
    Renderer::new(order, context).render(fact)
}

/// Renders the events of one order; what they share is computed once.
#[derive(Debug)]
pub struct Renderer<'a> {
    order: &'a Order,
    context: &'a EventContext,
    identity: Identity<'a>,
}

impl<'a> Renderer<'a> {
    /// For the events of this order.
    pub fn new(order: &'a Order, context: &'a EventContext) -> Self {
        Self {
            order,
            context,
            identity: Identity::of(order, context),
        }
    }

    /// The event's JSON object `{"xdm":{…}}`.
    pub fn render(&self, fact: &Fact) -> Result<Vec<u8>, Unsendable> {
        let id = event_id(&self.context.data_space_id, fact.kind, fact.document_id);
        let body = format!(
            r#"{{"xdm":{{"_id":"{id}","timestamp":"{}","eventType":"{}","identityMap":{{"{}":[{{"id":"{}"}}]}},"n":{}}}}}"#,
            fact.at,
            self.context.event_types.get(fact.kind),
            self.identity.namespace,
            self.identity.id,
            self.order.id
        );
        let bytes = body.len();
        if bytes > MAX_EVENT_BYTES {
            return Err(Unsendable::TooLarge {
                bytes,
                limit: MAX_EVENT_BYTES,
            });
        }
        Ok(body.into_bytes())
    }
}
