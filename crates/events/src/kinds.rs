//! The eight things that can happen to an order.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// What happened. The numbers are what the store keeps; they never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum EventKind {
    /// The order exists.
    Placed = 1,
    /// An invoice was submitted.
    Invoiced = 2,
    /// A shipment left.
    ItemsShipped = 3,
    /// Nothing is left to ship.
    ShipmentCompleted = 4,
    /// The order was cancelled.
    Cancelled = 5,
    /// A credit memo was issued.
    Refunded = 6,
    /// A return was requested.
    ReturnInitiated = 7,
    /// A return was closed.
    ReturnCompleted = 8,
}

/// A name that is no kind's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "`{0}` is no event kind; the kinds are placed, invoiced, items_shipped, shipment_completed, cancelled, refunded, return_initiated, return_completed"
)]
pub struct UnknownKind(String);

impl EventKind {
    /// All kinds, by code.
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

    /// The number that the store keeps.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The kind with this number.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// The name that operators see and that the event's identity is made from. It never changes.
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

    /// Place among events of one moment: causes before effects. A return's refund lies between its two events.
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

    /// Place in arrays of one value a kind.
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
