//! Secrets are accepted from every documented place and never printed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use secrecy::ExposeSecret;

use super::{GOOD, SECRET, Site, warnings};

#[test]
fn a_secret_comes_from_a_file_or_a_credential_without_its_line_end() {
    let without = GOOD.replace(
        "client_secret = \"hunter2-do-not-print\"",
        "client_secret_file = \"secret\"",
    );
    let site = Site::new(&without);
    site.write("secret", format!("{SECRET}\r\n"));
    let credential = site.write("credentials/source.mysql.password", format!("{SECRET}\n"));
    let directory = credential.parent().unwrap().to_str().unwrap();
    let loaded = site.load(&[("CREDENTIALS_DIRECTORY", directory)]).unwrap();
    assert_eq!(loaded.config.edge.oauth.client_secret.expose_secret(), SECRET);
    assert_eq!(
        loaded
            .config
            .source
            .mysql
            .password
            .as_ref()
            .unwrap()
            .expose_secret(),
        SECRET
    );
    assert!(!format!("{loaded:?}").contains(SECRET));

    site.write("credentials/client_secret", SECRET);
    let message = site.load(&[("CREDENTIALS_DIRECTORY", directory)]).unwrap_err();
    assert!(
        message.contains("more than once") && message.contains("systemd credential /"),
        "{message}"
    );
}

#[test]
fn an_unusable_secret_file_is_reported_with_the_remedy() {
    let with_file = GOOD.replace(
        "client_secret = \"hunter2-do-not-print\"",
        "client_secret_file = \"secret\"",
    );
    let site = Site::new(&with_file);
    for (content, expected) in [("\n", "is empty"), ("a\nb\n", "holds more than one line")] {
        site.write("secret", content);
        let message = site.load(&[]).unwrap_err();
        assert!(
            message.contains(":10: edge.oauth.client_secret_file: ") && message.contains(expected),
            "{message}"
        );
    }
    fs::remove_file(site.directory.path().join("secret")).unwrap();
    fs::create_dir(site.directory.path().join("secret")).unwrap();
    let message = site.load(&[]).unwrap_err();
    assert!(message.contains("cannot be read: Is a directory"), "{message}");
}

#[test]
fn files_that_others_may_read_or_write_are_warned_of() {
    let site = Site::new(GOOD);
    fs::set_permissions(site.file(), fs::Permissions::from_mode(0o664)).unwrap();
    let text = warnings(&site.good());
    assert!(
        text.contains("can be written by other users") && text.contains("holds a secret"),
        "{text}"
    );
    assert!(!text.contains(SECRET));

    let site = Site::new(&GOOD.replace(
        "client_secret = \"hunter2-do-not-print\"",
        "client_secret_file = \"secret\"",
    ));
    let secret = site.write("secret", SECRET);
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).unwrap();
    let text = warnings(&site.good());
    assert!(
        text.contains(":10: edge.oauth.client_secret_file: ") && text.contains("chmod 0600"),
        "{text}"
    );
}

#[test]
fn whatever_others_can_change_is_warned_of() {
    let with_files = GOOD
        .replace(
            "client_secret = \"hunter2-do-not-print\"",
            "client_secret_file = \"secret\"",
        )
        .replace("[edge]\n", "[edge]\nca_file = \"ca.pem\"\n");
    let site = Site::new(&with_files);
    let files = [
        site.write("secret", SECRET),
        site.write("ca.pem", "-----BEGIN CERTIFICATE-----\n"),
        site.write("conf.d/site.toml", ""),
        site.directory.path().join("conf.d"),
    ];
    for path in &files {
        let narrow = if path.is_dir() { 0o755 } else { 0o600 };
        fs::set_permissions(path, fs::Permissions::from_mode(narrow)).unwrap();
    }
    assert_eq!(warnings(&site.good()), "");
    for path in &files {
        let before = fs::metadata(path).unwrap().permissions();
        fs::set_permissions(path, fs::Permissions::from_mode(before.mode() | 0o020)).unwrap();
        let text = warnings(&site.good());
        let name = path.display().to_string();
        assert!(
            text.contains(&name) && text.contains("can be written by other users"),
            "{text}"
        );
        fs::set_permissions(path, before).unwrap();
        // Only root can give a file away.
        if std::os::unix::fs::chown(path, Some(54_321), None).is_ok() {
            let text = warnings(&site.good());
            assert!(
                text.contains(&name) && text.contains("belongs to user 54321"),
                "{text}"
            );
            std::os::unix::fs::chown(path, Some(0), None).unwrap();
        }
    }
}

#[test]
fn a_mysql_url_is_taken_apart_and_its_password_never_shown() {
    let url = "mysql://order%40feed:hunter2-do-not-print@db.example/mage?socket=/run/mysqld/mysqld.sock";
    let loaded = Site::new(&GOOD.replace("mysql://orderfeed@127.0.0.1:3306/magento", url)).good();
    let mysql = &loaded.config.source.mysql;
    assert_eq!(
        (mysql.url.host.as_str(), mysql.url.port, mysql.url.user.as_str()),
        ("db.example", 3306, "order@feed")
    );
    assert_eq!(mysql.url.database, "mage");
    assert_eq!(
        mysql.url.socket.as_deref(),
        Some(Path::new("/run/mysqld/mysqld.sock"))
    );
    assert_eq!(mysql.password.as_ref().unwrap().expose_secret(), SECRET);
    assert!(!format!("{:?}", loaded.settings).contains(SECRET));
    assert!(!format!("{:#?}", loaded.config).contains(SECRET));
}
