//! Precedence of the layers, unset values, and the base of relative paths.

use orderfeed::config::{AdminListen, History, HumanDuration, LoadedConfig, SourceKind};
use secrecy::ExposeSecret;

use super::{GOOD, Site, warnings};

#[test]
fn later_layers_override_single_keys_and_each_value_has_its_origin() {
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
fn the_proxy_of_the_environment_applies_unless_a_key_is_set() {
    let variables = [
        (
            "HTTPS_PROXY",
            "http://feed:hunter2-do-not-print@proxy.example:3128",
        ),
        ("no_proxy", "inner.example"),
    ];
    let proxy = |loaded: &LoadedConfig| loaded.config.edge.proxy.as_ref().map(ToString::to_string);
    let loaded = Site::new(GOOD).load(&variables).unwrap();
    assert_eq!(proxy(&loaded).as_deref(), Some("proxy.example:3128"));
    assert_eq!(loaded.config.edge.no_proxy, "inner.example");
    let shown: Vec<_> = loaded
        .settings
        .iter()
        .filter(|setting| setting.name == "proxy")
        .map(|setting| (setting.value.to_string(), setting.origin.to_string()))
        .collect();
    assert_eq!(
        shown,
        [(
            "\"http://feed:***@proxy.example:3128/\"".to_owned(),
            "env HTTPS_PROXY".to_owned()
        )]
    );
    let own = GOOD.replace("[edge]\n", "[edge]\nproxy = \"https://own.example:8443\"\n");
    assert_eq!(
        proxy(&Site::new(&own).load(&variables).unwrap()).as_deref(),
        Some("own.example:8443")
    );
    let none = GOOD.replace("[edge]\n", "[edge]\nproxy = \"none\"\n");
    assert_eq!(proxy(&Site::new(&none).load(&variables).unwrap()), None);
    let refused = Site::new(GOOD).load(&[("HTTPS_PROXY", "socks5://u:hunter2-do-not-print@h:1080")]);
    let message = refused.unwrap_err();
    assert!(
        message.contains("HTTPS_PROXY") && message.contains("edge.proxy") && !message.contains("hunter2"),
        "{message}"
    );
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
