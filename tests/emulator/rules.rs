//! Every row of the validation order, and the answers to accepted requests.

use orderfeed_emulator::{Access, DEFAULT_CLIENT, DEFAULT_DATASTREAM, DEFAULT_ORG, DatastreamConfig};
use serde_json::{Value, json};

use crate::emulator::fixture::{Fixture, batch, event, got, ids};

#[tokio::test]
async fn an_accepted_batch_is_answered_202_and_recorded() {
    let fixture = Fixture::start().await;
    let url = format!("{}&requestId=708e4f90", fixture.collect_url());
    let answer = got(fixture.post(&url).body(ids(&["a", "b"]))).await.unwrap();
    assert_eq!(answer.status, 202);
    let request_id = answer.json()["requestId"].as_str().unwrap().to_owned();
    assert!(request_id.starts_with("708e4f90-") && request_id.len() == "708e4f90-".len() + 16);
    assert_eq!(answer.header("x-request-id"), Some(request_id.as_str()));
    assert_eq!(answer.header("x-adobe-edge"), Some("or2;35"));

    let events = fixture.emulator.events();
    assert_eq!(
        events.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(),
        ["a", "b"]
    );
    assert_eq!(events[0].purchase_id.as_deref(), Some("000000042"));
    assert_eq!(events[0].datastream, DEFAULT_DATASTREAM);
    assert_eq!(events[1].request_id, request_id);
    let request = &fixture.emulator.requests()[0];
    assert_eq!((request.status, request.n_events, request.ru), (202, 2, 1));
    assert_eq!(request.auth_client.as_deref(), Some(DEFAULT_CLIENT));
}

#[tokio::test]
async fn each_endpoint_answers_in_its_own_way() {
    let fixture = Fixture::start().await;
    let one = json!({ "event": event("i") }).to_string();
    for (path, body, status) in [
        ("/ee/irl1/v2/collect?datastreamId=", ids(&["a"]), 202),
        ("/ee/v2/collect?dataStreamId=", ids(&["b"]), 202),
        ("/ee/v2/collect?silent=true&datastreamId=", ids(&["c"]), 204),
        ("/ee/v1/collect?configId=", ids(&["d"]), 204),
        ("/ee/v1/interact?configId=", ids(&["e"]), 200),
        ("/ee/v2/interact?datastreamId=", one.clone(), 200),
    ] {
        let answer = fixture.server(&format!("{path}{DEFAULT_DATASTREAM}"), body).await;
        assert_eq!(answer.status, status, "{path} {}", answer.text);
        assert_eq!(answer.text.is_empty(), status == 204, "{path}");
        if status == 200 {
            assert_eq!(answer.json()["handle"][0]["type"], "locationHint:result");
        }
    }
    assert_eq!(fixture.emulator.unique_ids(), 6);
    assert_eq!(fixture.emulator.totals().silent_requests, 1);
    let batch_to_interact = fixture
        .server(
            &format!("/ee/v2/interact?datastreamId={DEFAULT_DATASTREAM}"),
            ids(&["x"]),
        )
        .await;
    assert_eq!(batch_to_interact.code(), "0103-400");
}

#[tokio::test]
async fn v1_takes_an_identity_beside_the_events() {
    let fixture = Fixture::start().await;
    let mut bare = event("a");
    let map = bare["xdm"]
        .as_object_mut()
        .unwrap()
        .remove("identityMap")
        .unwrap();
    let body = json!({ "xdm": { "identityMap": map }, "events": [bare] }).to_string();
    let answer = fixture
        .server(&format!("/ee/v1/collect?configId={DEFAULT_DATASTREAM}"), body)
        .await;
    assert_eq!(answer.status, 204, "{}", answer.text);
}

#[tokio::test]
async fn other_paths_and_methods_are_refused_in_plain_text() {
    let fixture = Fixture::start().await;
    assert_eq!(fixture.server("/v2/collect", "{}").await.status, 404);
    assert_eq!(fixture.server("/__mock/ledger", "{}").await.status, 404);
    let answer = got(fixture.client.get(fixture.collect_url())).await.unwrap();
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (405, Some("text/plain"))
    );
}

#[tokio::test]
async fn a_refused_request_names_the_code_and_records_nothing() {
    let fixture = Fixture::with(|config| {
        config.max_bytes = 3000;
        config.datastreams.insert(
            "off".into(),
            DatastreamConfig {
                enabled: false,
                ..DatastreamConfig::default()
            },
        );
    })
    .await;
    let good = event("good");
    let with = |pointer: &str, value: Value| {
        let mut bad = event("bad");
        *bad.pointer_mut(pointer).unwrap() = value;
        batch(&[good.clone(), bad])
    };
    let id = |value| with("/xdm/identityMap/Email_LC_SHA256/0/id", value);
    for (datastream, body, code) in [
        (DEFAULT_DATASTREAM, "x".repeat(3001), "0112-413"),
        (DEFAULT_DATASTREAM, String::new(), "0109-408"),
        ("", ids(&["a"]), "0002-400"),
        ("unknown", ids(&["a"]), "0003-400"),
        ("off", ids(&["a"]), "0004-422"),
        (DEFAULT_DATASTREAM, r#"{"events":[}"#.to_owned(), "0101-400"),
        (DEFAULT_DATASTREAM, r#"{"meta":{}}"#.to_owned(), "0103-400"),
        (DEFAULT_DATASTREAM, r#"{"events":[]}"#.to_owned(), "0103-400"),
        (DEFAULT_DATASTREAM, with("/xdm", json!("x")), "0102-400"),
        (
            DEFAULT_DATASTREAM,
            with("/xdm/timestamp", json!("yesterday")),
            "0102-400",
        ),
        (DEFAULT_DATASTREAM, with("/xdm/_id", json!(7)), "0102-400"),
        (
            DEFAULT_DATASTREAM,
            with("/xdm/identityMap/Email_LC_SHA256", json!("x")),
            "0305-400",
        ),
        (DEFAULT_DATASTREAM, id(json!("")), "0305-400"),
        (DEFAULT_DATASTREAM, id(json!("abc")), "0308-400"),
        (
            DEFAULT_DATASTREAM,
            with(
                "/xdm/identityMap",
                json!({ "Nobody": [{ "id": "x", "primary": true }] }),
            ),
            "0013-422",
        ),
        (
            DEFAULT_DATASTREAM,
            with("/xdm/identityMap", json!({})),
            "0306-400",
        ),
        (
            DEFAULT_DATASTREAM,
            with(
                "/xdm/identityMap",
                json!({ "Email": [{ "id": "x", "primary": true }, { "id": "y", "primary": true }] }),
            ),
            "0304-400",
        ),
    ] {
        let answer = fixture
            .server(&format!("/ee/v2/collect?datastreamId={datastream}"), body)
            .await;
        assert_eq!(answer.code(), code, "{}", answer.text);
        assert_eq!(answer.status.to_string(), code.split('-').nth(1).unwrap());
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert_eq!(
            answer.json()["report"]["requestId"].as_str(),
            answer.header("x-request-id")
        );
    }
    assert_eq!(
        fixture.emulator.unique_ids(),
        0,
        "a batch with one bad event is refused whole"
    );
}

#[tokio::test]
async fn content_types_are_checked_before_the_body() {
    let fixture = Fixture::start().await;
    let send = |content_type: Option<&'static str>| {
        let mut request = fixture.client.post(fixture.collect_url()).body("");
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        got(request)
    };
    assert_eq!(send(None).await.unwrap().code(), "0111-415");
    assert_eq!(send(Some("application/xml")).await.unwrap().code(), "0111-415");
    assert_eq!(send(Some("json")).await.unwrap().code(), "0106-400");
    assert_eq!(send(Some("application/json")).await.unwrap().code(), "0109-408");
}

#[tokio::test]
async fn the_server_host_asks_for_a_token_that_fits() {
    let fixture = Fixture::with(|config| {
        let other = DatastreamConfig {
            sandbox: "dev".into(),
            ..DatastreamConfig::default()
        };
        config.datastreams.insert("dev".into(), other);
    })
    .await;
    let token = fixture.emulator.issue_token(DEFAULT_CLIENT).unwrap();
    let send = |token: &str, key: &str, org: &str| {
        let request = fixture
            .client
            .post(fixture.collect_url())
            .header("content-type", "application/json")
            .body(ids(&["a"]));
        let request = if token.is_empty() {
            request
        } else {
            request.header("authorization", token.to_owned())
        };
        let request = if key.is_empty() {
            request
        } else {
            request.header("x-api-key", key.to_owned())
        };
        let request = if org.is_empty() {
            request
        } else {
            request.header("x-gw-ims-org-id", org.to_owned())
        };
        got(request)
    };
    let bearer = format!("Bearer {token}");
    assert_eq!(
        send("", DEFAULT_CLIENT, DEFAULT_ORG).await.unwrap().code(),
        "0500-401"
    );
    assert_eq!(
        send("Basic x", DEFAULT_CLIENT, DEFAULT_ORG).await.unwrap().code(),
        "0500-401"
    );
    assert_eq!(send(&bearer, "", DEFAULT_ORG).await.unwrap().code(), "0500-401");
    assert_eq!(
        send(&bearer, DEFAULT_CLIENT, "").await.unwrap().code(),
        "0500-401"
    );
    assert_eq!(
        send("Bearer nobody", DEFAULT_CLIENT, DEFAULT_ORG)
            .await
            .unwrap()
            .code(),
        "0502-401"
    );
    assert_eq!(
        send(&bearer, DEFAULT_CLIENT, "1@AdobeOrg").await.unwrap().code(),
        "0504-401"
    );
    assert_eq!(
        send(&bearer, "another", DEFAULT_ORG).await.unwrap().code(),
        "0504-401"
    );
    assert_eq!(
        fixture
            .server("/ee/v2/collect?datastreamId=dev", ids(&["a"]))
            .await
            .code(),
        "0506-401"
    );
    assert_eq!(
        send(&bearer, DEFAULT_CLIENT, DEFAULT_ORG).await.unwrap().status,
        202
    );

    fixture
        .emulator
        .set_clock(fixture.emulator.now().plus_millis(86_399_000));
    assert_eq!(
        send(&bearer, DEFAULT_CLIENT, DEFAULT_ORG).await.unwrap().code(),
        "0503-401"
    );
    fixture
        .emulator
        .configure(|config| config.required_scopes = vec!["acp.foundation".into()]);
    fixture
        .emulator
        .set_clock(fixture.emulator.now().plus_millis(-86_399_000));
    assert_eq!(
        send(&bearer, DEFAULT_CLIENT, DEFAULT_ORG).await.unwrap().code(),
        "0505-401"
    );
}

#[tokio::test]
async fn the_edge_host_asks_for_a_token_only_where_the_datastream_does() {
    let fixture = Fixture::start().await;
    fixture.emulator.add_datastream(
        "auth",
        DatastreamConfig {
            access: Access::Authenticated,
            ..DatastreamConfig::default()
        },
    );
    for (datastream, status) in [(DEFAULT_DATASTREAM, 202), ("auth", 401)] {
        let url = format!(
            "{}/ee/v2/collect?datastreamId={datastream}",
            fixture.emulator.edge_url()
        );
        let request = fixture
            .client
            .post(url)
            .header("content-type", "application/json")
            .body(ids(&["a"]));
        assert_eq!(got(request).await.unwrap().status, status);
    }
}

#[tokio::test]
async fn an_organization_over_its_quota_gets_429_and_a_retry_after() {
    let fixture = Fixture::with(|config| config.ru_per_s = 2).await;
    for id in ["a", "b"] {
        assert_eq!(fixture.collect(ids(&[id])).await.status, 202);
    }
    let refused = fixture.collect(ids(&["c"])).await;
    assert_eq!(
        (refused.status, refused.text.as_str()),
        (429, "Too Many Requests")
    );
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(fixture.collect(ids(&["c"])).await.status, 429);
    assert_eq!(
        fixture.emulator.early_requests().len(),
        1,
        "the second one came within the pause"
    );
    fixture
        .emulator
        .set_clock(fixture.emulator.now().plus_millis(1000));
    assert_eq!(fixture.collect(ids(&["c"])).await.status, 202);
    assert_eq!(fixture.emulator.early_requests().len(), 1);
}

#[tokio::test]
async fn events_without_consent_are_ignored_with_a_warning_unless_silent_hides_it() {
    let fixture = Fixture::with(|config| config.opted_out_ids = vec!["out".into()]).await;
    let mut opted_out = event("b");
    opted_out["xdm"]["identityMap"] = json!({ "CRMID": [{ "id": "out", "primary": true }] });
    let body = batch(&[event("a"), opted_out]);
    let answer = fixture.collect(body.clone()).await;
    assert_eq!(answer.status, 202);
    let warning = &answer.json()["warnings"][0];
    assert!(warning["type"].as_str().unwrap().ends_with("EXEG-0301-200"));
    assert_eq!(warning["report"]["eventIndex"], 1);
    let statuses: Vec<_> = fixture
        .emulator
        .events()
        .iter()
        .map(|row| serde_json::to_value(row.status).unwrap())
        .collect();
    assert_eq!(statuses, ["recorded", "ignored"]);

    let silent = fixture
        .server(
            &format!("/ee/v2/collect?silent=true&datastreamId={DEFAULT_DATASTREAM}"),
            body,
        )
        .await;
    assert_eq!((silent.status, silent.text.as_str()), (204, ""));
}

#[tokio::test]
async fn strict_mode_accepts_a_bad_event_and_marks_it_failed() {
    let fixture = Fixture::with(|config| config.strict_xdm = true).await;
    let mut unknown = event("unknown-key");
    unknown["xdm"]["commerce"]["refunds"] = json!([]);
    let mut future = event("future");
    future["xdm"]["timestamp"] = json!("2026-11-22T07:00:00.001Z");
    let mut large = event("large");
    large["xdm"]["commerce"]["promotionID"] = json!("x".repeat(11_000));
    assert_eq!(
        fixture
            .collect(batch(&[event("good"), unknown, future, large]))
            .await
            .status,
        202
    );
    let rows = fixture.emulator.events();
    let statuses: Vec<_> = rows
        .iter()
        .map(|row| serde_json::to_value(row.status).unwrap())
        .collect();
    assert_eq!(
        statuses,
        ["recorded", "failed_batch", "failed_batch", "profile_rejected"]
    );
    assert!(rows[1].violations[0].contains("extraneous key [refunds]"));
}
