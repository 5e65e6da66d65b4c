//! The endpoints of the Web SDK, as a page on another host calls them.

use orderfeed_emulator::{Access, Consent, DEFAULT_DATASTREAM, DEFAULT_ORG, EventStatus};
use serde_json::{Value, json};

use crate::emulator::fixture::{Fixture, Got, batch, got};

const SHOP: &str = "https://shop.test";

impl Fixture {
    /// Posts `body` to an endpoint of the edge host as a page of [`SHOP`] does: without a token, as plain text.
    async fn page(&self, action: &str, body: &Value) -> Got {
        let url = format!(
            "{}/ee/{action}?configId={DEFAULT_DATASTREAM}&requestId=r",
            self.emulator.edge_url()
        );
        let request = self
            .client
            .post(url)
            .header("host", "edge.adobedc.net")
            .header("origin", SHOP)
            .header("content-type", "text/plain; charset=UTF-8");
        got(request.body(body.to_string())).await.unwrap()
    }
}

/// Returns the name of a cookie of the default organization.
fn cookie(name: &str) -> String {
    format!("kndctr_{}_{name}", DEFAULT_ORG.replace('@', "_"))
}

/// Returns the cookies that an answer stores, as the page sends them with its next request.
fn stored(answer: &Got) -> Value {
    let body = answer.json();
    let handle = handle(&body, "state:store");
    let entries = handle.as_array().unwrap().iter();
    entries
        .map(|entry| json!({ "key": entry["key"], "value": entry["value"] }))
        .collect()
}

fn handle<'b>(body: &'b Value, kind: &str) -> &'b Value {
    let handles = body["handle"].as_array().unwrap();
    let found = handles.iter().find(|handle| handle["type"] == kind);
    &found.unwrap_or_else(|| panic!("no {kind} in {body}"))["payload"]
}

fn ecid(answer: &Got) -> String {
    let body = answer.json();
    let identity = &handle(&body, "identity:result")[0];
    assert_eq!(identity["namespace"]["code"], "ECID");
    identity["id"].as_str().unwrap().to_owned()
}

fn with_state(mut body: Value, entries: &Value) -> Value {
    body["meta"]["state"] = json!({ "domain": "shop.test", "cookiesEnabled": true, "entries": entries });
    body
}

/// Returns an event without `_id` and without an identity.
fn view() -> Value {
    json!({ "xdm": { "timestamp": "2026-11-22T06:00:00.000Z", "eventType": "web.webpagedetails.pageViews",
        "web": { "webPageDetails": { "pageViews": { "value": 1 }, "name": "Home" } } } })
}

fn views() -> Value {
    json!({ "events": [view()] })
}

fn consent(general: &str) -> Value {
    json!({ "consent": [{ "standard": "Adobe", "version": "1.0", "value": { "general": general } }] })
}

#[tokio::test]
async fn a_visitor_keeps_the_identity_that_the_first_answer_assigns() {
    let fixture = Fixture::with(|config| config.strict_xdm = true).await;
    let first = fixture.page("v1/identity/acquire", &json!({ "query": {} })).await;
    assert_eq!(first.status, 200, "{}", first.text);
    let ecid = ecid(&first);
    assert!(ecid.len() == 38 && ecid.bytes().all(|byte| byte.is_ascii_digit()));
    let entries = stored(&first);
    assert_eq!(entries[0]["key"], cookie("identity"));
    assert_eq!(entries[1], json!({ "key": cookie("cluster"), "value": "or2" }));

    let second = fixture
        .page("or2/v1/interact", &with_state(views(), &entries))
        .await;
    assert_eq!(self::ecid(&second), ecid);
    // An identity that the page knows is not stored again.
    assert_eq!(stored(&second).as_array().unwrap().len(), 1);

    let event = &fixture.emulator.events()[0];
    assert_eq!(event.status, EventStatus::Recorded, "{:?}", event.violations);
    assert_eq!(event.id.len(), 36, "the edge assigns an _id");
    let rows = fixture.emulator.requests();
    assert!(
        rows.iter()
            .all(|row| row.visitor.as_deref() == Some(ecid.as_str()))
    );
    assert!(rows.iter().all(|row| row.origin.as_deref() == Some(SHOP)));
    assert!(
        rows.iter()
            .all(|row| row.host.as_deref() == Some("edge.adobedc.net"))
    );
}

#[tokio::test]
async fn a_first_party_edge_reads_the_cookies_of_the_browser() {
    let fixture = Fixture::start().await;
    let first = fixture.page("v1/identity/acquire", &json!({})).await;
    let value = stored(&first)[0]["value"].as_str().unwrap().to_owned();
    let url = format!(
        "{}/ee/v1/interact?configId={DEFAULT_DATASTREAM}",
        fixture.emulator.edge_url()
    );
    let cookies = format!(
        "x=1; {}={}; {}=general%3Din",
        cookie("identity"),
        value.replace('=', "%3D"),
        cookie("consent")
    );
    let request = fixture
        .client
        .post(url)
        .header("origin", SHOP)
        .header("cookie", cookies);
    let request = request
        .header("content-type", "text/plain")
        .body(views().to_string());
    let second = got(request).await.unwrap();
    assert_eq!(ecid(&second), ecid(&first));
    assert_eq!(fixture.emulator.requests()[1].consent, Some(Consent::In));
}

#[tokio::test]
async fn consent_belongs_to_the_visitor_and_is_returned_as_a_cookie() {
    let fixture = Fixture::start().await;
    let out = fixture.page("v1/privacy/set-consent", &consent("out")).await;
    assert_eq!(out.status, 200, "{}", out.text);
    let entries = stored(&out);
    let kept = json!({ "key": cookie("consent"), "value": "general=out" });
    assert!(entries.as_array().unwrap().contains(&kept), "{entries}");

    let refused = fixture.page("v1/interact", &with_state(views(), &entries)).await;
    assert_eq!(
        refused.json()["warnings"][0]["type"],
        "https://ns.adobe.com/aep/errors/EXEG-0301-200"
    );
    let again = fixture
        .page("v1/privacy/set-consent", &with_state(consent("in"), &entries))
        .await;
    let mut changed = stored(&again);
    changed.as_array_mut().unwrap().push(entries[0].clone());
    let accepted = fixture.page("v1/interact", &with_state(views(), &changed)).await;
    assert!(accepted.json()["warnings"].is_null());

    let statuses: Vec<_> = fixture.emulator.events().iter().map(|row| row.status).collect();
    assert_eq!(statuses, [EventStatus::Ignored, EventStatus::Recorded]);
    let consents: Vec<_> = fixture
        .emulator
        .requests()
        .iter()
        .map(|row| row.consent)
        .collect();
    let (decided_out, decided_in) = (Some(Consent::Out), Some(Consent::In));
    assert_eq!(consents, [decided_out, decided_out, decided_in, decided_in]);
}

#[tokio::test]
async fn every_answer_to_a_page_names_its_origin() {
    let fixture = Fixture::start().await;
    let zeros = json!({ "events": [{ "xdm": { "timestamp": "2026-11-22T06:00:00.000Z",
        "identityMap": { "ECID": [{ "id": "0".repeat(36), "primary": true }] } } }] });
    for (action, body, status) in [
        ("v1/interact", views(), 200),
        ("v1/collect", views(), 204),
        ("v1/identity/acquire", json!({}), 200),
        ("v1/privacy/set-consent", consent("in"), 200),
        ("v1/privacy/set-consent", json!({}), 400),
        ("v1/interact", json!({}), 400),
        ("v1/interact", zeros, 400),
        ("v1/nothing", json!({}), 404),
    ] {
        let answer = fixture.page(action, &body).await;
        assert_eq!(answer.status, status, "{action} {}", answer.text);
        assert_cors(&answer);
    }
    fixture.script(json!([{ "status": 503, "retry_after": "1" }]));
    let failed = fixture.page("v1/interact", &views()).await;
    assert_eq!((failed.status, failed.header("retry-after")), (503, Some("1")));
    assert_cors(&failed);

    fixture.script(json!([{ "no_cors": true }]));
    let hidden = fixture.page("v1/interact", &views()).await;
    assert_eq!(hidden.status, 200);
    assert_eq!(hidden.header("access-control-allow-origin"), None);
}

fn assert_cors(answer: &Got) {
    assert_eq!(answer.header("access-control-allow-origin"), Some(SHOP));
    assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
    assert_eq!(
        answer.header("access-control-expose-headers"),
        Some("x-adobe-edge, x-request-id, retry-after")
    );
    assert_eq!(answer.header("vary"), Some("Origin"));
}

#[tokio::test]
async fn a_preflight_is_answered_for_the_edge_alone() {
    let fixture = Fixture::start().await;
    let ask = async |base: String, path: &str| {
        let request = fixture
            .client
            .request(reqwest::Method::OPTIONS, format!("{base}{path}"));
        let request = request
            .header("origin", SHOP)
            .header("access-control-request-headers", "content-type");
        got(request).await.unwrap()
    };
    let answer = ask(fixture.emulator.edge_url(), "/ee/v1/interact").await;
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    assert_cors(&answer);
    assert_eq!(
        answer.header("access-control-allow-headers"),
        Some("content-type")
    );
    let server = ask(fixture.emulator.server_url(), "/ee/v1/interact").await;
    assert_eq!(server.status, 405);
    assert_eq!(server.header("access-control-allow-origin"), None);
}

#[tokio::test]
async fn a_datastream_for_servers_alone_refuses_pages() {
    let fixture = Fixture::with(|config| {
        let datastream = config.datastreams.get_mut(DEFAULT_DATASTREAM).unwrap();
        datastream.access = Access::Authenticated;
    })
    .await;
    let answer = fixture.page("v1/interact", &views()).await;
    assert_eq!(answer.code(), "0500-401");
    assert_cors(&answer);
}

#[tokio::test]
async fn a_server_still_names_its_primary_identity() {
    let fixture = Fixture::start().await;
    let path = format!("/ee/v1/interact?configId={DEFAULT_DATASTREAM}");
    let answer = fixture.server(&path, batch(&[view()])).await;
    assert_eq!(answer.code(), "0306-400");
}
