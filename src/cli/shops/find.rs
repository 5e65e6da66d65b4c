//! The files of the shops in their directory.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Serialize;

use crate::config::shop::ShopName;

/// A shop as its file's name shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct ShopFile {
    /// The name of the file without `.toml`.
    pub(super) shop: String,
    pub(super) config: PathBuf,
    /// `None` if the name is not that of a shop, so that no unit can run it.
    pub(super) unit: Option<String>,
}

/// Returns the shops of a directory by name; none if there is no such directory.
///
/// # Errors
/// If the directory cannot be listed.
pub(super) fn shops(directory: &Path) -> anyhow::Result<Vec<ShopFile>> {
    let cannot = || format!("the shops in {} cannot be listed", directory.display());
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.with_context(cannot)?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let config = entry.with_context(cannot)?.path();
        files.extend(shop(config));
    }
    files.sort_by(|a, b| a.shop.cmp(&b.shop));
    Ok(files)
}

fn shop(config: PathBuf) -> Option<ShopFile> {
    let shop = config
        .file_name()?
        .to_string_lossy()
        .strip_suffix(".toml")?
        .to_owned();
    // Editors and package managers leave hidden copies behind.
    if shop.starts_with('.') || shop.is_empty() {
        return None;
    }
    let unit = shop.parse::<ShopName>().ok().map(|name| name.unit());
    Some(ShopFile { shop, config, unit })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shops_are_listed_by_name_without_the_other_files_of_the_directory() {
        let directory = tempfile::tempdir().unwrap();
        for name in [
            "b.toml",
            "a.toml",
            "my shop.toml",
            ".a.toml.swp",
            ".x.toml",
            "a.toml~",
            "notes",
        ] {
            fs::write(directory.path().join(name), "").unwrap();
        }
        fs::create_dir(directory.path().join("conf.d")).unwrap();
        let found = shops(directory.path()).unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|file| (file.shop.as_str(), file.unit.as_deref()))
            .collect();
        assert_eq!(
            found,
            [
                ("a", Some("orderfeed@a.service")),
                ("b", Some("orderfeed@b.service")),
                ("my shop", None),
            ]
        );
        assert_eq!(shops(&directory.path().join("none")).unwrap(), []);
    }
}
