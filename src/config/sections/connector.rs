//! `[services_connector]`: the organization, and the keys and data space of each environment.

use std::path::PathBuf;

use secrecy::SecretString;
use uuid::Uuid;

use crate::config::fields::{Below, FilePath, Optional, OrEmpty, Parse, Secret, any_text, table};
use crate::config::reader::ConfigReader;
use crate::config::values::{OrganizationId, choices, parse_uuid};

table! {
    /// `[services_connector]`: one organization per Commerce instance.
    #[derive(Clone, Debug)]
    pub struct ServicesConnector {
        pub organization_id: OrganizationId = OrEmpty(str::parse),
        pub environment: Environment = Parse(str::parse),
        pub production: EnvironmentKeys = Below,
        pub sandbox: EnvironmentKeys = Below,
    }
}

table! {
    /// `[services_connector.production]` or `[services_connector.sandbox]`.
    #[derive(Clone, Debug)]
    pub struct EnvironmentKeys {
        /// The Commerce API key, read only where its environment is chosen. It is not sent to the edge.
        pub api_key: Option<SecretString> = Secret,
        pub private_key_file: Option<PathBuf> = FilePath,
        pub project_id: Option<String> = Optional(any_text),
        /// `commerce.commerceScope.environmentID` of every event. Nil only in the default.
        pub data_space_id: Uuid = OrEmpty(parse_uuid),
    }
}

choices! {
    /// The table that is in force, by its name.
    pub enum Environment {
        Production = "production",
        Sandbox = "sandbox",
    }
}

impl ServicesConnector {
    /// Returns the table of the chosen environment.
    pub fn keys(&self) -> &EnvironmentKeys {
        match self.environment {
            Environment::Production => &self.production,
            Environment::Sandbox => &self.sandbox,
        }
    }

    /// Returns the table of the chosen environment, to change it.
    pub fn keys_mut(&mut self) -> &mut EnvironmentKeys {
        match self.environment {
            Environment::Production => &mut self.production,
            Environment::Sandbox => &mut self.sandbox,
        }
    }

    pub(super) fn check(&self, reader: &mut ConfigReader<'_>) {
        let organization = "services_connector.organization_id";
        if reader.text(organization).is_none() {
            reader.missing(
                organization,
                "your Adobe organization id: 24 letters or digits followed by \"@AdobeOrg\"",
            );
        }
        // Both tables are checked, so that a later switch of the environment brings no new errors.
        for environment in [Environment::Production, Environment::Sandbox] {
            let key = format!("services_connector.{environment}.api_key");
            let is_printable = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
            if reader.text(&key).is_some_and(|text| !is_printable(text)) {
                let message = "is not an API key (the value is not shown); expected letters, digits and signs without spaces";
                reader.problem(&key, message);
            }
        }
        let name = self.environment;
        let key = format!("services_connector.{name}.data_space_id");
        if reader.text(&key).is_none() {
            let expected = format!(
                "the id of your SaaS data space in [services_connector.{name}], because environment = \"{name}\" picks \
                 that table; a UUID such as 2a7d1c34-8f10-4be3-9d2f-0c5b7f6a1e90"
            );
            reader.missing(&key, &expected);
        }
    }
}
