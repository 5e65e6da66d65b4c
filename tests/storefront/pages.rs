//! Pages that load the script in unusual ways.

use crate::storefront::modes::{EVENTS, SHOPPING};
use crate::storefront::site::Page;
use crate::storefront::stage::Stage;

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
async fn a_prerendered_page_sends_its_events_once_it_is_shown() {
    let Some(stage) = Stage::start("").await else {
        return;
    };
    let snippet = stage.publish();
    // A headless browser prerenders nothing, so the page pretends.
    let hidden = "var isHidden = true;\n\
                  Object.defineProperty(document, \"prerendering\", { get: function () { return isHidden; } });";
    stage.site.serve("/hidden.js", Page::script(hidden));
    let head = format!("<script src=\"/hidden.js\"></script>\n{snippet}");
    stage.serve("/", &head, SHOPPING);
    let seen = stage.open("https://shop.test/").await;
    stage.assert_silent();
    stage.assert_no_deployed_file();
    assert_eq!(seen.cookies, "", "{seen:?}");

    let shown = "isHidden = false; document.dispatchEvent(new Event(\"prerenderingchange\"));";
    let script = format!("{SHOPPING}\nsetTimeout(function () {{ {shown} }}, 1500);");
    stage.serve("/", &head, &script);
    let seen = stage.open("https://shop.test/").await;
    assert_eq!(stage.sorted_types(), EVENTS, "{seen:?}");
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
async fn beside_a_collector_of_the_theme_no_event_is_sent_twice() {
    let deployed =
        "mode = \"collector\"\npersonal_data = true\nthird_party_cookies = true\nlink_clicks = true\n";
    for (mode, line, expected) in [
        ("", "no events are sent: set storefront.mode", &[][..]),
        (deployed, "only the settings were given to it", &EVENTS),
    ] {
        let Some(stage) = Stage::start(&format!("{mode}consent = \"assumed\"\n")).await else {
            return;
        };
        let (snippet, theme) = (stage.publish(), stage.serve_theme_collector());
        stage.serve("/", &format!("{snippet}\n{theme}"), SHOPPING);
        let seen = stage.open("https://shop.test/").await;
        seen.assert_logged(line);
        stage.assert_no_deployed_file();
        assert_eq!(stage.sorted_types(), expected, "{seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_with_requirejs_keeps_working() {
    let Some(stage) = Stage::start("").await else {
        return;
    };
    let Some(requirejs) = stage.serve_requirejs() else {
        return;
    };
    let snippet = stage.publish();
    stage.site.serve(
        "/theme/cart.js",
        Page::script("define([], function () { return { name: \"cart\" }; });"),
    );
    stage.serve(
        "/",
        &format!("{snippet}\n{requirejs}"),
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
