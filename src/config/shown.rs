//! The effective settings as they may be shown: in the order of the documentation, each with its origin, secrets
//! masked.

use url::Url;

use crate::config::layer::Scalar;
use crate::config::merge::{Setting, Settings};
use crate::config::problem::Origin;
use crate::config::schema::{KEYS, Kind};

/// What stands in place of a secret.
const MASK: &str = "***";

/// One setting in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// The table, such as `websites.base`.
    pub table: String,
    /// The name in the table.
    pub name: String,
    /// The value as written, or `***` for a secret.
    pub value: toml::Value,
    /// Where it was written.
    pub origin: Origin,
}

/// Lists the settings in force.
pub(crate) fn list(settings: &Settings) -> Vec<Shown> {
    let (mut listed, mut websites_are_listed) = (Vec::new(), false);
    for key in KEYS {
        if !key.path.contains('*') {
            listed.extend(shown(settings, key.path, key.kind));
        } else if !websites_are_listed {
            websites_are_listed = true;
            listed.extend(websites(settings));
        }
    }
    listed
}

/// Website by website, so that each table is in one piece.
fn websites(settings: &Settings) -> Vec<Shown> {
    let keys = || KEYS.iter().filter(|key| key.path.contains('*'));
    let codes = settings.website_codes();
    codes
        .iter()
        .flat_map(|code| keys().filter_map(|key| shown(settings, &key.path.replace('*', code), key.kind)))
        .collect()
}

fn shown(settings: &Settings, path: &str, kind: Kind) -> Option<Shown> {
    let Setting { value, origin } = settings.values.get(path)?;
    let (table, name) = path.rsplit_once('.')?;
    let value = match (kind, value) {
        (Kind::Secret, _) => MASK.into(),
        (Kind::SecretUrl, Scalar::Text(text)) => without_password(text).into(),
        (_, Scalar::Text(text)) => text.as_str().into(),
        (_, Scalar::Int(value)) => (*value).into(),
        (_, Scalar::Bool(value)) => (*value).into(),
    };
    Some(Shown {
        table: table.into(),
        name: name.into(),
        value,
        origin: origin.clone(),
    })
}

fn without_password(text: &str) -> String {
    let Ok(mut url) = Url::parse(text) else {
        return MASK.to_owned();
    };
    if url.password().is_none() {
        return text.to_owned();
    }
    match url.set_password(Some(MASK)) {
        Ok(()) => url.to_string(),
        Err(()) => MASK.to_owned(),
    }
}
