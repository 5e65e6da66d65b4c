//! The fields of the connector pages: the specification's labels and descriptions, each with its key.

/// The kind of a field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Shown as set or not set.
    Secret,
    /// A path that only the file may set.
    FileOnly,
}

/// One field.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spec {
    /// The dotted key; `*` stands for the website of the scope.
    pub(super) key: &'static str,
    pub(super) label: &'static str,
    pub(super) help: &'static str,
    pub(super) kind: Kind,
}

const fn spec(key: &'static str, label: &'static str, kind: Kind, help: &'static str) -> Spec {
    Spec {
        key,
        label,
        help,
        kind,
    }
}

const SWITCH: Kind = Kind::Choice(&["true", "false"]);

/// The page *Commerce Services Connector*: all fields are global.
pub(super) const GENERAL: [Spec; 2] = [
    spec(
        "services_connector.organization_id",
        "Organization ID (Global)",
        Kind::Text,
        "ID that belongs to the organization that purchased the Adobe DX product. This ID links your Adobe Commerce \
         instance to Adobe Experience Platform.",
    ),
    spec(
        "services_connector.environment",
        "Environment",
        Kind::Choice(&["production", "sandbox"]),
        "The API keys and the SaaS data space that are in force.",
    ),
];

pub(super) const PRODUCTION: [Spec; 4] = [
    spec(
        "services_connector.production.api_key",
        "Production API key",
        Kind::Secret,
        "The public key of your Commerce account.",
    ),
    spec(
        "services_connector.production.private_key_file",
        "Production private key",
        Kind::FileOnly,
        "The file of the private key that belongs to it.",
    ),
    spec(
        "services_connector.production.project_id",
        "Production project",
        Kind::Text,
        "The SaaS project.",
    ),
    spec(
        "services_connector.production.data_space_id",
        "Production data space",
        Kind::Text,
        "The SaaS data space. It is part of every event's identity: do not change it later.",
    ),
];

pub(super) const SANDBOX: [Spec; 4] = [
    spec(
        "services_connector.sandbox.api_key",
        "Sandbox API key",
        Kind::Secret,
        "The public key of your Commerce account.",
    ),
    spec(
        "services_connector.sandbox.private_key_file",
        "Sandbox private key",
        Kind::FileOnly,
        "The file of the private key that belongs to it.",
    ),
    spec(
        "services_connector.sandbox.project_id",
        "Sandbox project",
        Kind::Text,
        "The SaaS project.",
    ),
    spec(
        "services_connector.sandbox.data_space_id",
        "Sandbox data space",
        Kind::Text,
        "The SaaS data space. It is part of every event's identity: do not change it later.",
    ),
];

/// The global field of the page *Experience Platform Connector*, after its check box.
pub(super) const SDK_NAME: Spec = spec(
    "web_sdk.name",
    "AEP Web SDK Name (Global)",
    Kind::Text,
    "If you already have an Experience Platform Web SDK deployed to your site, specify the name of that SDK in this field. \
     If you do not have an Experience Platform Web SDK deployed to your site, leave this field blank.",
);

/// The section *Data collection* of that page: the fields of the website in scope.
pub(super) const COLLECTION: [Spec; 4] = [
    spec(
        "websites.*.storefront_events",
        "Storefront events",
        SWITCH,
        "Is checked by default as long as the Organization ID and datastream ID are valid. Storefront events collect \
         anonymized behavioral data from your shoppers as they browse your site.",
    ),
    spec(
        "websites.*.back_office_events",
        "Back office events",
        SWITCH,
        "If checked, event payload contains anonymized order status information, such as if an order was placed, \
         canceled, refunded, or shipped.",
    ),
    spec(
        "websites.*.datastream_id",
        "Datastream ID (Website)",
        Kind::Text,
        "ID that allows data to flow from Adobe Experience Platform to other Adobe DX products. This ID must be associated \
         to a specific website within your specific Adobe Commerce instance. If you specify your own Experience Platform \
         Web SDK, do not specify a datastream ID in this field.",
    ),
    spec(
        "websites.*.web_sdk_datastream_id",
        "Datastream ID of your AEP Web SDK",
        Kind::Text,
        "The datastream that your own AEP Web SDK uses on this website. It wins over the field above.",
    ),
];

/// The first sync, which the specification describes by its five minutes only.
pub(super) const FIRST_SYNC: [Spec; 2] = [
    spec(
        "first_sync.window",
        "First-sync window (Global)",
        Kind::Text,
        "Time from enabling a website until its history should be at the edge, such as 5m.",
    ),
    spec(
        "first_sync.history",
        "History (Global)",
        Kind::Text,
        "Reach of the first sync into the past: a duration such as 5y, all, or none.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_a_key_of_the_reference() {
        let reference = crate::config::reference();
        let services = GENERAL.iter().chain(&PRODUCTION).chain(&SANDBOX);
        for spec in services.chain([&SDK_NAME]).chain(&COLLECTION).chain(&FIRST_SYNC) {
            let (_, name) = spec.key.rsplit_once('.').unwrap();
            assert!(reference.contains(&format!("`{name}`")), "{}", spec.key);
        }
    }
}
