//! Pages that load the script in unusual ways.

use std::path::Path;

use crate::storefront::modes::SHOPPING;
use crate::storefront::site::Page;
use crate::storefront::stage::{Stage, package_script};
use crate::support::daemon::say;

#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_is_loaded_twice_sends_each_event_once() {
    let Some(stage) = Stage::start("").await else {
        return;
    };
    let snippet = stage.publish();
    stage.serve("/", &format!("{snippet}\n{snippet}"), SHOPPING);
    let seen = stage.open("https://shop.test/").await;
    assert_eq!(stage.event_types().len(), 5, "{seen:?}");
    stage.assert_events_are_valid();
}

#[tokio::test(flavor = "multi_thread")]
async fn clicks_on_links_are_recorded_only_if_they_are_wanted() {
    // The click leads nowhere: the page's own listener comes after that of the Web SDK.
    let script = r#"
orderfeedStorefront.consent(true);
window.addEventListener("click", function (event) { event.preventDefault(); });
var link = document.createElement("a");
link.href = "https://elsewhere.test/";
link.textContent = "Elsewhere";
document.body.appendChild(link);
setTimeout(function () { link.click(); }, 3000);
"#;
    let view = "web.webpagedetails.pageViews";
    for (keys, expected) in [
        ("", vec![view]),
        (
            "link_clicks = true\n",
            vec![view, "web.webinteraction.linkClicks"],
        ),
    ] {
        let Some(stage) = Stage::start(keys).await else {
            return;
        };
        let seen = stage.visit(script).await;
        assert_eq!(stage.event_types(), expected, "{seen:?}");
        stage.assert_events_are_valid();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_a_collector_of_the_theme_only_the_settings_are_given() {
    let Some(stage) = Stage::start("consent = \"assumed\"\n").await else {
        return;
    };
    let snippet = stage.publish();
    let sdk = package_script("magento-storefront-events-sdk-1.18.0", "dist/index.js");
    let collector = package_script("magento-storefront-event-collector-1.18.0", "dist/index.js");
    stage.site.serve("/theme/magento-storefront-events-sdk.js", sdk);
    stage
        .site
        .serve("/theme/magento-storefront-event-collector.js", collector);
    let theme = "<script src=\"/theme/magento-storefront-events-sdk.js\"></script>\n\
                 <script src=\"/theme/magento-storefront-event-collector.js\"></script>";
    stage.serve("/", &format!("{snippet}\n{theme}"), SHOPPING);
    let seen = stage.open("https://shop.test/").await;
    seen.assert_logged("only the settings were given to it");
    assert!(
        !stage
            .site
            .hits()
            .iter()
            .any(|hit| hit.path.contains("adobe-files"))
    );
    let mut types = stage.event_types();
    types.sort();
    types.dedup();
    assert_eq!(types.len(), stage.event_types().len(), "no event twice: {seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_with_requirejs_keeps_working() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/.tools/require.js");
    let Ok(require) = std::fs::read_to_string(path) else {
        return say("skipped: there is no RequireJS; tests/fetch-storefront fetches it");
    };
    let Some(stage) = Stage::start("").await else {
        return;
    };
    let snippet = stage.publish();
    stage.site.serve("/require.js", Page::script(require));
    stage.site.serve(
        "/theme/cart.js",
        Page::script("define([], function () { return { name: \"cart\" }; });"),
    );
    stage.serve(
        "/",
        &format!("{snippet}\n<script src=\"/require.js\"></script>"),
        &format!(
            "requirejs.config({{ baseUrl: \"/theme\" }});\n\
             require([\"cart\"], function (cart) {{ probe.module = cart.name; {SHOPPING} }});"
        ),
    );
    let seen = stage.open("https://shop.test/").await;
    assert_eq!(stage.event_types().len(), 5, "{seen:?}");
    assert_eq!(seen.values["module"], "cart");
    assert!(
        !seen.console.iter().any(|line| line.contains("anonymous define")),
        "{seen:?}"
    );
}
