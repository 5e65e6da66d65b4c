//! Settings that all events of an installation share.

use uuid::Uuid;

use crate::kinds::EventKind;

/// The privacy profile: the personal data that events may contain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Profile {
    /// No field that names or locates a person. The shopper is a hash.
    #[default]
    Anonymized,
    /// Includes the personal fields that Adobe's field tables list.
    Full,
}

/// The inputs of rendering, apart from the order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventContext {
    /// `commerce.commerceScope.environmentID`, and part of every event's identity.
    pub data_space_id: Uuid,
    pub profile: Profile,
    /// Identity namespace for orders without an e-mail address. It must be configured at Adobe.
    pub guest_namespace: String,
    pub event_types: EventTypes,
}

impl EventContext {
    /// Default of [`EventContext::guest_namespace`].
    pub const DEFAULT_GUEST_NAMESPACE: &'static str = "commerceOrder";

    /// Creates the default context of a data space: anonymized, with the event names Adobe documents.
    pub fn new(data_space_id: Uuid) -> Self {
        Self {
            data_space_id,
            profile: Profile::default(),
            guest_namespace: Self::DEFAULT_GUEST_NAMESPACE.to_owned(),
            event_types: EventTypes::default(),
        }
    }
}

/// The XDM `eventType` of each kind.
///
/// Configurable, because the schema's enum is open and Adobe's pages and schema disagree on some names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventTypes([String; 8]);

impl EventTypes {
    /// Returns the event type of `kind`.
    pub fn get(&self, kind: EventKind) -> &str {
        &self.0[kind.index()]
    }

    /// Sets the event type of `kind`. Bodies in the outbox keep the type they were rendered with.
    pub fn set(&mut self, kind: EventKind, name: impl Into<String>) {
        self.0[kind.index()] = name.into();
    }
}

impl Default for EventTypes {
    /// Returns the names in Adobe's Data Connection documentation (`help/data-connection/events-backoffice.md`).
    fn default() -> Self {
        Self(EventKind::ALL.map(|kind| documented_name(kind).to_owned()))
    }
}

const fn documented_name(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Placed => "commerce.backofficeOrderPlaced",
        EventKind::Invoiced => "commerce.backofficeOrderInvoiced",
        EventKind::ItemsShipped => "commerce.backofficeOrderItemsShipped",
        EventKind::ShipmentCompleted => "commerce.backofficeOrderShipmentCompleted",
        EventKind::Cancelled => "commerce.backofficeOrderCancelled",
        EventKind::Refunded => "commerce.backofficeCreditMemoIssued",
        EventKind::ReturnInitiated => "commerce.backofficeOrderItemsReturnInitiated",
        EventKind::ReturnCompleted => "commerce.backofficeOrderItemsReturnCompleted",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_name_of_its_own_that_can_be_changed() {
        let mut types = EventTypes::default();
        let names: std::collections::BTreeSet<_> = EventKind::ALL
            .iter()
            .map(|kind| types.get(*kind).to_owned())
            .collect();
        assert_eq!(names.len(), 8);
        types.set(
            EventKind::ShipmentCompleted,
            "commerce.backofficeShipmentCompleted",
        );
        assert_eq!(
            types.get(EventKind::ShipmentCompleted),
            "commerce.backofficeShipmentCompleted"
        );
        assert_eq!(
            types.get(EventKind::Cancelled),
            "commerce.backofficeOrderCancelled"
        );
    }
}
