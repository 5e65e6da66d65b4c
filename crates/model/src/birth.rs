//! Birth marks distinguish documents that were given the same id.
//!
//! Commerce assigns ids by counting, so a database that was restored, or whose newest rows were deleted, assigns some of
//! them a second time. The id alone then names two orders of two shoppers. A [`BirthMark`] consists of what a document
//! receives once and keeps: its time of creation, its number, and for an order its quote and its protect code. Another
//! mark under a known id is another document, of the next [`Generation`].

use std::hash::{Hash, Hasher};

use sha2::{Digest, Sha256};

use crate::words;

/// Number of other documents that had the id before; 0 for nearly all.
pub type Generation = u32;

/// The facts about a document's identity that are no content of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Birth {
    /// 0 until the caller sets it (`Order::set_generations`).
    pub generation: Generation,
    /// `quote_id` of an order.
    pub quote_id: Option<i64>,
    /// True if the document has no time of creation and carries that of its last change instead.
    pub is_undated: bool,
}

impl Hash for Birth {
    // Left out of the feed hash: every order would count as changed after an upgrade.
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

words! {
    /// The kind of a document whose id Commerce assigns. The store holds its position in this list.
    #[derive(Hash, PartialOrd, Ord)]
    pub enum DocumentKind {
        Order = "order",
        Invoice = "invoice",
        Shipment = "shipment",
        CreditMemo = "credit memo",
        Return = "return",
    }
}

impl DocumentKind {
    /// Bits of a mark's parts: time of creation, number, and two that depend on the kind. An order's mark fits into 63
    /// bits, the others, which are many, into 47. The time and the protect code differ whenever an id is reused.
    const fn widths(self) -> [u32; 4] {
        match self {
            Self::Order => [24, 8, 20, 11],
            _ => [32, 8, 7, 0],
        }
    }
}

/// A document of the shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Document {
    pub kind: DocumentKind,
    /// Its `entity_id`.
    pub id: i64,
}

/// Short hashes of what a document keeps for life, side by side.
///
/// A part that the source does not have (a missing column, a NULL, a zero date) is 0 and matches any value, so a column
/// that appears or disappears never makes a known order a new one. The default has no part and matches every mark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct BirthMark(pub i64);

impl BirthMark {
    pub(crate) fn new(kind: DocumentKind, parts: [Option<String>; 4]) -> Self {
        let mut mark = 0;
        for (width, part) in kind.widths().into_iter().zip(parts) {
            let short = part.filter(|_| width > 0).map_or(0, |part| {
                let digest = Sha256::digest(part.as_bytes());
                let start = [digest[0], digest[1], digest[2], digest[3]];
                // 0 stands for a part that is not known.
                i64::from(u32::from_be_bytes(start) >> (32 - width)).max(1)
            });
            mark = (mark << width) | short;
        }
        Self(mark)
    }

    fn parts(self, kind: DocumentKind) -> impl Iterator<Item = i64> {
        let mut rest = self.0;
        kind.widths().into_iter().rev().map(move |width| {
            let part = rest & ((1 << width) - 1);
            rest >>= width;
            part
        })
    }

    /// Returns true if both can be of one document of this kind.
    pub fn matches(self, other: Self, kind: DocumentKind) -> bool {
        let mut parts = self.parts(kind).zip(other.parts(kind));
        parts.all(|(one, other)| one == other || one == 0 || other == 0)
    }

    /// Adds the parts that only `other`, a matching mark, has.
    #[must_use]
    pub const fn completed_by(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
