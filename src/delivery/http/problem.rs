//! What the edge says in a body: RFC 7807 problems, and the errors and warnings inside a yes. Gateways in front of the
//! edge answer in plain text or HTML whatever was asked for, so that nothing here can fail. Pure.

use serde_json::Value;

/// Most characters of a peer's words that are kept.
const MOST: usize = 300;

/// A body, as far as it could be understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problem {
    /// Whether the body was JSON (or empty).
    pub understood: bool,
    /// The edge's code, such as `EXEG-0003-400`.
    pub code: Option<String>,
    /// Title; the same for every answer with this code.
    pub title: String,
    /// Detail; may quote the request, so it goes to the store and never into the log.
    pub detail: String,
    /// The request id as the edge returned it.
    pub request_id: Option<String>,
    /// Errors and warnings about single events, in a yes.
    pub event_problems: Vec<EventProblem>,
}

/// An error or warning about an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventProblem {
    /// The edge's code; empty if it gave none.
    pub code: String,
    /// Title.
    pub title: String,
    /// Which event of the request; the edge leaves it out where it means the only one, or all.
    pub event: Option<usize>,
}

impl Problem {
    /// Reads a body.
    pub fn parse(body: &[u8]) -> Self {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Self {
                understood: true,
                ..Self::default()
            };
        }
        match serde_json::from_slice::<Value>(body) {
            Ok(Value::Object(fields)) => Self::from_json(&Value::Object(fields)),
            _ => Self {
                detail: plain(&String::from_utf8_lossy(body)),
                ..Self::default()
            },
        }
    }

    fn from_json(json: &Value) -> Self {
        let report = json.get("report");
        let request_id =
            text(json, "requestId").or_else(|| report.and_then(|report| text(report, "requestId")));
        let event_problems = ["errors", "warnings"]
            .iter()
            .filter_map(|list| json.get(list)?.as_array());
        Self {
            understood: true,
            code: text(json, "type").and_then(|name| code_of(&name)),
            title: text(json, "title").unwrap_or_default(),
            detail: with_report(text(json, "detail").unwrap_or_default(), report),
            request_id,
            event_problems: event_problems.flatten().map(EventProblem::from_json).collect(),
        }
    }

    /// The size limit that a "payload too large" names, in bytes.
    pub fn max_size(&self) -> Option<usize> {
        [&self.detail, &self.title]
            .into_iter()
            .find_map(|words| size_in(words))
    }
}

impl EventProblem {
    fn from_json(json: &Value) -> Self {
        let index = json.pointer("/report/eventIndex").and_then(Value::as_u64);
        Self {
            code: text(json, "type")
                .and_then(|name| code_of(&name))
                .unwrap_or_default(),
            title: text(json, "title").unwrap_or_default(),
            event: index.map(|index| usize::try_from(index).unwrap_or(usize::MAX)),
        }
    }
}

/// Bounded, and without anything that could forge a line or a colour on a terminal.
pub fn plain(words: &str) -> String {
    words
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .take(MOST)
        .collect::<String>()
        .trim()
        .to_owned()
}

fn text(json: &Value, key: &str) -> Option<String> {
    json.get(key)?.as_str().map(plain)
}

/// `report.errors` says what the detail only announces.
fn with_report(detail: String, report: Option<&Value>) -> String {
    let listed = report.and_then(|report| report.get("errors")?.as_array());
    let words: Vec<_> = listed.into_iter().flatten().filter_map(Value::as_str).collect();
    match words.is_empty() {
        true => detail,
        false => plain(&format!("{} ({detail})", words.join("; "))),
    }
}

/// `https://ns.adobe.com/aep/errors/EXEG-0003-400` → `EXEG-0003-400`.
fn code_of(name: &str) -> Option<String> {
    let code = name.rsplit('/').next()?;
    let known_form = code.len() <= 40
        && code.starts_with("EXEG-")
        && code
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    known_form.then(|| code.to_owned())
}

/// The smallest number in `words` that can be a body's limit: bytes, or kilobytes where it says so.
fn size_in(words: &str) -> Option<usize> {
    let mut found = None;
    let mut rest = words;
    while let Some(start) = rest.find(|letter: char| letter.is_ascii_digit()) {
        let tail = &rest[start..];
        let end = tail
            .find(|letter: char| !letter.is_ascii_digit())
            .unwrap_or(tail.len());
        let unit = tail[end..]
            .trim_start()
            .get(..2)
            .unwrap_or_default()
            .to_ascii_lowercase();
        let factor = if unit == "kb" || unit == "ki" { 1024 } else { 1 };
        let size = tail[..end]
            .parse::<usize>()
            .ok()
            .and_then(|size| size.checked_mul(factor));
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
    fn remarks_about_events_are_read_from_errors_and_warnings() {
        let body = br#"{"requestId":"x","handle":[],"errors":[{"type":"https://ns.adobe.com/aep/errors/EXEG-0201-503",
            "title":"t","report":{"eventIndex":2}}],"warnings":[{"type":"https://ns.adobe.com/aep/errors/EXEG-0301-200"}]}"#;
        let event_problems = Problem::parse(body).event_problems;
        assert_eq!(event_problems[0].event, Some(2));
        assert_eq!(
            (event_problems[1].code.as_str(), event_problems[1].event),
            ("EXEG-0301-200", None)
        );
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
