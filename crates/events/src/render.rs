//! Renders an event as the bytes that are sent.

use crate::context::{EventContext, Profile};
use crate::documents::Documents;
use crate::facts::Fact;
use crate::identity::Identity;
use crate::limits::{MAX_EVENT_BYTES, MAX_TEXT_BYTES, Unsendable};
use crate::text::{clean, moment};
use crate::xdm::{Commerce, CommerceScope, Event, PersonalEmail, Xdm};
use orderfeed_model::order::Order;

/// Initial buffer size, large enough for most events.
const USUAL_BYTES: usize = 2048;

/// Renders an event as the JSON object `{"xdm":{…}}`, exactly as it is sent.
pub fn render(order: &Order, fact: &Fact, context: &EventContext) -> Result<Vec<u8>, Unsendable> {
    Renderer::new(order, context).render(fact)
}

/// Renders the events of one order. Data shared by them is computed once.
#[derive(Debug)]
pub struct Renderer<'a> {
    order: &'a Order,
    context: &'a EventContext,
    identity: Identity<'a>,
    documents: Documents<'a>,
}

impl<'a> Renderer<'a> {
    /// Prepares the data that all events of `order` share.
    pub fn new(order: &'a Order, context: &'a EventContext) -> Self {
        Self {
            order,
            context,
            identity: Identity::of(order, context),
            documents: Documents::new(order, context.profile),
        }
    }

    /// Returns the person whom the events name, as [`crate::person`] computes it.
    pub fn person(&self) -> Option<[u8; 32]> {
        self.identity.person
    }

    /// Renders one event as the JSON object `{"xdm":{…}}`.
    pub fn render(&self, fact: &Fact) -> Result<Vec<u8>, Unsendable> {
        let event = self.event(fact)?;
        let mut body = Vec::with_capacity(USUAL_BYTES);
        serde_json::to_writer(&mut body, &event).map_err(|error| Unsendable::Encoding {
            cause: error.to_string(),
        })?;
        if body.len() > MAX_EVENT_BYTES {
            return Err(Unsendable::TooLarge {
                bytes: body.len(),
                limit: MAX_EVENT_BYTES,
            });
        }
        // A whole page of orders waits in memory with its events, so unused capacity adds up.
        body.shrink_to_fit();
        Ok(body)
    }

    fn event(&self, fact: &Fact) -> Result<Event<'_>, Unsendable> {
        let content = self.documents.content(fact)?;
        let xdm = Xdm {
            id: fact.event_id(&self.context.data_space_id),
            timestamp: moment(fact.at).ok_or(Unsendable::Timestamp { millis: fact.at.0 })?,
            event_type: self.context.event_types.get(fact.kind),
            produced_by: "system",
            identity_map: &self.identity,
            personal_email: self.personal_email(),
            commerce: Commerce {
                order: content.order,
                shipping: content.shipping,
                billing: content.billing,
                commerce_scope: self.scope(),
            },
            product_list_items: content.lines,
        };
        Ok(Event { xdm })
    }

    fn scope(&self) -> CommerceScope<'a> {
        let scope = self.order.scope.as_ref();
        CommerceScope {
            environment_id: self.context.data_space_id,
            website_code: scope.and_then(|scope| clean(&scope.website)),
            store_code: scope.and_then(|scope| clean(&scope.store)),
            store_view_code: scope.and_then(|scope| clean(&scope.store_view)),
        }
    }

    /// Returns the e-mail address for the full profile. XDM validates its form, and one invalid field fails the whole
    /// event, so an address of another form is left out.
    fn personal_email(&self) -> Option<PersonalEmail<'a>> {
        let address = self.order.email.as_deref()?.trim();
        let (local, domain) = address.rsplit_once('@')?;
        let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_graphic());
        let sendable =
            plain(local) && !local.contains('@') && plain(domain) && address.len() <= MAX_TEXT_BYTES;
        (sendable && self.context.profile == Profile::Full).then_some(PersonalEmail { address })
    }
}
