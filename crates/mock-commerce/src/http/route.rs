//! Paths: of the API in an installation and in the cloud service, of IMS, and of the journal.

use crate::auth::Door;
use crate::config::MockConfig;

/// The part of the mock that a path belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route<'a> {
    Token,
    Journal,
    /// The version, which Commerce publishes on a page of the shop.
    Version,
    Api(ApiPath<'a>),
    Unknown,
}

/// A path of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ApiPath<'a> {
    pub(crate) door: Door,
    /// Code of the store view, which filters nothing.
    pub(crate) store: Option<&'a str>,
    /// The part after `/V1`.
    pub(crate) rest: &'a str,
}

impl<'a> Route<'a> {
    pub(crate) fn of(path: &'a str, config: &MockConfig) -> Self {
        if path.starts_with("/ims/token/") {
            return Self::Token;
        }
        if path.starts_with("/events/") {
            return Self::Journal;
        }
        let installed = path.strip_prefix("/index.php").unwrap_or(path);
        if installed == "/magento_version" {
            return Self::Version;
        }
        let (door, tail) = match installed.strip_prefix("/rest/") {
            Some(tail) => (Door::Commerce, tail),
            None => {
                let tenant = path
                    .strip_prefix('/')
                    .and_then(|path| path.strip_prefix(config.cloud.tenant.as_str()));
                match tenant.and_then(|tail| tail.strip_prefix('/')) {
                    Some(tail) => (Door::Cloud, tail),
                    None => return Self::Unknown,
                }
            }
        };
        let (store, version) = match tail.split_once('/') {
            Some(("V1", rest)) => (None, Some(rest)),
            Some((store, tail)) if door == Door::Commerce => (Some(store), tail.strip_prefix("V1/")),
            _ => (None, None),
        };
        match version {
            Some(rest) => Self::Api(ApiPath { door, store, rest }),
            None => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_products_have_their_paths() {
        let config = MockConfig::default();
        let api = |door, store, rest| Route::Api(ApiPath { door, store, rest });
        let commerce = |store, rest| api(Door::Commerce, store, rest);
        assert_eq!(
            Route::of("/rest/all/V1/orders", &config),
            commerce(Some("all"), "orders")
        );
        assert_eq!(
            Route::of("/index.php/rest/V1/orders/7", &config),
            commerce(None, "orders/7")
        );
        assert_eq!(
            Route::of("/mock-tenant/V1/orders", &config),
            api(Door::Cloud, None, "orders")
        );
        assert_eq!(Route::of("/mock-tenant/all/V1/orders", &config), Route::Unknown);
        assert_eq!(Route::of("/ims/token/v3", &config), Route::Token);
        assert_eq!(Route::of("/magento_version", &config), Route::Version);
        assert_eq!(Route::of("/", &config), Route::Unknown);
    }
}
