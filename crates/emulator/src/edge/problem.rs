//! The edge's error codes and the bodies that carry them: RFC 7807 for errors that fail a request, `errors[]` and
//! `warnings[]` for others. Codes, statuses and titles are Adobe's (data collection APIs, troubleshooting page); the
//! `detail` texts are the emulator's own.

use serde_json::{Value, json};

/// An error code of the edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Code {
    /// `NNNN-SSS`, where SSS is the HTTP status.
    pub(crate) code: &'static str,
    /// Title in Adobe's documentation.
    pub(crate) title: &'static str,
}

impl Code {
    /// Returns the HTTP status at the end of the code.
    pub(crate) fn status(self) -> u16 {
        status_of(self.code)
    }
}

pub(crate) const CODES: &[Code] = &[
    code("0000-503", "Service unavailable"),
    code("0001-500", "Unexpected error"),
    code("0002-400", "Missing datastream parameter"),
    code("0003-400", "Invalid datastream ID"),
    code("0004-422", "Datastream disabled"),
    code("0010-422", "Invalid datastream configuration"),
    code("0011-422", "Could not retrieve sandbox details"),
    code("0012-422", "Referenced sandbox cannot be resolved"),
    code("0013-422", "Identity namespace code cannot be resolved"),
    code("0100-500", "JSON processing error"),
    code("0101-400", "Invalid JSON request"),
    code("0102-400", "Invalid request field"),
    code("0103-400", "Missing required value"),
    code("0104-422", "Unprocessable entity"),
    code("0105-400", "Input validation error"),
    code("0106-400", "Invalid Content-Type header"),
    code("0107-400", "Missing required parameter"),
    code("0108-400", "Invalid parameter type"),
    code("0109-408", "Empty request"),
    code("0110-400", "Missing parameter value"),
    code("0111-415", "Unsupported content type"),
    code("0112-413", "Payload too large"),
    code("0113-400", "Config override payload invalid"),
    code("0200-504", "Service call timed out"),
    code("0201-503", "Service temporarily unavailable"),
    code("0202-502", "Service failed to process the request"),
    code("0203-502", "Service call failed"),
    code("0204-200", "Service completed with warning"),
    code("0205-502", "Data exchange producer failed"),
    code("0300-502", "Could not check user consent"),
    code("0301-200", "User consent missing"),
    code("0302-409", "Update not supported"),
    code("0303-200", "Unauthorized to fetch identities"),
    code("0304-400", "Unexpected identities for event"),
    code("0305-400", "Invalid identity in namespace"),
    code("0306-400", "Event is missing primary identity"),
    code("0307-502", "User consent update error"),
    code("0308-400", "Invalid identity format"),
    code("0400-403", "Geographical restrictions"),
    code("0500-401", "Token missing or invalid format"),
    code("0501-401", "Invalid user token"),
    code("0502-401", "Token signature invalid"),
    code("0503-401", "Token expired"),
    code("0504-401", "Product context missing"),
    code("0505-401", "Scope missing"),
    code("0506-401", "Missing write permission on sandbox"),
];

/// Returns the documented codes, as `NNNN-SSS`.
pub fn codes() -> impl Iterator<Item = &'static str> {
    CODES.iter().map(|known| known.code)
}

const fn code(code: &'static str, title: &'static str) -> Code {
    Code { code, title }
}

/// Finds a code by `NNNN` or `NNNN-SSS`.
pub(crate) fn lookup(name: &str) -> Option<Code> {
    CODES
        .iter()
        .copied()
        .find(|known| known.code == name || (name.len() == 4 && known.code.starts_with(name)))
}

/// Returns the status at the end of `NNNN-SSS`, or 500 if there is none.
pub(crate) fn status_of(code: &str) -> u16 {
    code.rsplit('-')
        .next()
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(500)
}

/// Returns the URI that names a code in a response.
pub(crate) fn type_uri(code: &str) -> String {
    format!("https://ns.adobe.com/aep/errors/EXEG-{code}")
}

/// A reason to refuse a request. Nothing of a refused request is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: &'static str,
    /// Explanation for this request.
    pub(crate) detail: String,
    /// Entries of `report.errors`, for codes that attach a report.
    pub(crate) errors: Vec<String>,
}

impl Refusal {
    /// Creates a refusal without a list of errors.
    pub(crate) fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            errors: Vec::new(),
        }
    }

    /// Builds the RFC 7807 body.
    pub(crate) fn body(&self, request_id: &str, org: Option<&str>, datastream: Option<&str>) -> Value {
        problem(
            self.code,
            &self.detail,
            &self.errors,
            &Report {
                request_id,
                org,
                datastream,
            },
        )
    }
}

/// The request data that a problem body reports.
pub(crate) struct Report<'a> {
    pub(crate) request_id: &'a str,
    pub(crate) org: Option<&'a str>,
    pub(crate) datastream: Option<&'a str>,
}

/// Builds an RFC 7807 body for any code, documented or not.
pub(crate) fn problem(code: &str, detail: &str, errors: &[String], report: &Report<'_>) -> Value {
    let title = lookup(code).map_or("Error", |known| known.title);
    let mut about = json!({ "requestId": report.request_id });
    if let Some(org) = report.org {
        about["orgId"] = json!(org);
    }
    if let Some(datastream) = report.datastream {
        about["configId"] = json!(datastream);
    }
    if !errors.is_empty() {
        about["errors"] = json!(errors);
    }
    json!({ "type": type_uri(code), "status": status_of(code), "title": title, "detail": detail, "report": about })
}

/// Builds an entry of `errors[]` or `warnings[]`. Adobe omits `eventIndex` if the request held one event.
pub(crate) fn entry(code: &str, event_index: Option<usize>) -> Value {
    let title = lookup(code).map_or("Error", |known| known.title);
    let mut entry = json!({ "type": type_uri(code), "status": status_of(code), "title": title });
    if let Some(index) = event_index {
        entry["report"] = json!({ "eventIndex": index });
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_found_with_and_without_their_status() {
        assert_eq!(lookup("0503"), lookup("0503-401"));
        assert_eq!(lookup("0109").unwrap().status(), 408);
        assert_eq!(lookup("9999"), None);
    }

    #[test]
    fn a_problem_names_type_status_and_request() {
        let body = Refusal::new("0003-400", "no such datastream").body("r-1", None, Some("x"));
        assert_eq!(body["type"], "https://ns.adobe.com/aep/errors/EXEG-0003-400");
        assert_eq!(body["status"], 400);
        assert_eq!(body["report"]["requestId"], "r-1");
        assert_eq!(body["report"]["configId"], "x");
        assert!(body["report"].get("orgId").is_none());
    }
}
