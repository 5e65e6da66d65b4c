//! Scans an event in one pass, borrowing from the request body: only the fields that the rules and the ledger need.
//!
//! Every field accepts any JSON value, because a wrong type is answered with `EXEG-0102-400` for that field and is not a
//! syntax error of the request.

mod visit;

use std::borrow::Cow;

/// An element of `events[]`.
#[derive(serde::Deserialize, Default, Debug)]
pub(crate) struct EventScan<'a> {
    #[serde(borrow, default)]
    pub(crate) xdm: Object<XdmScan<'a>>,
}

/// The fields of the XDM payload that the edge or the ledger reads.
#[derive(serde::Deserialize, Default, Debug)]
pub(crate) struct XdmScan<'a> {
    #[serde(borrow, default, rename = "_id")]
    pub(crate) id: Text<'a>,
    #[serde(borrow, default, rename = "eventType")]
    pub(crate) event_type: Text<'a>,
    #[serde(borrow, default)]
    pub(crate) timestamp: Text<'a>,
    #[serde(borrow, default, rename = "identityMap")]
    pub(crate) identity_map: Identities<'a>,
    #[serde(borrow, default)]
    pub(crate) commerce: Object<CommerceScan<'a>>,
}

#[derive(serde::Deserialize, Default, Debug)]
pub(crate) struct CommerceScan<'a> {
    #[serde(borrow, default)]
    pub(crate) order: Object<OrderScan<'a>>,
    #[serde(borrow, default, rename = "commerceScope")]
    pub(crate) scope: Object<ScopeScan<'a>>,
}

#[derive(serde::Deserialize, Default, Debug)]
pub(crate) struct OrderScan<'a> {
    #[serde(borrow, default, rename = "purchaseID")]
    pub(crate) purchase_id: Text<'a>,
}

#[derive(serde::Deserialize, Default, Debug)]
pub(crate) struct ScopeScan<'a> {
    #[serde(borrow, default, rename = "environmentID")]
    pub(crate) environment_id: Text<'a>,
    /// Order numbers are unique only within a store view.
    #[serde(borrow, default, rename = "storeViewCode")]
    pub(crate) store_view: Text<'a>,
}

/// A field that should be an object.
#[derive(Debug, Default)]
pub(crate) enum Object<T> {
    #[default]
    Absent,
    Here(T),
    /// Any other JSON value.
    Other,
}

impl<T> Object<T> {
    pub(crate) fn get(&self) -> Option<&T> {
        match self {
            Self::Here(value) => Some(value),
            Self::Absent | Self::Other => None,
        }
    }
}

/// A field that should be a string.
#[derive(Debug, Default)]
pub(crate) enum Text<'a> {
    #[default]
    Absent,
    /// Borrowed unless it holds escapes.
    Here(Cow<'a, str>),
    /// Any other JSON value.
    Other,
}

impl Text<'_> {
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
    /// Identities in order of appearance.
    pub(crate) list: Vec<Identity<'a>>,
    /// Namespaces whose value is not an array of objects. Empty if the map itself is not an object.
    pub(crate) malformed: Vec<String>,
}

/// An identity of the event's person.
#[derive(Debug)]
pub(crate) struct Identity<'a> {
    /// For example `Email_LC_SHA256` or `ECID`.
    pub(crate) namespace: Cow<'a, str>,
    pub(crate) id: Text<'a>,
    /// The string `"true"`, as in Adobe's own samples, counts as true.
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
