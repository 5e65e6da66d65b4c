//! `[events]`: the names that events carry.

use std::collections::BTreeMap;

use crate::config::fields::{Below, Parse, table};
use crate::config::reader::ConfigReader;
use crate::config::values::InvalidValue;

table! {
    /// `[events]`: the content of events.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Events {
        pub names: EventNames = Below,
    }
}

table! {
    /// `[events.names]`: the XDM `eventType` of each kind. No two kinds may share a name.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct EventNames {
        pub placed: String = Parse(parse_event_name),
        pub invoiced: String = Parse(parse_event_name),
        pub items_shipped: String = Parse(parse_event_name),
        pub shipment_completed: String = Parse(parse_event_name),
        pub cancelled: String = Parse(parse_event_name),
        pub refunded: String = Parse(parse_event_name),
        pub return_initiated: String = Parse(parse_event_name),
        pub return_completed: String = Parse(parse_event_name),
    }
}

fn parse_event_name(text: &str) -> Result<String, InvalidValue> {
    let fits = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
    match fits {
        true => Ok(text.to_owned()),
        false => Err(InvalidValue::new(
            "is not an event type",
            "a name such as \"commerce.backofficeOrderPlaced\"",
        )),
    }
}

impl EventNames {
    /// Returns the key and the name of each kind.
    pub fn by_kind(&self) -> [(&'static str, &str); 8] {
        [
            ("placed", &self.placed),
            ("invoiced", &self.invoiced),
            ("items_shipped", &self.items_shipped),
            ("shipment_completed", &self.shipment_completed),
            ("cancelled", &self.cancelled),
            ("refunded", &self.refunded),
            ("return_initiated", &self.return_initiated),
            ("return_completed", &self.return_completed),
        ]
    }
}

impl Events {
    pub(super) fn check(&self, reader: &mut ConfigReader<'_>) {
        let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
        for (kind, name) in self.names.by_kind() {
            if let Some(other) = seen.insert(name, kind) {
                let message = format!("{name:?} is also events.names.{other}; expected a name of its own");
                reader.problem(&format!("events.names.{kind}"), message);
            }
        }
    }
}
