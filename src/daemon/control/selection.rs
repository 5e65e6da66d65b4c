//! The selection of parked events for `failed retry` and `failed discard`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::daemon::control::resync::parse_time;
use crate::ops::sentence::event_key;
use crate::store::outbox::EventKey;
use orderfeed_events::{EventKind, UnknownKind};
use orderfeed_model::clock::UtcMillis;

/// A selection of parked events: exactly those of `keys`, or if there are none, those that match `filter`. The
/// default selects every parked event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Selection {
    pub keys: Vec<Key>,
    #[serde(flatten)]
    pub filter: SelectionFilter,
}

// The docs of the fields are also the help of `failed`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::Args)]
#[serde(default)]
pub struct SelectionFilter {
    /// Only events of the orders with this number
    #[arg(long, value_name = "NUMBER")]
    pub order: Option<String>,
    /// Only events of this website
    #[arg(long, value_name = "CODE")]
    pub website: Option<String>,
    /// Only events with this code, such as EXEG-0102-400
    #[arg(long, value_name = "CODE")]
    pub code: Option<String>,
    /// Only events of this kind, such as placed or invoiced
    #[arg(long, value_name = "KIND")]
    pub kind: Option<Kind>,
    /// Only events parked at or after this time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub since: Option<UtcMillis>,
    /// Only events parked before this time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub until: Option<UtcMillis>,
}

/// A kind of events on the command line and in the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Kind(pub EventKind);

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        text.trim().parse().map(Self)
    }
}

impl TryFrom<String> for Kind {
    type Error = UnknownKind;

    fn try_from(text: String) -> Result<Self, UnknownKind> {
        text.parse()
    }
}

impl From<Kind> for String {
    fn from(kind: Kind) -> Self {
        kind.0.as_str().to_owned()
    }
}

/// An event on the command line and in the protocol: `order:kind:document`, such as `1042:invoiced:77`, with entity ids
/// instead of order numbers. A generation follows if another document had the id before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key(pub EventKey);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} names no event; expected ORDER:KIND:DOCUMENT as `orderfeed failed list` prints it, such as 1042:invoiced:77"
)]
pub struct BadKey(String);

impl FromStr for Key {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Self, BadKey> {
        let parsed = || {
            let mut parts = text.trim().splitn(4, ':');
            let order = parts.next()?.parse().ok()?;
            let kind: EventKind = parts.next()?.parse().ok()?;
            let document = parts.next()?.parse().ok()?;
            let generation = parts.next().map_or(Ok(0), str::parse).ok()?;
            Some(Self(EventKey {
                order,
                kind: kind.code(),
                document,
                generation,
            }))
        };
        parsed().ok_or_else(|| BadKey(text.to_owned()))
    }
}

impl TryFrom<String> for Key {
    type Error = BadKey;

    fn try_from(text: String) -> Result<Self, BadKey> {
        text.parse()
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.to_string()
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&event_key(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_as_it_is_printed() {
        for (text, generation) in [("1042:invoiced:77", 0), ("1042:invoiced:77:2", 2)] {
            let key: Key = text.parse().unwrap();
            assert_eq!((key.0.generation, key.to_string().as_str()), (generation, text));
            let wire = serde_json::to_string(&key).unwrap();
            assert_eq!(wire, format!("\"{text}\""));
            assert_eq!(serde_json::from_str::<Key>(&wire).unwrap(), key);
        }
    }

    #[test]
    fn a_text_that_names_no_event_is_refused_with_an_example() {
        for text in [
            "",
            "1042",
            "1042:invoiced",
            "1042:billed:77",
            "x:placed:1",
            "1:placed:1:x",
        ] {
            let refusal = text.parse::<Key>().unwrap_err().to_string();
            assert!(refusal.contains("such as 1042:invoiced:77"), "{refusal}");
        }
    }
}
