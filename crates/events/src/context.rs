//! What the events of an installation have in common.

use uuid::Uuid;

use crate::kinds::EventKind;

/// How much of a person the events may show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Profile {
    /// Nothing that names or locates a person; the shopper is a hash.
    #[default]
    Anonymized,
    /// With the personal fields that Adobe's field tables list.
    Full,
}

/// What rendering needs beside the order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventContext {
    /// `commerce.commerceScope.environmentID`, and part of every event's identity.
    pub data_space_id: Uuid,
    /// How much of a person the events may show.
    pub profile: Profile,
    /// Identity namespace for orders without an e-mail address. It must exist at Adobe.
    pub guest_namespace: String,
    /// `eventType` of each kind.
    pub event_types: EventTypes,
}

impl EventContext {
    /// Identity namespace for orders without an e-mail address, unless another is configured.
    pub const DEFAULT_GUEST_NAMESPACE: &'static str = "commerceOrder";

    /// The defaults for a data space: anonymized, Adobe's documented names.
    pub fn new(data_space_id: Uuid) -> Self {
        Self {
            data_space_id,
            profile: Profile::default(),
            guest_namespace: Self::DEFAULT_GUEST_NAMESPACE.to_owned(),
            event_types: EventTypes::default(),
        }
    }
}

/// The XDM `eventType` of each kind. The schema's enum is open, and Adobe's pages and schema disagree on some names,
/// so they are data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventTypes([String; 8]);

impl EventTypes {
    /// The name that events of this kind carry.
    pub fn get(&self, kind: EventKind) -> &str {
        &self.0[kind.index()]
    }

    /// Gives a kind another name. Bodies that are in the outbox already keep theirs.
    pub fn set(&mut self, kind: EventKind, name: impl Into<String>) {
        self.0[kind.index()] = name.into();
    }
}

impl Default for EventTypes {
    /// The names in Adobe's Data Connection documentation (`help/data-connection/events-backoffice.md`).
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
