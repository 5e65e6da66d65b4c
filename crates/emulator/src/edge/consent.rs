//! `set-consent`: stores which identities opted out. `collect` and `interact` apply it.

use serde_json::{Value, json};

use crate::edge::problem::Refusal;
use crate::edge::{Served, admit, location_hint, refused};
use crate::http::reply::Answer;
use crate::http::request::Inbound;
use crate::state::Shared;

/// Values of `collect.val` that both the XDM schema and the edge accept.
const PORTABLE_VALUES: [&str; 4] = ["y", "n", "p", "u"];

pub(crate) fn serve(shared: &Shared, inbound: &Inbound<'_>) -> Served {
    let mut served = Served::default();
    served.answer = match admit(shared, inbound, &mut served) {
        Ok(_) => match store(shared, inbound) {
            Ok(()) => {
                served.accepted = true;
                let body = json!({ "requestId": inbound.request_id, "handle": location_hint() });
                Answer {
                    request_id: Some(inbound.request_id.clone()),
                    ..Answer::json(200, &body)
                }
            }
            Err(refusal) => refused(inbound, &refusal),
        },
        Err(answer) => *answer,
    };
    served
}

fn store(shared: &Shared, inbound: &Inbound<'_>) -> Result<(), Refusal> {
    let body: Value =
        serde_json::from_slice(&inbound.body).map_err(|error| Refusal::new("0101-400", error.to_string()))?;
    let choice = choice(&body)?;
    let ids = identities(&body)?;
    shared.change_opted_out(|opted_out| match choice {
        Choice::Out => opted_out.extend(ids),
        Choice::In => opted_out.retain(|id| !ids.contains(id)),
        Choice::Undecided => {}
    });
    Ok(())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    In,
    Out,
    Undecided,
}

/// Reads the consent choice. If several entries decide, the last one wins.
fn choice(body: &Value) -> Result<Choice, Refusal> {
    let entries = body["consent"].as_array().filter(|entries| !entries.is_empty());
    let Some(entries) = entries else {
        return Err(Refusal::new("0103-400", "the required value /consent is missing"));
    };
    let mut chosen = Choice::Undecided;
    for (index, entry) in entries.iter().enumerate() {
        match read_entry(index, entry)? {
            Choice::Undecided => {}
            decided => chosen = decided,
        }
    }
    Ok(chosen)
}

fn read_entry(index: usize, entry: &Value) -> Result<Choice, Refusal> {
    let value = &entry["value"];
    match (entry["standard"].as_str(), entry["version"].as_str()) {
        (Some("Adobe"), Some("1.0")) => match value["general"].as_str() {
            Some("in") => Ok(Choice::In),
            Some("out") => Ok(Choice::Out),
            Some("pending" | "not_provided") => Ok(Choice::Undecided),
            _ => Err(Refusal::new(
                "0102-400",
                format!("invalid request field /consent/{index}/value/general"),
            )),
        },
        (Some("Adobe"), Some("2.0")) => match value["collect"]["val"].as_str() {
            Some("y") => Ok(Choice::In),
            Some("n") => Ok(Choice::Out),
            Some(other) if PORTABLE_VALUES.contains(&other) => Ok(Choice::Undecided),
            None if value["collect"].is_null() => Ok(Choice::Undecided),
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
    use super::*;

    #[test]
    fn both_adobe_standards_are_understood_and_no_other() {
        let one = |entry: Value| choice(&json!({ "consent": [entry] })).map_err(|refusal| refusal.code);
        let v2 = |val: &str| json!({ "standard": "Adobe", "version": "2.0", "value": { "collect": { "val": val } } });
        assert_eq!(one(v2("n")), Ok(Choice::Out));
        assert_eq!(one(v2("y")), Ok(Choice::In));
        assert_eq!(one(v2("p")), Ok(Choice::Undecided));
        assert_eq!(one(v2("maybe")), Err("0102-400"));
        let v1 = json!({ "standard": "Adobe", "version": "1.0", "value": { "general": "out" } });
        assert_eq!(one(v1), Ok(Choice::Out));
        assert_eq!(
            one(json!({ "standard": "IAB TCF", "version": "2.0" })),
            Err("0104-422")
        );
        assert_eq!(one(json!({})), Err("0103-400"));
        assert_eq!(choice(&json!({})).unwrap_err().code, "0103-400");
    }
}
