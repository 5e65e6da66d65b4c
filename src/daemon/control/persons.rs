//! Options and results of the privacy commands. Persons are hashes: an e-mail address never leaves the command.

use hex::FromHex;
use serde::{Deserialize, Serialize};

use crate::store::suppression::Person;

/// Most persons in one request, so that it stays well below [`MAX_LINE`](super::MAX_LINE).
pub const MAX_PERSONS: usize = 10_000;

/// A person as 64 hexadecimal digits: SHA-256 of the trimmed, lower-case e-mail address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PersonId(pub Person);

/// A text that is no such hash. The message does not repeat it, because it may be an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a SHA-256 has 64 hexadecimal digits")]
pub struct BadPerson;

impl TryFrom<String> for PersonId {
    type Error = BadPerson;

    fn try_from(text: String) -> Result<Self, BadPerson> {
        Person::from_hex(text).map(Self).map_err(|_| BadPerson)
    }
}

impl From<PersonId> for String {
    fn from(person: PersonId) -> Self {
        hex::encode(person.0)
    }
}

/// The request that applies the suppression list to pending events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Screening {
    Now,
    /// A later request of the same command, such as the last chunk of an import.
    Later,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuppressOptions {
    /// At most [`MAX_PERSONS`].
    pub persons: Vec<PersonId>,
    /// The operator's note, stored with each person.
    pub note: String,
    pub screening: Screening,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EraseOptions {
    /// At most [`MAX_PERSONS`].
    pub persons: Vec<PersonId>,
    /// True if the persons are added to the suppression list as well.
    pub suppress: bool,
    /// True if the request only counts and removes nothing.
    pub dry_run: bool,
}

/// The result of [`SuppressOptions`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suppressed {
    pub added: u64,
    /// Persons that were on the list already.
    pub known: u64,
    /// Pending events that are suppressed now.
    pub events: u64,
    /// Batches that were not searched because they are in flight.
    #[serde(rename = "under_way")]
    pub in_flight: u64,
}

/// The result of [`EraseOptions`]; with `dry_run`, the result that it would have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erased {
    pub dry_run: bool,
    /// Orders with at least one event of the persons.
    pub orders: u64,
    /// Pending events in `outbox_body`; they become suppressed.
    pub waiting: u64,
    /// Bodies in `outbox_body` of events that were sent.
    pub sent: u64,
    /// Events in `outbox_parked`; they become suppressed.
    pub parked: u64,
    /// Answers of the edge to requests with such events, in `outbox_batch` and `outbox_attempt`.
    pub texts: u64,
    pub bytes: u64,
    pub listed: u64,
    /// Batches that were left alone because they are in flight.
    #[serde(rename = "under_way")]
    pub in_flight: u64,
    /// True if the write-ahead log was emptied. If a reader prevented it, a later checkpoint or the stop does.
    pub log_emptied: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_no_hash_is_refused_without_repeating_it() {
        let refused = serde_json::from_str::<PersonId>("\"jane@example.com\"").unwrap_err();
        assert!(refused.to_string().contains("64 hexadecimal digits"), "{refused}");
        assert!(!refused.to_string().contains("jane"));
        let person = PersonId([7; 32]);
        let text = serde_json::to_string(&person).unwrap();
        assert_eq!(serde_json::from_str::<PersonId>(&text).unwrap(), person);
    }
}
