//! `[services_connector]`: one organization, and the keys and data space of the chosen environment.

use secrecy::SecretString;
use uuid::Uuid;

use crate::config::model::{Environment, EnvironmentKeys, ServicesConnector};
use crate::config::reader::Reader;
use crate::config::values::parse_uuid;

pub(crate) fn services_connector(reader: &mut Reader<'_>) -> ServicesConnector {
    let organization = "services_connector.organization_id";
    if reader.text(organization).is_none() {
        reader.missing(
            organization,
            "your Adobe organization id: 24 letters or digits followed by \"@AdobeOrg\"",
        );
    }
    let organization_id = reader.parsed(organization).unwrap_or_default();
    let environment = reader.choice("services_connector.environment", Environment::default());
    // Both tables are checked, so that a switch of the environment holds no surprise; one is required.
    let production = environment_keys(reader, Environment::Production);
    let sandbox = environment_keys(reader, Environment::Sandbox);
    require_data_space(reader, environment);
    let keys = match environment {
        Environment::Production => production,
        Environment::Sandbox => sandbox,
    };
    ServicesConnector {
        organization_id,
        environment,
        keys,
    }
}

fn environment_keys(reader: &mut Reader<'_>, environment: Environment) -> EnvironmentKeys {
    let key = |name: &str| format!("services_connector.{}.{name}", environment.as_str());
    let api_key = reader.text(&key("api_key")).map(SecretString::from);
    if reader
        .text(&key("api_key"))
        .is_some_and(|text| !text.bytes().all(|b| b.is_ascii_graphic()))
    {
        let message =
            "is not an API key (the value is not shown); expected letters, digits and signs without spaces";
        reader.problem(&key("api_key"), message.into());
    }
    let data_space_id: Option<Uuid> = reader.read(&key("data_space_id"), parse_uuid);
    EnvironmentKeys {
        api_key,
        private_key_file: reader.path(&key("private_key_file")),
        project_id: reader.text(&key("project_id")).map(str::to_owned),
        data_space_id: data_space_id.unwrap_or_default(),
    }
}

fn require_data_space(reader: &mut Reader<'_>, environment: Environment) {
    let name = environment.as_str();
    let key = format!("services_connector.{name}.data_space_id");
    if reader.text(&key).is_none() {
        let expected = format!(
            "the id of your SaaS data space in [services_connector.{name}], because environment = \"{name}\" picks \
             that table; a UUID such as 2a7d1c34-8f10-4be3-9d2f-0c5b7f6a1e90"
        );
        reader.missing(&key, &expected);
    }
}
