//! `[admin]`: the endpoint for metrics, health, status and the web pages.

use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use crate::config::fields::{FilePath, Flag, OrEmpty, Parse, table};
use crate::config::reader::ConfigReader;
use crate::config::values::{AdminListen, InvalidValue};

table! {
    /// `[admin]`: the endpoint for metrics, health, status and the web pages.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Admin {
        pub listen: AdminListen = Parse(str::parse),
        /// The file with the hash of the password, or the systemd credential. `None` stands for the file beside the store.
        pub password_file: Option<PathBuf> = FilePath,
        /// Further names of this host, in lower case.
        pub hosts: Vec<String> = OrEmpty(parse_hosts),
        pub edit_settings: bool = Flag,
    }
}

/// Accepts names of hosts, separated by commas. A port is not part of a name: every port is accepted.
fn parse_hosts(text: &str) -> Result<Vec<String>, InvalidValue> {
    let is_name = |name: &str| {
        let is_label = |label: &str| {
            !label.is_empty()
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        name.split('.').all(is_label)
    };
    let names: Vec<String> = text
        .split(',')
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    match names.iter().all(|name| is_name(name)) {
        true => Ok(names),
        false => Err(InvalidValue::new(
            "is not a list of host names",
            "names separated by commas, without scheme and port, such as \"orderfeed.example.com\"",
        )),
    }
}

impl Admin {
    /// Refuses a socket or a password in the place of the store, or of a file that the daemon keeps beside it.
    pub(super) fn check(&self, store: &Path, reader: &mut ConfigReader<'_>) {
        if let AdminListen::Unix(socket) = &self.listen {
            refuse_file_of_store(reader, "admin.listen", socket, store);
        }
        if let Some(file) = &self.password_file {
            refuse_file_of_store(reader, "admin.password_file", file, store);
        }
    }
}

fn refuse_file_of_store(reader: &mut ConfigReader<'_>, key: &str, path: &Path, store: &Path) {
    let (file, store) = (normal(path), normal(store));
    let suffix = file
        .as_os_str()
        .as_bytes()
        .strip_prefix(store.as_os_str().as_bytes());
    if suffix.is_some_and(|suffix| OF_STORE.iter().any(|own| own.as_bytes() == suffix)) {
        let shown = match key {
            "admin.listen" => format!("unix:{}", path.display()),
            _ => path.display().to_string(),
        };
        let message = format!("\"{shown}\" is a file of the store; expected a path of its own");
        reader.problem(key, message);
    }
}

/// Suffixes of the store's files.
const OF_STORE: [&str; 8] = [
    "",
    "-wal",
    "-shm",
    "-journal",
    ".lock",
    ".sock",
    ".partial",
    ".settings.toml",
];

/// Returns the path without `.`, `..` and repeated slashes, as far as text shows them.
fn normal(path: &Path) -> PathBuf {
    let mut result = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(result.pop()),
            Component::CurDir => {}
            other => result.push(other),
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names_without_scheme_and_port() {
        let names = parse_hosts("Orderfeed.example.com, shop-1").unwrap();
        assert_eq!(names, ["orderfeed.example.com", "shop-1"]);
        for wrong in ["https://a", "a:80", "a,,b", "a b", "*.example.com", "a/b", "."] {
            assert!(parse_hosts(wrong).is_err(), "{wrong}");
        }
    }
}
