//! The parameters in a page's address.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use url::form_urlencoded;

/// Longest value of a parameter, in characters; a longer one is cut, so that it matches nothing.
const LONGEST: usize = 256;

/// The parameters by name. Of one that is repeated, the first counts.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Returns the value of a parameter, empty if it is not given.
    pub(super) fn get(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(given, _)| given == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    /// Returns the same as a text of its own.
    pub(super) fn text(&self, name: &str) -> String {
        self.get(name).to_owned()
    }
}

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let query = parts.uri.query().unwrap_or_default();
        let pairs = form_urlencoded::parse(query.as_bytes());
        Ok(Self(
            pairs
                .map(|(name, value)| (name.into_owned(), cut(value.trim())))
                .collect(),
        ))
    }
}

fn cut(value: &str) -> String {
    value.chars().take(LONGEST).collect()
}
