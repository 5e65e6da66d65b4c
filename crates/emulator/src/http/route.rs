//! Routing of requests to the emulated endpoints.

use hyper::Method;

/// Location hints that Adobe documents. Paths with any other are unknown.
const HINTS: [&str; 7] = ["or2", "va6", "irl1", "ind1", "jpn3", "sgp3", "aus3"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route<'a> {
    /// `POST /ims/token/v3` and `/v2`.
    Token,
    /// `POST /ee[/hint]/v2/collect`: a batch, answered 202.
    CollectV2,
    /// `POST /ee[/hint]/v1/collect`: a batch, answered 204.
    CollectV1,
    /// `POST /ee[/hint]/v2/interact`: one event.
    InteractV2,
    /// `POST /ee[/hint]/v1/interact`: a batch with an answer.
    InteractV1,
    /// `POST /ee[/hint]/v1/identity/acquire`: an identity for a visitor without one.
    Acquire,
    /// `POST /ee[/hint]/v1/privacy/set-consent`.
    SetConsent,
    Inlet(&'a str),
    InletBatch(&'a str),
    /// `OPTIONS` to a path of the edge.
    Preflight,
    WrongMethod,
    Unknown,
}

impl<'a> Route<'a> {
    pub(crate) fn of(method: &Method, path: &'a str) -> Self {
        match Self::of_path(path) {
            Self::Unknown => Self::Unknown,
            _ if method == Method::OPTIONS && is_edge_path(path) => Self::Preflight,
            _ if method != Method::POST => Self::WrongMethod,
            route => route,
        }
    }

    /// Returns true for the endpoints that the Web SDK uses.
    pub(crate) fn is_for_pages(self) -> bool {
        matches!(
            self,
            Self::CollectV1 | Self::InteractV1 | Self::Acquire | Self::SetConsent
        )
    }

    /// Returns the name of the query parameter for the datastream.
    pub(crate) fn datastream_param(self) -> &'static str {
        match self {
            _ if self.is_for_pages() => "configId",
            _ => "datastreamId",
        }
    }

    fn of_path(path: &'a str) -> Self {
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        match parts.as_slice() {
            ["ims", "token", "v3" | "v2"] => Self::Token,
            ["collection", "batch", id] if !id.is_empty() => Self::InletBatch(id),
            ["collection", id] if !id.is_empty() => Self::Inlet(id),
            ["ee", hint, rest @ ..] if HINTS.contains(hint) => Self::of_edge(rest),
            ["ee", rest @ ..] => Self::of_edge(rest),
            _ => Self::Unknown,
        }
    }

    fn of_edge(parts: &[&str]) -> Self {
        match parts {
            ["v2", "collect"] => Self::CollectV2,
            ["v1", "collect"] => Self::CollectV1,
            ["v2", "interact"] => Self::InteractV2,
            ["v1", "interact"] => Self::InteractV1,
            ["v1", "identity", "acquire"] => Self::Acquire,
            ["v1", "privacy", "set-consent"] => Self::SetConsent,
            _ => Self::Unknown,
        }
    }
}

/// Returns true for a path of the edge, known or not.
pub(crate) fn is_edge_path(path: &str) -> bool {
    path.starts_with("/ee/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_with_and_without_a_location_hint() {
        let route = |path| Route::of(&Method::POST, path);
        assert_eq!(route("/ee/v2/collect"), Route::CollectV2);
        assert_eq!(route("/ee/irl1/v2/collect"), Route::CollectV2);
        assert_eq!(route("/ee/or2/v1/interact"), Route::InteractV1);
        assert_eq!(route("/ee/v1/privacy/set-consent"), Route::SetConsent);
        assert_eq!(route("/ee/or2/v1/privacy/set-consent"), Route::SetConsent);
        assert_eq!(route("/ee/va6/v1/identity/acquire"), Route::Acquire);
        assert_eq!(route("/ims/token/v2"), Route::Token);
        assert_eq!(route("/collection/abc"), Route::Inlet("abc"));
        assert_eq!(route("/collection/batch/abc"), Route::InletBatch("abc"));
        for unknown in [
            "/",
            "/v2/collect",
            "/ee/xyz9/v2/collect",
            "/ee/v2/collect/",
            "/ee/v3/collect",
            "/collection/",
        ] {
            assert_eq!(route(unknown), Route::Unknown, "{unknown}");
        }
    }

    #[test]
    fn another_method_is_wrong_only_where_the_path_is_known() {
        assert_eq!(Route::of(&Method::GET, "/ee/v2/collect"), Route::WrongMethod);
        assert_eq!(Route::of(&Method::GET, "/"), Route::Unknown);
        assert_eq!(Route::of(&Method::OPTIONS, "/ee/v1/interact"), Route::Preflight);
        assert_eq!(Route::of(&Method::OPTIONS, "/ims/token/v3"), Route::WrongMethod);
    }
}
