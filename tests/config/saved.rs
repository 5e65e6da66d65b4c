//! The settings saved on the web pages as a layer: its place among the layers, what it may hold, and changes of it. The hash of
//! the admin password.

use std::fs;
use std::path::Path;

use orderfeed::config::{SettingChange, edit_settings};

use super::{GOOD, Site, warnings};

const SAVED: &str = "store/orderfeed.db.settings.toml";

/// Returns a site whose store is in a directory of its own, with these keys of `[admin]`.
fn site(admin: &str) -> Site {
    let site = Site::new(&format!(
        "{GOOD}[store]\npath = \"store/orderfeed.db\"\n[admin]\n{admin}\n"
    ));
    fs::create_dir(site.directory.path().join("store")).unwrap();
    site
}

fn edit(site: &Site, wanted: &[(&str, &str)]) -> Result<(Option<String>, Vec<SettingChange>), String> {
    let wanted: Vec<_> = wanted
        .iter()
        .map(|(key, value)| (key.to_string(), value.to_string()))
        .collect();
    let edited = edit_settings(&site.file(), [], &wanted).map_err(|errors| errors.to_string())?;
    Ok((edited.text, edited.changes))
}

#[test]
fn saved_settings_are_above_the_files_and_below_the_environment() {
    let site = site("edit_settings = true");
    site.write(
        "conf.d/10.toml",
        "[first_sync]\nwindow = \"6m\"\nhistory = \"1y\"\n",
    );
    site.write(SAVED, "[first_sync]\nwindow = \"7m\"\n");
    let loaded = site.good();
    assert_eq!(loaded.config.first_sync.window.to_string(), "7m");
    assert_eq!(loaded.config.first_sync.history.to_string(), "1y");
    assert!(loaded.files().ends_with(SAVED), "{}", loaded.files());
    let shown = loaded
        .settings
        .iter()
        .find(|shown| shown.name == "window")
        .unwrap();
    assert!(
        shown.origin.to_string().ends_with(&format!("{SAVED}:2")),
        "{shown:?}"
    );
    assert!(loaded.warnings.is_empty(), "{}", warnings(&loaded));
    let loaded = site.load(&[("ORDERFEED__FIRST_SYNC__WINDOW", "8m")]).unwrap();
    assert_eq!(loaded.config.first_sync.window.to_string(), "8m");
}

#[test]
fn saved_settings_are_read_only_if_the_administrator_allows_them() {
    let site = site("edit_settings = false");
    site.write(SAVED, "[first_sync]\nwindow = \"7m\"\n");
    let loaded = site.good();
    assert_eq!(loaded.config.first_sync.window.to_string(), "5m");
    assert!(warnings(&loaded).contains("admin.edit_settings is not true"));
    assert!(!loaded.files().contains(SAVED));
    // The file cannot allow itself.
    site.write(SAVED, "[admin]\nedit_settings = true\n");
    assert!(!site.good().config.admin.edit_settings);
}

#[test]
fn keys_that_cannot_be_saved_are_refused_in_the_file_as_well() {
    let site = site("edit_settings = true");
    for (text, key) in [
        ("[edge]\nurl = \"https://evil.example\"\n", "edge.url"),
        (
            "[services_connector.production]\nprivate_key_file = \"/etc/shadow\"\n",
            "private_key_file",
        ),
        (
            "[services_connector.production]\napi_key_file = \"/etc/shadow\"\n",
            "api_key_file",
        ),
    ] {
        site.write(SAVED, text);
        let message = site.load(&[]).unwrap_err();
        assert!(
            message.contains(key) && message.contains("cannot be saved on a web page"),
            "{message}"
        );
        assert!(message.contains(SAVED), "{message}");
    }
    site.write(SAVED, "[first_sync]\nwindow = 7\n");
    assert!(site.load(&[]).unwrap_err().contains("first_sync.window"));
}

#[test]
fn a_link_in_the_place_of_the_file_is_not_followed() {
    let site = site("edit_settings = true");
    let target = site.write("secret.toml", "[first_sync]\nwindow = \"7m\"\n");
    std::os::unix::fs::symlink(target, site.directory.path().join(SAVED)).unwrap();
    let message = site.load(&[]).unwrap_err();
    assert!(
        message.contains("cannot be read") && message.contains(SAVED),
        "{message}"
    );
}

#[test]
fn only_changes_are_saved() {
    let site = site("edit_settings = true");
    let unchanged = [
        ("first_sync.window", "5m"),
        ("websites.base.back_office_events", "true"),
        ("websites.base.storefront_events", ""),
        ("web_sdk.name", ""),
    ];
    assert_eq!(edit(&site, &unchanged).unwrap(), (None, Vec::new()));
    let (text, changes) = edit(&site, &[("first_sync.window", "7m"), ("web_sdk.name", "")]).unwrap();
    assert_eq!(
        changes,
        [SettingChange {
            key: "first_sync.window".to_owned(),
            from: "5m".to_owned(),
            to: "7m".to_owned(),
        }]
    );
    site.write(SAVED, text.unwrap());
    // The next change keeps the first one.
    let sdk = [
        ("web_sdk.name", "alloy"),
        (
            "websites.base.web_sdk_datastream_id",
            "d0b6f1a2-5c3e-4a7b-9e8d-1f2a3b4c5d6e",
        ),
    ];
    let (text, _) = edit(&site, &sdk).unwrap();
    site.write(SAVED, text.unwrap());
    let config = site.good().config;
    assert_eq!(config.first_sync.window.to_string(), "7m");
    assert_eq!(config.web_sdk.name.as_deref(), Some("alloy"));
    // A key that a file sets is unset by an empty value; one that was saved alone is removed.
    let (text, _) = edit(&site, &[("websites.base.datastream_id", "")]).unwrap();
    assert!(text.unwrap().contains("datastream_id = \"\""));
    let back = [
        ("web_sdk.name", ""),
        ("websites.base.web_sdk_datastream_id", ""),
        ("first_sync.window", "5m"),
    ];
    assert_eq!(edit(&site, &back).unwrap().0, None);
}

#[test]
fn a_change_that_makes_the_configuration_invalid_is_refused_with_its_key() {
    let site = site("edit_settings = true");
    for (wanted, expected) in [
        ([("web_sdk.name", "alloy")], "websites.base.web_sdk_datastream_id"),
        (
            [("websites.base.datastream_id", "")],
            "websites.base.datastream_id",
        ),
        ([("first_sync.window", "0s")], "first_sync.window"),
        ([("websites.b.b.datastream_id", "")], "websites.b.b.datastream_id"),
        ([("", "x")], "cannot be saved"),
    ] {
        let message = edit(&site, &wanted).unwrap_err();
        assert!(message.contains(expected), "{wanted:?}: {message}");
    }
    assert!(!Path::new(&site.directory.path().join(SAVED)).exists());
}

#[test]
fn the_hash_of_the_password_is_a_file_or_a_credential() {
    let site = site("");
    let beside = site.directory.path().join("store/orderfeed.db.password");
    assert_eq!(site.good().config.admin_password_file(), beside);
    let credential = site.write("credentials/admin_password", "$argon2id$");
    let directory = credential.parent().unwrap().to_str().unwrap().to_owned();
    let env = [("CREDENTIALS_DIRECTORY", directory.as_str())];
    assert_eq!(site.load(&env).unwrap().config.admin_password_file(), credential);
    site.write("conf.d/10.toml", "[admin]\npassword_file = \"other\"\n");
    let message = site.load(&env).unwrap_err();
    assert!(
        message.contains("admin.password_file") && message.contains("keep one"),
        "{message}"
    );
    let other = site.directory.path().join("other");
    assert_eq!(site.good().config.admin_password_file(), other);
    fs::write(&other, "$argon2id$").unwrap();
    fs::set_permissions(&other, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    assert!(warnings(&site.good()).contains("readable by every user"));
    site.write(
        "conf.d/10.toml",
        "[admin]\npassword_file = \"store/orderfeed.db-wal\"\n",
    );
    assert!(site.load(&[]).unwrap_err().contains("is a file of the store"));
}
