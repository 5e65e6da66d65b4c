//! The cookie of a session.

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};

use crate::daemon::admin::access::sessions::LONGEST;

const NAME: &str = "orderfeed_session";

/// Returns the tokens that the request's cookies hold. A browser may send several of one name.
pub(crate) fn tokens(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lines = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(';')).filter_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == NAME).then_some(value)
    })
}

/// Returns the header that sets the cookie. `is_secure` limits it to TLS, which a reverse proxy ends.
pub(crate) fn begin(token: &str, is_secure: bool) -> Option<HeaderValue> {
    let secure = if is_secure { "; Secure" } else { "" };
    let age = LONGEST.as_secs();
    let cookie = format!("{NAME}={token}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::from_str(&cookie).ok()
}

/// Returns the header that removes the cookie.
pub(crate) fn end() -> HeaderValue {
    HeaderValue::from_static("orderfeed_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_found_among_other_cookies() {
        let mut headers = HeaderMap::new();
        let line = "a=b; orderfeed_session=one;orderfeed_session=two; xorderfeed_session=three";
        headers.append(COOKIE, HeaderValue::from_static(line));
        headers.append(COOKIE, HeaderValue::from_static("orderfeed_session=four"));
        let found: Vec<&str> = tokens(&headers).collect();
        assert_eq!(found, ["one", "two", "four"]);
    }

    #[test]
    fn the_cookie_is_closed_to_scripts_and_other_sites() {
        let cookie = begin("abc", false).unwrap();
        assert_eq!(
            cookie,
            "orderfeed_session=abc; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict"
        );
        assert!(
            begin("abc", true)
                .unwrap()
                .to_str()
                .unwrap()
                .ends_with("; Secure")
        );
        assert!(end().to_str().unwrap().starts_with(NAME));
    }
}
