//! Identity of events and shoppers.

use std::fmt::Write;

use sha2::{Digest, Sha256};
use uuid::{Uuid, uuid};

use crate::context::EventContext;
use crate::kinds::EventKind;
use orderfeed_model::birth::Generation;
use orderfeed_model::order::Order;

/// Namespace of all event ids: UUIDv5 of `https://ns.adobe.com/xdm/context/experienceevent` in the URL namespace. It must
/// never change, or every event would get a second `_id`.
pub(super) const EVENT_NAMESPACE: Uuid = uuid!("9ed9d373-e1ec-5c18-b1c6-dea86b719ad0");

/// Adobe's identity namespace for the SHA-256 of a trimmed, lower-case e-mail address.
const EMAIL_NAMESPACE: &str = "Email_LC_SHA256";

/// Computes the `_id` of an event: the UUIDv5 of `data space|kind|document id`, with `|generation` after it if another
/// document had the id before.
///
/// It depends on nothing else, so deriving the same event again always yields the same id.
pub fn event_id(data_space_id: &Uuid, kind: EventKind, document_id: i64, generation: Generation) -> Uuid {
    let mut name = String::with_capacity(80);
    // Writing to a string cannot fail.
    let _ = write!(name, "{data_space_id}|{kind}|{document_id}");
    if generation > 0 {
        // Absent rather than 0 for the first: ids that were sent before generations existed stay.
        let _ = write!(name, "|{generation}");
    }
    Uuid::new_v5(&EVENT_NAMESPACE, name.as_bytes())
}

/// Hashes an e-mail address as Adobe's `Email_LC_SHA256` requires: SHA-256 of the trimmed, lower-case address. Returns
/// `None` for a blank address. The hash identifies a person outside of events as well.
pub fn person(email: &str) -> Option<[u8; 32]> {
    let email = email.trim();
    (!email.is_empty()).then(|| Sha256::digest(email.to_lowercase().as_bytes()).into())
}

/// The single entry of an event's `identityMap`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity<'a> {
    pub(super) namespace: &'a str,
    pub(super) id: String,
    /// The id as bytes, if it stands for a person.
    pub(super) person: Option<[u8; 32]>,
}

impl<'a> Identity<'a> {
    /// Derives the identity from the e-mail address. An order without one gets a pseudonym of its own, in the guest
    /// namespace, because it identifies an order and not a person.
    pub(super) fn of(order: &Order, context: &'a EventContext) -> Self {
        let person = order.email.as_deref().and_then(person);
        let (namespace, id) = match &person {
            Some(hash) => (EMAIL_NAMESPACE, hex::encode(hash)),
            None => {
                let mut name = format!("{}|{}", context.data_space_id, order.id);
                if order.birth.generation > 0 {
                    let _ = write!(name, "|{}", order.birth.generation);
                }
                (context.guest_namespace.as_str(), sha256_hex(&name))
            }
        };
        Self {
            namespace,
            id,
            person,
        }
    }
}

fn sha256_hex(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::fixtures;
    use crate::{Profile, status_events};
    use hex::FromHex;
    use orderfeed_model::birth::Birth;

    #[test]
    fn the_hash_is_adobes() {
        let hash = "b4c9a289323b21a01c3e940f150eb9b8c542587f1abfd8f0e1cc1ffc5e475514";
        let expected = <[u8; 32]>::from_hex(hash).ok();
        assert_eq!(person(" User@Example.com "), expected);
        assert_eq!(person("user@example.com"), expected);
        assert_eq!(person(" \t\n"), None);
        assert_eq!(person(""), None);
    }

    #[test]
    fn every_event_has_the_person_of_its_order() {
        let context = fixtures::context(Profile::Full);
        let mut order = fixtures::eventful_order();
        order.email = Some(" Jane@Example.COM".to_owned());
        let jane = person("jane@example.com").unwrap();
        let events = status_events(&order, &context);
        assert!(events.len() > 3);
        for event in events {
            assert_eq!(event.person, Some(jane));
            let body = String::from_utf8(event.body.unwrap()).unwrap();
            let identity = format!(
                r#""identityMap":{{"Email_LC_SHA256":[{{"id":"{}""#,
                hex::encode(jane)
            );
            assert!(body.contains(&identity), "{body}");
        }
        order.email = None;
        assert!(
            status_events(&order, &context)
                .iter()
                .all(|event| event.person.is_none())
        );
    }

    #[test]
    fn the_namespace_is_the_documented_one() {
        let documented = Uuid::new_v5(
            &Uuid::NAMESPACE_URL,
            b"https://ns.adobe.com/xdm/context/experienceevent",
        );
        assert_eq!(EVENT_NAMESPACE, documented);
    }

    #[test]
    fn an_event_id_is_frozen_for_all_time() {
        let space = uuid!("2a7d1c34-8f10-4be3-9d2f-0c5b7f6a1e90");
        assert_eq!(
            event_id(&space, EventKind::Placed, 42, 0),
            Uuid::new_v5(
                &EVENT_NAMESPACE,
                b"2a7d1c34-8f10-4be3-9d2f-0c5b7f6a1e90|placed|42"
            ),
        );
        assert_ne!(
            event_id(&space, EventKind::Placed, 42, 0),
            event_id(&space, EventKind::Cancelled, 42, 0)
        );
        assert_eq!(
            event_id(&space, EventKind::Placed, 42, 1),
            Uuid::new_v5(
                &EVENT_NAMESPACE,
                b"2a7d1c34-8f10-4be3-9d2f-0c5b7f6a1e90|placed|42|1"
            ),
        );
    }

    #[test]
    fn orders_without_an_address_get_a_pseudonym_elsewhere() {
        let context = EventContext::new(uuid!("2a7d1c34-8f10-4be3-9d2f-0c5b7f6a1e90"));
        let guest = |id, generation| {
            let order = Order {
                id,
                birth: Birth {
                    generation,
                    ..Birth::default()
                },
                email: Some("  ".into()),
                ..Order::default()
            };
            Identity::of(&order, &context)
        };
        assert_eq!(guest(1, 0).namespace, "commerceOrder");
        assert_eq!(guest(1, 0), guest(1, 0));
        assert_ne!(guest(1, 0).id, guest(2, 0).id);
        assert_ne!(guest(1, 0).id, guest(1, 1).id, "another guest under the same id");
        assert_eq!(guest(1, 0).id.len(), 64);
    }
}
