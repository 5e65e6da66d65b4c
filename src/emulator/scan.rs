//! One pass over an event, borrowing from the request body: what the rules and the ledger need, nothing else.
//!
//! Every field takes whatever JSON holds (a [`Text`] may turn out to be a number), because a wrong type is the edge's
//! `EXEG-0102-400` for that field, not a syntax error of the request.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// An event as it stands in `events[]`.
#[derive(serde::Deserialize, Default, Debug)]
pub(crate) struct EventScan<'a> {
    /// The XDM payload.
    #[serde(borrow, default)]
    pub(crate) xdm: Object<XdmScan<'a>>,
}

/// The parts of the XDM payload that the edge or the ledger looks at.
#[derive(serde::Deserialize, Default, Debug)]
pub(crate) struct XdmScan<'a> {
    /// The event's identifier.
    #[serde(borrow, default, rename = "_id")]
    pub(crate) id: Text<'a>,
    /// What kind of event.
    #[serde(borrow, default, rename = "eventType")]
    pub(crate) event_type: Text<'a>,
    /// When it happened.
    #[serde(borrow, default)]
    pub(crate) timestamp: Text<'a>,
    /// Whose event it is.
    #[serde(borrow, default, rename = "identityMap")]
    pub(crate) identity_map: Identities<'a>,
    /// Order and scope.
    #[serde(borrow, default)]
    pub(crate) commerce: Object<CommerceScan<'a>>,
}

/// `xdm.commerce`.
#[derive(serde::Deserialize, Default, Debug)]
pub(crate) struct CommerceScan<'a> {
    /// `commerce.order`.
    #[serde(borrow, default)]
    pub(crate) order: Object<OrderScan<'a>>,
    /// `commerce.commerceScope`.
    #[serde(borrow, default, rename = "commerceScope")]
    pub(crate) scope: Object<ScopeScan<'a>>,
}

/// `xdm.commerce.order`.
#[derive(serde::Deserialize, Default, Debug)]
pub(crate) struct OrderScan<'a> {
    /// The order's number.
    #[serde(borrow, default, rename = "purchaseID")]
    pub(crate) purchase_id: Text<'a>,
}

/// `xdm.commerce.commerceScope`.
#[derive(serde::Deserialize, Default, Debug)]
pub(crate) struct ScopeScan<'a> {
    /// The data space.
    #[serde(borrow, default, rename = "environmentID")]
    pub(crate) environment_id: Text<'a>,
    /// The store view: order numbers are unique only within one.
    #[serde(borrow, default, rename = "storeViewCode")]
    pub(crate) store_view: Text<'a>,
}

/// An object, nothing, or something else.
#[derive(Debug)]
pub(crate) enum Object<T> {
    /// The key is absent.
    Absent,
    /// An object.
    Here(T),
    /// Any other JSON value.
    Other,
}

impl<T> Object<T> {
    /// The object, if it is one.
    pub(crate) fn get(&self) -> Option<&T> {
        match self {
            Self::Here(value) => Some(value),
            Self::Absent | Self::Other => None,
        }
    }
}

impl<T> Default for Object<T> {
    fn default() -> Self {
        Self::Absent
    }
}

/// A string, nothing, or something else.
#[derive(Debug, Default)]
pub(crate) enum Text<'a> {
    /// The key is absent.
    #[default]
    Absent,
    /// A string; borrowed unless it holds escapes.
    Here(Cow<'a, str>),
    /// Any other JSON value.
    Other,
}

impl Text<'_> {
    /// The string, if it is one.
    pub(crate) fn get(&self) -> Option<&str> {
        match self {
            Self::Here(text) => Some(text),
            Self::Absent | Self::Other => None,
        }
    }
}

/// The identity map, flattened.
#[derive(Debug, Default)]
pub(crate) struct Identities<'a> {
    /// Each identity with its namespace, in order of appearance.
    pub(crate) list: Vec<Identity<'a>>,
    /// Namespaces whose value is no array of objects (empty if the map itself is no object).
    pub(crate) malformed: Vec<String>,
}

/// One identity.
#[derive(Debug)]
pub(crate) struct Identity<'a> {
    /// `Email_LC_SHA256`, `ECID`, …
    pub(crate) namespace: Cow<'a, str>,
    /// The value.
    pub(crate) id: Text<'a>,
    /// Whether it is the primary one. The string `"true"` of Adobe's own samples counts.
    pub(crate) primary: bool,
}

#[derive(serde::Deserialize)]
struct IdentityScan<'a> {
    #[serde(borrow, default)]
    id: Text<'a>,
    #[serde(default)]
    primary: Flag,
}

#[derive(Default)]
struct Flag(bool);

/// The visits that end in "some other JSON value", for scalars.
macro_rules! other_scalars {
    ($other:expr) => {
        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok($other)
        }
        other_scalars!(numbers $other);
    };
    (numbers $other:expr) => {
        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
            Ok($other)
        }
        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
            Ok($other)
        }
        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok($other)
        }
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok($other)
        }
    };
}

/// Reads a sequence to its end.
fn drain_seq<'de, A: SeqAccess<'de>>(mut seq: A) -> Result<(), A::Error> {
    while seq.next_element::<IgnoredAny>()?.is_some() {}
    Ok(())
}

/// Reads a map to its end.
fn drain_map<'de, A: MapAccess<'de>>(mut map: A) -> Result<(), A::Error> {
    while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
    Ok(())
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Object::Here)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        drain_seq(seq).map(|()| Object::Other)
    }
    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(Object::Other)
    }
    other_scalars!(Object::Other);
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Text::Here(Cow::Borrowed(text)))
    }
    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Text::Here(Cow::Owned(text.to_owned())))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        drain_seq(seq).map(|()| Text::Other)
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        drain_map(map).map(|()| Text::Other)
    }
    other_scalars!(Text::Other);
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FlagVisitor)
    }
}

struct FlagVisitor;

impl<'de> Visitor<'de> for FlagVisitor {
    type Value = Flag;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }
    fn visit_bool<E>(self, flag: bool) -> Result<Self::Value, E> {
        Ok(Flag(flag))
    }
    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Flag(text == "true"))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        drain_seq(seq).map(|()| Flag(false))
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        drain_map(map).map(|()| Flag(false))
    }
    other_scalars!(numbers Flag(false));
}

impl<'de: 'a, 'a> Deserialize<'de> for Identities<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(IdentitiesVisitor)
    }
}

struct IdentitiesVisitor;

impl IdentitiesVisitor {
    fn malformed<'de>() -> Identities<'de> {
        Identities {
            list: Vec::new(),
            malformed: vec![String::new()],
        }
    }
}

impl<'de> Visitor<'de> for IdentitiesVisitor {
    type Value = Identities<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = Identities::default();
        while let Some(Name(namespace)) = map.next_key::<Name<'de>>()? {
            let List(values) = map.next_value::<List<'de>>()?;
            match values {
                Some(values) => found.take(&namespace, values),
                None => found.malformed.push(namespace.into_owned()),
            }
        }
        Ok(found)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        drain_seq(seq).map(|()| Self::malformed())
    }
    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(Self::malformed())
    }
    other_scalars!(Self::malformed());
}

impl<'a> Identities<'a> {
    fn take(&mut self, namespace: &Cow<'a, str>, values: Vec<Object<IdentityScan<'a>>>) {
        for value in values {
            match value {
                Object::Here(scan) => self.list.push(Identity {
                    namespace: namespace.clone(),
                    id: scan.id,
                    primary: scan.primary.0,
                }),
                Object::Absent | Object::Other => self.malformed.push(namespace.clone().into_owned()),
            }
        }
    }
}

/// A key, borrowed where possible (serde's own `Cow` always copies).
struct Name<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Name<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match deserializer.deserialize_str(TextVisitor)? {
            Text::Here(text) => Self(text),
            Text::Absent | Text::Other => Self(Cow::Borrowed("")),
        })
    }
}

/// A list of objects, or `None` for any other JSON value.
struct List<'a>(Option<Vec<Object<IdentityScan<'a>>>>);

impl<'de: 'a, 'a> Deserialize<'de> for List<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListVisitor)
    }
}

struct ListVisitor;

impl<'de> Visitor<'de> for ListVisitor {
    type Value = List<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut values = Vec::with_capacity(1);
        while let Some(value) = seq.next_element()? {
            values.push(value);
        }
        Ok(List(Some(values)))
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        drain_map(map).map(|()| List(None))
    }
    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(List(None))
    }
    other_scalars!(List(None));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(text: &str) -> EventScan<'_> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_plain_event_is_borrowed_not_copied() {
        let event = scan(
            r#"{"xdm":{"_id":"a","timestamp":"t","identityMap":{"Email":[{"id":"x","primary":true}]},
                "commerce":{"order":{"purchaseID":"7"}},"other":[1,{"a":null}]},"data":{}}"#,
        );
        let xdm = event.xdm.get().unwrap();
        assert!(matches!(&xdm.id, Text::Here(Cow::Borrowed("a"))));
        let identity = &xdm.identity_map.list[0];
        assert!(matches!(identity.namespace, Cow::Borrowed("Email")));
        assert!(identity.primary);
        assert_eq!(
            xdm.commerce.get().unwrap().order.get().unwrap().purchase_id.get(),
            Some("7")
        );
    }

    #[test]
    fn wrong_types_are_noted_not_refused() {
        let event = scan(r#"{"xdm":{"_id":7,"timestamp":null,"identityMap":{"A":"x","B":[1,{"id":2}]}}}"#);
        let xdm = event.xdm.get().unwrap();
        assert!(matches!(xdm.id, Text::Other));
        assert!(matches!(xdm.timestamp, Text::Other));
        assert_eq!(xdm.identity_map.malformed, ["A", "B"]);
        assert!(matches!(xdm.identity_map.list[0].id, Text::Other));
        assert!(matches!(scan(r#"{"xdm":[]}"#).xdm, Object::Other));
        assert_eq!(
            scan(r#"{"xdm":{"identityMap":[]}}"#)
                .xdm
                .get()
                .unwrap()
                .identity_map
                .malformed
                .len(),
            1
        );
    }

    #[test]
    fn a_primary_flag_given_as_text_counts() {
        let event =
            scan(r#"{"xdm":{"identityMap":{"A":[{"id":"x","primary":"true"},{"id":"y","primary":0}]}}}"#);
        let flags: Vec<bool> = event
            .xdm
            .get()
            .unwrap()
            .identity_map
            .list
            .iter()
            .map(|identity| identity.primary)
            .collect();
        assert_eq!(flags, [true, false]);
    }
}
