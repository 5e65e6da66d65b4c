//! One pass over an event, borrowing from the request body: what the rules and the ledger need, nothing else.
//!
//! Every field takes whatever JSON holds (a [`Text`] may turn out to be a number), because a wrong type is the edge's
//! `EXEG-0102-400` for that field, not a syntax error of the request.

mod visit;

use std::borrow::Cow;

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
#[derive(Debug, Default)]
pub(crate) enum Object<T> {
    /// The key is absent.
    #[default]
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
