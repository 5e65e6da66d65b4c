//! The tables of the configuration file as structs: one line declares a key, with its type, range and reader.
//!
//! Meaning and default of each key are its commented line in `config/orderfeed.toml`; only what Rust code must know
//! besides is documented here. What has no default (organization id, data space, database, OAuth client, websites) is
//! empty in [`Config::default`] alone: `config::load` returns no configuration that lacks it.
//!
//! A section's `check` holds the rules between its keys.

mod admin;
mod connector;
mod daemon;
mod delivery;
mod edge;
mod events;
mod rest;
mod source;
mod store_views;
mod storefront;
mod websites;

use std::path::PathBuf;
use std::sync::LazyLock;

use uuid::Uuid;

pub use crate::config::sections::admin::Admin;
pub use crate::config::sections::connector::{Environment, EnvironmentKeys, ServicesConnector};
pub use crate::config::sections::daemon::{
    Cron, FirstSync, Index, IndexMode, Log, LogFormat, StoreConfig, Verify,
};
pub use crate::config::sections::delivery::{Delivery, Privacy, PrivacyProfile, RetryConfig};
pub use crate::config::sections::edge::{Edge, EdgeAuth, OAuth};
pub use crate::config::sections::events::{EventNames, Events};
pub use crate::config::sections::rest::{RestAuth, RestConfig, RestIms, RestJournal};
pub use crate::config::sections::source::{
    CaptureMode, MysqlConfig, MysqlTls, SourceConfig, SourceKind, SqliteConfig, TlsMode,
};
pub use crate::config::sections::store_views::GivenStoreView;
pub use crate::config::sections::storefront::{Storefront, StorefrontConsent, StorefrontMode};
pub use crate::config::sections::websites::{StorefrontState, WebSdk, Website, Websites};

use crate::config::fields::{Below, Table, table};
use crate::config::reader::ConfigReader;
use crate::config::schema::Schema;
use crate::config::sections::websites::ByCode;

table! {
    /// The effective configuration, checked. `Debug` shows no secret.
    #[derive(Clone, Debug)]
    pub struct Config {
        pub services_connector: ServicesConnector = Below,
        pub edge: Edge = Below,
        pub source: SourceConfig = Below,
        pub web_sdk: WebSdk = Below,
        pub websites: Websites = ByCode,
        pub storefront: Storefront = Below,
        pub index: Index = Below,
        pub cron: Cron = Below,
        pub first_sync: FirstSync = Below,
        pub verify: Verify = Below,
        pub delivery: Delivery = Below,
        pub privacy: Privacy = Below,
        pub events: Events = Below,
        pub store: StoreConfig = Below,
        pub log: Log = Below,
        pub admin: Admin = Below,
    }
}

/// Every key that exists.
pub(crate) static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let mut keys = Vec::new();
    Config::declare("", &mut keys);
    Schema { keys }
});

/// Reads the whole configuration and checks the rules between keys. Everything that is wrong is reported to `reader`;
/// a value that does not fit is replaced by its default.
pub(crate) fn build(reader: &mut ConfigReader<'_>) -> Config {
    let config = Config::read("", reader);
    config.services_connector.check(reader);
    config.edge.check(reader);
    config.source.check(reader);
    websites::check(&config.websites, reader);
    config.storefront.check(reader);
    config.first_sync.check(reader);
    config.delivery.check(reader);
    config.events.check(reader);
    config.admin.check(&config.store.path, reader);
    config
}

impl Config {
    /// Returns the data space of the chosen environment, which is part of every event's identity.
    pub fn data_space_id(&self) -> Uuid {
        self.services_connector.keys().data_space_id
    }

    /// Returns the file with the hash of the password for the web pages. It need not exist.
    pub fn admin_password_file(&self) -> PathBuf {
        let beside = || {
            let mut path = self.store.path.clone().into_os_string();
            path.push(".password");
            path.into()
        };
        self.admin.password_file.clone().unwrap_or_else(beside)
    }

    /// Returns the website with this code if it is configured and its back-office events are enabled.
    pub fn sending_website(&self, code: &str) -> Option<&Website> {
        self.websites
            .get(code)
            .filter(|website| website.back_office_events)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::schema::KeyKind;
    use crate::config::values::HumanDuration;

    #[test]
    fn the_bounds_of_durations_are_durations() {
        for key in &SCHEMA.keys {
            if let KeyKind::Duration(min, max) = key.kind {
                let bound = |text: &str| text.parse::<HumanDuration>().unwrap();
                assert!(bound(min) < bound(max), "{}", key.path);
            }
        }
    }
}
