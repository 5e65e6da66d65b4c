//! The meaning of an answer of the shop: data, or a failure with what to do about it. Pure.

use std::time::Duration;

use serde_json::Value;

/// Most characters that are quoted of a message of the shop.
const QUOTED: usize = 300;

/// The status and the parts of an answer that decide about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: &'a [u8],
    /// False if the connection ended inside the body.
    pub(crate) is_complete: bool,
}

/// The reason why an answer holds no data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// An administrator must change something.
    Refused { message: String, remedy: String },
    /// The list or route does not exist: a module that is not installed, or a wrong address.
    NoRoute { message: String },
    /// The entity with this id does not exist.
    NoEntity,
    /// The page is larger than the shop allows.
    PageTooLarge { most: usize },
    /// The shop fails on what was requested, perhaps on a single order: another request may succeed.
    Poisoned { reason: String },
    /// No answer within the time limit, or one that is too large: a smaller page may succeed.
    TooSlow { reason: String },
    /// The shop or something before it is busy, in maintenance or unreachable: the same request succeeds later.
    Busy { reason: String, after: Option<Duration> },
    /// The signature's nonce was refused; another one is accepted.
    Nonce,
    /// The access token is refused; another one may be accepted.
    Token { message: String },
}

impl Failure {
    /// Returns the reason if a part of what was requested may succeed alone.
    pub(crate) fn of_a_part(&self) -> Option<&str> {
        match self {
            Self::Poisoned { reason } | Self::TooSlow { reason } => Some(reason),
            _ => None,
        }
    }
}

/// Reads an answer.
pub(crate) fn read(answer: Answer<'_>) -> Result<Value, Failure> {
    let Answer { status, body, .. } = answer;
    let json: Option<Value> = serde_json::from_slice(body).ok();
    match (status, json) {
        (200..300, Some(json)) if !is_error(&json) => Ok(json),
        (200..300, Some(error)) => Err(of_error(400, &error)),
        (200..300, None) if !answer.is_complete => Err(broken("its answer was cut off")),
        // A maintenance page or a gateway's page under the wrong status.
        (200..300, None) => Err(broken(match is_html(body) {
            true => "it answered with a web page instead of JSON",
            false => "its answer is not complete JSON",
        })),
        (300..=399, _) => Err(Failure::Refused {
            message: format!("the shop redirects requests to another address (status {status})"),
            remedy: "set source.rest.url to the address that it redirects to: a signature is valid for one address only"
                .to_owned(),
        }),
        (429, _) => Err(Failure::Busy {
            reason: "the shop limits the number of requests (status 429)".to_owned(),
            after: answer.retry_after,
        }),
        (503, json) if json.is_none() => Err(Failure::Busy {
            reason: "the shop is in maintenance or overloaded (status 503)".to_owned(),
            after: answer.retry_after,
        }),
        (502..=504 | 520..=529, _) => Err(Failure::Busy {
            reason: format!("the gateway before the shop answered with status {status}"),
            after: answer.retry_after,
        }),
        (_, Some(error)) => Err(of_error(status, &error)),
        // Of the gateway before the cloud service, whose tokens expire.
        (401, None) => Err(Failure::Token {
            message: "status 401 without a message".to_owned(),
        }),
        (403, None) => Err(Failure::Refused {
            message: "a firewall before the shop refuses the requests (status 403, a web page)".to_owned(),
            remedy: "let the shop's provider allow this host's address to use the REST API".to_owned(),
        }),
        (404, None) => Err(Failure::NoRoute {
            message: "the address does not exist (status 404)".to_owned(),
        }),
        (500.., None) => Err(poisoned(format!("the shop failed with status {status}"))),
        (status, None) => Err(Failure::Refused {
            message: format!("the shop answered with status {status} and no JSON"),
            remedy: "check source.rest.url and what is before the shop".to_owned(),
        }),
    }
}

/// Returns the failure that an error object describes.
fn of_error(status: u16, error: &Value) -> Failure {
    let message = message(error);
    let lower = message.to_lowercase();
    if lower.contains("report id:") || (status >= 500 && error.get("messages").is_some()) {
        return poisoned(message);
    }
    match status {
        400 if lower.contains("maximum searchcriteria pagesize is") => Failure::PageTooLarge {
            most: last_number(&message).unwrap_or(1),
        },
        400 if lower.contains("timestamp") || lower.contains("nonce") => of_signature(&message),
        401 => of_refusal(&message),
        403 => Failure::Refused {
            message: format!("the shop forbids the requests: {message}"),
            remedy: "check that the credentials belong to this organization and have access to the instance"
                .to_owned(),
        },
        404 if lower.contains("does not match any route") => Failure::NoRoute { message },
        404 if lower.contains("product that was requested") => poisoned(message),
        404 => Failure::NoEntity,
        // A deleted product, under the status of older versions.
        200..400 => poisoned(message),
        400 if lower.contains("product that was requested") => poisoned(message),
        400 => Failure::Refused {
            message: format!("the shop refuses a request: {message}"),
            remedy: "check the version of Commerce, and extensions that change its REST API".to_owned(),
        },
        408 | 425 => Failure::Busy {
            reason: message,
            after: None,
        },
        _ => poisoned(message),
    }
}

/// Returns the failure of status 401: one of five different causes, which only the message distinguishes.
fn of_refusal(message: &str) -> Failure {
    let lower = message.to_lowercase();
    if lower.contains("nonce") || lower.contains("signature is invalid") || lower.contains("timestamp") {
        return of_signature(message);
    }
    if lower.contains("isn't authorized to access") {
        return Failure::Refused {
            message: format!("the shop refuses a request: {message}"),
            remedy: "give the integration this resource (System > Integrations > API); with source.rest.auth = \"bearer\", also \
                     check that Stores > Configuration > Services > OAuth allows access tokens as bearer tokens"
                .to_owned(),
        };
    }
    Failure::Token {
        message: message.to_owned(),
    }
}

fn of_signature(message: &str) -> Failure {
    let lower = message.to_lowercase();
    if lower.contains("nonce") {
        return Failure::Nonce;
    }
    let remedy = match lower.contains("timestamp") {
        true => "synchronize the clocks of this host and of the shop: they may differ by ten minutes",
        false => {
            "check the four secrets, and that source.rest.url is exactly the address that the shop itself sees (https, host \
             and path)"
        }
    };
    Failure::Refused {
        message: format!("the shop refuses the signature: {message}"),
        remedy: remedy.to_owned(),
    }
}

fn broken(what: &str) -> Failure {
    Failure::Busy {
        reason: what.to_owned(),
        after: None,
    }
}

fn poisoned(reason: String) -> Failure {
    Failure::Poisoned { reason }
}

/// Returns true for an error object in an answer that should hold data: no list has these keys.
fn is_error(json: &Value) -> bool {
    let Some(object) = json.as_object() else {
        return false;
    };
    let is_data = object.contains_key("items") || object.contains_key("entity_id");
    !is_data && (object.contains_key("message") || object.contains_key("messages"))
}

fn is_html(body: &[u8]) -> bool {
    let start = body.trim_ascii_start();
    start.first() == Some(&b'<')
}

/// Returns the text of an error with its parameters filled in: a list for `%1`, a map for `%name`.
fn message(error: &Value) -> String {
    let first = error.pointer("/messages/error/0/message").and_then(Value::as_str);
    let text = error.get("message").and_then(Value::as_str).or(first);
    let mut text = text.unwrap_or("an error without a message").to_owned();
    let shown = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match error.get("parameters") {
        Some(Value::Array(list)) => {
            // The highest first, so that `%1` does not match the start of `%10`.
            for (index, value) in list.iter().enumerate().rev() {
                text = text.replace(&format!("%{}", index + 1), &shown(value));
            }
        }
        Some(Value::Object(map)) => {
            for (name, value) in map {
                text = text.replace(&format!("%{name}"), &shown(value));
            }
        }
        _ => {}
    }
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.take(QUOTED).collect()
}

fn last_number(text: &str) -> Option<usize> {
    let numbers = text.split(|c: char| !c.is_ascii_digit());
    numbers.filter_map(|number| number.parse().ok()).next_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(status: u16, body: &str) -> Failure {
        let answer = Answer {
            status,
            retry_after: None,
            body: body.as_bytes(),
            is_complete: true,
        };
        read(answer).unwrap_err()
    }

    #[test]
    fn a_missing_permission_is_named_with_its_resource() {
        let body = r#"{"message":"The consumer isn't authorized to access %resources.","parameters":{"resources":"Magento_Sales::shipment"}}"#;
        let Failure::Refused { message, remedy } = failure(401, body) else {
            panic!()
        };
        assert!(
            message.ends_with("authorized to access Magento_Sales::shipment."),
            "{message}"
        );
        assert!(remedy.contains("bearer"), "{remedy}");
    }

    #[test]
    fn a_limit_of_the_page_is_read_in_both_forms() {
        let plain = r#"{"message":"Maximum SearchCriteria pageSize is 300"}"#;
        assert_eq!(failure(400, plain), Failure::PageTooLarge { most: 300 });
        let filled = r#"{"message":"Maximum SearchCriteria pageSize is %max","parameters":{"max":20}}"#;
        assert_eq!(failure(400, filled), Failure::PageTooLarge { most: 20 });
    }

    #[test]
    fn a_masked_exception_is_no_fault_of_the_request() {
        let masked = r#"{"message":"Internal Error. Details are available in Magento log file. Report ID: webapi-5c"}"#;
        for status in [400, 500] {
            assert!(
                matches!(failure(status, masked), Failure::Poisoned { reason } if reason.contains("webapi-5c"))
            );
        }
        let fatal = r#"{"messages":{"error":[{"code":500,"message":"Server internal error. See details in report api/7"}]}}"#;
        assert!(matches!(failure(500, fatal), Failure::Poisoned { reason } if reason.contains("api/7")));
        let product = r#"{"message":"The product that was requested doesn't exist. Verify the product and try again."}"#;
        for status in [200, 400, 404] {
            assert!(
                matches!(failure(status, product), Failure::Poisoned { .. }),
                "{status}"
            );
        }
    }

    #[test]
    fn the_two_kinds_of_404_differ() {
        let entity =
            r#"{"message":"The entity that was requested doesn't exist. Verify the entity and try again."}"#;
        assert_eq!(failure(404, entity), Failure::NoEntity);
        let route = r#"{"message":"Request does not match any route."}"#;
        assert!(matches!(failure(404, route), Failure::NoRoute { .. }));
    }

    #[test]
    fn a_refused_nonce_is_repeated_and_a_refused_signature_is_not() {
        for nonce in [
            "The nonce is already being used by the consumer with ID %1.",
            "An error occurred validating the nonce.",
        ] {
            let body = serde_json::json!({"message": nonce, "parameters": [7]}).to_string();
            assert_eq!(failure(401, &body), Failure::Nonce);
        }
        let signature = r#"{"message":"The signature is invalid. Verify and try again."}"#;
        assert!(matches!(failure(401, signature), Failure::Refused { .. }));
        for revoked in [r#"{"message":"Consumer key has expired"}"#, "", "<html>"] {
            assert!(
                matches!(failure(401, revoked), Failure::Token { .. }),
                "{revoked}"
            );
        }
    }

    #[test]
    fn pages_of_gateways_are_waited_for_and_firewalls_are_reported() {
        let page = "<!DOCTYPE html><html>Service Temporarily Unavailable</html>";
        for status in [200, 502, 503, 504, 522] {
            assert!(matches!(failure(status, page), Failure::Busy { .. }), "{status}");
        }
        assert!(matches!(failure(403, page), Failure::Refused { .. }));
        assert!(matches!(failure(301, ""), Failure::Refused { .. }));
        assert!(matches!(
            failure(200, r#"{"items":[{"enti"#),
            Failure::Busy { .. }
        ));
    }

    #[test]
    fn data_is_data_also_with_a_message_inside() {
        let body = br#"{"items":[{"message":"x"}],"total_count":1}"#;
        let answer = Answer {
            status: 200,
            retry_after: None,
            body,
            is_complete: true,
        };
        assert!(read(answer).is_ok());
    }
}
