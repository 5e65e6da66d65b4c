//! `set-consent`: stores which identities opted out. `collect` and `interact` apply it. A page names no identity: its
//! choice belongs to the visitor.

use serde_json::Value;

use crate::edge::problem::Refusal;
use crate::edge::visitor::Visitor;
use crate::edge::{Served, admit, handled, handles, refused};
use crate::http::request::Inbound;
use crate::ledger::Consent;
use crate::state::Shared;

/// Values of `collect.val` that both the XDM schema and the edge accept.
const PORTABLE_VALUES: [&str; 4] = ["y", "n", "p", "u"];

pub(crate) fn serve(shared: &Shared, inbound: &Inbound<'_>) -> Served {
    let mut served = Served::default();
    served.answer = match admit(shared, inbound, &mut served) {
        Ok(admitted) => match store(shared, inbound, admitted.visitor.as_ref()) {
            Ok(choice) => {
                served.accepted = true;
                if let Some(visitor) = &mut served.visitor {
                    visitor.consent = Some(choice);
                }
                handled(inbound, handles(&admitted, Some(choice)))
            }
            Err(refusal) => refused(inbound, &refusal),
        },
        Err(answer) => *answer,
    };
    served
}

/// Stores the choice that the request transmits, and returns it.
fn store(shared: &Shared, inbound: &Inbound<'_>, visitor: Option<&Visitor>) -> Result<Consent, Refusal> {
    let body: Value =
        serde_json::from_slice(&inbound.body).map_err(|error| Refusal::new("0101-400", error.to_string()))?;
    let choice = choice(&body)?;
    let ids = match visitor {
        Some(visitor) => vec![visitor.ecid.clone()],
        None => identities(&body)?,
    };
    shared.change_opted_out(|opted_out| match choice {
        Consent::Out => opted_out.extend(ids),
        Consent::In => opted_out.retain(|id| !ids.contains(id)),
        Consent::Pending => {}
    });
    Ok(choice)
}

/// Reads the consent choice. If several entries decide, the last one wins.
fn choice(body: &Value) -> Result<Consent, Refusal> {
    let entries = body["consent"].as_array().filter(|entries| !entries.is_empty());
    let Some(entries) = entries else {
        return Err(Refusal::new("0103-400", "the required value /consent is missing"));
    };
    let mut chosen = Consent::Pending;
    for (index, entry) in entries.iter().enumerate() {
        match read_entry(index, entry)? {
            Consent::Pending => {}
            decided => chosen = decided,
        }
    }
    Ok(chosen)
}

fn read_entry(index: usize, entry: &Value) -> Result<Consent, Refusal> {
    let value = &entry["value"];
    match (entry["standard"].as_str(), entry["version"].as_str()) {
        (Some("Adobe"), Some("1.0")) => match value["general"].as_str() {
            Some("in") => Ok(Consent::In),
            Some("out") => Ok(Consent::Out),
            Some("pending" | "not_provided") => Ok(Consent::Pending),
            _ => Err(Refusal::new(
                "0102-400",
                format!("invalid request field /consent/{index}/value/general"),
            )),
        },
        (Some("Adobe"), Some("2.0")) => match value["collect"]["val"].as_str() {
            Some("y") => Ok(Consent::In),
            Some("n") => Ok(Consent::Out),
            Some(other) if PORTABLE_VALUES.contains(&other) => Ok(Consent::Pending),
            None if value["collect"].is_null() => Ok(Consent::Pending),
            _ => Err(Refusal::new(
                "0102-400",
                format!("invalid request field /consent/{index}/value/collect/val"),
            )),
        },
        (Some(standard), Some(version)) => Err(Refusal {
            errors: vec![format!(
                "version {version} of standard '{standard}' is not allowed at index {index}"
            )],
            ..Refusal::new("0104-422", "the request is invalid; see the report")
        }),
        _ => Err(Refusal::new(
            "0103-400",
            format!("the required value /consent/{index}/standard is missing"),
        )),
    }
}

fn identities(body: &Value) -> Result<Vec<String>, Refusal> {
    let Some(map) = body["identityMap"].as_object() else {
        return Err(Refusal::new(
            "0103-400",
            "the required value /identityMap is missing",
        ));
    };
    let ids = map.values().filter_map(Value::as_array).flatten();
    Ok(ids
        .filter_map(|identity| identity["id"].as_str())
        .map(str::to_owned)
        .collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_adobe_standards_are_understood_and_no_other() {
        let one = |entry: Value| choice(&json!({ "consent": [entry] })).map_err(|refusal| refusal.code);
        let v2 = |val: &str| json!({ "standard": "Adobe", "version": "2.0", "value": { "collect": { "val": val } } });
        assert_eq!(one(v2("n")), Ok(Consent::Out));
        assert_eq!(one(v2("y")), Ok(Consent::In));
        assert_eq!(one(v2("p")), Ok(Consent::Pending));
        assert_eq!(one(v2("maybe")), Err("0102-400"));
        let v1 = json!({ "standard": "Adobe", "version": "1.0", "value": { "general": "out" } });
        assert_eq!(one(v1), Ok(Consent::Out));
        assert_eq!(
            one(json!({ "standard": "IAB TCF", "version": "2.0" })),
            Err("0104-422")
        );
        assert_eq!(one(json!({})), Err("0103-400"));
        assert_eq!(choice(&json!({})).unwrap_err().code, "0103-400");
    }
}
