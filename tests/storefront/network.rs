//! Content security policies, altered files, and an edge that fails.

use serde_json::json;

use crate::storefront::modes::SHOPPING;
use crate::storefront::site::Page;
use crate::storefront::stage::{Seen, Stage, page};

impl Stage {
    /// Opens a page with a content security policy.
    async fn visit_under(&self, policy: &str, script: &str) -> Seen {
        let snippet = self.publish();
        self.site.serve("/page.js", Page::script(script));
        self.site
            .serve("/", page("/", &snippet).with("content-security-policy", policy));
        self.open("https://shop.test/").await
    }

    /// Returns the address on the site and the text of the published script with a hash in its name that begins like this.
    fn published(&self, begin: &str) -> (String, String) {
        let (directory, name) = begin.split_once('/').unwrap();
        let entries = std::fs::read_dir(self.installation.path("out").join(directory)).unwrap();
        let mut names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        // The name without a hash is the same script for another snippet.
        let found = names
            .find(|file| file.starts_with(name) && file.matches('.').count() == 2)
            .unwrap();
        let text =
            std::fs::read_to_string(self.installation.path("out").join(directory).join(&found)).unwrap();
        (format!("/storefront/{directory}/{found}"), text)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_of_the_bundle_is_all_that_a_strict_site_adds() {
    let Some(stage) = Stage::start("").await else {
        return;
    };
    stage.build("out").ok();
    let policy = stage.installation.path("out/base/content-security-policy.txt");
    let policy = std::fs::read_to_string(policy).unwrap();
    assert!(
        !policy.contains("demdex") && !policy.contains("unsafe"),
        "{policy}"
    );
    let policy = format!("default-src 'none'; {}", policy.trim());
    let seen = stage.visit_under(&policy, SHOPPING).await;
    assert_eq!(stage.event_types().len(), 5, "{seen:?}");
    assert!(
        !seen.console.iter().any(|line| line.starts_with("error")),
        "{seen:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_without_demdex_does_not_stop_a_site_with_third_party_cookies() {
    let Some(stage) = Stage::start("third_party_cookies = true\n").await else {
        return;
    };
    let policy = "default-src 'self'; connect-src 'self' https://edge.adobedc.net";
    let seen = stage.visit_under(policy, SHOPPING).await;
    assert_eq!(stage.event_types().len(), 5, "{seen:?}");
    assert_eq!(
        stage.hosts().into_keys().collect::<Vec<_>>(),
        ["edge.adobedc.net"]
    );
    // With a policy that allows it, the first request goes there.
    stage.edge.reset();
    stage.visit(SHOPPING).await;
    assert!(
        stage.hosts().contains_key("adobedc.demdex.net"),
        "{:?}",
        stage.hosts()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_without_the_edge_sends_nothing_and_says_so() {
    let Some(stage) = Stage::start("").await else {
        return;
    };
    let seen = stage.visit_under("default-src 'self'", SHOPPING).await;
    stage.assert_silent();
    seen.assert_logged("the consent could not be set");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_altered_file_is_blocked() {
    let Some(stage) = Stage::start("").await else {
        return;
    };
    let snippet = stage.publish();
    stage.serve("/", &snippet, SHOPPING);
    for (part, line) in [
        // The script of the snippet never runs, so the shop's own script finds no functions.
        ("base/storefront.", "Cannot read properties of undefined"),
        ("adobe-files/standalone.", "was not loaded"),
    ] {
        let (path, original) = stage.published(part);
        stage
            .site
            .serve(&path, Page::script(format!("{original}\n// altered")));
        let seen = stage.open("https://shop.test/").await;
        seen.assert_logged(line);
        stage.assert_silent();
        stage.site.serve(&path, Page::script(original));
    }
    // Unaltered, the same page sends its events.
    let seen = stage.open("https://shop.test/").await;
    assert_eq!(stage.event_types().len(), 5, "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_that_is_busy_is_asked_again() {
    let Some(stage) = Stage::start("").await else {
        return;
    };
    let busy = json!({ "status": 503, "retry_after": "1", "times": 2, "match": { "path": "/interact" } });
    stage.edge.script_json(json!([busy])).unwrap();
    let seen = stage.visit(SHOPPING).await;
    assert_eq!(stage.event_types().len(), 5, "{seen:?}");
    let busy = stage.edge.requests().into_iter().filter(|row| row.status == 503);
    assert_eq!(busy.count(), 2);
    stage.assert_events_are_valid();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_the_web_sdk_refuses_does_not_break_the_page() {
    let broken = json!({ "status": 200, "body": "{\"requestId\":\"x\"}", "ctype": "application/json", "times": 0,
        "match": { "path": "/interact" } });
    let hidden = json!({ "no_cors": true, "times": 0, "match": { "path": "/interact" } });
    for fault in [broken, hidden] {
        let Some(stage) = Stage::start("").await else {
            return;
        };
        stage.edge.script_json(json!([fault])).unwrap();
        let script = format!("{SHOPPING}\nsetTimeout(function () {{ probe.alive = true; }}, 4000);");
        let seen = stage.visit(&script).await;
        // The edge has the events, although the page cannot read the answers.
        assert!(
            stage.event_types().contains(&"commerce.purchases".to_owned()),
            "{seen:?}"
        );
        seen.assert_logged("sendEvent error");
        assert_eq!(seen.values["alive"], true, "{seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_party_domain_gets_the_cookies_from_the_browser() {
    let Some(stage) = Stage::start("edge_domain = \"edge.shop.test\"\n").await else {
        return;
    };
    let seen = stage.visit(SHOPPING).await;
    assert_eq!(stage.event_types().len(), 5, "{seen:?}");
    assert_eq!(stage.hosts().into_keys().collect::<Vec<_>>(), ["edge.shop.test"]);
    let events = stage.edge.events();
    assert!(
        events.iter().all(|row| row.visitor == events[0].visitor),
        "{events:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn forwarding_to_commerce_is_a_choice() {
    let Some(stage) = Stage::start("forward_to_commerce = true\nconsent = \"assumed\"\n").await else {
        return;
    };
    let seen = stage.visit(SHOPPING).await;
    assert_eq!(stage.event_types().len(), 5, "{seen:?}");
    let hits = stage.site.hits();
    assert!(
        hits.iter().any(|hit| hit.host == "commerce.adobedc.net"),
        "{hits:?}"
    );
}
