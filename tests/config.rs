//! Promise: a configuration is either usable, or the message says which key, where, and what would be right, and
//! never shows a secret.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use orderfeed::config::{AdminListen, History, HumanDuration, Loaded, SourceKind, load};
use secrecy::ExposeSecret;
use tempfile::TempDir;

/// What every secret in these tests holds; no message may.
const SECRET: &str = "hunter2-do-not-print";

/// A configuration that is complete; each test breaks one thing. Line numbers below count in this text.
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

    fn load(&self, env: &[(&str, &str)]) -> Result<Loaded, String> {
        let env = env
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()));
        load(&self.file(), env).map_err(|errors| errors.to_string())
    }

    fn good(&self) -> Loaded {
        self.load(&[]).unwrap()
    }
}

fn warnings(loaded: &Loaded) -> String {
    loaded
        .warnings
        .iter()
        .map(|warning| format!("{warning}\n"))
        .collect()
}

/// What is changed in [`GOOD`], and what the message must hold: `:line: key: ` and the remedy.
struct Broken {
    replace: &'static str,
    with: &'static str,
    says: &'static [&'static str],
}

const fn broken(replace: &'static str, with: &'static str, says: &'static [&'static str]) -> Broken {
    Broken { replace, with, says }
}

/// Appends to [`GOOD`], whose last line is 15.
const fn appended(with: &'static str, says: &'static [&'static str]) -> Broken {
    broken("", with, says)
}

const TABLE: &[Broken] = &[
    broken(
        "53A16ACB5CC1D3760A495C99@AdobeOrg",
        "53A16ACB@AdobeOrg",
        &[
            ":2: services_connector.organization_id: \"53A16ACB@AdobeOrg\"",
            "24 letters or digits",
        ],
    ),
    broken(
        "organization_id = \"53A16ACB5CC1D3760A495C99@AdobeOrg\"",
        "",
        &[":1: services_connector.organization_id: is not set", "@AdobeOrg"],
    ),
    broken(
        "53A16ACB5CC1D3760A495C99@AdobeOrg",
        "",
        &[":2: services_connector.organization_id: is not set", "@AdobeOrg"],
    ),
    broken(
        "\"production\"",
        "\"staging\"",
        &[
            ":3: services_connector.environment: \"staging\"",
            "\"production\" or \"sandbox\"",
        ],
    ),
    broken(
        "environment = \"production\"",
        "environment = \"sandbox\"",
        &[
            "services_connector.sandbox.data_space_id: is not set",
            "[services_connector.sandbox]",
            "UUID",
        ],
    ),
    broken(
        "2a7d1c34-8f10-4be3-9d2f-0c5b7f6a1e90",
        "2a7d1c34",
        &[
            ":5: services_connector.production.data_space_id: \"2a7d1c34\" is not a UUID",
            "such as",
        ],
    ),
    broken(
        "[edge]\n",
        "[edge]\nurl = \"http://edge.example\"\n",
        &[":7: edge.url: \"http://edge.example\"", "http only to loopback"],
    ),
    broken(
        "[edge]\n",
        "[edge]\nurl = \"https://server.adobedc.net/ee/v2/collect\"\n",
        &[":7: edge.url: holds a path", "scheme, host and port only"],
    ),
    broken(
        "[edge]\n",
        "[edge]\nurl = \"server\"\n",
        &[":7: edge.url: \"server\" is not a url", "https://"],
    ),
    broken(
        "[edge]\n",
        "[edge]\nurl = \"https://me:hunter2-do-not-print@edge.example\"\n",
        &[":7: edge.url: ", "holds credentials", "[edge.oauth]"],
    ),
    broken(
        "auth = \"oauth\"",
        "auth = \"basic\"",
        &[":7: edge.auth: \"basic\"", "\"oauth\" or \"none\""],
    ),
    broken(
        "client_id = \"client\"",
        "",
        &[":8: edge.oauth.client_id: is not set", "edge.auth = \"oauth\""],
    ),
    broken(
        "client_secret = \"hunter2-do-not-print\"",
        "",
        &[":8: edge.oauth.client_secret: is not set", "client_secret_file"],
    ),
    broken(
        "client_secret = \"hunter2-do-not-print\"",
        "client_secret_file = \"nowhere\"",
        &[
            ":10: edge.oauth.client_secret_file: /",
            "nowhere cannot be read: No such file",
            "create it",
        ],
    ),
    broken(
        "client_id = \"client\"",
        "client_id = \"client\"\nclient_secret_file = \"nowhere\"",
        &[
            ":11: edge.oauth.client_secret: is given more than once",
            ":10)",
            "keep one",
        ],
    ),
    broken(
        "client_secret = \"hunter2-do-not-print\"",
        "client_secrt = \"hunter2-do-not-print\"",
        &[
            ":10: edge.oauth.client_secrt: is not a known key",
            "did you mean edge.oauth.client_secret",
        ],
    ),
    broken(
        "client_secret = \"hunter2-do-not-print\"",
        "client_secret = [\"hunter2-do-not-print\"]",
        &[":10: edge.oauth.client_secret: is of type array; expected text in quotes"],
    ),
    broken(
        "client_secret = \"hunter2-do-not-print\"",
        "client_secret = \"hunter2-do-not-print",
        &[":10: is not TOML at column"],
    ),
    broken(
        "mysql://orderfeed@127.0.0.1:3306/magento",
        "mysql://orderfeed:hunter2-do-not-print@127.0.0.1:3306",
        &[
            ":12: source.mysql.url: names no database",
            "mysql://USER@HOST:PORT/DATABASE",
        ],
    ),
    broken(
        "mysql://orderfeed@127.0.0.1:3306/magento",
        "orderfeed:hunter2-do-not-print@127.0.0.1/magento",
        &[":12: source.mysql.url: ", "mysql://USER@HOST:PORT/DATABASE"],
    ),
    broken(
        "mysql://orderfeed@127.0.0.1:3306/magento",
        "mysql://orderfeed@db/magento?ssl-mode=required",
        &[
            ":12: source.mysql.url: holds the parameter \"ssl-mode\"",
            "source.mysql.tls",
        ],
    ),
    broken(
        "url = \"mysql://orderfeed@127.0.0.1:3306/magento\"",
        "",
        &[
            ":11: source.mysql.url: is not set",
            "mysql://USER@HOST:PORT/DATABASE",
        ],
    ),
    broken(
        "[source.mysql]",
        "[source]\nkind = \"rest\"\n[source.mysql]",
        &[
            ":12: source.kind: \"rest\" is reserved and not yet supported",
            "\"mysql\" or \"sqlite\"",
        ],
    ),
    broken(
        "[source.mysql]",
        "[source.mysql]\ntable_prefix = \"m2`; drop\"",
        &[
            ":12: source.mysql.table_prefix: \"m2`; drop\"",
            "letters, digits and underscores",
        ],
    ),
    broken(
        "[source.mysql]",
        "[source.mysql]\npoll_interval = \"2\"",
        &[
            ":12: source.mysql.poll_interval: \"2\" is not a duration",
            "\"5m\"",
        ],
    ),
    broken(
        "[source.mysql]",
        "[source.mysql]\npoll_interval = 2",
        &[
            ":12: source.mysql.poll_interval: 2 is of type integer",
            "a duration in quotes",
        ],
    ),
    broken(
        "[source.mysql]",
        "[source.mysql]\npoll_interval = \"2h\"",
        &[
            ":12: source.mysql.poll_interval: \"2h\" is out of range",
            "\"10ms\" to \"1h\"",
        ],
    ),
    broken(
        "[source.mysql]",
        "[source.mysql]\npassword = \"hunter2-do-not-print\"\npassword_file = \"x\"",
        &[":12: source.mysql.password: is given more than once", "keep one"],
    ),
    broken(
        "[source.mysql]",
        "[source.mysql.tls]\nmode = \"disabled\"\nca_file = \"ca.pem\"\n[source.mysql]",
        &[
            ":13: source.mysql.tls.ca_file: is given although",
            "set \"required\"",
        ],
    ),
    broken(
        "ebebf826-a01f-4458-8cec-ef61de241c93",
        "abc",
        &[
            ":14: websites.base.datastream_id: \"abc\" is not a datastream id; expected a UUID such as",
            "\":stage\"",
        ],
    ),
    broken(
        "datastream_id = \"ebebf826-a01f-4458-8cec-ef61de241c93\"",
        "",
        &[
            ":13: websites.base.datastream_id: is not set",
            "back_office_events = true needs one",
        ],
    ),
    broken(
        "back_office_events = true",
        "back_office_events = \"yes\"",
        &[":15: websites.base.back_office_events: \"yes\" is of type string; expected true or false"],
    ),
    broken(
        "[websites.base]\ndatastream_id = \"ebebf826-a01f-4458-8cec-ef61de241c93\"\nback_office_events = true",
        "[websites]\ndatastream_id = \"ebebf826-a01f-4458-8cec-ef61de241c93\"",
        &[
            ":14: websites.datastream_id: is not a known key",
            "such as [websites.base]",
        ],
    ),
    broken(
        "[websites.base]",
        "[websites.9base]",
        &[
            ":13: websites.9base: \"9base\" is not a website code",
            "a letter, then",
        ],
    ),
    broken(
        "[websites.base]",
        "[websites.Base]\nback_office_events = false\n[websites.base]",
        &["websites.base: differs from websites.Base in case only"],
    ),
    broken(
        "[websites.base]",
        "[web_sdk]\nname = \"alloy\"\n[websites.base]",
        &[
            "websites.base.web_sdk_datastream_id: is not set",
            "web_sdk.name names",
        ],
    ),
    broken(
        "[websites.base]\ndatastream_id = \"ebebf826-a01f-4458-8cec-ef61de241c93\"\nback_office_events = true\n",
        "",
        &["orderfeed.toml: websites: is not set", "[websites.base]"],
    ),
    broken(
        "datastream_id = \"ebebf826-a01f-4458-8cec-ef61de241c93\"\nback_office_events = true",
        "storefront_events = true",
        &[
            ":13: websites.base.datastream_id: is not set",
            "storefront_events = true needs one",
        ],
    ),
    appended(
        "[delivry]\nlanes = 3\n",
        &[":16: delivry: is not a known table; did you mean delivery?"],
    ),
    appended(
        "[delivery]\nmax_batch_byte = 3\n",
        &[":17: delivery.max_batch_byte: is not a known key; did you mean delivery.max_batch_bytes?"],
    ),
    appended(
        "[delivery]\nmax_batch_bytes = 70000\n",
        &[
            ":17: delivery.max_batch_bytes: 70000 is out of range",
            "from 1 to 65536",
        ],
    ),
    appended(
        "[delivery]\nlanes = 1.9\n",
        &[":17: delivery.lanes: 1.9 is of type float", "a whole number"],
    ),
    appended(
        "[delivery]\nlanes = \"32\"\n",
        &[":17: delivery.lanes: \"32\" is of type string", "a whole number"],
    ),
    appended(
        "[delivery.lanes]\nx = 1\n",
        &[":16: delivery.lanes: is of type table; expected a whole number"],
    ),
    appended(
        "delivery = 3\n",
        &[":16: websites.base.delivery: is not a known key", "datastream_id"],
    ),
    appended(
        "[delivery.retry]\ninitial = \"10m\"\n",
        &[
            "delivery.retry.max: \"5m\" is shorter than delivery.retry.initial",
            "at least \"10m\"",
        ],
    ),
    appended(
        "[delivery]\ntimeout = \"2s\"\n",
        &[
            ":17: delivery.timeout: \"2s\" is shorter than delivery.connect_timeout",
            "at least \"5s\"",
        ],
    ),
    appended(
        "[cron]\nresend_failed_items = \"every five minutes\"\n",
        &[
            ":17: cron.resend_failed_items: ",
            "has 3 fields; expected 5 fields",
        ],
    ),
    appended(
        "[cron]\nresend_failed_items = \"61 * * * *\"\n",
        &[
            ":17: cron.resend_failed_items: \"61 * * * *\" is not a cron expression",
            "or 6 with seconds first",
        ],
    ),
    appended(
        "[cron]\ncleanup_delivered_events = \"0 2 31 2 *\"\n",
        &[
            ":17: cron.cleanup_delivered_events: \"0 2 31 2 *\" never fires",
            "a day that exists",
        ],
    ),
    appended(
        "[cron]\ntime_zone = \"Berlin\"\n",
        &[
            ":17: cron.time_zone: \"Berlin\" is not a time zone",
            "did you mean \"Europe/Berlin\"?",
        ],
    ),
    appended(
        "[index]\nmode = \"save\"\n",
        &[":17: index.mode: \"save\"", "\"schedule\" or \"realtime\""],
    ),
    appended(
        "[first_sync]\nhistory = \"ever\"\n",
        &[":17: first_sync.history: \"ever\"", "\"all\" or \"none\""],
    ),
    appended(
        "[first_sync]\nhistory = \"0s\"\n",
        &[":17: first_sync.history: ", "\"none\""],
    ),
    appended(
        "[privacy]\nguest_namespace = \"Email_LC_SHA256\"\n",
        &[
            ":17: privacy.guest_namespace: \"Email_LC_SHA256\" is a namespace of persons",
            "custom identity",
        ],
    ),
    appended(
        "[events.names]\nplaced = \"commerce.backofficeOrderInvoiced\"\n",
        &[
            "events.names.invoiced: \"commerce.backofficeOrderInvoiced\" is also events.names.placed",
            "of its own",
        ],
    ),
    appended(
        "[store]\ndisk_reserve = \"1GB\"\n",
        &[":17: store.disk_reserve: \"1GB\" is not a size", "\"2GiB\""],
    ),
    appended(
        "[log]\nlevel = \"verbose\"\n",
        &[":17: log.level: \"verbose\" is not a log level", "info, debug"],
    ),
    appended(
        "[admin]\nlisten = \"0.0.0.0:9187\"\n",
        &[
            ":17: admin.listen: \"0.0.0.0:9187\" is reachable from other machines",
            "127.0.0.1:9187",
        ],
    ),
    appended(
        "[admin]\nlisten = \"unix:admin.sock\"\n",
        &[":17: admin.listen: ", "\"unix:/run/orderfeed/admin.sock\""],
    ),
    appended("[edge]\nurl = \"x\"\n", &[":16: is not TOML", "duplicate"]),
];

#[test]
fn each_broken_configuration_is_told_by_key_place_and_remedy() {
    assert!(TABLE.len() >= 35);
    for case in TABLE {
        assert!(GOOD.contains(case.replace), "{}", case.replace);
        let text = match case.replace {
            "" => format!("{GOOD}{}", case.with),
            replace => GOOD.replacen(replace, case.with, 1),
        };
        let site = Site::new(&text);
        let message = site.load(&[]).map(|_| ()).expect_err(case.with);
        let line = message.lines().find(|line| line.contains(case.says[0]));
        let line = line.unwrap_or_else(|| panic!("{:?} is not in:\n{message}", case.says[0]));
        assert!(
            line.starts_with(site.directory.path().to_str().unwrap()) || line.starts_with("defaults"),
            "{line}"
        );
        for said in case.says {
            assert!(line.contains(said), "{said:?} is not in:\n{line}");
        }
        assert!(!message.contains(SECRET), "{message}");
        assert_eq!(
            message.lines().count(),
            1,
            "one thing is wrong, one is said:\n{message}"
        );
    }
}

#[test]
fn the_environment_is_held_to_the_same_rules_and_named() {
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
    for (name, value, says) in table {
        let message = Site::new(GOOD)
            .load(&[(name, value)])
            .map(|_| ())
            .expect_err(name);
        let place = if name.ends_with("_FILE") {
            "orderfeed.toml:10: ".to_owned()
        } else {
            format!("env {name}: ")
        };
        for said in [place.as_str()].iter().chain(*says) {
            assert!(message.contains(said), "{said:?} is not in:\n{message}");
        }
        assert!(!message.contains(SECRET), "{message}");
    }
}

#[test]
fn everything_that_is_wrong_is_said_at_once_in_at_most_a_dozen_lines() {
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
fn a_missing_file_says_how_to_name_another() {
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
fn later_layers_win_key_by_key_and_each_value_knows_its_origin() {
    let site = Site::new(&format!("{GOOD}[delivery]\nlanes = 1\nmax_batch_events = 1\n"));
    site.write(
        "conf.d/20-more.toml",
        "[delivery]\nlanes = 3\nmax_batch_events = 3\n",
    );
    site.write(
        "conf.d/10-some.toml",
        "[delivery]\nlanes = 2\n[store]\nbody_retention = \"1d\"\n",
    );
    site.write("conf.d/ignored.toml~", "nonsense");
    let loaded = site
        .load(&[("ORDERFEED__DELIVERY__LANES", "4"), ("ORDERFEED_CONFIG", "/x")])
        .unwrap();
    let delivery = &loaded.config.delivery;
    assert_eq!(
        (
            delivery.lanes,
            delivery.max_batch_events,
            delivery.max_batch_bytes
        ),
        (4, 3, 60_000)
    );
    assert_eq!(
        loaded.config.store.body_retention,
        HumanDuration::from_secs(86_400)
    );
    assert_eq!(loaded.sources.len(), 3);
    let origin = |table: &str, name: &str| {
        let found = loaded
            .settings
            .iter()
            .find(|shown| shown.table == table && shown.name == name);
        found.unwrap().origin.to_string()
    };
    assert_eq!(origin("delivery", "lanes"), "env ORDERFEED__DELIVERY__LANES");
    assert!(origin("delivery", "max_batch_events").ends_with("conf.d/20-more.toml:3"));
    assert!(origin("websites.base", "datastream_id").ends_with("orderfeed.toml:14"));
    assert_eq!(origin("delivery", "max_batch_bytes"), "defaults");
    assert!(loaded.warnings.is_empty(), "{}", warnings(&loaded));
}

#[test]
fn an_empty_text_means_unset_in_every_layer() {
    let site = Site::new(&format!(
        "{GOOD}[log]\nlevel = \"debug\"\n[web_sdk]\nname = \"\"\n"
    ));
    let loaded = site
        .load(&[("ORDERFEED__LOG__LEVEL", ""), ("ORDERFEED__DELIVERY__LANES", "")])
        .unwrap();
    assert_eq!(loaded.config.log.level, "info");
    assert_eq!(loaded.config.delivery.lanes, 32);
    assert_eq!(loaded.config.web_sdk.name, None);
}

#[test]
fn numbers_and_bools_in_secrets_stay_text() {
    let without = GOOD.replace("client_secret = \"hunter2-do-not-print\"", "");
    let env = [
        ("ORDERFEED__EDGE__OAUTH__CLIENT_SECRET", "0123"),
        ("ORDERFEED__SOURCE__MYSQL__PASSWORD", "true"),
    ];
    let loaded = Site::new(&without).load(&env).unwrap();
    assert_eq!(loaded.config.edge.oauth.client_secret.expose_secret(), "0123");
    assert_eq!(
        loaded.config.source.mysql.password.unwrap().expose_secret(),
        "true"
    );
}

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
fn a_secret_file_that_cannot_serve_is_named_with_the_remedy() {
    let with_file = GOOD.replace(
        "client_secret = \"hunter2-do-not-print\"",
        "client_secret_file = \"secret\"",
    );
    let site = Site::new(&with_file);
    for (content, says) in [("\n", "is empty"), ("a\nb\n", "holds more than one line")] {
        site.write("secret", content);
        let message = site.load(&[]).unwrap_err();
        assert!(
            message.contains(":10: edge.oauth.client_secret_file: ") && message.contains(says),
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
    let said = warnings(&site.good());
    assert!(
        said.contains("can be written by other users") && said.contains("holds a secret"),
        "{said}"
    );
    assert!(!said.contains(SECRET));

    let site = Site::new(&GOOD.replace(
        "client_secret = \"hunter2-do-not-print\"",
        "client_secret_file = \"secret\"",
    ));
    let secret = site.write("secret", SECRET);
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).unwrap();
    let said = warnings(&site.good());
    assert!(
        said.contains(":10: edge.oauth.client_secret_file: ") && said.contains("chmod 0600"),
        "{said}"
    );
}

#[test]
fn the_web_sdk_datastream_wins_and_says_so() {
    let own = "ebebf826-a01f-4458-8cec-ef61de241c93";
    let sdk = "d0b6f1a2-5c3e-4a7b-9e8d-1f2a3b4c5d6e";
    let with_sdk = format!("{GOOD}web_sdk_datastream_id = \"{sdk}:stage\"\n");
    let loaded = Site::new(&with_sdk).good();
    assert_eq!(
        loaded.config.websites["base"]
            .datastream
            .as_ref()
            .unwrap()
            .to_string(),
        own
    );
    assert!(warnings(&loaded).contains("web_sdk_datastream_id: is ignored, because web_sdk.name is not set"));

    let loaded = Site::new(&format!("{with_sdk}[web_sdk]\nname = \"alloy\"\n")).good();
    let datastream = loaded.config.websites["base"].datastream.clone().unwrap();
    assert_eq!(
        (datastream.to_string(), datastream.environment()),
        (format!("{sdk}:stage"), Some("stage"))
    );
    assert!(
        warnings(&loaded).contains(":14: websites.base.datastream_id: is ignored"),
        "{}",
        warnings(&loaded)
    );
}

#[test]
fn storefront_events_are_on_by_default_only_with_a_datastream() {
    let loaded = Site::new(&format!(
        "{GOOD}[websites.bare]\n[websites.quiet]\nstorefront_events = false\n"
    ))
    .good();
    let on = |code: &str| loaded.config.websites[code].storefront_events();
    assert!(on("base") && !on("bare") && !on("quiet"));
    assert!(loaded.config.sending_website("base").is_some());
    assert!(
        loaded.config.sending_website("bare").is_none(),
        "back-office events have to be chosen"
    );
}

#[test]
fn what_is_probably_not_meant_is_warned_of() {
    let twice = format!(
        "{GOOD}[websites.b2b]\nback_office_events = true\ndatastream_id = \"ebebf826-a01f-4458-8cec-ef61de241c93\"\n"
    );
    let said = warnings(&Site::new(&twice).good());
    assert!(
        said.contains("websites.base: feeds the same datastream as websites.b2b"),
        "{said}"
    );

    let said = warnings(&Site::new(&GOOD.replace("events = true", "events = false")).good());
    assert!(said.contains("nothing will be sent"), "{said}");

    let said = warnings(&Site::new(GOOD).load(&[("ORDERFEED_EDGE__URL", "x")]).unwrap());
    assert!(
        said.contains("env ORDERFEED_EDGE__URL: edge.url: is not read; write ORDERFEED__EDGE__URL"),
        "{said}"
    );
}

#[test]
fn the_sandbox_picks_its_own_data_space() {
    let text = GOOD.replace("= \"production\"", "= \"sandbox\"")
        + "[services_connector.sandbox]\ndata_space_id = \"6f1c2b58-3a4d-4f6e-8b7a-9c0d1e2f3a4b\"\n";
    let config = Site::new(&text).good().config;
    assert_eq!(
        config.data_space_id().to_string(),
        "6f1c2b58-3a4d-4f6e-8b7a-9c0d1e2f3a4b"
    );
}

#[test]
fn a_mysql_url_is_taken_apart_and_its_password_never_shown() {
    let url = "mysql://order%40feed:hunter2-do-not-print@db.example/mage?socket=/run/mysqld/mysqld.sock";
    let loaded = Site::new(&GOOD.replace("mysql://orderfeed@127.0.0.1:3306/magento", url)).good();
    let mysql = &loaded.config.source.mysql;
    assert_eq!(
        (mysql.host.as_str(), mysql.port, mysql.user.as_str()),
        ("db.example", 3306, "order@feed")
    );
    assert_eq!(mysql.database, "mage");
    assert_eq!(
        mysql.socket.as_deref(),
        Some(Path::new("/run/mysqld/mysqld.sock"))
    );
    assert_eq!(mysql.password.as_ref().unwrap().expose_secret(), SECRET);
    assert!(!format!("{:?}", loaded.settings).contains(SECRET));
    assert!(!format!("{:#?}", loaded.config).contains(SECRET));
}

#[test]
fn relative_paths_start_at_the_configuration_and_admin_may_be_a_socket_or_off() {
    let text = format!(
        "{GOOD}[store]\npath = \"state/feed.db\"\n[source]\nkind = \"sqlite\"\n[source.sqlite]\npath = \"shop.db\"\n\
         [first_sync]\nhistory = \"90d\"\n[admin]\nlisten = \"unix:/run/orderfeed/admin.sock\"\n"
    );
    let site = Site::new(&text);
    let config = site.good().config;
    assert_eq!(config.store.path, site.directory.path().join("state/feed.db"));
    assert_eq!(config.source.sqlite.path, site.directory.path().join("shop.db"));
    assert_eq!(config.source.kind, SourceKind::Sqlite);
    assert_eq!(
        config.first_sync.history,
        History::Last(HumanDuration::from_secs(90 * 86_400))
    );
    assert_eq!(
        config.admin.listen,
        AdminListen::Unix("/run/orderfeed/admin.sock".into())
    );
    site.write(
        "orderfeed.toml",
        text.replace("unix:/run/orderfeed/admin.sock", "off"),
    );
    assert_eq!(site.good().config.admin.listen, AdminListen::Off);
}

#[test]
fn every_shipped_sample_loads() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let loaded = load(&shipped.join("demo.toml"), []).unwrap();
    assert_eq!(loaded.config.websites.len(), 1);
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
    let text = include_str!("../config/orderfeed.toml");
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
