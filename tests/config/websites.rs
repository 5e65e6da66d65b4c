//! Adobe's rules on datastreams, and warnings about probable mistakes.

use super::{GOOD, Site, warnings};

#[test]
fn the_web_sdk_datastream_takes_precedence_with_a_warning() {
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
fn beside_a_web_sdk_of_the_site_any_datastream_starts_the_collector() {
    let own = "ebebf826-a01f-4458-8cec-ef61de241c93";
    let text = GOOD.replace("back_office_events = true", "back_office_events = false");
    let loaded = Site::new(&format!("{text}[web_sdk]\nname = \"alloy\"\n")).good();
    let website = &loaded.config.websites["base"];
    assert_eq!(website.datastream, None, "back-office events need the SDK's own");
    assert_eq!(website.storefront_datastream.as_ref().unwrap().to_string(), own);
    assert_eq!(
        website.storefront().to_string(),
        "on: organization id and datastream are valid"
    );
    let text = warnings(&loaded);
    assert!(
        text.contains("websites.base.datastream_id: is given to the storefront's collector"),
        "{text}"
    );
}

#[test]
fn store_views_are_given_in_tables_and_by_the_environment() {
    let text = format!("{GOOD}[websites.base.store_views.de]\nstore_code = \"main\"\ncurrency = \"EUR\"\n");
    let site = Site::new(&text);
    let variable = ("ORDERFEED__WEBSITES__BASE__STORE_VIEWS__DE__CURRENCY", "CHF");
    let loaded = site.load(&[variable]).unwrap();
    let view = &loaded.config.websites["base"].store_views["de"];
    assert_eq!(
        (view.store_code.as_deref(), view.currency.as_deref()),
        (Some("main"), Some("CHF"))
    );
    let shown = loaded
        .settings
        .iter()
        .find(|setting| setting.name == "currency")
        .unwrap();
    assert_eq!(shown.table, "websites.base.store_views.de");
    assert_eq!(loaded.config.websites.len(), 1);
}

#[test]
fn what_adobes_own_instance_does_not_obey_is_warned_of() {
    let text = format!("{GOOD}[storefront]\nmode = \"collector\"\npersonal_data = true\n");
    let text = warnings(&Site::new(&text).good());
    for key in ["third_party_cookies", "link_clicks"] {
        assert!(
            text.contains(&format!("storefront.{key}: is ignored with storefront.mode")),
            "{text}"
        );
    }
}

#[test]
fn probable_mistakes_are_warned_of() {
    let twice = format!(
        "{GOOD}[websites.b2b]\nback_office_events = true\ndatastream_id = \"ebebf826-a01f-4458-8cec-ef61de241c93\"\n"
    );
    let text = warnings(&Site::new(&twice).good());
    assert!(
        text.contains("websites.base: feeds the same datastream as websites.b2b"),
        "{text}"
    );

    let text = warnings(&Site::new(&GOOD.replace("events = true", "events = false")).good());
    assert!(text.contains("nothing will be sent"), "{text}");

    let text = warnings(&Site::new(GOOD).load(&[("ORDERFEED_EDGE__URL", "x")]).unwrap());
    assert!(
        text.contains("env ORDERFEED_EDGE__URL: edge.url: is not read; write ORDERFEED__EDGE__URL"),
        "{text}"
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
