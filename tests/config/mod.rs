//! A configuration is either usable, or the message states the key, its place and the remedy, and never shows a
//! secret.

mod broken;
mod layers;
mod saved;
mod secrets;
mod websites;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use orderfeed::config::{LoadedConfig, load};
use tempfile::TempDir;

/// Value of every secret in these tests. No message may contain it.
const SECRET: &str = "hunter2-do-not-print";

/// A complete configuration, of which each test breaks one part. Line numbers below refer to this text.
const GOOD: &str = r#"[services_connector]
organization_id = "53A16ACB5CC1D3760A495C99@AdobeOrg"
environment = "production"
[services_connector.production]
data_space_id = "2a7d1c34-8f10-4be3-9d2f-0c5b7f6a1e90"
[edge]
auth = "oauth"
[edge.oauth]
client_id = "client"
client_secret = "hunter2-do-not-print"
[source.mysql]
url = "mysql://orderfeed@127.0.0.1:3306/magento"
[websites.base]
datastream_id = "ebebf826-a01f-4458-8cec-ef61de241c93"
back_office_events = true
"#;

/// A directory with a configuration.
struct Site {
    directory: TempDir,
}

impl Site {
    fn new(text: &str) -> Self {
        let site = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        site.write("orderfeed.toml", text);
        site
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("orderfeed.toml")
    }

    fn load(&self, env: &[(&str, &str)]) -> Result<LoadedConfig, String> {
        let env = env
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()));
        load(&self.file(), env).map_err(|errors| errors.to_string())
    }

    fn good(&self) -> LoadedConfig {
        self.load(&[]).unwrap()
    }
}

fn warnings(loaded: &LoadedConfig) -> String {
    loaded
        .warnings
        .iter()
        .map(|warning| format!("{warning}\n"))
        .collect()
}

#[test]
fn each_broken_configuration_is_reported_with_key_place_and_remedy() {
    assert!(broken::TABLE.len() >= 35);
    for case in broken::TABLE {
        assert!(GOOD.contains(case.replace), "{}", case.replace);
        let text = match case.replace {
            "" => format!("{GOOD}{}", case.with),
            replace => GOOD.replacen(replace, case.with, 1),
        };
        let site = Site::new(&text);
        let message = site.load(&[]).map(|_| ()).expect_err(case.with);
        let line = message.lines().find(|line| line.contains(case.expected[0]));
        let line = line.unwrap_or_else(|| panic!("{:?} is not in:\n{message}", case.expected[0]));
        assert!(
            line.starts_with(site.directory.path().to_str().unwrap()) || line.starts_with("defaults"),
            "{line}"
        );
        for text in case.expected {
            assert!(line.contains(text), "{text:?} is not in:\n{line}");
        }
        assert!(!message.contains(SECRET), "{message}");
        assert_eq!(
            message.lines().count(),
            1,
            "one thing is wrong, one is reported:\n{message}"
        );
    }
}

#[test]
fn the_environment_follows_the_same_rules_and_is_named_in_errors() {
    let table: &[(&str, &str, &[&str])] = &[
        (
            "ORDERFEED__TYPO__X",
            SECRET,
            &["typo.x: is not a known key; expected one of services_connector"],
        ),
        (
            "ORDERFEED__DELIVERY__LANE",
            "3",
            &["delivery.lane: ", "did you mean delivery.lanes?"],
        ),
        (
            "ORDERFEED__DELIVERY__LANES",
            "1.9",
            &["delivery.lanes: \"1.9\" is not a whole number from 1 to 1024"],
        ),
        (
            "ORDERFEED__WEBSITES__BASE__BACK_OFFICE_EVENTS",
            "yes",
            &["\"yes\" is not true or false"],
        ),
        (
            "ORDERFEED__WEBSITES__BASE__DATASTREAM_ID",
            "abc",
            &["websites.base.datastream_id: \"abc\""],
        ),
        (
            "ORDERFEED__EDGE__OAUTH__CLIENT_SECRET_FILE",
            "/nowhere",
            &["is given more than once", ":10)"],
        ),
        ("ORDERFEED__EDGE", "x", &["edge: is a table", "edge.url"]),
        ("ORDERFEED__", "x", &["is not a known key"]),
    ];
    for (name, value, expected) in table {
        let message = Site::new(GOOD)
            .load(&[(name, value)])
            .map(|_| ())
            .expect_err(name);
        let place = if name.ends_with("_FILE") {
            "orderfeed.toml:10: ".to_owned()
        } else {
            format!("env {name}: ")
        };
        for text in [place.as_str()].iter().chain(*expected) {
            assert!(message.contains(text), "{text:?} is not in:\n{message}");
        }
        assert!(!message.contains(SECRET), "{message}");
    }
}

#[test]
fn all_problems_are_reported_at_once_in_at_most_a_dozen_lines() {
    let site = Site::new("[delivery]\nlanes = 0\n[log]\nlevl = 1\n");
    let message = site.load(&[]).unwrap_err();
    for key in [
        "delivery.lanes",
        "log.levl",
        "services_connector.organization_id",
        "websites: is not set",
    ] {
        assert!(message.contains(key), "{key} is not in:\n{message}");
    }
    let many: String = (0..40).map(|n| format!("key{n} = 1\n")).collect();
    let message = Site::new(&many).load(&[]).unwrap_err();
    assert_eq!(message.lines().count(), 12);
    assert!(message.lines().last().unwrap().contains("more"), "{message}");
}

#[test]
fn the_error_of_a_missing_file_explains_how_to_name_another() {
    let site = Site::new(GOOD);
    fs::remove_file(site.file()).unwrap();
    let message = site.load(&[]).unwrap_err();
    assert!(
        message.contains("orderfeed.toml: cannot be read: No such file"),
        "{message}"
    );
    assert!(message.contains("--config"), "{message}");
    site.write("orderfeed.toml", b"[log]\nlevel = \"\xff\"\n");
    assert!(
        site.load(&[])
            .unwrap_err()
            .contains("orderfeed.toml:2: is not UTF-8")
    );
}

#[test]
fn every_shipped_sample_loads() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    for sample in ["demo.toml", "trial.toml"] {
        let loaded = load(&shipped.join(sample), []).unwrap();
        assert_eq!(loaded.config.websites.len(), 1, "{sample}");
    }
    let messages = load(&shipped.join("orderfeed.toml"), []).unwrap_err();
    let missing = messages
        .0
        .iter()
        .all(|problem| problem.message.starts_with("is not set"));
    assert!(
        missing,
        "as shipped, only what has no default is missing:\n{messages}"
    );
    assert_eq!(messages.0.len(), 6, "{messages}");
}

#[test]
fn the_shipped_file_loads_as_soon_as_its_samples_are_uncommented() {
    let text = include_str!("../../config/orderfeed.toml");
    let keys = [
        "organization_id",
        "data_space_id",
        "client_id",
        "url = \"mysql",
        "[websites",
        "datastream_id",
        "back_",
    ];
    let lines = text.lines().map(|line| match line.strip_prefix("# ") {
        Some(rest) if keys.iter().any(|key| rest.starts_with(key)) && rest.contains(['=', '[']) => rest,
        _ => line,
    });
    let site = Site::new(&lines.collect::<Vec<_>>().join("\n"));
    let loaded = site
        .load(&[("ORDERFEED__EDGE__OAUTH__CLIENT_SECRET", SECRET)])
        .unwrap();
    assert!(loaded.config.sending_website("base").is_some());
    assert!(loaded.warnings.is_empty(), "{}", warnings(&loaded));
}

proptest::proptest! {
    /// A file cut or garbled in an editor must be reported and not cause a panic.
    #[test]
    fn a_garbled_file_is_refused_or_loaded_in_at_most_a_dozen_lines(at in 0..600usize, cut in 0..60usize, put in "[ -~\\n]{0,8}") {
        let at = at.min(GOOD.len());
        let end = (at + cut).min(GOOD.len());
        let text = format!("{}{put}{}", &GOOD[..at], &GOOD[end..]);
        if let Err(message) = Site::new(&text).load(&[]) {
            proptest::prop_assert!((1..=12).contains(&message.lines().count()), "{message}");
        }
    }
}
