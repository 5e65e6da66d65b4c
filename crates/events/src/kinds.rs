//! The eight kinds of order status events.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The kind of an order status event. The store holds the numbers, so they never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum EventKind {
    Placed = 1,
    Invoiced = 2,
    /// One shipment was created.
    ItemsShipped = 3,
    /// Nothing is left to ship.
    ShipmentCompleted = 4,
    Cancelled = 5,
    Refunded = 6,
    ReturnInitiated = 7,
    ReturnCompleted = 8,
}

/// The error for a name that is not an event kind.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "`{0}` is no event kind; the kinds are placed, invoiced, items_shipped, shipment_completed, cancelled, refunded, return_initiated, return_completed"
)]
pub struct UnknownKind(String);

impl EventKind {
    /// All kinds, sorted by code.
    pub const ALL: [Self; 8] = [
        Self::Placed,
        Self::Invoiced,
        Self::ItemsShipped,
        Self::ShipmentCompleted,
        Self::Cancelled,
        Self::Refunded,
        Self::ReturnInitiated,
        Self::ReturnCompleted,
    ];

    /// Returns the number the store holds.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// Returns the kind with this number, or `None` if there is none.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// Returns the name of the kind. It is part of the event identity and must never change.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Placed => "placed",
            Self::Invoiced => "invoiced",
            Self::ItemsShipped => "items_shipped",
            Self::ShipmentCompleted => "shipment_completed",
            Self::Cancelled => "cancelled",
            Self::Refunded => "refunded",
            Self::ReturnInitiated => "return_initiated",
            Self::ReturnCompleted => "return_completed",
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
        self as usize - 1
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
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
