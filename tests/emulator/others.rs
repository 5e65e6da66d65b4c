//! The token endpoint, consent, and the inlets of the data hub.

use orderfeed_emulator::{
    ClientConfig, DEFAULT_CLIENT, DEFAULT_DATASTREAM, DEFAULT_ORG, DEFAULT_SECRET, InletConfig,
};
use serde_json::{Value, json};

use crate::emulator::fixture::{Fixture, Got, HASH, event, got, ids};

async fn token(fixture: &Fixture, path: &str, form: &str) -> Got {
    let url = format!("{}{path}", fixture.emulator.server_url());
    let request = fixture
        .client
        .post(url)
        .header("content-type", "application/x-www-form-urlencoded");
    got(request.body(form.to_owned())).await.unwrap()
}

fn form(client: &str, secret: &str, scope: &str) -> String {
    format!("grant_type=client_credentials&client_id={client}&client_secret={secret}&scope={scope}")
}

#[tokio::test]
async fn a_token_is_issued_for_client_credentials_and_opens_the_edge() {
    let fixture = Fixture::with(|config| config.required_scopes = vec!["session".into()]).await;
    for path in ["/ims/token/v3", "/ims/token/v2"] {
        let issued = token(
            &fixture,
            path,
            &form(DEFAULT_CLIENT, DEFAULT_SECRET, "openid,session"),
        )
        .await;
        assert_eq!(issued.status, 200);
        assert_eq!(
            (&issued.json()["token_type"], &issued.json()["expires_in"]),
            (&json!("bearer"), &json!(86_399))
        );
        let bearer = format!("Bearer {}", issued.json()["access_token"].as_str().unwrap());
        let request = fixture
            .client
            .post(fixture.collect_url())
            .header("authorization", bearer);
        let request = request
            .header("x-api-key", DEFAULT_CLIENT)
            .header("x-gw-ims-org-id", DEFAULT_ORG);
        let sent = got(request
            .header("content-type", "application/json")
            .body(ids(&["a"])))
        .await
        .unwrap();
        assert_eq!(sent.status, 202);
    }
    assert_eq!(fixture.emulator.totals().tokens_issued, 2);
}

#[tokio::test]
async fn wrong_credentials_and_scopes_are_refused_as_oauth_does() {
    let fixture = Fixture::with(|config| {
        config.clients.insert(
            "narrow".into(),
            ClientConfig {
                scopes: vec!["openid".into()],
                ..ClientConfig::default()
            },
        );
    })
    .await;
    for (form, error) in [
        (form("nobody", DEFAULT_SECRET, ""), "invalid_client"),
        (form(DEFAULT_CLIENT, "wrong", ""), "invalid_client"),
        (form("narrow", DEFAULT_SECRET, "openid,session"), "invalid_scope"),
        ("grant_type=password".to_owned(), "unsupported_grant_type"),
    ] {
        let refused = token(&fixture, "/ims/token/v3", &form).await;
        assert_eq!(
            (refused.status, refused.json()["error"].as_str()),
            (400, Some(error))
        );
    }
}

#[tokio::test]
async fn a_client_that_fetches_too_many_tokens_is_throttled() {
    let fixture = Fixture::with(|config| config.tokens_per_minute = 1).await;
    let form = form(DEFAULT_CLIENT, DEFAULT_SECRET, "");
    assert_eq!(token(&fixture, "/ims/token/v3", &form).await.status, 200);
    let throttled = token(&fixture, "/ims/token/v3", &form).await;
    assert_eq!((throttled.status, throttled.text.as_str()), (429, "{}"));
    assert!(throttled.header("retry-after").is_some());
}

#[tokio::test]
async fn an_opt_out_makes_later_events_ignored_until_an_opt_in() {
    let fixture = Fixture::start().await;
    let path = format!("/ee/v1/privacy/set-consent?configId={DEFAULT_DATASTREAM}");
    let consent = |val: &str| {
        json!({ "identityMap": { "Email_LC_SHA256": [{ "id": HASH }] },
            "consent": [{ "standard": "Adobe", "version": "2.0", "value": { "collect": { "val": val } } }] })
        .to_string()
    };
    assert_eq!(fixture.server(&path, consent("n")).await.status, 200);
    assert!(fixture.collect(ids(&["a"])).await.json()["warnings"].is_array());
    assert_eq!(fixture.server(&path, consent("y")).await.status, 200);
    assert!(fixture.collect(ids(&["b"])).await.json()["warnings"].is_null());

    for (body, code) in [
        ("{}".to_owned(), "0103-400"),
        (consent("perhaps"), "0102-400"),
        (consent("n").replace("\"2.0\"", "\"3.0\""), "0104-422"),
        ("{".to_owned(), "0101-400"),
    ] {
        assert_eq!(fixture.server(&path, body).await.code(), code);
    }
}

fn message(id: &str) -> Value {
    let schema = json!({ "id": "https://ns.adobe.com/x/schemas/1", "contentType": "application/vnd.adobe.xed-full+json;version=1" });
    json!({
        "header": { "schemaRef": schema, "imsOrgId": DEFAULT_ORG, "datasetId": "d", "flowId": "f" },
        "body": { "xdmMeta": { "schemaRef": schema }, "xdmEntity": event(id)["xdm"] },
    })
}

#[tokio::test]
async fn an_inlet_takes_one_message_or_answers_each_of_many() {
    let fixture = Fixture::with(|config| {
        config.inlets.insert("in".into(), InletConfig::default());
        config.inlets.insert(
            "locked".into(),
            InletConfig {
                authenticated: true,
                ..InletConfig::default()
            },
        );
    })
    .await;
    let single = fixture.server("/collection/in", message("a").to_string()).await;
    assert_eq!(single.status, 200);
    assert_eq!(single.json()["inletId"], "in");
    assert_eq!(single.json()["syncValidation"]["skipped"], true);

    let mut strange = message("c");
    strange["body"]["xdmMeta"]["schemaRef"]["id"] = json!("another");
    let many = fixture
        .server(
            "/collection/batch/in",
            json!({ "messages": [message("b"), strange] }).to_string(),
        )
        .await;
    assert_eq!(many.status, 207);
    let responses = many.json()["responses"].clone();
    assert!(responses[0]["xactionId"].is_string());
    assert_eq!(responses[1]["statusCode"], 400);
    assert!(
        responses[1]["message"]
            .as_str()
            .unwrap()
            .contains("unknown xdm format")
    );
    assert_eq!(fixture.emulator.unique_ids(), 2);

    assert_eq!(
        fixture
            .server("/collection/nowhere", message("a").to_string())
            .await
            .status,
        400
    );
    assert_eq!(
        fixture
            .server("/collection/in", "x".repeat((1 << 20) + 1))
            .await
            .status,
        413
    );
    assert_eq!(
        fixture
            .server("/collection/in?syncValidation=true", message("a").to_string())
            .await
            .status,
        501
    );
    assert_eq!(
        fixture
            .server("/collection/locked", message("a").to_string())
            .await
            .status,
        200
    );
    let url = format!("{}/collection/locked", fixture.emulator.server_url());
    assert_eq!(
        got(fixture.client.post(&url).body(message("a").to_string()))
            .await
            .unwrap()
            .status,
        401
    );
    fixture.emulator.expire_tokens();
    let stale = fixture
        .client
        .post(&url)
        .header("authorization", "Bearer nobody")
        .body(message("a").to_string());
    assert_eq!(got(stale).await.unwrap().status, 403);
}
