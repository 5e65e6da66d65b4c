//! The edge's validation rules, each a pure function of the request. Statuses and titles are Adobe's; the order of the
//! rules and the use of 0304 and 0308 are assumptions (docs/EMULATOR.md).

use crate::config::{DatastreamConfig, EmulatorConfig};
use crate::edge::envelope::{Envelope, Field, RawEvent};
use crate::edge::problem::Refusal;
use crate::edge::scan::{Identities, Identity, Object, Text, XdmScan};
use crate::http::route::Route;
use orderfeed_model::clock::UtcMillis;

/// Content types that the text of 0111-415 lists.
const CONTENT_TYPES: [&str; 4] = [
    "application/json",
    "application/x-jackson-smile",
    "text/plain",
    "text/javascript",
];

pub(crate) fn content_type(header: Option<&str>) -> Result<(), Refusal> {
    let Some(header) = header else {
        return Err(Refusal::new("0111-415", "the request has no Content-Type"));
    };
    let essence = header
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    match essence.split_once('/') {
        Some((kind, sub)) if !kind.is_empty() && !sub.is_empty() && !essence.contains(' ') => {}
        _ => return Err(Refusal::new("0106-400", format!("{header:?} is no content type"))),
    }
    if CONTENT_TYPES.contains(&essence.as_str()) {
        return Ok(());
    }
    Err(Refusal::new(
        "0111-415",
        format!("{essence:?} is none of {}", CONTENT_TYPES.join(", ")),
    ))
}

/// Applies rules 4 and 5.
pub(crate) fn length(length: u64, max: u64) -> Result<(), Refusal> {
    match length {
        0 => Err(Refusal::new("0109-408", "the request has no body")),
        length if length > max => Err(Refusal::new(
            "0112-413",
            format!("the body has {length} bytes; at most {max} bytes are allowed"),
        )),
        _ => Ok(()),
    }
}

/// Applies rules 6 and 7.
pub(crate) fn datastream<'c>(
    config: &'c EmulatorConfig,
    route: Route<'_>,
    id: Option<&str>,
) -> Result<&'c DatastreamConfig, Refusal> {
    let param = route.datastream_param();
    let Some(id) = id else {
        return Err(Refusal::new(
            "0002-400",
            format!("the query parameter {param} is missing"),
        ));
    };
    match config.datastreams.get(id) {
        None => Err(Refusal::new(
            "0003-400",
            format!("the datastream '{id}' does not exist"),
        )),
        Some(found) if !found.enabled => Err(Refusal::new(
            "0004-422",
            format!("the datastream '{id}' is disabled"),
        )),
        Some(found) => Ok(found),
    }
}

/// Applies rule 10. Returns the events of a request.
pub(crate) fn events<'a>(envelope: Envelope<'a>, route: Route<'_>) -> Result<Vec<RawEvent<'a>>, Refusal> {
    let missing = |path: &str| {
        Err(Refusal::new(
            "0103-400",
            format!("the required value {path} is missing"),
        ))
    };
    if route == Route::InteractV2 {
        return match envelope.event {
            Field::Here(event) => Ok(vec![*event]),
            Field::Absent | Field::Other => missing("/event"),
        };
    }
    match envelope.events {
        Field::Here(events) if !events.is_empty() => Ok(events),
        _ => missing("/events"),
    }
}

/// The rules for the identities of a request's events.
pub(crate) struct IdentityRules<'c> {
    /// Namespaces that exist for the datastream.
    pub(crate) namespaces: &'c [String],
    /// True for events of pages: they may name no primary identity, because the visitor's ECID is one.
    pub(crate) is_from_page: bool,
}

impl IdentityRules<'_> {
    fn knows(&self, namespace: &str) -> bool {
        // Adobe's collector writes this namespace in lower case.
        self.namespaces.iter().any(|known| known == namespace) || (self.is_from_page && namespace == "email")
    }
}

/// Applies rule 11 to the event at `index`. `shared` holds the identities beside the events (v1).
pub(crate) fn event(
    index: usize,
    event: &RawEvent<'_>,
    shared: &Identities<'_>,
    rules: &IdentityRules<'_>,
) -> Result<(), Refusal> {
    let Some(xdm) = xdm(event) else {
        return Err(invalid_field(index, "xdm", "an object"));
    };
    if !is_timestamp(&xdm.timestamp) {
        return Err(invalid_field(index, "xdm/timestamp", "an RFC 3339 date-time"));
    }
    if matches!(xdm.id, Text::Other) {
        return Err(invalid_field(index, "xdm/_id", "a string"));
    }
    if let Some(namespace) = xdm.identity_map.malformed.first() {
        return Err(invalid_identity(index, namespace));
    }
    let identities = || xdm.identity_map.list.iter().chain(&shared.list);
    for identity in identities() {
        check_identity(index, identity, rules)?;
    }
    match identities().filter(|identity| identity.primary).count() {
        0 if rules.is_from_page => Ok(()),
        0 => Err(Refusal::new(
            "0306-400",
            format!("event #{index} has no primary identity"),
        )),
        1 => Ok(()),
        n => Err(Refusal::new(
            "0304-400",
            format!("event #{index} has {n} primary identities"),
        )),
    }
}

/// Returns the XDM payload of an event, if it is an object.
pub(crate) fn xdm<'e, 'a>(event: &'e RawEvent<'a>) -> Option<&'e XdmScan<'a>> {
    match &event.scan.as_ref()?.xdm {
        Object::Here(xdm) => Some(xdm),
        Object::Absent | Object::Other => None,
    }
}

fn is_timestamp(text: &Text<'_>) -> bool {
    match text {
        Text::Absent => true,
        Text::Here(text) => UtcMillis::parse_rfc3339(text).is_some(),
        Text::Other => false,
    }
}

fn check_identity(index: usize, identity: &Identity<'_>, rules: &IdentityRules<'_>) -> Result<(), Refusal> {
    let namespace = identity.namespace.as_ref();
    let Some(id) = identity.id.get().filter(|id| !id.is_empty()) else {
        return Err(invalid_identity(index, namespace));
    };
    if !rules.knows(namespace) {
        return Err(Refusal::new(
            "0013-422",
            format!("the identity namespace '{namespace}' does not exist"),
        ));
    }
    // An ECID has 38 digits. The real edge also refuses invented ones, which cannot be recognized here.
    if namespace == "ECID" && (id.len() != 38 || !id.bytes().all(|byte| byte.is_ascii_digit())) {
        return Err(invalid_identity(index, namespace));
    }
    if namespace == "Email_LC_SHA256" && (id.len() != 64 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()))
    {
        return Err(Refusal::new(
            "0308-400",
            format!("event #{index}: an id in {namespace} must be 64 hex digits"),
        ));
    }
    Ok(())
}

fn invalid_field(index: usize, field: &str, expected: &str) -> Refusal {
    Refusal::new(
        "0102-400",
        format!("invalid request field /events/{index}/{field}: {expected} is expected"),
    )
}

fn invalid_identity(index: usize, namespace: &str) -> Refusal {
    Refusal::new(
        "0305-400",
        format!("event #{index} has an invalid identity in namespace '{namespace}'"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::envelope;

    fn code(identity_map: &str) -> Option<&'static str> {
        refusal(&with_map(identity_map), false)
    }

    fn with_map(identity_map: &str) -> String {
        format!(r#"{{"events":[{{"xdm":{{"_id":"a","identityMap":{identity_map}}}}}]}}"#)
    }

    fn refusal(body: &str, is_from_page: bool) -> Option<&'static str> {
        let envelope = envelope::read(body.as_bytes()).unwrap();
        let rules = IdentityRules {
            namespaces: &DatastreamConfig::default().namespaces,
            is_from_page,
        };
        let found = match events(envelope, Route::CollectV2) {
            Ok(found) => found,
            Err(refusal) => return Some(refusal.code),
        };
        found
            .iter()
            .enumerate()
            .find_map(|(index, raw)| event(index, raw, &Identities::default(), &rules).err())
            .map(|refusal| refusal.code)
    }

    #[test]
    fn an_event_needs_exactly_one_well_formed_primary_identity() {
        let hash = "b4c9a289323b21a01c3e940f150eb9b8c542587f1abfd8f0e1cc1ffc5e475514";
        let ecid = "1".repeat(38);
        let table = [
            (
                format!(r#"{{"Email_LC_SHA256":[{{"id":"{hash}","primary":true}}]}}"#),
                None,
            ),
            (format!(r#"{{"ECID":[{{"id":"{ecid}","primary":true}}]}}"#), None),
            (
                r#"{"ECID":[{"id":"123456789012345678","primary":true}]}"#.into(),
                Some("0305-400"),
            ),
            (r#"{"Email":[{"id":"x"}]}"#.into(), Some("0306-400")),
            ("{}".into(), Some("0306-400")),
            (
                r#"{"Email":[{"id":"x","primary":true}],"CRMID":[{"id":"y","primary":true}]}"#.into(),
                Some("0304-400"),
            ),
            (r#"{"Email":[{"id":"","primary":true}]}"#.into(), Some("0305-400")),
            (
                r#"{"Email":[{"id":null,"primary":true}]}"#.into(),
                Some("0305-400"),
            ),
            (r#"{"Email":"x"}"#.into(), Some("0305-400")),
            (r#"[]"#.into(), Some("0305-400")),
            (
                r#"{"Nobody":[{"id":"x","primary":true}]}"#.into(),
                Some("0013-422"),
            ),
            (
                r#"{"Email_LC_SHA256":[{"id":"abc","primary":true}]}"#.into(),
                Some("0308-400"),
            ),
        ];
        for (map, expected) in table {
            assert_eq!(code(&map), expected, "{map}");
        }
    }

    #[test]
    fn a_page_needs_no_primary_identity_and_may_name_an_email() {
        let table = [
            (r#"{"email":[{"id":"jo@example.com","primary":false}]}"#, None),
            ("{}", None),
            (r#"{"Nobody":[{"id":"x"}]}"#, Some("0013-422")),
            // Adobe's collector sends this in place of an ECID that it does not know.
            (
                r#"{"ECID":[{"id":"000000000000000000000000000000000000","primary":true}]}"#,
                Some("0305-400"),
            ),
        ];
        for (map, expected) in table {
            assert_eq!(refusal(&with_map(map), true), expected, "{map}");
        }
    }

    #[test]
    fn fields_of_the_wrong_type_are_refused_by_name() {
        for body in [
            r#"{"events":[1]}"#,
            r#"{"events":[{}]}"#,
            r#"{"events":[{"xdm":"x"}]}"#,
            r#"{"events":[{"xdm":{"timestamp":"yesterday"}}]}"#,
            r#"{"events":[{"xdm":{"timestamp":7}}]}"#,
            r#"{"events":[{"xdm":{"_id":7}}]}"#,
        ] {
            assert_eq!(refusal(body, false), Some("0102-400"), "{body}");
        }
        for body in ["{}", r#"{"events":[]}"#, r#"{"events":{}}"#, r#"{"event":{}}"#] {
            assert_eq!(refusal(body, false), Some("0103-400"), "{body}");
        }
    }

    #[test]
    fn content_types() {
        let code = |header| content_type(header).err().map(|refusal| refusal.code);
        assert_eq!(code(Some("application/json; charset=utf-8")), None);
        assert_eq!(code(Some("text/plain")), None);
        assert_eq!(code(None), Some("0111-415"));
        assert_eq!(code(Some("application/xml")), Some("0111-415"));
        assert_eq!(code(Some("json")), Some("0106-400"));
        assert_eq!(code(Some("/")), Some("0106-400"));
    }
}
