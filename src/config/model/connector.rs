//! The Commerce Services Connector and the websites: who we are at Adobe, and which datastream each website feeds.

use std::collections::BTreeMap;
use std::path::PathBuf;

use secrecy::SecretString;
use uuid::Uuid;

use crate::config::values::{Choice, DatastreamId, OrganizationId};

/// `[services_connector]`: global, one organization per Commerce instance.
#[derive(Clone, Debug, Default)]
pub struct ServicesConnector {
    /// The organization that owns every datastream below.
    pub organization_id: OrganizationId,
    /// Which of the two tables, `production` or `sandbox`, is in force.
    pub environment: Environment,
    /// The table that `environment` picked.
    pub keys: EnvironmentKeys,
}

/// Which keys and which data space are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Environment {
    /// `[services_connector.production]`.
    #[default]
    Production,
    /// `[services_connector.sandbox]`.
    Sandbox,
}

impl Environment {
    /// As written in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Sandbox => "sandbox",
        }
    }
}

/// `[services_connector.production]` or `[services_connector.sandbox]`.
#[derive(Clone, Debug, Default)]
pub struct EnvironmentKeys {
    /// The Commerce API key; optional, not sent to the edge.
    pub api_key: Option<SecretString>,
    /// The PEM private key that belongs to the API key; optional, checked to be readable if given.
    pub private_key_file: Option<PathBuf>,
    /// The SaaS project; optional.
    pub project_id: Option<String>,
    /// The SaaS data space: `commerce.commerceScope.environmentID` of every event. Nil only in the default.
    pub data_space_id: Uuid,
}

/// `[web_sdk]`: global; set only where the site deploys its own AEP Web SDK (alloy).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebSdk {
    /// The name of the SDK's instance on the page, such as `alloy`.
    pub name: Option<String>,
}

/// The configured websites by Commerce's website code. An order of any other website has a feed row and no events.
pub type Websites = BTreeMap<String, Website>;

/// `[websites.CODE]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Website {
    /// The datastream that this website's events are sent to: that of the site's own Web SDK where `[web_sdk]` is
    /// set, the website's own otherwise. Always present where `back_office_events` is true.
    pub datastream: Option<DatastreamId>,
    /// Whether order status events are derived and sent.
    pub back_office_events: bool,
    /// Whether the storefront sends behavioural events, as written.
    pub(crate) storefront_events: Option<bool>,
}

impl Website {
    /// A website that sends its back-office events to `datastream`.
    pub fn sending_to(datastream: DatastreamId) -> Self {
        Self {
            datastream: Some(datastream),
            back_office_events: true,
            storefront_events: None,
        }
    }

    /// Whether storefront events are on: as configured, else on as soon as there is a valid datastream (the
    /// organization id of a loaded configuration is always valid). The storefront's own collector sends them;
    /// orderfeed only reports the setting.
    pub fn storefront_events(&self) -> bool {
        self.storefront_events.unwrap_or(self.datastream.is_some())
    }
}

impl Choice for Environment {
    const NAMES: &'static [(&'static str, Self)] =
        &[("production", Self::Production), ("sandbox", Self::Sandbox)];
}
