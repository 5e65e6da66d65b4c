//! `product_options`: the JSON column in which Commerce stores the options a shopper chose.
//!
//! Only `attributes_info` (the choices of a configurable), `options` (custom options), `bundle_options` and
//! `shipment_type` are read. `info_buyRequest`, `additional_options` and the gift card fields are skipped, because they hold
//! text written by shoppers.
//!
//! PHP encodes a list whose keys have gaps as an object, and numbers as numbers or strings. Parsing therefore accepts both
//! forms. A part that cannot be parsed counts as absent and does not affect the others.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::context::Profile;
use crate::text::clean_cow;
use crate::xdm::SelectedOption;
use orderfeed_model::order::Item;

/// Types of custom options whose values come from the catalogue. All others (field, area, file, date, date_time, time, or
/// an extension's) hold text written by the shopper.
const CATALOGUE_TYPES: [&str; 4] = ["drop_down", "radio", "checkbox", "multiple"];

/// Returns the options chosen for an item that the profile allows.
pub(crate) fn selected_options(item: &Item, profile: Profile) -> Vec<SelectedOption<'_>> {
    let mut selected = Vec::new();
    let Some(parts) = parts_with(item, &["attributes_info", "\"options\"", "bundle_options"]) else {
        return selected;
    };
    for choice in list::<Choice<'_>>(parts.attributes_info) {
        push(&mut selected, choice.label, choice.value);
    }
    for choice in list::<Choice<'_>>(parts.options) {
        let from_catalogue = choice
            .option_type
            .0
            .as_deref()
            .is_some_and(|kind| CATALOGUE_TYPES.contains(&kind));
        if profile == Profile::Full || from_catalogue {
            let printed = if choice.print_value.0.is_some() {
                choice.print_value
            } else {
                choice.value
            };
            push(&mut selected, choice.label, printed);
        }
    }
    for option in list::<BundleOption<'_>>(parts.bundle_options) {
        for choice in list::<BundleChoice<'_>>(option.value) {
            push(&mut selected, Loose(option.label.0.clone()), choice.title);
        }
    }
    selected
}

/// Returns true if the item is a bundle whose parts ship separately (`shipment_type` 1); such a bundle itself never ships.
pub(crate) fn ships_separately(item: &Item) -> bool {
    let is_bundle = item.product_type.as_deref() == Some("bundle");
    let kind = || {
        let text = parts_with(item, &["shipment_type"])?.shipment_type?;
        serde_json::from_str::<Loose<'_>>(text.get()).ok()?.0
    };
    is_bundle && kind().as_deref() == Some("1")
}

fn push<'a>(selected: &mut Vec<SelectedOption<'a>>, label: Loose<'a>, value: Loose<'a>) {
    let (label, value) = (label.0.and_then(clean_cow), value.0.and_then(clean_cow));
    if let (Some(attribute), Some(value)) = (label, value) {
        selected.push(SelectedOption { attribute, value });
    }
}

/// Parses the options if they contain one of the words. Most do not, and parsing is slow.
fn parts_with<'a>(item: &'a Item, words: &[&str]) -> Option<Parts<'a>> {
    let json = item.product_options.as_deref()?;
    words
        .iter()
        .any(|word| json.contains(word))
        .then(|| serde_json::from_str(json).ok())
        .flatten()
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Parts<'a> {
    #[serde(borrow)]
    attributes_info: Option<&'a RawValue>,
    #[serde(borrow)]
    options: Option<&'a RawValue>,
    #[serde(borrow)]
    bundle_options: Option<&'a RawValue>,
    #[serde(borrow)]
    shipment_type: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Choice<'a> {
    #[serde(borrow)]
    label: Loose<'a>,
    #[serde(borrow)]
    value: Loose<'a>,
    #[serde(borrow)]
    print_value: Loose<'a>,
    #[serde(borrow)]
    option_type: Loose<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct BundleOption<'a> {
    #[serde(borrow)]
    label: Loose<'a>,
    #[serde(borrow)]
    value: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct BundleChoice<'a> {
    #[serde(borrow)]
    title: Loose<'a>,
}

/// Returns the elements of a list, or the values of an object, that deserialize as `T`.
fn list<'a, T: Deserialize<'a>>(raw: Option<&'a RawValue>) -> Vec<T> {
    let Some(raw) = raw else { return Vec::new() };
    let mut parser = serde_json::Deserializer::from_str(raw.get());
    let elements = RawElements.deserialize(&mut parser).unwrap_or_default();
    elements
        .into_iter()
        .filter_map(|element| serde_json::from_str(element.get()).ok())
        .collect()
}

struct RawElements;

impl<'de> DeserializeSeed<'de> for RawElements {
    type Value = Vec<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for RawElements {
    type Value = Vec<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = seq.next_element()? {
            elements.push(element);
        }
        Ok(elements)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut elements = Vec::new();
        while let Some((IgnoredAny, element)) = map.next_entry()? {
            elements.push(element);
        }
        Ok(elements)
    }
}

/// A string, or a number converted to one. Anything else counts as absent.
#[derive(Default)]
struct Loose<'a>(Option<Cow<'a, str>>);

impl<'de: 'a, 'a> Deserialize<'de> for Loose<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LooseVisitor).map(Self)
    }
}

struct LooseVisitor;

impl<'de> Visitor<'de> for LooseVisitor {
    type Value = Option<Cow<'de, str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Owned(text.to_owned())))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Some(Cow::Owned(number.to_string())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Some(Cow::Owned(number.to_string())))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Some(Cow::Owned(number.to_string())))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(json: &str, profile: Profile) -> Vec<String> {
        let item = Item {
            product_options: Some(json.to_owned()),
            ..Item::default()
        };
        selected_options(&item, profile)
            .iter()
            .map(|option| format!("{}={}", option.attribute, option.value))
            .collect()
    }

    #[test]
    fn choices_of_the_catalogue_are_shown_and_what_was_written_is_not() {
        let json = r#"{"info_buyRequest":{"options":{"1":"secret"}},
            "attributes_info":[{"label":"Color","value":"Black","option_value":"49"}],
            "options":[{"label":"Gift wrap","value":"Red","print_value":"Red","option_type":"drop_down"},
                       {"label":"Engraving","value":"secret","option_type":"field"},
                       {"label":"Note","value":"secret","option_type":"area"},
                       {"label":"Odd","value":"secret"}],
            "additional_options":[{"label":"x","value":"secret"}],
            "bundle_options":{"1":{"label":"Strap","value":[{"title":"6 foot","qty":1},{"title":"8 foot"}]}}}"#;
        let catalogue = ["Color=Black", "Gift wrap=Red", "Strap=6 foot", "Strap=8 foot"];
        assert_eq!(chosen(json, Profile::Anonymized), catalogue);
        assert_eq!(chosen(json, Profile::Full).len(), 7);
        assert!(chosen(json, Profile::Full).contains(&"Engraving=secret".to_owned()));
    }

    #[test]
    fn loose_shapes_are_read_and_broken_parts_take_no_other_with_them() {
        let object =
            r#"{"attributes_info":{"3":{"label":"Size","value":42},"4":"odd","5":{"label":[],"value":"x"}}}"#;
        assert_eq!(chosen(object, Profile::Anonymized), ["Size=42"]);
        let broken =
            r#"{"options":"none","bundle_options":7,"attributes_info":[{"label":"L\u0000","value":"V"}]}"#;
        assert_eq!(chosen(broken, Profile::Anonymized), ["L=V"]);
        for invalid in [
            "",
            "null",
            "[]",
            r#"{"attributes_info":"#,
            r#"{"attributes_info":[],"attributes_info":[]}"#,
        ] {
            assert!(chosen(invalid, Profile::Full).is_empty(), "{invalid}");
        }
        assert!(chosen(&format!("{{\"options\":{}", "[".repeat(100_000)), Profile::Full).is_empty());
    }

    #[test]
    fn only_a_bundle_with_shipment_type_one_ships_in_parts() {
        let ships = |kind: &str, json: &str| {
            let (product_type, product_options) = (Some(kind.to_owned()), Some(json.to_owned()));
            ships_separately(&Item {
                product_type,
                product_options,
                ..Item::default()
            })
        };
        assert!(ships("bundle", r#"{"shipment_type":"1"}"#));
        assert!(ships("bundle", r#"{"shipment_type":1}"#));
        assert!(!ships("bundle", r#"{"shipment_type":"0"}"#));
        assert!(!ships("bundle", r#"{"a":"shipment_type"}"#));
        assert!(!ships("simple", r#"{"shipment_type":"1"}"#));
    }
}
