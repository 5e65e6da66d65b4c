//! Changes of settings on the web pages, checked together with every layer before anything is written. Writes nothing itself.

use std::path::{Path, PathBuf};

use crate::config::layer::dotted;
use crate::config::load::{LoadedConfig, load_with};
use crate::config::overlay::{self, Saved};
use crate::config::problem::{ConfigErrors, ConfigProblem, Origin, quoted};
use crate::config::schema::KeyKind;
use crate::config::shown::EffectiveSetting;

/// Changes that are valid, as they are to be saved.
#[derive(Clone, Debug)]
pub struct EditedSettings {
    /// The file to write.
    pub path: PathBuf,
    /// Its new text; `None` if nothing is saved any more.
    pub text: Option<String>,
    pub changes: Vec<SettingChange>,
    /// The configuration with these changes.
    pub loaded: LoadedConfig,
}

/// One key that gets another value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingChange {
    pub key: String,
    /// The value before, empty if there was none.
    pub from: String,
    pub to: String,
}

/// Returns what would be saved so that these keys have these values. An empty value unsets a key. Keys that have their value
/// already stay where they are set.
///
/// # Errors
/// Every value that cannot be saved, by key; and everything that would be wrong with the configuration.
pub fn edit_settings(
    path: &Path,
    env: impl IntoIterator<Item = (String, String)>,
    wanted: &[(String, String)],
) -> Result<EditedSettings, ConfigErrors> {
    let env: Vec<(String, String)> = env.into_iter().collect();
    let now = load_with(path, env.clone(), Saved::File)?;
    // The values below the saved ones: a key with such a value need not be saved.
    let below = load_with(path, env.clone(), Saved::Text("")).ok();
    let file = overlay::path_of(&now.config.store.path);
    let mut edit = Edit {
        now: &now.settings,
        below: below.as_ref().map_or(&[], |below| below.settings.as_slice()),
        table: saved_table(&file)?,
        changes: Vec::new(),
        problems: Vec::new(),
        file: &file,
    };
    for (key, value) in wanted {
        edit.apply(key, value.trim());
    }
    let Edit {
        table,
        changes,
        problems,
        ..
    } = edit;
    if !problems.is_empty() {
        return Err(ConfigErrors(problems));
    }
    let text = (!table.is_empty()).then(|| format!("{HEAD}{table}"));
    let loaded = load_with(path, env, Saved::Text(text.as_deref().unwrap_or_default()))?;
    Ok(EditedSettings {
        path: file,
        text,
        changes,
        loaded,
    })
}

const HEAD: &str = "# Saved on the web pages of orderfeed, and read while admin.edit_settings is true. A key may be removed by hand.\n";

fn saved_table(file: &Path) -> Result<toml::Table, ConfigErrors> {
    let refused = |message: String| {
        let place = Origin::File(file.into());
        ConfigErrors(vec![ConfigProblem::without_key(place, message)])
    };
    let text = overlay::read_text(file).map_err(|error| refused(format!("cannot be read: {error}")))?;
    // It was loaded before, so it is TOML unless it was replaced meanwhile.
    let parsed = text.unwrap_or_default().parse();
    parsed.map_err(|_| refused("is not TOML".to_owned()))
}

struct Edit<'a> {
    now: &'a [EffectiveSetting],
    below: &'a [EffectiveSetting],
    table: toml::Table,
    changes: Vec<SettingChange>,
    problems: Vec<ConfigProblem>,
    file: &'a Path,
}

impl Edit<'_> {
    fn apply(&mut self, key: &str, value: &str) {
        let path: Vec<String> = key.split('.').map(str::to_owned).collect();
        let Some(kind) = overlay::kind_of(&path) else {
            let message = "cannot be saved on a web page; set it in the configuration file";
            return self.refuse(&dotted(&path), message.to_owned());
        };
        let before = find(self.now, key);
        let from = before.map_or_else(String::new, text_of);
        if from == value {
            return;
        }
        if let Some(Origin::Env(name)) = before.map(|setting| &setting.origin) {
            return self.refuse(
                key,
                format!("is set by the variable {name}, which wins; change it there"),
            );
        }
        let below = find(self.below, key).filter(|setting| setting.origin != Origin::Defaults);
        let is_below = find(self.below, key).map_or_else(String::new, text_of) == value;
        if is_below || value.is_empty() && below.is_none() {
            remove(&mut self.table, &path);
        } else {
            match typed(kind, value) {
                Ok(value) => insert(&mut self.table, &path, value),
                Err(message) => return self.refuse(key, message),
            }
        }
        self.changes.push(SettingChange {
            key: key.to_owned(),
            from,
            to: value.to_owned(),
        });
    }

    fn refuse(&mut self, key: &str, message: String) {
        self.problems.push(ConfigProblem {
            place: Origin::File(self.file.into()),
            key: key.to_owned(),
            message,
        });
    }
}

fn find<'a>(settings: &'a [EffectiveSetting], key: &str) -> Option<&'a EffectiveSetting> {
    settings.iter().find(|setting| {
        let rest = key.strip_prefix(setting.table.as_str());
        rest.and_then(|rest| rest.strip_prefix('.')) == Some(&setting.name)
    })
}

fn text_of(setting: &EffectiveSetting) -> String {
    match &setting.value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Returns the value as the file holds it. An empty text unsets a key of text.
fn typed(kind: KeyKind, value: &str) -> Result<toml::Value, String> {
    let unfit = || format!("{} is not {}", quoted(value), kind.expected());
    match kind {
        KeyKind::Bool if value.is_empty() => {
            Err("cannot be unset here, because a file sets it; choose true or false".to_owned())
        }
        KeyKind::Bool => value.parse().map(toml::Value::Boolean).map_err(|_| unfit()),
        KeyKind::Int(..) => value.parse().map(toml::Value::Integer).map_err(|_| unfit()),
        KeyKind::Text | KeyKind::Duration(..) => Ok(value.into()),
        KeyKind::Secret | KeyKind::SecretUrl => Err("is a secret".to_owned()),
    }
}

fn insert(table: &mut toml::Table, path: &[String], value: toml::Value) {
    let Some((first, rest)) = path.split_first() else {
        return;
    };
    if rest.is_empty() {
        table.insert(first.clone(), value);
        return;
    }
    let inner = table
        .entry(first.clone())
        .or_insert_with(|| toml::Table::new().into());
    if let Some(inner) = inner.as_table_mut() {
        insert(inner, rest, value);
    }
}

/// Removes a key, and the tables that are empty without it.
fn remove(table: &mut toml::Table, path: &[String]) {
    let Some((first, rest)) = path.split_first() else {
        return;
    };
    let is_done = match table.get_mut(first).and_then(toml::Value::as_table_mut) {
        Some(inner) if !rest.is_empty() => {
            remove(inner, rest);
            inner.is_empty()
        }
        _ => rest.is_empty(),
    };
    if is_done {
        table.remove(first);
    }
}
