//! The eight kinds of order status events.

use std::str::FromStr;

use thiserror::Error;

use orderfeed_model::birth::DocumentKind;
use orderfeed_model::words;

words! {
    /// The kind of an order status event. The store holds the numbers, and event identities contain the words, so neither
    /// ever changes.
    #[derive(PartialOrd, Ord, Hash)]
    pub enum EventKind {
        Placed = "placed",
        Invoiced = "invoiced",
        /// One shipment was created.
        ItemsShipped = "items_shipped",
        /// Nothing is left to ship.
        ShipmentCompleted = "shipment_completed",
        Cancelled = "cancelled",
        Refunded = "refunded",
        ReturnInitiated = "return_initiated",
        ReturnCompleted = "return_completed",
    }
}

/// The error for a name that is not an event kind.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "`{0}` is no event kind; the kinds are placed, invoiced, items_shipped, shipment_completed, cancelled, refunded, return_initiated, return_completed"
)]
pub struct UnknownKind(String);

impl EventKind {
    /// Returns the number the store holds.
    pub const fn code(self) -> u8 {
        self as u8 + 1
    }

    /// Returns the kind with this number, or `None` if there is none.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// Returns the kind of the document that its events belong to.
    pub const fn document(self) -> DocumentKind {
        match self {
            Self::Placed | Self::ShipmentCompleted | Self::Cancelled => DocumentKind::Order,
            Self::Invoiced => DocumentKind::Invoice,
            Self::ItemsShipped => DocumentKind::Shipment,
            Self::Refunded => DocumentKind::CreditMemo,
            Self::ReturnInitiated | Self::ReturnCompleted => DocumentKind::Return,
        }
    }

    /// Rank among events with the same timestamp: causes before effects. The refund of a return comes between the two
    /// events of the return.
    pub(super) const fn causal_rank(self) -> u8 {
        match self {
            Self::Placed => 1,
            Self::Invoiced => 2,
            Self::ItemsShipped => 3,
            Self::ShipmentCompleted => 4,
            Self::Cancelled => 5,
            Self::ReturnInitiated => 6,
            Self::Refunded => 7,
            Self::ReturnCompleted => 8,
        }
    }

    /// Index into arrays with one value per kind.
    pub(super) const fn index(self) -> usize {
        self as usize
    }
}

impl FromStr for EventKind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == name)
            .ok_or_else(|| UnknownKind(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names_lead_back_to_their_kind() {
        for (position, kind) in EventKind::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(kind.code()), position + 1);
            assert_eq!(EventKind::from_code(kind.code()), Some(kind));
            assert_eq!(kind.as_str().parse(), Ok(kind));
            assert_eq!(kind.index(), position);
        }
        assert_eq!(EventKind::from_code(0), None);
        assert_eq!(EventKind::from_code(9), None);
        assert!(
            "shipped"
                .parse::<EventKind>()
                .unwrap_err()
                .to_string()
                .contains("items_shipped")
        );
    }
}
