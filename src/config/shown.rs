//! The effective settings for display: in the order of the documentation, each with its origin, secrets masked.

use url::Url;

use crate::config::layer::Scalar;
use crate::config::merge::{Setting, Settings};
use crate::config::problem::Origin;
use crate::config::schema::KeyKind;
use crate::config::sections::SCHEMA;

/// The text shown instead of a secret.
const MASK: &str = "***";

/// One setting in force.
#[derive(Clone, Debug, PartialEq)]
pub struct EffectiveSetting {
    /// The path of the table, such as `websites.base`.
    pub table: String,
    pub name: String,
    /// The value as written, or `***` for a secret.
    pub value: toml::Value,
    pub origin: Origin,
}

/// Returns the settings in force.
pub(crate) fn list(settings: &Settings) -> Vec<EffectiveSetting> {
    let (mut listed, mut websites_are_listed) = (Vec::new(), false);
    for key in &SCHEMA.keys {
        if !key.path.contains('*') {
            listed.extend(shown(settings, &key.path, key.kind));
        // All websites follow at the place of the first of their keys.
        } else if !websites_are_listed {
            websites_are_listed = true;
            listed.extend(websites(settings));
        }
    }
    listed
}

/// Returns the settings website by website, so that each table is in one piece.
fn websites(settings: &Settings) -> Vec<EffectiveSetting> {
    let keys = || SCHEMA.keys.iter().filter(|key| key.path.contains('*'));
    let codes = settings.website_codes();
    codes
        .iter()
        .flat_map(|code| keys().filter_map(|key| shown(settings, &key.path.replace('*', code), key.kind)))
        .collect()
}

fn shown(settings: &Settings, path: &str, kind: KeyKind) -> Option<EffectiveSetting> {
    let Setting { value, origin } = settings.values.get(path)?;
    let (table, name) = path.rsplit_once('.')?;
    let value = match (kind, value) {
        (KeyKind::Secret, _) => MASK.into(),
        (KeyKind::SecretUrl, Scalar::Text(text)) => without_password(text).into(),
        (_, Scalar::Text(text)) => text.as_str().into(),
        (_, Scalar::Int(value)) => (*value).into(),
        (_, Scalar::Bool(value)) => (*value).into(),
    };
    Some(EffectiveSetting {
        table: table.into(),
        name: name.into(),
        value,
        origin: origin.clone(),
    })
}

fn without_password(text: &str) -> String {
    let mut url = match Url::parse(text) {
        Ok(url) if url.has_host() => url,
        // A single word, such as "none", or HOST:PORT.
        _ if !text.contains('@') => return text.to_owned(),
        // A text that cannot be parsed may still hold a password.
        _ => return MASK.to_owned(),
    };
    if url.password().is_none() {
        return text.to_owned();
    }
    match url.set_password(Some(MASK)) {
        Ok(()) => url.to_string(),
        Err(()) => MASK.to_owned(),
    }
}
