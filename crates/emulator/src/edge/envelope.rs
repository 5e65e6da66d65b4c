//! The request body around the events. One pass finds the exact bytes of each event and scans it.
//!
//! serde alone would need two passes: one to find the raw value, one to parse it. Under load the emulator shares its cores
//! with the program under test, so this module parses the outermost object and array itself and hands each event to serde
//! once.

use serde::de::{Deserialize, IgnoredAny};

use crate::edge::scan::{EventScan, Identities, Object};

/// A parsed request body.
#[derive(Debug, Default)]
pub(crate) struct Envelope<'a> {
    pub(crate) events: Field<Vec<RawEvent<'a>>>,
    pub(crate) event: Field<Box<RawEvent<'a>>>,
    /// `xdm` beside the events (v1). Its identity map applies to every event.
    pub(crate) shared: Object<SharedXdm<'a>>,
}

/// A field that is valid in one shape only.
#[derive(Debug, Default)]
pub(crate) enum Field<T> {
    #[default]
    Absent,
    Here(T),
    /// The field has another shape.
    Other,
}

/// One event with its bytes.
#[derive(Debug)]
pub(crate) struct RawEvent<'a> {
    /// JSON text of the event, as sent.
    pub(crate) bytes: &'a [u8],
    /// `None` if the event is not an object.
    pub(crate) scan: Option<EventScan<'a>>,
}

/// The context that all events of a v1 request share.
#[derive(serde::Deserialize, Default, Debug)]
pub(crate) struct SharedXdm<'a> {
    #[serde(borrow, default, rename = "identityMap")]
    pub(crate) identity_map: Identities<'a>,
}

/// Parses a request body.
///
/// # Errors
/// If it is malformed: the detail text of `EXEG-0101-400`.
pub(crate) fn read(body: &[u8]) -> Result<Envelope<'_>, String> {
    let mut cursor = Cursor { body, at: 0 };
    let mut envelope = Envelope::default();
    cursor.expect(b'{')?;
    if !cursor.eat(b'}') {
        loop {
            let key: String = cursor.value()?;
            cursor.expect(b':')?;
            match key.as_str() {
                "events" => envelope.events = cursor.events()?,
                "event" => envelope.event = cursor.single_event()?,
                "xdm" => envelope.shared = cursor.value()?,
                _ => drop(cursor.value::<IgnoredAny>()?),
            }
            if !cursor.eat(b',') {
                break;
            }
        }
        cursor.expect(b'}')?;
    }
    cursor.end()?;
    Ok(envelope)
}

struct Cursor<'a> {
    body: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn peek(&mut self) -> Option<u8> {
        while let Some(byte) = self.body.get(self.at) {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(*byte);
            }
            self.at += 1;
        }
        None
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Result<(), String> {
        if self.eat(byte) {
            return Ok(());
        }
        Err(format!("expected '{}' at byte {}", char::from(byte), self.at))
    }

    fn end(&mut self) -> Result<(), String> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(format!("unexpected data after the request at byte {}", self.at)),
        }
    }

    fn value<T: Deserialize<'a>>(&mut self) -> Result<T, String> {
        let mut stream = serde_json::Deserializer::from_slice(&self.body[self.at..]).into_iter::<T>();
        match stream.next() {
            Some(Ok(value)) => {
                self.at += stream.byte_offset();
                Ok(value)
            }
            Some(Err(error)) => Err(format!("{error} (counted from byte {})", self.at)),
            None => Err(format!("expected a value at byte {}", self.at)),
        }
    }

    fn event(&mut self) -> Result<RawEvent<'a>, String> {
        let is_object = self.peek() == Some(b'{');
        let start = self.at;
        let scan = if is_object {
            Some(self.value()?)
        } else {
            self.value::<IgnoredAny>()?;
            None
        };
        Ok(RawEvent {
            bytes: &self.body[start..self.at],
            scan,
        })
    }

    fn single_event(&mut self) -> Result<Field<Box<RawEvent<'a>>>, String> {
        let event = self.event()?;
        Ok(if event.scan.is_some() {
            Field::Here(Box::new(event))
        } else {
            Field::Other
        })
    }

    fn events(&mut self) -> Result<Field<Vec<RawEvent<'a>>>, String> {
        if self.peek() != Some(b'[') {
            self.value::<IgnoredAny>()?;
            return Ok(Field::Other);
        }
        self.expect(b'[')?;
        let mut events = Vec::new();
        if self.eat(b']') {
            return Ok(Field::Here(events));
        }
        loop {
            events.push(self.event()?);
            if !self.eat(b',') {
                break;
            }
        }
        self.expect(b']')?;
        Ok(Field::Here(events))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn each_event_keeps_its_own_bytes() {
        let body = br#" {"meta":{"a":[1,2]} , "events":[ {"xdm":{"_id":"a"}} ,{"xdm": {"_id":"b"}}], "z":1}"#;
        let envelope = read(body).unwrap();
        let Field::Here(events) = envelope.events else {
            panic!("events are there")
        };
        assert_eq!(events[0].bytes, br#"{"xdm":{"_id":"a"}}"#);
        assert_eq!(events[1].bytes, br#"{"xdm": {"_id":"b"}}"#);
    }

    #[test]
    fn shapes_are_told_apart_from_syntax() {
        assert!(matches!(read(b"{}").unwrap().events, Field::Absent));
        assert!(matches!(read(br#"{"events":7}"#).unwrap().events, Field::Other));
        let Field::Here(events) = read(br#"{"events":[1,"x",{}]}"#).unwrap().events else {
            panic!()
        };
        assert_eq!(events.iter().filter(|event| event.scan.is_none()).count(), 2);
    }

    fn json_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            let key = prop_oneof![
                "xdm|_id|timestamp|identityMap|commerce|order|purchaseID|id|primary",
                ".{0,3}"
            ];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(key, inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_json_the_events_are_each_is_found_with_its_bytes(events in prop::collection::vec(json_value(), 0..4)) {
            let body = json!({ "before": [1, {"events": 2}], "events": events, "z": null }).to_string();
            let envelope = read(body.as_bytes()).unwrap();
            let Field::Here(found) = envelope.events else { panic!("events are there") };
            let parsed: Vec<Value> =
                found.iter().map(|event| serde_json::from_slice(event.bytes).unwrap()).collect();
            prop_assert_eq!(parsed, serde_json::from_str::<Value>(&body).unwrap()["events"].as_array().unwrap().clone());
            for (event, value) in found.iter().zip(&events) {
                prop_assert_eq!(event.scan.is_some(), value.is_object());
            }
        }

        #[test]
        fn a_body_cut_off_anywhere_is_refused(events in prop::collection::vec(json_value(), 1..3), cut in 1_usize..200) {
            let body = json!({ "events": events }).to_string();
            let end = body.len().saturating_sub(cut);
            prop_assert!(read(&body.as_bytes()[..end]).is_err());
        }
    }

    #[test]
    fn broken_json_is_refused_wherever_it_breaks() {
        for body in [
            "",
            "x",
            "[]",
            "{",
            r#"{"events":[}"#,
            r#"{"events":[{"xdm":{"_id":"a}]}"#,
            r#"{"a":1} x"#,
            r#"{"a" 1}"#,
            r#"{"events":[{}{}]}"#,
            r#"{"events":[{},]}"#,
            r#"{"a":1,}"#,
        ] {
            assert!(read(body.as_bytes()).is_err(), "{body}");
        }
    }
}
