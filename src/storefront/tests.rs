//! Bundles as a whole: what each configuration deploys, that builds are equal, and that files belong together.

use serde_json::Value;

use crate::commerce::stores::ShopStoreView;
use crate::config::{Config, GivenStoreView, StorefrontConsent, StorefrontMode, Website};
use crate::storefront::packages::Packages;
use crate::storefront::{Bundle, StorefrontError, build, digest};

const DATASTREAM: &str = "ebebf826-a01f-4458-8cec-ef61de241c93";

fn config() -> Config {
    let mut config = Config::default();
    config.services_connector.organization_id = "53A16ACB5CC1D3760A495C99@AdobeOrg".parse().unwrap();
    config.websites.insert(
        "base".to_owned(),
        Website::sending_to(DATASTREAM.parse().unwrap()),
    );
    config
}

/// Returns a store view of website `base`.
fn view(code: &str) -> ShopStoreView {
    ShopStoreView {
        id: 1,
        code: code.to_owned(),
        store_code: "main_website_store".to_owned(),
        website_id: 1,
        website_code: "base".to_owned(),
        currency: Some("EUR".to_owned()),
        base_url: Some(format!("https://shop.example.com/{code}/")),
        ..ShopStoreView::default()
    }
}

fn built(config: &Config) -> Result<Bundle, StorefrontError> {
    build(config, Some(&[view("default")]), &Packages::made_up(), None)
}

fn text<'a>(bundle: &'a Bundle, path: &str) -> &'a str {
    std::str::from_utf8(&bundle.files[path].content).unwrap()
}

/// Returns the settings that the loader of website `base` ends with.
fn settings(bundle: &Bundle) -> Value {
    let loader = text(bundle, "base/storefront.js");
    let settings = loader.trim_end().rsplit_once("})({").unwrap().1;
    serde_json::from_str(&format!("{{{}", settings.strip_suffix(");").unwrap())).unwrap()
}

#[test]
fn equal_input_gives_equal_files() {
    let bundle = built(&config()).unwrap();
    assert_eq!(bundle, built(&config()).unwrap());
    let mut other = config();
    other.storefront.page_views = false;
    let other = built(&other).unwrap();
    assert_ne!(
        text(&bundle, "base/snippet.html"),
        text(&other, "base/snippet.html")
    );
}

#[test]
fn names_and_hashes_belong_to_the_content() {
    let bundle = built(&config()).unwrap();
    for (path, file) in bundle.files.iter().filter(|(_, file)| file.immutable) {
        assert!(path.contains(&digest::short(&file.content)), "{path}");
    }
    let snippet = text(&bundle, "base/snippet.html");
    let source = snippet
        .split("src=\"/storefront/")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let integrity = digest::integrity(&bundle.files[source].content);
    assert!(
        snippet.contains(&format!("integrity=\"{integrity}\"")),
        "{snippet}"
    );
    let bundled = &settings(&bundle)["bundle"];
    let path = bundled["file"].as_str().unwrap().strip_prefix("../").unwrap();
    assert_eq!(
        bundled["integrity"],
        digest::integrity(&bundle.files[path].content)
    );
    let manifest: Value = serde_json::from_str(text(&bundle, "manifest.json")).unwrap();
    for (path, entry) in manifest["files"].as_object().unwrap() {
        assert_eq!(
            entry["sha256"],
            digest::sha256(&bundle.files[path].content),
            "{path}"
        );
    }
    assert_eq!(manifest["websites"]["base"]["datastream_id"], DATASTREAM);
    assert_eq!(manifest["websites"]["base"]["loader"], source);
}

#[test]
fn the_default_asks_for_consent_and_keeps_everything_else_off() {
    let settings = settings(&built(&config()).unwrap());
    let configure = &settings["configure"];
    assert_eq!(configure["datastreamId"], DATASTREAM);
    assert_eq!(configure["defaultConsent"], "pending");
    for off in [
        "thirdPartyCookiesEnabled",
        "clickCollectionEnabled",
        "idMigrationEnabled",
    ] {
        assert_eq!(configure[off], false, "{off}");
    }
    assert_eq!(
        settings["forwarding"],
        serde_json::json!({ "aep": true, "commerce": false })
    );
    assert_eq!(settings["aep"]["webSdkName"], "orderfeedWebSdk");
    assert_eq!(settings["aep"]["datastreamId"], DATASTREAM);
    assert_eq!(
        (&settings["personalData"], &settings["waits"]),
        (&false.into(), &false.into())
    );
    let context = &settings["storeViews"][0]["context"];
    assert_eq!(context["storeCode"], "main_website_store");
    assert_eq!(context["storeViewCurrencyCode"], "EUR");
    assert_eq!(context["environmentId"], config().data_space_id().to_string());
    assert_eq!(
        context.get("storeName"),
        None,
        "only Commerce's own services need it"
    );
}

#[test]
fn nothing_is_loaded_before_consent_where_it_could_not_be_withheld_later() {
    let waits = |change: &dyn Fn(&mut Config)| {
        let mut config = config();
        change(&mut config);
        settings(&built(&config).unwrap())["waits"].as_bool().unwrap()
    };
    assert!(!waits(&|_| {}));
    assert!(waits(&|config| config.storefront.mode = StorefrontMode::Collector));
    assert!(waits(&|config| config.storefront.forward_to_commerce = true));
    assert!(!waits(&|config| {
        config.storefront.mode = StorefrontMode::Collector;
        config.storefront.consent = StorefrontConsent::Assumed;
    }));
    assert!(!waits(&|config| config.web_sdk.name = Some("alloy".to_owned())));
    assert!(waits(&|config| {
        config.web_sdk.name = Some("alloy".to_owned());
        config.storefront.keep_sdk_consent = false;
    }));
}

#[test]
fn the_sites_own_web_sdk_is_used_and_none_is_deployed() {
    let mut config = config();
    config.web_sdk.name = Some("alloy".to_owned());
    let bundle = built(&config).unwrap();
    let of_site = settings(&bundle);
    assert_eq!(
        (&of_site["sdk"], &of_site["siteSdk"]),
        (&"alloy".into(), &"alloy".into())
    );
    assert_eq!(of_site["aep"]["webSdkName"], "orderfeedWebSdk");
    assert_eq!(of_site["configure"], Value::Null);
    assert!(
        of_site["bundle"]["file"]
            .as_str()
            .unwrap()
            .contains("/collector.")
    );
    config.storefront.keep_sdk_consent = false;
    config.storefront.personal_data = true;
    let direct = settings(&built(&config).unwrap());
    assert_eq!(
        (&direct["aep"]["webSdkName"], &direct["sdk"]),
        (&"alloy".into(), &Value::Null)
    );
}

#[test]
fn the_mode_of_contexts_deploys_the_settings_alone() {
    let mut config = config();
    config.storefront.mode = StorefrontMode::Contexts;
    let bundle = built(&config).unwrap();
    let is_own = |path: &String| path.starts_with("base/") || path == "manifest.json";
    assert!(bundle.files.keys().all(is_own));
    assert!(Packages::needed(&config).is_ok(), "no package is needed");
    let settings = settings(&bundle);
    assert_eq!(settings["forwarding"]["commerce"], true);
    assert_eq!(settings["pageViews"], false, "the theme publishes them");
    assert_eq!(settings["aep"]["webSdkName"], Value::Null);
}

#[test]
fn a_website_that_is_off_or_incomplete_is_refused_with_the_key() {
    let refusal = |config: &Config, shop: Option<&[ShopStoreView]>| {
        build(config, shop, &Packages::made_up(), None)
            .unwrap_err()
            .to_string()
    };
    let mut off = config();
    off.websites.insert("base".to_owned(), Website::default());
    assert!(refusal(&off, None).contains("websites.CODE.datastream_id"));
    assert!(refusal(&config(), None).contains("[websites.base.store_views.default]"));
    let unread = ShopStoreView {
        currency: None,
        ..view("default")
    };
    assert!(refusal(&config(), Some(&[unread])).ends_with("set websites.base.store_views.default.currency"));
    let mut given = config();
    let base = given.websites.get_mut("base").unwrap();
    base.store_views
        .insert("default".to_owned(), GivenStoreView::default());
    given.storefront.consent = StorefrontConsent::CookieRestriction;
    let text = refusal(&given, None);
    for key in [
        "store_views.default.store_code",
        "store_views.default.currency",
        "websites.base.website_id",
    ] {
        assert!(text.contains(key), "{key}: {text}");
    }
}

#[test]
fn given_fields_win_over_the_shops() {
    let mut config = config();
    let given = GivenStoreView {
        currency: Some("CHF".to_owned()),
        ..GivenStoreView::default()
    };
    let base = config.websites.get_mut("base").unwrap();
    base.store_views.insert("default".to_owned(), given.clone());
    base.store_views.insert(
        "gone".to_owned(),
        GivenStoreView {
            store_code: Some("x".to_owned()),
            ..given
        },
    );
    let bundle = built(&config).unwrap();
    let views = settings(&bundle)["storeViews"].clone();
    assert_eq!(views[0]["context"]["storeViewCurrencyCode"], "CHF");
    assert_eq!(views[0]["context"]["storeCode"], "main_website_store");
    let warnings = bundle.warnings.join("\n");
    assert!(
        warnings.contains("store_views.gone: this website of the shop has no such store view"),
        "{warnings}"
    );
    assert!(warnings.contains("data-store-view=\"gone\""), "{warnings}");
}

#[test]
fn one_incomplete_website_does_not_keep_the_others_from_their_files() {
    let mut config = config();
    let datastream = "d0b6f1a2-5c3e-4a7b-9e8d-1f2a3b4c5d6e".parse().unwrap();
    let other = Website::sending_to(datastream);
    config.websites.insert("b2b".to_owned(), other);
    let bundle = built(&config).unwrap();
    assert!(bundle.files.contains_key("base/snippet.html") && !bundle.files.contains_key("b2b/snippet.html"));
    let warnings = bundle.warnings.join("\n");
    assert!(
        warnings.contains("no store view of website b2b") && warnings.ends_with("its files are left out"),
        "{warnings}"
    );
    let alone = build(
        &config,
        Some(&[view("default")]),
        &Packages::made_up(),
        Some("b2b"),
    );
    assert!(matches!(alone, Err(StorefrontError::NoStoreView { .. })));
}
