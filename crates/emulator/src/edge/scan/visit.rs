//! serde visitors of the scanned types. They accept any JSON value and avoid copies.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::edge::scan::{Identities, Identity, Object, Text};

#[derive(serde::Deserialize)]
struct IdentityScan<'a> {
    #[serde(borrow, default)]
    id: Text<'a>,
    #[serde(default)]
    primary: Flag,
}

#[derive(Default)]
struct Flag(bool);

/// Implements `Deserialize` of a type by a visitor that takes any JSON value.
macro_rules! any_value {
    ($type:ident<'a> by $visitor:ident) => {
        impl<'de: 'a, 'a> Deserialize<'de> for $type<'a> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any($visitor)
            }
        }

        struct $visitor;
    };
}

/// Implements the visits of the kinds of values that count as "some other JSON value", and `expecting`.
macro_rules! others {
    ([$($kind:ident)+] => $other:expr) => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("any value")
        }
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
        $(others!($kind $other);)+
    };
    (bool $other:expr) => {
        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok($other)
        }
    };
    (str $other:expr) => {
        fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
            Ok($other)
        }
    };
    (seq $other:expr) => {
        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            Ok($other)
        }
    };
    (map $other:expr) => {
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok($other)
        }
    };
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Object::Here)
    }
    others!([bool str seq] => Object::Other);
}

any_value!(Text<'a> by TextVisitor);

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Text::Here(Cow::Borrowed(text)))
    }
    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Text::Here(Cow::Owned(text.to_owned())))
    }
    others!([bool seq map] => Text::Other);
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FlagVisitor)
    }
}

struct FlagVisitor;

impl<'de> Visitor<'de> for FlagVisitor {
    type Value = Flag;

    fn visit_bool<E>(self, flag: bool) -> Result<Self::Value, E> {
        Ok(Flag(flag))
    }
    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Flag(text == "true"))
    }
    others!([seq map] => Flag(false));
}

any_value!(Identities<'a> by IdentitiesVisitor);

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

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = Identities::default();
        while let Some(Name(namespace)) = map.next_key::<Name<'de>>()? {
            let List(values) = map.next_value::<List<'de>>()?;
            match values {
                Some(values) => found.take(namespace, values),
                None => found.malformed.push(namespace.into_owned()),
            }
        }
        Ok(found)
    }
    others!([bool str seq] => Self::malformed());
}

impl<'a> Identities<'a> {
    fn take(&mut self, namespace: Cow<'a, str>, values: Vec<Object<IdentityScan<'a>>>) {
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

any_value!(List<'a> by ListVisitor);

impl<'de> Visitor<'de> for ListVisitor {
    type Value = List<'de>;

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut values = Vec::with_capacity(1);
        while let Some(value) = seq.next_element()? {
            values.push(value);
        }
        Ok(List(Some(values)))
    }
    others!([bool str map] => List(None));
}
