//! Whom the privacy commands mean, and what came of them. Hashes only: an address never leaves the command.

use serde::{Deserialize, Serialize};

use crate::store::suppression::Person;
use orderfeed_events::{from_hex, hex};

/// Persons in one request at most: well below the longest line of the protocol.
pub const MOST_PERSONS: usize = 10_000;

/// A person as 64 hexadecimal digits: SHA-256 of the trimmed, lower-case e-mail address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PersonId(pub Person);

/// A text that is no such hash. It is not repeated: it may be an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a SHA-256 has 64 hexadecimal digits")]
pub struct BadPerson;

impl TryFrom<String> for PersonId {
    type Error = BadPerson;

    fn try_from(text: String) -> Result<Self, BadPerson> {
        from_hex(&text).map(Self).ok_or(BadPerson)
    }
}

impl From<PersonId> for String {
    fn from(person: PersonId) -> Self {
        hex(&person.0)
    }
}

/// When what waits is gone through for the persons on the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Screening {
    /// In this request.
    Now,
    /// In a later one of the same command.
    Later,
}

/// `suppress add` and `suppress import`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuppressOptions {
    /// Whom; at most [`MOST_PERSONS`].
    pub persons: Vec<PersonId>,
    /// Where it came from.
    pub note: String,
    /// When what waits is gone through.
    pub screening: Screening,
}

/// `privacy erase`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EraseOptions {
    /// Whom; at most [`MOST_PERSONS`].
    pub persons: Vec<PersonId>,
    /// Whether they are put on the suppression list as well.
    pub suppress: bool,
    /// Say what would be removed; remove nothing.
    pub dry_run: bool,
}

/// What came of [`SuppressOptions`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suppressed {
    /// Persons that are new on the list.
    pub added: u64,
    /// Persons that were on it already.
    pub known: u64,
    /// Events that waited and are suppressed now.
    pub events: u64,
    /// Batches in a sender's hands that were not looked into; what is not on its way yet is looked into before it leaves.
    pub under_way: u64,
}

/// What came of [`EraseOptions`], or would.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erased {
    /// Nothing was removed, only counted.
    pub dry_run: bool,
    /// Orders of which something was found.
    pub orders: u64,
    /// `outbox_body`: events that waited to be sent; they end as suppressed.
    pub waiting: u64,
    /// `outbox_body`: kept bodies of events that were sent.
    pub sent: u64,
    /// `outbox_parked`: dead letters; they end as suppressed.
    pub parked: u64,
    /// `outbox_batch`, `outbox_attempt`: the edge's words about requests that held such events.
    pub texts: u64,
    /// Size of the bodies, in bytes.
    pub bytes: u64,
    /// `suppression`: persons that are new on the list.
    pub listed: u64,
    /// Batches on their way to the edge, which were left alone.
    pub under_way: u64,
    /// Whether the write-ahead log was emptied; else it is at the next quiet moment or stop.
    pub log_emptied: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_hash_is_refused_without_repeating_it() {
        let refused = serde_json::from_str::<PersonId>("\"jane@example.com\"").unwrap_err();
        assert!(refused.to_string().contains("64 hexadecimal digits"), "{refused}");
        assert!(!refused.to_string().contains("jane"));
        let person = PersonId([7; 32]);
        let text = serde_json::to_string(&person).unwrap();
        assert_eq!(serde_json::from_str::<PersonId>(&text).unwrap(), person);
    }
}
