//! The control interface, used as a shell script would use it.

use serde_json::{Value, json};

use crate::emulator::rig::{Got, Rig, got, ids};

async fn get(rig: &Rig, path: &str) -> Got {
    got(rig
        .client
        .get(format!("{}/__mock/{path}", rig.emulator.control_url())))
    .await
    .unwrap()
}

async fn post(rig: &Rig, path: &str, body: Value) -> Got {
    let request = rig
        .client
        .post(format!("{}/__mock/{path}", rig.emulator.control_url()));
    got(request.body(body.to_string())).await.unwrap()
}

#[tokio::test]
async fn the_ledger_is_read_in_pages_and_in_sum() {
    let rig = Rig::start().await;
    rig.collect(ids(&["a", "b", "c"])).await;
    rig.collect(ids(&["d"])).await;
    let page = get(&rig, "ledger?limit=3").await.json();
    assert_eq!(page["events"].as_array().unwrap().len(), 3);
    assert_eq!(page["events"][0]["_id"], "a");
    assert_eq!(page["events"][0]["status"], "recorded");
    assert_eq!(page["requests"][1]["n_events"], 1);
    let rest = get(
        &rig,
        &format!("ledger?since={}&since_request=2", page["next"]["since"]),
    )
    .await
    .json();
    assert_eq!(
        (&rest["events"][0]["_id"], &rest["requests"]),
        (&json!("d"), &json!([]))
    );

    let summary = get(&rig, "ledger?summary=1").await.json();
    assert_eq!(summary["unique_ids"], 4);
    assert_eq!(summary["totals"]["by_kind"]["commerce.backofficeOrderPlaced"], 4);
    assert_eq!(summary["totals"]["by_status"]["202"], 2);
    assert_eq!(get(&rig, "ledger?id=a").await.json()["count"], 1);
    assert_eq!(get(&rig, "ledger?id=z").await.status, 404);
    assert_eq!(
        get(&rig, "ledger?findings=1").await.json()["bytes_changed"],
        json!([])
    );
    assert_eq!(get(&rig, "ledger?since=x").await.status, 400);
}

#[tokio::test]
async fn a_script_is_queued_shown_and_refused_as_a_whole() {
    let rig = Rig::start().await;
    assert_eq!(
        post(&rig, "script", json!({ "status": 503 })).await.json()["queued"],
        1
    );
    assert_eq!(
        post(&rig, "script", json!([{ "status": 502 }, { "gzip": true }]))
            .await
            .json()["queued"],
        3
    );
    assert_eq!(
        get(&rig, "script").await.json()["steps"][1],
        json!({ "status": 502 })
    );
    for (bad, why) in [
        (json!([{ "status": 500 }, { "code": "9999" }]), "step 1"),
        (json!([{ "sttus": 500 }]), "sttus"),
        (json!([{ "tls": "bad_cert" }]), "TLS"),
        (json!(7), "step 0"),
    ] {
        let refused = post(&rig, "script", bad).await;
        assert_eq!(refused.status, 400);
        assert!(
            refused.json()["error"].as_str().unwrap().contains(why),
            "{}",
            refused.text
        );
    }
    assert_eq!(rig.collect(ids(&["a"])).await.status, 503);
}

#[tokio::test]
async fn a_reset_forgets_what_was_and_what_was_planned() {
    let rig = Rig::start().await;
    rig.collect(ids(&["a"])).await;
    rig.script(json!([{ "status": 503 }]));
    assert_eq!(post(&rig, "reset", json!({})).await.status, 200);
    assert_eq!(rig.emulator.unique_ids(), 0);
    assert_eq!(rig.collect(ids(&["a"])).await.status, 202);
    assert_eq!(rig.emulator.events()[0].seq, 1);
}

#[tokio::test]
async fn the_clock_is_set_advanced_and_released() {
    let rig = Rig::start().await;
    let now = |got: Got| got.json()["now"].as_str().unwrap_or_default().to_owned();
    assert_eq!(now(get(&rig, "clock").await), "2026-11-22T07:00:00.000Z");
    assert_eq!(
        now(post(&rig, "clock", json!({ "advance_ms": 1500 })).await),
        "2026-11-22T07:00:01.500Z"
    );
    let set = post(&rig, "clock", json!({ "now": "2030-01-01T00:00:00Z" })).await;
    assert_eq!(now(set), "2030-01-01T00:00:00.000Z");
    assert_ne!(
        now(post(&rig, "clock", json!({ "system": true })).await),
        "2030-01-01T00:00:00.000Z"
    );
    for bad in [
        json!({}),
        json!({ "now": "soon" }),
        json!({ "now": "2030-01-01T00:00:00Z", "advance_ms": 1 }),
    ] {
        assert_eq!(post(&rig, "clock", bad).await.status, 400);
    }
}

#[tokio::test]
async fn the_configuration_is_merged_and_its_secrets_stay() {
    let rig = Rig::start().await;
    let patch = json!({ "max_bytes": 10, "datastreams": { "new": { "upstreams": 2 } } });
    let shown = post(&rig, "config", patch).await.json();
    assert_eq!(
        (&shown["max_bytes"], &shown["datastreams"]["new"]["upstreams"]),
        (&json!(10), &json!(2))
    );
    assert!(
        !get(&rig, "config")
            .await
            .text
            .contains(orderfeed_emulator::DEFAULT_SECRET)
    );
    assert_eq!(rig.collect(ids(&["a"])).await.code(), "0112-413");
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}",
        orderfeed_emulator::DEFAULT_CLIENT,
        orderfeed_emulator::DEFAULT_SECRET
    );
    assert_eq!(
        got(rig.client.post(rig.emulator.ims_url()).body(form))
            .await
            .unwrap()
            .status,
        200
    );
    assert_eq!(
        post(&rig, "config", json!({ "ledger": "counts" })).await.status,
        400
    );
    assert_eq!(post(&rig, "config", json!({ "max_byte": 1 })).await.status, 400);
}

#[tokio::test]
async fn what_does_not_exist_is_said_so() {
    let rig = Rig::start().await;
    assert_eq!(get(&rig, "nothing").await.status, 404);
    assert_eq!(get(&rig, "reset").await.status, 405);
}
