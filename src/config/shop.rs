//! Several shops on one host: each has a configuration file `shops/NAME.toml`, and defaults of its own for what two daemons
//! cannot share.
//!
//! The name is that of the instance of the unit `orderfeed@NAME.service`, so the paths below are those that the unit gives
//! the daemon. They follow from the file's name alone: a command that an operator runs finds the same store as the service.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::config::layer::{LayerEntry, Scalar};
use crate::config::problem::Origin;

/// The directory of the shops' configuration files, beside the configuration file of a single shop.
const DIRECTORY: &str = "shops";
/// `StateDirectory=` of the unit, without the name of the instance.
const STATE: &str = "/var/lib/orderfeed";
/// `RuntimeDirectory=` of the unit. Not `/run/orderfeed`: systemd removes that when `orderfeed.service` stops.
const RUNTIME: &str = "/run/orderfeed-shops";
/// Longest name, in bytes. The path of a Unix socket has at most 108.
const LONGEST: usize = 48;

/// The name of a shop.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ShopName(String);

/// The reason for which a text is not a name of a shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "is not a name of a shop; expected letters, digits, \".\", \"_\" and \"-\", at most {LONGEST}, with a letter or digit first"
)]
pub struct BadShopName;

impl FromStr for ShopName {
    type Err = BadShopName;

    fn from_str(text: &str) -> Result<Self, BadShopName> {
        // systemd needs no escapes for these in the name of an instance, and a shell needs no quotes.
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let is_name = text.len() <= LONGEST
            && text.bytes().all(is_allowed)
            && text.starts_with(|first: char| first.is_ascii_alphanumeric());
        match is_name {
            true => Ok(Self(text.to_owned())),
            false => Err(BadShopName),
        }
    }
}

impl fmt::Display for ShopName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl ShopName {
    /// Returns the shop that a configuration file belongs to; `None` if it is not in a directory `shops`.
    ///
    /// # Errors
    /// If it is in one, and its name is not that of a shop: with the defaults of a single shop it would share a store.
    pub fn of_file(path: &Path) -> Result<Option<Self>, BadShopName> {
        if !is_directory_of_shops(path.parent()) {
            return Ok(None);
        }
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.and_then(|name| name.strip_suffix(".toml"));
        name.ok_or(BadShopName)?.parse().map(Some)
    }

    /// Returns the shop's configuration file, if `config` is that of the host or of another shop.
    pub fn file(&self, config: &Path) -> PathBuf {
        directory_of_shops(config).join(format!("{self}.toml"))
    }

    /// Returns the unit that runs the shop's daemon.
    pub fn unit(&self) -> String {
        format!("orderfeed@{self}.service")
    }

    /// Returns the defaults that differ from those of a single shop.
    pub(crate) fn defaults(&self) -> [LayerEntry; 2] {
        let entry = |table: &str, key: &str, value: String| LayerEntry {
            path: vec![table.to_owned(), key.to_owned()],
            value: Scalar::Text(value),
            origin: Origin::Defaults,
        };
        [
            entry("store", "path", format!("{STATE}/{self}/orderfeed.db")),
            entry("admin", "listen", format!("unix:{RUNTIME}/{self}/admin.sock")),
        ]
    }
}

/// Returns the directory of the shops' files, if `config` is the configuration file of the host or of a shop.
pub fn directory_of_shops(config: &Path) -> PathBuf {
    match config.parent() {
        Some(parent) if is_directory_of_shops(Some(parent)) => parent.to_owned(),
        _ => config.with_file_name(DIRECTORY),
    }
}

fn is_directory_of_shops(directory: Option<&Path>) -> bool {
    directory
        .and_then(Path::file_name)
        .is_some_and(|name| name == DIRECTORY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_needs_no_quoting_and_leaves_no_directory() {
        for name in ["agency", "shop-1.example.com", "0", "A_b", &"x".repeat(48)] {
            assert_eq!(name.parse::<ShopName>().unwrap().to_string(), name);
        }
        for wrong in [
            "",
            ".",
            "..",
            ".hidden",
            "-x",
            "a/b",
            "a b",
            "a@b",
            "ö",
            "a\n",
            &"x".repeat(49),
        ] {
            assert_eq!(wrong.parse::<ShopName>(), Err(BadShopName), "{wrong:?}");
        }
    }

    #[test]
    fn a_file_in_the_directory_of_shops_belongs_to_a_shop() {
        let of = |path: &str| ShopName::of_file(Path::new(path));
        let name = |name: &str| Ok(Some(name.parse().unwrap()));
        assert_eq!(of("/etc/orderfeed/shops/agency.toml"), name("agency"));
        assert_eq!(of("/etc/orderfeed/orderfeed.toml"), Ok(None));
        assert_eq!(of("shops.toml"), Ok(None));
        for wrong in [
            "/etc/orderfeed/shops/a b.toml",
            "/x/shops/agency.conf",
            "/x/shops/.toml",
        ] {
            assert_eq!(of(wrong), Err(BadShopName), "{wrong}");
        }
    }

    #[test]
    fn shops_are_found_from_the_file_of_the_host_and_from_that_of_a_shop() {
        let agency: ShopName = "agency".parse().unwrap();
        for config in ["/etc/orderfeed/orderfeed.toml", "/etc/orderfeed/shops/other.toml"] {
            let file = agency.file(Path::new(config));
            assert_eq!(file, Path::new("/etc/orderfeed/shops/agency.toml"));
        }
        assert_eq!(agency.unit(), "orderfeed@agency.service");
    }

    #[test]
    fn the_directories_are_those_of_the_unit() {
        let unit = include_str!("../../systemd/orderfeed@.service");
        for line in [
            "StateDirectory=orderfeed/%i",
            "RuntimeDirectory=orderfeed-shops/%i",
        ] {
            assert!(unit.lines().any(|found| found == line), "{line}");
        }
        assert_eq!((STATE, RUNTIME), ("/var/lib/orderfeed", "/run/orderfeed-shops"));
        assert!(unit.contains("--config /etc/orderfeed/shops/%i.toml"));
    }
}
