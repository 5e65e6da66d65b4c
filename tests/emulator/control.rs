//! The control interface, used as a shell script would use it.

use serde_json::{Value, json};

use crate::emulator::fixture::{Fixture, Got, got, ids};

async fn get(fixture: &Fixture, path: &str) -> Got {
    got(fixture
        .client
        .get(format!("{}/__mock/{path}", fixture.emulator.control_url())))
    .await
    .unwrap()
}

async fn post(fixture: &Fixture, path: &str, body: Value) -> Got {
    let request = fixture
        .client
        .post(format!("{}/__mock/{path}", fixture.emulator.control_url()));
    got(request.body(body.to_string())).await.unwrap()
}

#[tokio::test]
async fn the_ledger_is_read_in_pages_and_as_a_summary() {
    let fixture = Fixture::start().await;
    fixture.collect(ids(&["a", "b", "c"])).await;
    fixture.collect(ids(&["d"])).await;
    let page = get(&fixture, "ledger?limit=3").await.json();
    assert_eq!(page["events"].as_array().unwrap().len(), 3);
    assert_eq!(page["events"][0]["_id"], "a");
    assert_eq!(page["events"][0]["status"], "recorded");
    assert_eq!(page["requests"][1]["n_events"], 1);
    let rest = get(
        &fixture,
        &format!("ledger?since={}&since_request=2", page["next"]["since"]),
    )
    .await
    .json();
    assert_eq!(
        (&rest["events"][0]["_id"], &rest["requests"]),
        (&json!("d"), &json!([]))
    );

    let summary = get(&fixture, "ledger?summary=1").await.json();
    assert_eq!(summary["unique_ids"], 4);
    assert_eq!(summary["totals"]["by_kind"]["commerce.backofficeOrderPlaced"], 4);
    assert_eq!(summary["totals"]["by_status"]["202"], 2);
    assert_eq!(get(&fixture, "ledger?id=a").await.json()["count"], 1);
    assert_eq!(get(&fixture, "ledger?id=z").await.status, 404);
    assert_eq!(
        get(&fixture, "ledger?findings=1").await.json()["bytes_changed"],
        json!([])
    );
    assert_eq!(get(&fixture, "ledger?since=x").await.status, 400);
}

#[tokio::test]
async fn a_script_is_queued_shown_and_refused_as_a_whole() {
    let fixture = Fixture::start().await;
    assert_eq!(
        post(&fixture, "script", json!({ "status": 503 })).await.json()["queued"],
        1
    );
    assert_eq!(
        post(&fixture, "script", json!([{ "status": 502 }, { "gzip": true }]))
            .await
            .json()["queued"],
        3
    );
    assert_eq!(
        get(&fixture, "script").await.json()["steps"][1],
        json!({ "status": 502 })
    );
    for (bad, why) in [
        (json!([{ "status": 500 }, { "code": "9999" }]), "step 1"),
        (json!([{ "sttus": 500 }]), "sttus"),
        (json!([{ "tls": "bad_cert" }]), "TLS"),
        (json!(7), "step 0"),
    ] {
        let refused = post(&fixture, "script", bad).await;
        assert_eq!(refused.status, 400);
        assert!(
            refused.json()["error"].as_str().unwrap().contains(why),
            "{}",
            refused.text
        );
    }
    assert_eq!(fixture.collect(ids(&["a"])).await.status, 503);
}

#[tokio::test]
async fn a_reset_clears_the_ledger_and_the_script() {
    let fixture = Fixture::start().await;
    fixture.collect(ids(&["a"])).await;
    fixture.script(json!([{ "status": 503 }]));
    assert_eq!(post(&fixture, "reset", json!({})).await.status, 200);
    assert_eq!(fixture.emulator.unique_ids(), 0);
    assert_eq!(fixture.collect(ids(&["a"])).await.status, 202);
    assert_eq!(fixture.emulator.events()[0].seq, 1);
}

#[tokio::test]
async fn the_clock_is_set_advanced_and_released() {
    let fixture = Fixture::start().await;
    let now = |got: Got| got.json()["now"].as_str().unwrap_or_default().to_owned();
    assert_eq!(now(get(&fixture, "clock").await), "2026-11-22T07:00:00.000Z");
    assert_eq!(
        now(post(&fixture, "clock", json!({ "advance_ms": 1500 })).await),
        "2026-11-22T07:00:01.500Z"
    );
    let set = post(&fixture, "clock", json!({ "now": "2030-01-01T00:00:00Z" })).await;
    assert_eq!(now(set), "2030-01-01T00:00:00.000Z");
    assert_ne!(
        now(post(&fixture, "clock", json!({ "system": true })).await),
        "2030-01-01T00:00:00.000Z"
    );
    for bad in [
        json!({}),
        json!({ "now": "soon" }),
        json!({ "now": "2030-01-01T00:00:00Z", "advance_ms": 1 }),
    ] {
        assert_eq!(post(&fixture, "clock", bad).await.status, 400);
    }
}

#[tokio::test]
async fn the_configuration_is_merged_and_its_secrets_stay() {
    let fixture = Fixture::start().await;
    let patch = json!({ "max_bytes": 10, "datastreams": { "new": { "upstreams": 2 } } });
    let shown = post(&fixture, "config", patch).await.json();
    assert_eq!(
        (&shown["max_bytes"], &shown["datastreams"]["new"]["upstreams"]),
        (&json!(10), &json!(2))
    );
    assert!(
        !get(&fixture, "config")
            .await
            .text
            .contains(orderfeed_emulator::DEFAULT_SECRET)
    );
    assert_eq!(fixture.collect(ids(&["a"])).await.code(), "0112-413");
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}",
        orderfeed_emulator::DEFAULT_CLIENT,
        orderfeed_emulator::DEFAULT_SECRET
    );
    assert_eq!(
        got(fixture.client.post(fixture.emulator.ims_url()).body(form))
            .await
            .unwrap()
            .status,
        200
    );
    assert_eq!(
        post(&fixture, "config", json!({ "ledger": "counts" }))
            .await
            .status,
        400
    );
    assert_eq!(
        post(&fixture, "config", json!({ "max_byte": 1 })).await.status,
        400
    );
}

#[tokio::test]
async fn unknown_paths_and_methods_are_refused() {
    let fixture = Fixture::start().await;
    assert_eq!(get(&fixture, "nothing").await.status, 404);
    assert_eq!(get(&fixture, "reset").await.status, 405);
}
