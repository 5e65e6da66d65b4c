//! The events of each mode, and the datastream that receives them.

use orderfeed_demo_shop::shop::Shop;
use orderfeed_emulator::DatastreamConfig;
use serde_json::json;

use crate::storefront::site::Page;
use crate::storefront::stage::{STAY, Seen, Stage, package_script};
use crate::support::edge;

/// A purchase from the product to the order, as a page publishes it, and then consent.
pub const SHOPPING: &str = r#"
var bag = { sku: "24-MB01", name: "Joust Duffle Bag", price: 34, imageUrl: "https://shop.test/bag.jpg" };
var line = Object.assign({ quantity: 2, options: [{ label: "Color", value: "Red" }] }, bag);
var cart = { id: "7", items: [line] };
var shop = window.orderfeedStorefront;
shop.productView(bag);
shop.addToCart(cart, [line]);
shop.checkout(cart);
shop.orderPlaced({
  orderId: "000000042", total: 80.5, taxAmount: 5, shippingAmount: 7.5, paymentMethod: "checkmo", cart: cart
});
shop.consent(true);
"#;

/// The events of [`SHOPPING`] with the automatic page view.
pub const EVENTS: [&str; 5] = [
    "commerce.checkouts",
    "commerce.productListAdds",
    "commerce.productViews",
    "commerce.purchases",
    "web.webpagedetails.pageViews",
];
/// The datastream of a site's own Web SDK.
const OWN_DATASTREAM: &str = "0b5c1d7e-93f4-4b8a-8c64-2d1f7a90e3b5";

#[tokio::test(flavor = "multi_thread")]
async fn a_standalone_site_sends_a_purchase_to_the_datastream_of_its_website() {
    let Some(stage) = Stage::start("").await else {
        return;
    };
    let seen = stage.visit(SHOPPING).await;
    assert_eq!(stage.sorted_types(), EVENTS, "{seen:?}");
    stage.assert_events_are_valid();
    // By default nothing goes to third parties.
    assert_eq!(
        stage.hosts().into_keys().collect::<Vec<_>>(),
        ["edge.adobedc.net"]
    );
    stage.assert_nothing_to_commerce();

    let events = stage.edge.events();
    let visitor = events[0].visitor.clone().unwrap();
    for row in &events {
        let xdm = stage.xdm(row);
        assert_eq!(row.visitor.as_ref(), Some(&visitor), "one visitor");
        for context in ["device", "environment", "placeContext"] {
            assert!(xdm.get(context).is_none(), "{context} is not collected: {xdm}");
        }
        assert_eq!(
            xdm["identityMap"]["ECID"][0],
            json!({ "id": visitor, "primary": true })
        );
        if row.event_type.as_deref() != Some("web.webpagedetails.pageViews") {
            let scope = json!({ "environmentID": edge::DATA_SPACE, "websiteCode": "base",
                "storeCode": "main_website_store", "storeViewCode": "default" });
            assert_eq!(xdm["commerce"]["commerceScope"], scope);
        }
    }
    let purchase = stage.purchase();
    assert_eq!(purchase.purchase_id.as_deref(), Some("000000042"));
    let xdm = stage.xdm(&purchase);
    assert_eq!(xdm["commerce"]["order"]["priceTotal"], 80.5);
    assert_eq!(xdm["productListItems"][0]["SKU"], "24-MB01");
    assert_eq!(xdm["productListItems"][0]["priceTotal"], 68);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_belongs_to_the_store_view_of_its_address() {
    let Some(stage) = Stage::start("").await else {
        return;
    };
    let snippet = stage.publish();
    let script = format!("{SHOPPING}\n");
    for (url, path, view) in [
        ("https://shop.test/es/bag", "/es/bag", "es_us"),
        ("https://outlet.test/bag", "/bag", "outlet_en"),
    ] {
        stage.edge.reset();
        stage.serve(path, &snippet, &script);
        stage.open(url).await;
        let xdm = stage.xdm(&stage.purchase());
        assert_eq!(xdm["commerce"]["commerceScope"]["storeViewCode"], view);
    }
    stage.edge.reset();
    let elsewhere = snippet.replace("<script ", "<script data-store-view=\"nowhere\" ");
    stage.serve("/", &elsewhere, "");
    let seen = stage.open("https://shop.test/").await;
    seen.assert_logged("belongs to no known store view");
    stage.assert_silent();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_collector_mode_works_as_adobe_deploys_it() {
    let keys = "mode = \"collector\"\npersonal_data = true\nthird_party_cookies = true\nlink_clicks = true\nconsent = \"assumed\"\n";
    let Some(stage) = Stage::start(keys).await else {
        return;
    };
    let seen = stage.visit(SHOPPING).await;
    assert_eq!(stage.sorted_types(), EVENTS, "{seen:?}");
    stage.assert_events_are_valid();
    // Adobe's own instance asks demdex for an identity first.
    assert!(
        stage.hosts().contains_key("adobedc.demdex.net"),
        "{:?}",
        stage.hosts()
    );
    stage.assert_nothing_to_commerce();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contexts_mode_configures_the_collector_of_a_theme() {
    let Some(stage) = Stage::start("mode = \"contexts\"\npersonal_data = true\n").await else {
        return;
    };
    let (snippet, theme) = (stage.publish(), stage.serve_theme_collector());
    stage.serve("/", &format!("{snippet}\n{theme}"), SHOPPING);
    let seen = stage.open("https://shop.test/").await;
    // The theme publishes its own page views.
    assert_eq!(stage.sorted_types(), EVENTS[..4], "{seen:?}");
    stage.assert_events_are_valid();
    stage.assert_no_deployed_file();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contexts_mode_keeps_the_cart_of_a_visitor_who_agreed_earlier() {
    let Some(stage) = Stage::start("mode = \"contexts\"\npersonal_data = true\n").await else {
        return;
    };
    let (snippet, theme) = (stage.publish(), stage.serve_theme_collector());
    let head = format!("{snippet}\n{theme}");
    stage.serve("/", &head, "");
    let profile = tempfile::tempdir().unwrap();
    // Adobe's own collector sets the consent by itself.
    stage.open_with(profile.path(), "https://shop.test/", STAY).await;
    let script = r#"
orderfeedStorefront.checkout({ id: "7", items: [{ sku: "24-MB01", name: "Bag", quantity: 1, price: 34 }] });
orderfeedStorefront.orderPlaced({ orderId: "000000042", total: 39, paymentMethod: "checkmo" });
"#;
    stage.serve("/second", &head, script);
    let seen = stage
        .open_with(profile.path(), "https://shop.test/second", STAY)
        .await;
    let types = ["commerce.checkouts", "commerce.purchases"];
    assert_eq!(stage.sorted_types(), types, "{seen:?}");
    let xdm = stage.xdm(&stage.purchase());
    assert_eq!(xdm["productListItems"][0]["SKU"], "24-MB01");
}

/// Loads the site's own Web SDK under the name `siteSdk`, and configures it for [`OWN_DATASTREAM`].
fn own_sdk(consent: &str) -> String {
    format!(
        r#"window.__alloyNS = ["siteSdk"];
window.siteSdk = function () {{
  var call = arguments;
  return new Promise(function (resolve, reject) {{
    setTimeout(function () {{ window.siteSdk.q.push([resolve, reject, call]); }});
  }});
}};
window.siteSdk.q = [];
window.siteSdk("configure", {{
  datastreamId: "{OWN_DATASTREAM}", orgId: "53A16ACB5CC1D3760A495C99@AdobeOrg", defaultConsent: "{consent}",
  thirdPartyCookiesEnabled: false, clickCollectionEnabled: false, idMigrationEnabled: false
}});
"#
    )
}

/// Starts a stage for a site with its own Web SDK, whose datastream the edge knows.
async fn own_sdk_stage(keys: &str) -> Option<Stage> {
    let mut keys = format!("{keys}[web_sdk]\nname = \"siteSdk\"\n");
    for (index, code) in Shop::website_codes().iter().enumerate() {
        let id = edge::datastream(index);
        keys.push_str(&format!("[websites.{code}]\nweb_sdk_datastream_id = \"{id}\"\n"));
    }
    Stage::start_with(&keys, |settings| {
        let of_site = DatastreamConfig {
            org: "53A16ACB5CC1D3760A495C99@AdobeOrg".to_owned(),
            ..DatastreamConfig::default()
        };
        settings.datastreams.insert(OWN_DATASTREAM.to_owned(), of_site);
    })
    .await
}

/// Opens a page that loads the site's own Web SDK after the snippet, as most sites do.
async fn visit_with_own_sdk(stage: &Stage, consent: &str, script: &str) -> Seen {
    let snippet = stage.publish();
    stage.site.serve(
        "/theme/alloy.js",
        package_script("alloy-2.33.1", "dist/alloy.min.js"),
    );
    stage
        .site
        .serve("/theme/setup.js", Page::script(own_sdk(consent)));
    let theme = "<script src=\"/theme/setup.js\"></script>\n<script src=\"/theme/alloy.js\"></script>";
    stage.serve("/", &format!("{snippet}\n{theme}"), script);
    stage.open("https://shop.test/").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_s_own_web_sdk_keeps_its_datastream_and_its_consent() {
    let Some(stage) = own_sdk_stage("").await else {
        return;
    };
    let agreed = format!(
        "{SHOPPING}\nsiteSdk(\"setConsent\", {{ consent: [{{ standard: \"Adobe\", version: \"1.0\", value: {{ general: \"in\" }} }}] }});"
    );
    let seen = visit_with_own_sdk(&stage, "pending", &agreed).await;
    assert_eq!(stage.sorted_types(), EVENTS, "{seen:?}");
    for row in stage.edge.events() {
        assert_eq!(row.datastream, OWN_DATASTREAM);
    }
    for row in stage.edge.requests() {
        assert_eq!(row.datastream.as_deref(), Some(OWN_DATASTREAM), "{row:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_s_own_web_sdk_that_waits_for_consent_is_not_overridden() {
    let Some(stage) = own_sdk_stage("").await else {
        return;
    };
    let seen = visit_with_own_sdk(&stage, "pending", SHOPPING).await;
    stage.assert_silent();
    assert!(!seen.has_cookie("_identity"), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_consent_of_a_site_s_own_web_sdk_may_be_left_to_adobe_s_collector() {
    let Some(stage) = own_sdk_stage("keep_sdk_consent = false\nconsent = \"assumed\"\n").await else {
        return;
    };
    let seen = visit_with_own_sdk(&stage, "pending", SHOPPING).await;
    assert_eq!(stage.sorted_types(), EVENTS, "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_web_sdk_that_is_missing_is_reported_and_nothing_is_sent() {
    let Some(stage) = own_sdk_stage("").await else {
        return;
    };
    let seen = stage.visit(SHOPPING).await;
    seen.assert_logged("window.siteSdk, which web_sdk.name names, does not exist");
    stage.assert_silent();
    stage.assert_no_deployed_file();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_web_sdk_without_any_datastream_is_refused() {
    let keys = "[web_sdk]\nname = \"siteSdk\"\n[websites.base]\ndatastream_id = \"\"\nstorefront_events = true\n\
                back_office_events = false\n";
    let Some(stage) = Stage::start(keys).await else {
        return;
    };
    let refused = stage.build("out");
    assert_ne!(refused.code, Some(0));
    assert!(
        refused.stderr.contains("websites.base.web_sdk_datastream_id")
            && refused.stderr.contains("does not start without one"),
        "{}",
        refused.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_builds_are_identical() {
    let Some(stage) = Stage::start("").await else {
        return;
    };
    stage.build("first").ok();
    stage.build("second").ok();
    let (first, second) = (
        files(&stage.installation.path("first")),
        files(&stage.installation.path("second")),
    );
    assert!(first.len() > 8, "{:?}", first.keys());
    assert_eq!(first, second);
}

/// Returns the files below a directory with their bytes, by their path in it.
fn files(root: &std::path::Path) -> std::collections::BTreeMap<std::path::PathBuf, Vec<u8>> {
    let mut found = std::collections::BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => open.push(path),
                false => {
                    let name = path.strip_prefix(root).unwrap().to_owned();
                    found.insert(name, std::fs::read(&path).unwrap());
                }
            }
        }
    }
    found
}
