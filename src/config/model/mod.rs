//! The effective configuration as typed, validated values: what the rest of the house is given. One struct for
//! each table of the file, with the defaults that `config/orderfeed.toml` documents (a test holds the two together).
//!
//! What has no sensible default (organization id, data space, source, OAuth client, websites) is empty in
//! [`Config::default`] only: `config::load` returns no configuration in which it is missing.

mod connector;
mod daemon;
mod delivery;
mod edge;
mod events;
mod source;

pub use crate::config::model::connector::{
    Environment, EnvironmentKeys, ServicesConnector, WebSdk, Website, Websites,
};
pub use crate::config::model::daemon::{
    Admin, Cron, FirstSync, Index, IndexMode, Log, LogFormat, Store, Verify,
};
pub use crate::config::model::delivery::{Delivery, Privacy, PrivacyProfile, Retry};
pub use crate::config::model::edge::{Edge, EdgeAuth, OAuth};
pub use crate::config::model::events::{EventNames, Events};
pub use crate::config::model::source::{
    Capture, MysqlSource, MysqlTls, Source, SourceKind, SqliteSource, TlsMode,
};

use uuid::Uuid;

/// Everything an operator may set, checked. Wrap it in an `Arc` to share it; `Debug` shows no secret.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// `[services_connector]`: the organization, the environment and its data space.
    pub services_connector: ServicesConnector,
    /// `[edge]`: where events go and how to be let in.
    pub edge: Edge,
    /// `[source]`: where orders come from.
    pub source: Source,
    /// `[web_sdk]`: the site's own Web SDK, if it has one.
    pub web_sdk: WebSdk,
    /// `[websites.CODE]`, by Commerce's website code.
    pub websites: Websites,
    /// `[index]`: the Sales Orders Feed index.
    pub index: Index,
    /// `[cron]`: the schedules.
    pub cron: Cron,
    /// `[first_sync]`: the first-sync window.
    pub first_sync: FirstSync,
    /// `[verify]`: what is compared with the source each night.
    pub verify: Verify,
    /// `[delivery]`: batching, lanes, rate and retries.
    pub delivery: Delivery,
    /// `[privacy]`: what leaves the house.
    pub privacy: Privacy,
    /// `[events]`: the names that events carry.
    pub events: Events,
    /// `[store]`: the SQLite file.
    pub store: Store,
    /// `[log]`: form and level of the log.
    pub log: Log,
    /// `[admin]`: metrics, health, status.
    pub admin: Admin,
}

impl Config {
    /// The data space of the chosen environment: part of every event's identity.
    pub fn data_space_id(&self) -> Uuid {
        self.services_connector.keys.data_space_id
    }

    /// The website with this code, if it is configured and its back-office events are on.
    pub fn sending_website(&self, code: &str) -> Option<&Website> {
        self.websites
            .get(code)
            .filter(|website| website.back_office_events)
    }
}
