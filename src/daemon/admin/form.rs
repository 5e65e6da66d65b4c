//! The fields of a form that was sent. Size and time of the body are bounded.

use std::time::Duration;

use axum::body::{self, Body};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use tokio::time::timeout;
use url::form_urlencoded;

/// Largest body. Keys of 5,000 selected events fit.
const MAX_BODY: usize = 256 << 10;
/// Longest time for the body of a request.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest path to return to.
const MAX_NEXT: usize = 2048;

/// The fields of a form, in the order in which they were sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Form {
    fields: Vec<(String, String)>,
}

/// The reason for which a body is no form.
pub(crate) type Refusal = (StatusCode, &'static str);

impl Form {
    /// Reads the body of a request.
    pub(crate) async fn read(headers: &HeaderMap, body: Body) -> Result<Self, Refusal> {
        let kind = headers
            .get(CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok())
            .unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "The body is not a form."));
        }
        match timeout(BODY_TIMEOUT, body::to_bytes(body, MAX_BODY)).await {
            Ok(Ok(bytes)) => Ok(Self::parse(&bytes)),
            Ok(Err(_)) => Err((StatusCode::PAYLOAD_TOO_LARGE, "The form is too large.")),
            Err(_) => Err((StatusCode::REQUEST_TIMEOUT, "The form did not arrive in time.")),
        }
    }

    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let fields = form_urlencoded::parse(bytes).into_owned().collect();
        Self { fields }
    }

    /// Returns the value of a field; `None` if it is missing or blank.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let found = self.raw(name).map(str::trim);
        found.filter(|value| !value.is_empty())
    }

    /// Returns the values of a field that may be repeated, without blank ones.
    pub(crate) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let of_name = self.fields.iter().filter(move |(field, _)| field == name);
        of_name
            .map(|(_, value)| value.trim())
            .filter(|value| !value.is_empty())
    }

    /// Returns the value of a field as it was sent.
    pub(crate) fn raw(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(field, _)| field == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Returns the names and values of all fields.
    pub(crate) fn fields(&self) -> &[(String, String)] {
        &self.fields
    }

    /// Returns true if the operator has confirmed the action.
    pub(crate) fn is_confirmed(&self) -> bool {
        self.value("confirm") == Some("yes")
    }

    /// Returns the path to return to, which is always one of this host.
    pub(crate) fn next(&self) -> String {
        own_path(self.value("next").unwrap_or_default())
    }
}

/// Returns `path` if it is a path of this host, else the overview: a link must not lead a reader to another site.
pub(crate) fn own_path(path: &str) -> String {
    let is_path = path.starts_with('/') && !path.starts_with("//");
    // Browsers take a backslash for a slash.
    let is_plain = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    match is_path && is_plain && path.len() <= MAX_NEXT {
        true => path.to_owned(),
        false => "/".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_may_repeat_and_blank_ones_are_missing() {
        let form =
            Form::parse(b"key=1%3Aplaced%3A1&key=+&key=2:placed:2&confirm=yes&next=%2Ffailed%3Fcode%3Da");
        assert_eq!(
            form.values("key").collect::<Vec<_>>(),
            ["1:placed:1", "2:placed:2"]
        );
        assert_eq!(form.value("website"), None);
        assert!(form.is_confirmed());
        assert_eq!(form.next(), "/failed?code=a");
    }

    #[test]
    fn the_path_to_return_to_is_never_another_site() {
        for path in [
            "",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "javascript:1",
            "/a\r\nSet-Cookie: x",
            "/ü",
        ] {
            assert_eq!(own_path(path), "/", "{path}");
        }
        assert_eq!(own_path("/orders/1?x=%20"), "/orders/1?x=%20");
    }
}
