//! The reasons for which no bundle can be built.

use crate::storefront::packages::PackageError;

/// The reason for which no bundle can be built.
#[derive(Debug, thiserror::Error)]
pub enum StorefrontError {
    #[error(transparent)]
    Package(#[from] PackageError),
    #[error("storefront events of website {website} are off: {reason}")]
    Off { website: String, reason: &'static str },
    #[error("storefront events are off for every website: set websites.CODE.datastream_id")]
    NoneOn,
    #[error(
        "no store view of website {website} is known: the shop's tables list none, or were not read; add a table such as \
         [websites.{website}.store_views.default]"
    )]
    NoStoreView { website: String },
    #[error(
        "website {website} lacks what the collector needs, and the shop could not be asked for it: set {keys}"
    )]
    Incomplete { website: String, keys: String },
    #[error("the settings cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}
