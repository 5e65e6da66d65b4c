//! Settings that an operator saved on the web pages: a file beside the store, which is a layer between `conf.d` and the
//! environment.
//!
//! Only keys without secrets and without paths may be in it, and it is read only while `admin.edit_settings` is true. The
//! daemon's user owns the file, and root's commands read it as well: so it is opened without following a link, must be a
//! regular file of the owner of its directory, and is bounded.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::config::layer::{Layer, Scalar, dotted};
use crate::config::merge::Settings;
use crate::config::problem::{ConfigProblem, Origin};
use crate::config::schema::KeyKind;
use crate::config::sections::SCHEMA;

/// Longest file, in bytes.
const LONGEST: u64 = 64 * 1024;
/// The tables whose keys may be saved.
const TABLES: [&str; 4] = ["services_connector", "web_sdk", "websites", "first_sync"];

/// The text of the layer: as its file holds it, or as it would be saved.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Saved<'a> {
    File,
    Text(&'a str),
}

/// Returns the file of the layer, beside the store.
pub(crate) fn path_of(store: &Path) -> PathBuf {
    let mut path = store.as_os_str().to_owned();
    path.push(".settings.toml");
    path.into()
}

/// Returns the kind of a key that may be saved; `None` for any other.
pub(crate) fn kind_of(path: &[String]) -> Option<KeyKind> {
    let kind = SCHEMA.find(path)?.kind;
    let is_path = path.last().is_some_and(|name| name.ends_with("_file"));
    let is_open = path.first().is_some_and(|table| TABLES.contains(&table.as_str()));
    (is_open && !is_path && !kind.is_secret()).then_some(kind)
}

/// The layer, with the file that it was read from.
pub(crate) struct SavedLayer {
    /// `None` if the file was not read.
    pub(crate) source: Option<PathBuf>,
    pub(crate) layer: Layer,
}

/// Reads the layer that belongs to the other layers; `None` if there is none.
///
/// # Errors
/// If the file cannot be read, or is not one that may be trusted.
pub(crate) fn read(
    main: &Path,
    layers: &[Layer],
    saved: Saved<'_>,
) -> Result<Option<SavedLayer>, ConfigProblem> {
    let settings = Settings::merge(main, layers);
    let value = |key: &str| settings.values.get(key).map(|setting| &setting.value);
    let Some(Scalar::Text(store)) = value("store.path") else {
        return Ok(None);
    };
    let directory = main.parent().unwrap_or("".as_ref());
    let path = path_of(&directory.join(store));
    if value("admin.edit_settings") != Some(&Scalar::Bool(true)) {
        return Ok(fs::symlink_metadata(&path).is_ok().then(|| unused(&path)));
    }
    let text = match saved {
        Saved::Text(text) => text.to_owned(),
        Saved::File => match read_text(&path) {
            Ok(None) => return Ok(None),
            Ok(Some(text)) => text,
            Err(cause) => {
                let message = format!("cannot be read: {cause}; remove it, or save the settings again");
                return Err(ConfigProblem::without_key(
                    Origin::File(path.as_path().into()),
                    message,
                ));
            }
        },
    };
    let mut layer = Layer::file(&SCHEMA, &path, &text);
    refuse_other_keys(&mut layer);
    let source = Some(path);
    Ok(Some(SavedLayer { source, layer }))
}

/// Returns an empty layer that warns of a file that is not read.
fn unused(path: &Path) -> SavedLayer {
    let message =
        "is not read, because admin.edit_settings is not true; remove it, or move its keys into conf.d";
    let warning = ConfigProblem::without_key(Origin::File(path.into()), message);
    let layer = Layer {
        warnings: vec![warning],
        ..Layer::default()
    };
    SavedLayer { source: None, layer }
}

fn refuse_other_keys(layer: &mut Layer) {
    let entries = std::mem::take(&mut layer.entries);
    for entry in entries {
        if kind_of(&entry.path).is_some() {
            layer.entries.push(entry);
            continue;
        }
        let key = dotted(&entry.path);
        layer.mentioned.push(key.clone());
        layer.problems.push(ConfigProblem {
            place: entry.origin,
            key,
            message: "cannot be saved on a web page; set it in the configuration file".to_owned(),
        });
    }
}

/// Returns the text of the file; `None` if there is none.
pub(crate) fn read_text(path: &Path) -> io::Result<Option<String>> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = match File::options().read(true).custom_flags(flags).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let found = file.metadata()?;
    let directory = fs::metadata(path.parent().unwrap_or("/".as_ref()))?;
    // A second name of a file of another user would show its content in messages.
    if !found.is_file() || found.nlink() != 1 || ![0, directory.uid()].contains(&found.uid()) {
        let message = "it is not a regular file of the owner of its directory";
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    let mut text = String::new();
    file.take(LONGEST + 1).read_to_string(&mut text)?;
    match text.len() as u64 > LONGEST {
        true => Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is too large")),
        false => Ok(Some(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may_be_saved(key: &str) -> bool {
        let path: Vec<String> = key.split('.').map(str::to_owned).collect();
        kind_of(&path).is_some()
    }

    #[test]
    fn neither_secrets_nor_paths_nor_other_tables_can_be_saved() {
        for key in [
            "services_connector.organization_id",
            "services_connector.sandbox.data_space_id",
            "web_sdk.name",
            "websites.base.back_office_events",
            "first_sync.window",
        ] {
            assert!(may_be_saved(key), "{key}");
        }
        for key in [
            "services_connector.production.api_key",
            "services_connector.production.api_key_file",
            "services_connector.production.private_key_file",
            "edge.url",
            "store.path",
            "admin.edit_settings",
            "admin.hosts",
            "websites.base",
            "websites.base.no_such_key",
        ] {
            assert!(!may_be_saved(key), "{key}");
        }
    }

    #[test]
    fn a_link_and_a_file_of_two_names_are_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let (path, other) = (dir.path().join("a"), dir.path().join("b"));
        assert_eq!(read_text(&path).unwrap(), None);
        fs::write(&path, "x").unwrap();
        assert_eq!(read_text(&path).unwrap().as_deref(), Some("x"));
        fs::hard_link(&path, &other).unwrap();
        assert!(read_text(&path).is_err());
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(&other, &path).unwrap();
        assert!(read_text(&path).is_err());
        fs::write(&other, "x".repeat(70_000)).unwrap();
        assert!(read_text(&other).is_err());
    }
}
