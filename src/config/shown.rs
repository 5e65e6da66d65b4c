//! The effective settings for display: in the order of the documentation, each with its origin, secrets masked.

use url::Url;

use crate::config::layer::Scalar;
use crate::config::merge::{Setting, Settings};
use crate::config::problem::Origin;
use crate::config::schema::{KeyKind, KeySpec};
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

/// Returns the settings website by website, and in each its store views one by one, so that each table is in one piece.
fn websites(settings: &Settings) -> Vec<EffectiveSetting> {
    let keys = |stars: usize| {
        let counted = move |key: &&KeySpec| key.path.matches('*').count() == stars;
        SCHEMA.keys.iter().filter(counted)
    };
    let mut listed = Vec::new();
    for code in settings.names_below("websites") {
        let named = |key: &KeySpec| key.path.replacen('*', &code, 1);
        listed.extend(keys(1).filter_map(|key| shown(settings, &named(key), key.kind)));
        for view in settings.names_below(&format!("websites.{code}.store_views")) {
            let of_view = |key: &KeySpec| named(key).replacen('*', &view, 1);
            listed.extend(keys(2).filter_map(|key| shown(settings, &of_view(key), key.kind)));
        }
    }
    listed
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
