//! Consent: nothing is sent and no cookie is set before it, and a withdrawal is respected.

use orderfeed_emulator::Consent;
use serde_json::json;

use crate::storefront::modes::SHOPPING;
use crate::storefront::site::Page;
use crate::storefront::stage::{STAY, Stage, page};

/// Something to send, without a choice of the shopper.
const VIEW: &str = r#"orderfeedStorefront.productView({ sku: "24-MB01", name: "Bag", price: 34 });"#;

/// Returns the choices that the requests transmitted.
fn choices(stage: &Stage) -> Vec<Option<Consent>> {
    let rows = stage.edge.requests().into_iter();
    rows.filter(|row| row.path.ends_with("/set-consent"))
        .map(|row| row.consent)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn before_consent_there_is_no_request_and_no_cookie() {
    let Some(stage) = Stage::start("").await else {
        return;
    };
    let seen = stage.visit(VIEW).await;
    stage.assert_silent();
    assert_eq!(seen.cookies, "", "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_sends_nothing() {
    let Some(stage) = Stage::start("").await else {
        return;
    };
    let seen = stage
        .visit(&format!("{VIEW}\norderfeedStorefront.consent(false);"))
        .await;
    stage.assert_silent();
    assert!(!seen.has_cookie("_identity"), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn consent_sends_what_happened_before_it() {
    let Some(stage) = Stage::start("").await else {
        return;
    };
    let script = format!("{VIEW}\nsetTimeout(function () {{ orderfeedStorefront.consent(true); }}, 2500);");
    let seen = stage.visit(&script).await;
    assert_eq!(
        stage.sorted_types(),
        ["commerce.productViews", "web.webpagedetails.pageViews"],
        "{seen:?}"
    );
    assert_eq!(choices(&stage), [Some(Consent::In)]);
    assert!(
        seen.has_cookie("_identity") && seen.has_cookie("_consent"),
        "{seen:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_withdrawal_no_event_is_sent() {
    let Some(stage) = Stage::start("").await else {
        return;
    };
    let script = format!(
        "orderfeedStorefront.consent(true);\n\
         setTimeout(function () {{ orderfeedStorefront.consent(false); }}, 2500);\n\
         setTimeout(function () {{ {VIEW} }}, 4000);"
    );
    let seen = stage.visit(&script).await;
    assert_eq!(stage.event_types(), ["web.webpagedetails.pageViews"], "{seen:?}");
    assert_eq!(choices(&stage), [Some(Consent::In), Some(Consent::Out)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cookie_mg_dnt_counts_as_a_refusal() {
    for keys in [
        "consent = \"assumed\"\n",
        "consent = \"assumed\"\nmode = \"collector\"\npersonal_data = true\n",
    ] {
        let Some(stage) = Stage::start(keys).await else {
            return;
        };
        let snippet = stage.publish();
        let served = page("/", &snippet).with("set-cookie", "mg_dnt=1; Path=/; Secure");
        stage.site.serve("/page.js", Page::script(SHOPPING));
        stage.site.serve("/", served);
        let seen = stage.open("https://shop.test/").await;
        assert_eq!(stage.event_types(), [] as [&str; 0], "{keys} {seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visitor_who_agreed_earlier_is_recognized() {
    let Some(stage) = Stage::start("").await else {
        return;
    };
    let snippet = stage.publish();
    stage.serve("/", &snippet, "orderfeedStorefront.consent(true);");
    stage.serve("/second", &snippet, VIEW);
    let profile = tempfile::tempdir().unwrap();
    stage.open_with(profile.path(), "https://shop.test/", STAY).await;
    let seen = stage
        .open_with(profile.path(), "https://shop.test/second", STAY)
        .await;
    let events = stage.edge.events();
    let views = "web.webpagedetails.pageViews";
    assert_eq!(
        stage.sorted_types(),
        ["commerce.productViews", views, views],
        "{seen:?}"
    );
    assert!(
        events.iter().all(|row| row.visitor == events[0].visitor),
        "{events:?}"
    );
    assert_eq!(choices(&stage), [Some(Consent::In)], "the choice is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_left_before_consent_loses_only_its_own_events() {
    let Some(stage) = Stage::start("").await else {
        return;
    };
    let snippet = stage.publish();
    let profile = tempfile::tempdir().unwrap();
    let script = format!("{VIEW}\nsetTimeout(function () {{ orderfeedStorefront.consent(true); }}, 3000);");
    stage.serve("/", &snippet, &script);
    stage.open_with(profile.path(), "https://shop.test/", 2_000).await;
    stage.assert_silent();
    stage.serve("/second", &snippet, "orderfeedStorefront.consent(true);");
    let seen = stage
        .open_with(profile.path(), "https://shop.test/second", STAY)
        .await;
    assert_eq!(stage.event_types(), ["web.webpagedetails.pageViews"], "{seen:?}");
    let xdm = stage.xdm(&stage.edge.events()[0]);
    assert_eq!(xdm["web"]["webPageDetails"]["URL"], "https://shop.test/second");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cookie_restriction_of_commerce_decides_for_its_website() {
    let Some(stage) = Stage::start("consent = \"cookie_restriction\"\n").await else {
        return;
    };
    let notice = |website: &str| {
        // Commerce's notice sets this cookie when its button is pressed.
        format!(
            "{VIEW}\nsetTimeout(function () {{ document.cookie = \"user_allowed_save_cookie=\" + \
             encodeURIComponent(JSON.stringify({{ \"{website}\": 1 }})) + \"; path=/\"; }}, 1500);"
        )
    };
    let seen = stage.visit(&notice("2")).await;
    stage.assert_silent();
    assert!(!seen.has_cookie("_identity"), "{seen:?}");
    let seen = stage.visit(&notice("1")).await;
    assert_eq!(stage.event_types().len(), 2, "{seen:?}");
    stage.assert_events_are_valid();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_collector_is_not_loaded_before_consent_where_it_cannot_be_held_back() {
    let keys = "mode = \"collector\"\npersonal_data = true\nthird_party_cookies = true\nlink_clicks = true\n";
    let Some(stage) = Stage::start(keys).await else {
        return;
    };
    stage.visit(VIEW).await;
    stage.assert_silent();
    stage.assert_no_deployed_file();
    let seen = stage
        .visit(&format!("{VIEW}\norderfeedStorefront.consent(true);"))
        .await;
    assert_eq!(
        stage.sorted_types(),
        ["commerce.productViews", "web.webpagedetails.pageViews"],
        "{seen:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_event_names_a_person_by_default() {
    let account = r#"
orderfeedStorefront.loaded.then(function () {
  magentoStorefrontEvents.context.setAccount({ firstName: "Jo", lastName: "Doe", emailAddress: "jo@example.com", accountId: "5", accountType: "b2c" });
});
"#;
    let order = format!(
        "{account}\norderfeedStorefront.loaded.then(function () {{ {SHOPPING} }});\norderfeedStorefront.consent(true);"
    );
    let Some(stage) = Stage::start("").await else {
        return;
    };
    let seen = stage.visit(&order).await;
    assert!(
        stage.event_types().contains(&"commerce.purchases".to_owned()),
        "{seen:?}"
    );
    stage.assert_events_are_valid();
    assert_eq!(stage.edge.pii_findings(), []);

    // The same page with personal data allowed shows that the first result is no accident.
    let Some(stage) = Stage::start("personal_data = true\n").await else {
        return;
    };
    stage.visit(&order).await;
    let xdm = stage.xdm(&stage.purchase());
    assert_eq!(xdm["personalEmail"], json!({ "address": "jo@example.com" }));
    assert_eq!(xdm["identityMap"]["email"][0]["id"], "jo@example.com");
}
