//! Validates events strictly against the XDM schema, as the platform's asynchronous validation does.
//!
//! Adobe accepts an invalid event (202) and drops it in a failed batch of the dataset. This check reports the invalid
//! path instead.

mod rule;
mod schema;
mod storefront;

use serde_json::Value;

use crate::xdm::rule::{Rule, Shape};
use crate::xdm::schema::EVENT;
use orderfeed_model::clock::UtcMillis;

/// Validates an element of `events[]` (an object with the key `xdm`). Returns one `path: message` per violation.
pub fn validate(event: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check_object(event, &EVENT, "", &mut found);
    found
}

fn check(value: &Value, rule: &Rule, path: &str, found: &mut Vec<String>) {
    let wrong = match rule {
        Rule::Any => None,
        Rule::Object(shape) => return check_object(value, shape, path, found),
        Rule::ListOf(item) => return check_list(value, item, path, found),
        Rule::MapOf(item) => return check_map(value, item, path, found),
        Rule::Number => (!value.is_number()).then(|| format!("expected a number, found {}", kind(value))),
        Rule::Integer => (!is_integer(value)).then(|| format!("expected an integer, found {}", kind(value))),
        Rule::Bool => (!value.is_boolean()).then(|| format!("expected true or false, found {}", kind(value))),
        Rule::Text | Rule::Fits(..) | Rule::OneOf(_) | Rule::DateTime => check_text(value, rule),
    };
    found.extend(wrong.map(|message| format!("{path}: {message}")));
}

fn check_text(value: &Value, rule: &Rule) -> Option<String> {
    let Value::String(text) = value else {
        return Some(format!("expected a string, found {}", kind(value)));
    };
    match rule {
        Rule::Fits(fits, expected) if !fits(text) => Some(format!("{text:?} is not {expected}")),
        Rule::OneOf(known) if !known.contains(&text.as_str()) => {
            Some(format!("{text:?} is none of {}", known.join(", ")))
        }
        Rule::DateTime if UtcMillis::parse_rfc3339(text).is_none() => {
            Some(format!("{text:?} is no RFC 3339 date-time"))
        }
        _ => None,
    }
}

fn check_object(value: &Value, shape: &Shape, path: &str, found: &mut Vec<String>) {
    let Value::Object(map) = value else {
        found.push(format!(
            "{}: expected an object, found {}",
            or_root(path),
            kind(value)
        ));
        return;
    };
    for key in shape.required {
        if !map.contains_key(*key) {
            found.push(format!("{}: required key [{key}] not found", or_root(path)));
        }
    }
    for (key, value) in map {
        match shape.fields.iter().find(|(name, _)| name == key) {
            Some((_, rule)) => check(value, rule, &join(path, key), found),
            None => found.push(format!(
                "{}: extraneous key [{key}] is not permitted",
                or_root(path)
            )),
        }
    }
}

fn check_list(value: &Value, item: &Rule, path: &str, found: &mut Vec<String>) {
    let Value::Array(items) = value else {
        found.push(format!("{path}: expected an array, found {}", kind(value)));
        return;
    };
    for (index, value) in items.iter().enumerate() {
        check(value, item, &format!("{path}[{index}]"), found);
    }
}

fn check_map(value: &Value, item: &Rule, path: &str, found: &mut Vec<String>) {
    let Value::Object(map) = value else {
        found.push(format!("{path}: expected an object, found {}", kind(value)));
        return;
    };
    for (key, value) in map {
        check(value, item, &join(path, key), found);
    }
}

/// Returns true for an integer in the sense of JSON Schema: a number without a fraction, in any notation.
fn is_integer(value: &Value) -> bool {
    value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0)
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

fn or_root(path: &str) -> &str {
    if path.is_empty() { "event" } else { path }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests;
