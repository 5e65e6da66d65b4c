//! A parsed request, as the emulated services need it.

use bytes::Bytes;
use hyper::HeaderMap;
use hyper::header::HeaderName;

use crate::config::EmulatorConfig;
use crate::http::route::Route;
use orderfeed_model::clock::UtcMillis;

/// The host a listener plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    Server,
    /// `edge.adobedc.net`: authenticated only if the datastream requires it.
    Edge,
}

pub(crate) struct Inbound<'a> {
    pub(crate) door: Door,
    pub(crate) route: Route<'a>,
    pub(crate) path: &'a str,
    pub(crate) query: Query,
    pub(crate) headers: &'a HeaderMap,
    /// Body, truncated beyond the largest limit.
    pub(crate) body: Bytes,
    /// Length of the whole body.
    pub(crate) length: u64,
    pub(crate) received_at: UtcMillis,
    pub(crate) config: &'a EmulatorConfig,
    /// Id in the answer: the client's id with a suffix.
    pub(crate) request_id: String,
}

impl<'a> Inbound<'a> {
    pub(crate) fn header(&self, name: &'static str) -> Option<&'a str> {
        header(self.headers, name)
    }
}

pub(crate) fn header<'a>(headers: &'a HeaderMap, name: &'static str) -> Option<&'a str> {
    headers.get(HeaderName::from_static(name))?.to_str().ok()
}

/// The query parameters that the services use.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query {
    /// `datastreamId`, `dataStreamId` or `configId`, depending on the endpoint. The id of an inlet is part of the
    /// path.
    pub(crate) datastream: Option<String>,
    pub(crate) request_id: Option<String>,
    pub(crate) silent: bool,
    /// True if synchronous validation was requested.
    pub(crate) sync_validation: bool,
}

impl Query {
    /// Parses a query string. Older documentation spells `dataStreamId`.
    pub(crate) fn read(text: &str, route: Route<'_>) -> Self {
        let mut query = match route {
            Route::Inlet(id) | Route::InletBatch(id) => Self {
                datastream: Some(id.to_owned()),
                ..Self::default()
            },
            _ => Self::default(),
        };
        let datastream = route.datastream_param();
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
            match name.as_ref() {
                name if name == datastream || (datastream == "datastreamId" && name == "dataStreamId") => {
                    query.datastream = Some(value.into_owned()).filter(|id| !id.is_empty());
                }
                "requestId" => query.request_id = Some(value.into_owned()),
                "silent" => query.silent = value == "true",
                "syncValidation" | "synchronousValidation" => query.sync_validation = value == "true",
                _ => {}
            }
        }
        query
    }
}

/// The id given back: the client's (query, else header) or a fresh one, and 16 hex digits.
pub(crate) fn answered_id(given: Option<&str>, headers: &HeaderMap) -> String {
    let suffix = fastrand::u64(..);
    match given.or_else(|| header(headers, "x-request-id")) {
        Some(given) => format!("{given}-{suffix:016x}"),
        None => format!("{}-{suffix:016x}", uuid::Uuid::new_v4()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_has_its_own_name_for_the_datastream() {
        let read = |text, route| Query::read(text, route).datastream;
        assert_eq!(
            read("datastreamId=a%3Adev", Route::CollectV2).as_deref(),
            Some("a:dev")
        );
        assert_eq!(read("dataStreamId=a", Route::InteractV2).as_deref(), Some("a"));
        assert_eq!(read("configId=a", Route::CollectV1).as_deref(), Some("a"));
        assert_eq!(read("configId=a", Route::CollectV2), None);
        assert_eq!(read("datastreamId=", Route::CollectV2), None);
        assert_eq!(read("", Route::Inlet("in")).as_deref(), Some("in"));
    }

    #[test]
    fn the_answered_id_starts_with_the_given_one() {
        let id = answered_id(Some("708e4f90"), &HeaderMap::new());
        assert!(id.starts_with("708e4f90-"));
        assert_eq!(id.len(), "708e4f90-".len() + 16);
        let mut headers = HeaderMap::new();
        headers.insert("x-request-id", "abc".parse().unwrap());
        assert!(answered_id(None, &headers).starts_with("abc-"));
    }
}
