//! The examples of the manual for publishing events, run as they are printed.

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::storefront::modes::EVENTS;
use crate::storefront::stage::Stage;

const MANUAL: &str = include_str!("../../docs/STOREFRONT.md");

/// Returns the block of code in this language that contains a text.
fn example(language: &str, part: &str) -> &'static str {
    let open = format!("```{language}\n");
    let blocks = MANUAL.split(open.as_str()).skip(1);
    let codes = blocks.filter_map(|block| Some(block.split_once("\n```")?.0));
    codes
        .into_iter()
        .find(|code| code.contains(part))
        .expect("the manual has this example")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_of_a_plain_page_publishes_a_purchase() {
    let Some(stage) = Stage::start("").await else {
        return;
    };
    let page = example("html", "// Product page");
    let script = page
        .trim()
        .trim_start_matches("<script>")
        .trim_end_matches("</script>");
    let seen = stage
        .visit(&format!("orderfeedStorefront.consent(true);\n{script}"))
        .await;
    assert_eq!(stage.sorted_types(), EVENTS, "{seen:?}");
    stage.assert_events_are_valid();
    let xdm = stage.xdm(&stage.purchase());
    assert_eq!(xdm["commerce"]["order"]["purchaseID"], "000000101");
    assert_eq!(
        xdm["productListItems"][0]["SKU"], "24-MB01",
        "the cart was kept at the checkout"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_for_requirejs_publishes_what_was_added() {
    let Some(stage) = Stage::start("").await else {
        return;
    };
    let Some(requirejs) = stage.serve_requirejs() else {
        return;
    };
    let snippet = stage.publish();
    // Luma's modules, as far as the example uses them.
    let modules = r#"
define("jquery", [], function () { return {}; });
define("Magento_Customer/js/customer-data", [], function () {
  return { get: function () { return { subscribe: function (then) { window.cartChanged = then; } }; } };
});
"#;
    let item = |quantity: u32| {
        json!({ "item_id": "1", "product_sku": "24-MB01", "product_name": "Joust Duffle Bag", "qty": quantity,
        "product_price_value": 34 })
    };
    let change = |items: serde_json::Value| {
        format!("window.cartChanged({});", json!({ "data_id": 7, "items": items }))
    };
    let script = format!(
        "{modules}\norderfeedStorefront.consent(true);\n{}\nsetTimeout(function () {{ {} {} {} }}, 500);",
        example("js", "customer-data"),
        change(json!([])),
        change(json!([item(1)])),
        // The same cart once more, as Luma reports it on each page.
        change(json!([item(1)])),
    );
    stage.serve("/", &format!("{snippet}\n{requirejs}"), &script);
    let seen = stage.open("https://shop.test/").await;
    assert_eq!(
        stage.sorted_types(),
        ["commerce.productListAdds", "web.webpagedetails.pageViews"],
        "{seen:?}"
    );
    stage.assert_events_are_valid();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shopper_who_is_identified_carries_the_identity_of_the_back_office() {
    let Some(stage) = Stage::start("").await else {
        return;
    };
    let script = "orderfeedStorefront.consent(true);\norderfeedStorefront.identify(\" Jo@Example.com \");\n\
                  setTimeout(function () { orderfeedStorefront.productView({ sku: \"24-MB01\", name: \"Bag\", price: 34 }); }, 500);";
    let seen = stage.visit(script).await;
    let view = stage.edge.events().into_iter();
    let view = view
        .into_iter()
        .find(|row| row.event_type.as_deref() == Some("commerce.productViews"));
    let xdm = stage.xdm(&view.unwrap_or_else(|| panic!("{seen:?}")));
    let hash = hex::encode(Sha256::digest("jo@example.com"));
    assert_eq!(xdm["identityMap"]["Email_LC_SHA256"][0]["id"], hash, "{xdm}");
    assert_eq!(stage.edge.pii_findings(), []);
    stage.assert_events_are_valid();
}
