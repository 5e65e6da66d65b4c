//! Settings saved on the pages: checked, in force at once, named by `config show --origin`, and the same after a restart.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::daemon::eventually;
use crate::web::client::Answer;
use crate::web::fixture::{Listen, Site};

const ACTION: &str = "/actions/settings-save";
const EDIT: &str = "edit_settings = true\n";
const FILE: &str = "orderfeed.db.settings.toml";
const DATASTREAM: &str = "de300000-0000-4000-8000-00000000abcd";

impl Site {
    fn save(&self, fields: &[(&str, &str)]) -> Answer {
        self.browser().post(ACTION, fields)
    }

    /// Returns the text of the file, `None` if there is none.
    fn saved(&self) -> Option<String> {
        fs::read_to_string(self.shop.installation.path(FILE)).ok()
    }

    /// Returns the line of `config show --origin` with this key.
    fn shown(&self, name: &str) -> String {
        let shown = self.shop.installation.run(&["config", "show", "--origin"]).ok();
        let line = shown.lines().find(|line| line.starts_with(&format!("{name} = ")));
        line.unwrap_or_default().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn saved_settings_are_in_force_and_outlive_a_restart() {
    let site = Site::start_with(Listen::Unix, 3, EDIT).await;
    site.settle();
    let before = site.shown("window");
    assert!(before.ends_with("from defaults"), "{before}");
    let answer = site.save(&[
        ("next", "/about"),
        ("scope", "base"),
        ("first_sync.window", "10m"),
        ("first_sync.history", "5y"),
        ("storefront_events", "false"),
        ("web_sdk.name", ""),
    ]);
    assert_eq!(answer.target(), "/about", "{answer:?}");
    let page = site.browser().get("/about");
    assert!(page.body.contains("2 settings saved in"), "{page:?}");
    // Only what differs is saved.
    let text = site.saved().unwrap();
    assert!(text.contains("[first_sync]\nwindow = \"10m\"\n"), "{text}");
    assert!(
        text.contains("[websites.base]\nstorefront_events = false\n"),
        "{text}"
    );
    assert!(!text.contains("history") && !text.contains("web_sdk"), "{text}");
    let found = fs::metadata(site.shop.installation.path(FILE)).unwrap();
    assert_eq!(found.permissions().mode() & 0o777, 0o640);
    let shown = site.shown("window");
    assert!(shown.contains("10m") && shown.contains(FILE), "{shown}");
    site.shop.installation.run(&["config", "check"]).ok();
    let log = site.shop.installation.log();
    assert!(
        log.contains("The configuration was read again and is in force"),
        "{log}"
    );
    assert!(
        log.contains("action=settings-save")
            && log.contains("first_sync.window,websites.base.storefront_events"),
        "{log}"
    );

    let site = site.restart_with(|_| {});
    assert!(site.shown("window").contains("10m"));

    // A value as the files have it is not saved any more.
    site.save(&[
        ("first_sync.window", "5m"),
        ("websites.base.storefront_events", ""),
    ])
    .target();
    assert_eq!(site.saved(), None);
    assert_eq!(site.shown("window"), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_datastream_is_saved_after_a_question_and_receives_the_next_events() {
    let mut site = Site::start_with(Listen::Unix, 3, EDIT).await;
    site.settle();
    let known = site.edge.unique_ids();
    site.edge.add_datastream(
        DATASTREAM,
        orderfeed_emulator::DatastreamConfig {
            org: "53A16ACB5CC1D3760A495C99@AdobeOrg".to_owned(),
            ..orderfeed_emulator::DatastreamConfig::default()
        },
    );
    let codes = orderfeed_demo_shop::shop::Shop::website_codes();
    let keys: Vec<String> = codes
        .iter()
        .map(|code| format!("websites.{code}.datastream_id"))
        .collect();
    let fields: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), DATASTREAM)).collect();
    let question = site.save(&fields);
    assert_eq!(question.status, 200, "{question:?}");
    assert!(
        question.body.contains("did not receive them before"),
        "{question:?}"
    );
    assert!(question.body.contains(DATASTREAM), "{question:?}");
    assert_eq!(site.saved(), None);
    site.browser().confirm(ACTION, &question).target();
    site.shop.place();
    eventually("an event arrives at the new datastream", || {
        site.edge.unique_ids() > known
            && site
                .edge
                .requests()
                .iter()
                .any(|request| format!("{request:?}").contains(DATASTREAM))
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_value_leaves_everything_as_it_was_and_names_its_key() {
    let site = Site::start_with(Listen::Unix, 0, EDIT).await;
    site.save(&[("first_sync.window", "7m")]).target();
    let before = site.saved();
    for (key, value, expected) in [
        ("first_sync.window", "soon", "is not a duration"),
        ("first_sync.window", "1ms", "out of range"),
        (
            "websites.base.datastream_id",
            "\"><script>",
            "is not a datastream id",
        ),
        ("websites.base.back_office_events", "yes", "is not true or false"),
        ("websites.base.back_office_events", "", "cannot be unset here"),
        (
            "services_connector.organization_id",
            "me",
            "is not an organization id",
        ),
        (
            "services_connector.sandbox.data_space_id",
            "6f1c2b58-3a4d-4f6e-8b7a-9c0d1e2f3a4b",
            "the events in the store were made for",
        ),
        ("services_connector.sandbox.api_key", "x", "cannot be saved"),
        (
            "services_connector.sandbox.private_key_file",
            "/etc/shadow",
            "cannot be saved",
        ),
        ("edge.url", "https://evil.example", "cannot be saved"),
        ("store.path", "/tmp/x", "cannot be saved"),
        ("admin.hosts", "evil.example", "cannot be saved"),
    ] {
        let answer = site.save(&[(key, value), ("first_sync.history", "1y")]);
        assert_eq!(answer.status, 400, "{key}: {answer:?}");
        let shown = answer.body.replace("&#39;", "'").replace("&#34;", "\"");
        assert!(
            shown.contains(key) && shown.contains(expected),
            "{key}: {answer:?}"
        );
        assert!(!answer.body.contains("<script>"), "{answer:?}");
        assert_eq!(site.saved(), before, "{key}");
    }
    assert!(site.shown("history").ends_with("from defaults"));
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_not_saved_unless_the_file_allows_it() {
    let site = Site::start(Listen::Unix, 0).await;
    let answer = site.save(&[("first_sync.window", "7m")]);
    assert_eq!(answer.status, 403, "{answer:?}");
    assert!(answer.body.contains("admin.edit_settings"), "{answer:?}");
    assert_eq!(site.saved(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_of_the_environment_cannot_be_overridden() {
    let site = Site::start_with(Listen::Unix, 0, EDIT).await;
    let site = site.restart_with(|command| {
        command.env("ORDERFEED__FIRST_SYNC__WINDOW", "9m");
    });
    let answer = site.save(&[("first_sync.window", "7m")]);
    assert_eq!(answer.status, 400, "{answer:?}");
    assert!(
        answer.body.contains("ORDERFEED__FIRST_SYNC__WINDOW"),
        "{answer:?}"
    );
    assert_eq!(site.saved(), None);
}
