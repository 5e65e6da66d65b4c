//! The body of an answer: an RFC 7807 problem, or the errors and warnings of an accepted request. Pure.
//!
//! Gateways in front of the edge answer in plain text or HTML regardless of `Accept`, so parsing never fails.

use serde_json::Value;

/// Most characters that are kept of a text in an answer.
const MAX_TEXT: usize = 300;

/// A parsed body. Fields that the body does not have are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problem {
    /// True if the body was JSON, or empty.
    pub understood: bool,
    /// Code of the edge, such as `EXEG-0003-400`.
    pub code: Option<String>,
    /// The status that the body itself names.
    pub status: Option<u16>,
    /// Title; the same for every answer with this code.
    pub title: String,
    /// Detail. May quote the request, so it goes into the store and never into the log.
    pub detail: String,
    /// The request id as the edge returned it.
    pub request_id: Option<String>,
    /// Errors and warnings about single events of an accepted request.
    pub event_problems: Vec<EventProblem>,
}

/// An error or warning about an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventProblem {
    /// Code of the edge; empty if it gave none.
    pub code: String,
    pub title: String,
    /// Position of the event in the request. The edge leaves it out for the only event, or for all.
    pub event: Option<usize>,
}

impl Problem {
    pub fn parse(body: &[u8]) -> Self {
        // The usual body of an accepted request.
        if body.iter().all(u8::is_ascii_whitespace) {
            return Self {
                understood: true,
                ..Self::default()
            };
        }
        match serde_json::from_slice::<Value>(body) {
            Ok(json) if json.is_object() => Self::from_json(&json),
            _ => Self {
                detail: plain(&String::from_utf8_lossy(body)),
                ..Self::default()
            },
        }
    }

    fn from_json(json: &Value) -> Self {
        let report = json.get("report");
        let lists = ["errors", "warnings"].into_iter();
        let problems = lists.filter_map(|list| json.get(list)?.as_array()).flatten();
        Self {
            understood: true,
            code: code(json),
            status: json
                .get("status")
                .and_then(Value::as_u64)
                .and_then(|status| u16::try_from(status).ok()),
            title: text(json, "title").unwrap_or_default(),
            detail: with_report(text(json, "detail").unwrap_or_default(), report),
            request_id: text(json, "requestId").or_else(|| text(report?, "requestId")),
            event_problems: problems.map(EventProblem::from_json).collect(),
        }
    }

    /// Returns the status of an error object, whatever the status of its answer: the end of its code, or the status that
    /// it names. `None` if the body is no error object.
    pub fn error_status(&self) -> Option<u16> {
        let of_code = |code: &str| code.rsplit('-').next().and_then(|end| end.parse().ok());
        // A code without a status is still the code of an error.
        let of_code = self.code.as_deref().map(|code| of_code(code).unwrap_or(500));
        of_code
            .or(self.status)
            .filter(|status| (300..600).contains(status))
    }

    /// Returns the limit in bytes that a refusal of a large body names.
    pub fn max_size(&self) -> Option<usize> {
        [&self.detail, &self.title]
            .into_iter()
            .find_map(|text| size_in(text))
    }
}

impl EventProblem {
    fn from_json(json: &Value) -> Self {
        let index = json.pointer("/report/eventIndex").and_then(Value::as_u64);
        Self {
            code: code(json).unwrap_or_default(),
            title: text(json, "title").unwrap_or_default(),
            event: index.map(|index| usize::try_from(index).unwrap_or(usize::MAX)),
        }
    }
}

/// Shortens a text of a peer, and removes control characters, which could forge a line of the log or a colour on a
/// terminal.
pub fn plain(text: &str) -> String {
    let safe = text
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter });
    safe.take(MAX_TEXT).collect::<String>().trim().to_owned()
}

fn text(json: &Value, key: &str) -> Option<String> {
    json.get(key)?.as_str().map(plain)
}

/// Puts `report.errors` before the detail, which often only refers to it.
fn with_report(detail: String, report: Option<&Value>) -> String {
    let listed = report.and_then(|report| report.get("errors")?.as_array());
    let errors: Vec<_> = listed.into_iter().flatten().filter_map(Value::as_str).collect();
    match errors.is_empty() {
        true => detail,
        false => plain(&format!("{} ({detail})", errors.join("; "))),
    }
}

/// Returns the code in `type`: `https://ns.adobe.com/aep/errors/EXEG-0003-400` → `EXEG-0003-400`.
fn code(json: &Value) -> Option<String> {
    let name = text(json, "type")?;
    let code = name.rsplit('/').next()?;
    // Bounded in length and letters, because codes are stored, logged and shown.
    let is_code = code.len() <= 40
        && code.starts_with("EXEG-")
        && code
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    is_code.then(|| code.to_owned())
}

/// Returns the smallest number in `text` that can be the limit of a body: in bytes, or in kilobytes if it is followed by
/// such a unit. The text may also contain the size of the refused body, which is larger.
fn size_in(text: &str) -> Option<usize> {
    let mut found = None;
    let mut rest = text;
    while let Some(start) = rest.find(|letter: char| letter.is_ascii_digit()) {
        let tail = &rest[start..];
        let end = tail
            .find(|letter: char| !letter.is_ascii_digit())
            .unwrap_or(tail.len());
        let unit = tail[end..].trim_start().get(..2).unwrap_or_default();
        let is_kilo = ["kb", "ki"].iter().any(|kilo| unit.eq_ignore_ascii_case(kilo));
        let number = tail[..end].parse::<usize>().ok();
        let size = number.and_then(|size| size.checked_mul(if is_kilo { 1024 } else { 1 }));
        // No limit is that small: other numbers, such as the status, are.
        let size = size.filter(|size| *size >= 1024);
        found = [found, size].into_iter().flatten().min();
        rest = &tail[end..];
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_problem_is_read_with_its_code_and_request_id() {
        let body = br#"{"type":"https://ns.adobe.com/aep/errors/EXEG-0104-422","status":422,"title":"Unprocessable entity",
            "detail":"Invalid request (report attached).","report":{"errors":["Allowed version is 1.0"],"requestId":"abc-1"}}"#;
        let problem = Problem::parse(body);
        assert_eq!(problem.code.as_deref(), Some("EXEG-0104-422"));
        assert_eq!(problem.request_id.as_deref(), Some("abc-1"));
        assert!(problem.detail.starts_with("Allowed version is 1.0"));
    }

    #[test]
    fn problems_of_events_are_read_from_errors_and_warnings() {
        let body = br#"{"requestId":"x","handle":[],"errors":[{"type":"https://ns.adobe.com/aep/errors/EXEG-0201-503",
            "title":"t","report":{"eventIndex":2}}],"warnings":[{"type":"https://ns.adobe.com/aep/errors/EXEG-0301-200"}]}"#;
        let found = Problem::parse(body).event_problems;
        assert_eq!(found[0].event, Some(2));
        assert_eq!((found[1].code.as_str(), found[1].event), ("EXEG-0301-200", None));
    }

    #[test]
    fn a_limit_is_found_in_bytes_and_kilobytes() {
        let cases = [
            ("Payload too large (65536)", Some(65_536)),
            ("The maximum size is 64 KB.", Some(65_536)),
            ("must not exceed 32768 bytes, got 60000", Some(32_768)),
            ("too large", None),
            ("413", None),
        ];
        for (words, size) in cases {
            assert_eq!(size_in(words), size, "{words}");
        }
    }

    proptest! {
        #[test]
        fn no_body_panics_or_smuggles_control_characters(body in prop::collection::vec(any::<u8>(), 0..300)) {
            let problem = Problem::parse(&body);
            prop_assert!(!problem.detail.chars().any(char::is_control));
            let _ = problem.max_size();
        }

        #[test]
        fn no_json_panics(words in ".{0,60}", index: i64) {
            let json = serde_json::json!({"type": words, "detail": words, "errors": [{"report": {"eventIndex": index}}, 7, words]});
            let _ = Problem::parse(json.to_string().as_bytes());
        }
    }
}
