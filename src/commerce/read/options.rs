//! Cuts large `product_options` while a row is decoded, so that the size of an order does not depend on what its lines carry.
//!
//! Extensions store whole documents in this column, mostly in parts that no event contains. Of a text above [`LARGE`] bytes
//! only the parts that events are made from stay, with their texts cut. Smaller texts stay as they are.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Longest text that is kept whole; the usual size is 1 to 2 KB.
const LARGE: usize = 4096;
/// Bytes that are kept of each text in a large one: twice what an event contains of a text.
const TEXT: usize = 1024;
/// Length from which on further elements are left out.
const ENOUGH: usize = 4 * LARGE;
/// The parts that events are made from.
const PARTS: [&str; 4] = ["attributes_info", "options", "bundle_options", "shipment_type"];

/// Cuts a text above [`LARGE`] bytes. One that is no JSON becomes empty: it has no options either way.
pub(crate) fn cut(options: String) -> String {
    if options.len() <= LARGE {
        return options;
    }
    let mut out = String::with_capacity(LARGE);
    let mut parser = serde_json::Deserializer::from_str(&options);
    let cut = parser.deserialize_any(Cutter {
        out: &mut out,
        is_top: true,
    });
    match cut.and_then(|()| parser.end()) {
        Ok(()) => out,
        Err(_) => String::new(),
    }
}

/// Writes the JSON that it reads, cut, to `out`.
struct Cutter<'a> {
    out: &'a mut String,
    /// True for the object that has the parts.
    is_top: bool,
}

impl Cutter<'_> {
    fn inner(&mut self) -> Cutter<'_> {
        Cutter {
            out: &mut *self.out,
            is_top: false,
        }
    }

    fn write<E: Error>(self, value: impl serde::Serialize) -> Result<(), E> {
        let text = serde_json::to_string(&value).map_err(E::custom)?;
        self.out.push_str(&text);
        Ok(())
    }

    fn separate(&mut self, is_first: &mut bool) {
        if !std::mem::take(is_first) {
            self.out.push(',');
        }
    }
}

impl<'de> DeserializeSeed<'de> for Cutter<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Cutter<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.write(())
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<(), E> {
        self.write(flag)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        self.write(number)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        self.write(number)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        self.write(number)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        let end = (0..=TEXT.min(text.len()))
            .rev()
            .find(|end| text.is_char_boundary(*end));
        self.write(&text[..end.unwrap_or_default()])
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        let mut is_first = true;
        self.out.push('[');
        while self.out.len() < ENOUGH {
            let before = self.out.len();
            self.separate(&mut is_first);
            if seq.next_element_seed(self.inner())?.is_none() {
                self.out.truncate(before);
                break;
            }
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        self.out.push(']');
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let mut is_first = true;
        self.out.push('{');
        while let Some(key) = map.next_key::<String>()? {
            let is_kept = !self.is_top || PARTS.contains(&key.as_str());
            if !is_kept || self.out.len() >= ENOUGH {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            self.separate(&mut is_first);
            self.inner().visit_str(&key)?;
            self.out.push(':');
            map.next_value_seed(self.inner())?;
        }
        self.out.push('}');
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long() -> String {
        "ä".repeat(30_000)
    }

    #[test]
    fn a_usual_text_stays_byte_for_byte() {
        let usual = format!(r#" {{"info_buyRequest" : {{"x":"{}"}}}}"#, "y".repeat(3_900));
        assert_eq!(cut(usual.clone()), usual);
    }

    #[test]
    fn a_large_text_keeps_what_events_contain() {
        let long = long();
        let large = format!(
            r#"{{"info_buyRequest":{{"options":{{"1":"{long}"}}}},"shipment_type":1,
                "options":{{"9":{{"label":"Note \"1\"","value":"{long}","option_type":"area","n":[1.5,-2,true,null]}},
                            "10":{{"label":"Wrap","value":"Red"}}}},"attributes_info":[]}}"#
        );
        let kept = "ä".repeat(512);
        assert_eq!(
            cut(large),
            format!(
                r#"{{"shipment_type":1,"options":{{"9":{{"label":"Note \"1\"","value":"{kept}","option_type":"area","n":[1.5,-2,true,null]}},"10":{{"label":"Wrap","value":"Red"}}}},"attributes_info":[]}}"#
            )
        );
    }

    #[test]
    fn nothing_large_stays_however_it_is_made_up() {
        let long = long();
        let many = vec![format!(r#"{{"label":"{long}","value":"{long}"}}"#); 200].join(",");
        let kept = cut(format!(r#"{{"options":[{many}]}}"#));
        assert!(kept.len() < 2 * ENOUGH, "{}", kept.len());
        assert!(serde_json::from_str::<serde_json::Value>(&kept).is_ok(), "{kept}");
        for invalid in [
            long.clone(),
            format!(r#"{{"options":["{long}"#),
            "[".repeat(100_000),
        ] {
            assert_eq!(cut(invalid), "");
        }
    }
}
