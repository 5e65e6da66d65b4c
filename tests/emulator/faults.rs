//! Every kind of step in a fault script.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use orderfeed_emulator::{DEFAULT_CLIENT, Emulator, EmulatorConfig, RandomFaults};
use orderfeed_model::clock::UtcMillis;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::emulator::fixture::{Fixture, client, got, ids};

#[tokio::test]
async fn scripted_statuses_are_answered_in_order_and_then_normal_answers() {
    let fixture = Fixture::start().await;
    fixture.script(json!([
        { "status": 503, "code": "0000", "retry_after": "7" },
        { "status": 429, "retry_after": "120", "body": "plain" },
        { "status": 429, "retry_after": "Sun, 22 Nov 2026 07:10:00 GMT" },
        { "status": 502, "body": "<html>Bad gateway</html>", "ctype": "text/html" },
        { "status": 500, "code": "0001" },
        { "status": 507 },
        { "code": "0112" },
    ]));
    let mut seen = Vec::new();
    for _ in 0..8 {
        let got = fixture.collect(ids(&["a"])).await;
        seen.push((got.status, got.header("retry-after").map(str::to_owned), got.text));
    }
    assert!(seen[0].2.contains("EXEG-0000-503"));
    assert_eq!((seen[0].0, seen[0].1.as_deref()), (503, Some("7")));
    assert_eq!(seen[1], (429, Some("120".into()), "Too Many Requests".into()));
    assert_eq!(seen[2].1.as_deref(), Some("Sun, 22 Nov 2026 07:10:00 GMT"));
    assert_eq!(seen[3], (502, None, "<html>Bad gateway</html>".into()));
    assert!(seen[4].2.contains("EXEG-0001-500"));
    assert_eq!((seen[5].0, seen[6].0, seen[7].0), (507, 413, 202));
    assert_eq!(fixture.emulator.times_recorded("a"), 1);
    assert_eq!(fixture.emulator.requests()[0].retry_after.as_deref(), Some("7"));
    assert_eq!(fixture.emulator.requests()[0].n_events, 1);
}

#[tokio::test]
async fn a_retry_after_may_be_nonsense() {
    let fixture = Fixture::start().await;
    for text in ["0", "-5", "abc", "99999999"] {
        fixture.script(json!([{ "retry_after": text }]));
        let got = fixture.collect(ids(&["a"])).await;
        assert_eq!((got.status, got.header("retry-after")), (429, Some(text)));
    }
}

#[tokio::test]
async fn a_retry_after_may_be_a_date_counted_from_the_request() {
    let fixture = Fixture::start().await;
    fixture
        .emulator
        .set_clock(UtcMillis::parse_rfc3339("2026-11-22T07:00:00.900Z").unwrap());
    fixture.script(json!([{ "retry_after_date_s": 3 }]));
    let got = fixture.collect(ids(&["a"])).await;
    let date = Some("Sun, 22 Nov 2026 07:00:03 GMT");
    assert_eq!((got.status, got.header("retry-after")), (429, date));
}

#[tokio::test]
async fn a_partial_success_records_and_lists_its_errors() {
    let fixture = Fixture::start().await;
    fixture.script(json!([
        { "status": 207, "errors": [{ "code": "0201-503", "eventIndex": 2 }], "record": true },
        { "warnings": [{ "code": "0301-200", "eventIndex": 0 }], "status": 202 },
        { "status": 200, "body": "not json" },
    ]));
    let partial = fixture.collect(ids(&["a", "b", "c"])).await;
    assert_eq!(partial.status, 207);
    assert_eq!(partial.json()["errors"][0]["report"]["eventIndex"], 2);
    assert!(
        partial.json()["errors"][0]["type"]
            .as_str()
            .unwrap()
            .ends_with("EXEG-0201-503")
    );
    assert_eq!(
        fixture.collect(ids(&["d"])).await.json()["warnings"][0]["status"],
        200
    );
    assert_eq!(fixture.collect(ids(&["e"])).await.text, "not json");
    assert_eq!(fixture.emulator.unique_ids(), 5);
}

#[tokio::test]
async fn a_failure_can_be_answered_although_the_events_are_kept() {
    let fixture = Fixture::start().await;
    fixture.script(json!([{ "status": 503, "record": true }, { "status": 207, "record": true }]));
    assert_eq!(fixture.collect(ids(&["a"])).await.status, 503);
    assert_eq!(fixture.emulator.times_recorded("a"), 1);
    assert_eq!(
        fixture.collect("{").await.code(),
        "0101-400",
        "what the edge refuses itself is not recorded"
    );
}

#[tokio::test]
async fn steps_repeat_and_wait_for_their_request() {
    let fixture = Fixture::start().await;
    fixture.script(json!([
        { "status": 400, "code": "0305", "times": 2, "match": { "contains_id": "poison" } },
        { "status": 413, "match": { "path": "/ee/v2/collect", "min_bytes": 2000 } },
        { "status": 500, "match": { "path": "/interact" } },
    ]));
    assert_eq!(fixture.collect(ids(&["fine"])).await.status, 202);
    assert_eq!(fixture.collect(ids(&["fine", "poison"])).await.status, 400);
    assert_eq!(
        fixture
            .collect(ids(&["a", "b", "c", "d", "e", "f", "g", "h"]))
            .await
            .status,
        413
    );
    assert_eq!(fixture.collect(ids(&["poison"])).await.status, 400);
    assert_eq!(fixture.collect(ids(&["poison"])).await.status, 202);
    assert_eq!(fixture.emulator.pending_script().len(), 1);
}

#[tokio::test]
async fn a_connection_is_reset_before_the_body_is_read() {
    let fixture = Fixture::start().await;
    fixture.script(
        json!([{ "close": "before_read" }, { "close": "before_read", "match": { "contains_id": "b" } }]),
    );
    assert!(fixture.try_collect(ids(&["a"])).await.is_err());
    assert!(fixture.try_collect(ids(&["b"])).await.is_err());
    assert_eq!(fixture.emulator.unique_ids(), 0);
    let requests = fixture.emulator.requests();
    assert_eq!(requests.iter().map(|row| row.status).collect::<Vec<_>>(), [0, 0]);
    assert_eq!(requests[0].fault.as_deref(), Some("close:before_read"));
}

#[tokio::test]
async fn an_ambiguous_commit_keeps_the_events_and_resets_the_connection() {
    let fixture = Fixture::start().await;
    fixture.script(json!([{ "close": "after_record" }]));
    let address = fixture.emulator.server_url().replace("http://", "");
    let mut raw = TcpStream::connect(address).await.unwrap();
    let token = fixture.emulator.issue_token(DEFAULT_CLIENT).unwrap();
    let (url, body) = (fixture.collect_url(), ids(&["a"]));
    let path = url.split_once("/ee").unwrap().1;
    let head = format!(
        "POST /ee{path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nauthorization: Bearer {token}\r\n\
         x-api-key: {DEFAULT_CLIENT}\r\nx-gw-ims-org-id: {}\r\ncontent-length: {}\r\n\r\n",
        orderfeed_emulator::DEFAULT_ORG,
        body.len()
    );
    raw.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    let error = raw.read(&mut [0; 100]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(fixture.emulator.times_recorded("a"), 1);
    assert_eq!(fixture.collect(ids(&["a"])).await.status, 202);
    assert_eq!(fixture.emulator.totals().duplicates, 1);
}

#[tokio::test]
async fn an_answer_can_be_cut_off() {
    let fixture = Fixture::start().await;
    fixture.script(json!([{ "close": "mid_response" }]));
    let response = fixture
        .post(&fixture.collect_url())
        .body(ids(&["a"]))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status().as_u16(), 202);
    assert!(response.bytes().await.is_err());
    assert_eq!(fixture.emulator.times_recorded("a"), 1);
}

#[tokio::test]
async fn a_hang_outlasts_the_client_and_records_nothing_unless_configured() {
    let fixture = Fixture::start().await;
    fixture.script(json!([{ "hang_ms": 60000 }, { "hang_ms": 60000, "record": true }, { "hang_ms": 1 }]));
    for id in ["before", "after"] {
        let request = fixture
            .post(&fixture.collect_url())
            .body(ids(&[id]))
            .timeout(Duration::from_secs(1));
        assert!(request.send().await.unwrap_err().is_timeout());
    }
    assert_eq!(fixture.emulator.ids().into_iter().collect::<Vec<_>>(), ["after"]);
    assert_eq!(fixture.collect(ids(&["short"])).await.status, 202);
    let asked = Instant::now();
    fixture.emulator.shutdown().await;
    assert!(
        asked.elapsed() < Duration::from_secs(5),
        "a hanging request does not hold up the stop"
    );
}

#[tokio::test]
async fn an_answer_can_trickle() {
    let fixture = Fixture::start().await;
    fixture.script(json!([{ "slow_bps": 400 }]));
    let begun = Instant::now();
    let got = fixture.collect(ids(&["a"])).await;
    assert!(got.json()["requestId"].is_string());
    assert!(
        begun.elapsed() >= Duration::from_millis(100),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn an_answer_can_be_gzip() {
    let fixture = Fixture::start().await;
    fixture.script(json!([{ "gzip": true }]));
    let response = fixture
        .post(&fixture.collect_url())
        .body(ids(&["a"]))
        .send()
        .await
        .unwrap();
    assert_eq!(response.headers()["content-encoding"], "gzip");
    let bytes = response.bytes().await.unwrap();
    let inner: serde_json::Value = serde_json::from_reader(flate2::read::GzDecoder::new(&bytes[..])).unwrap();
    assert!(inner["requestId"].is_string());
}

#[tokio::test]
async fn a_body_can_be_huge() {
    let fixture = Fixture::start().await;
    fixture.script(json!([{ "status": 503, "body_bytes": 5_000_000 }]));
    let got = fixture.collect(ids(&["a"])).await;
    assert_eq!((got.status, got.text.len()), (503, 5_000_000));
}

#[tokio::test]
async fn a_redirect_points_to_the_scripted_target() {
    let fixture = Fixture::start().await;
    let to = format!("{}/ee/v2/collect", fixture.emulator.edge_url());
    fixture.script(json!([{ "redirect": 308, "to": to }]));
    let got = fixture.collect(ids(&["a"])).await;
    assert_eq!((got.status, got.header("location")), (308, Some(to.as_str())));
    assert_eq!(fixture.emulator.unique_ids(), 0);
}

#[tokio::test]
async fn tokens_expire_at_once_on_request() {
    let fixture = Fixture::start().await;
    fixture.script(json!([{ "token_expire_now": true }]));
    assert_eq!(fixture.collect(ids(&["a"])).await.code(), "0503-401");
    assert_eq!(
        fixture.collect(ids(&["a"])).await.status,
        202,
        "a new token is good"
    );
}

#[tokio::test]
async fn a_bad_certificate_affects_the_next_handshake_only() {
    let fixture = Fixture::with(|config| config.tls = true).await;
    let ca = reqwest::Certificate::from_pem(fixture.emulator.ca_pem().unwrap().as_bytes()).unwrap();
    let trusting = Fixture {
        client: client(|builder| builder.tls_certs_only([ca])),
        ..fixture
    };
    assert_eq!(trusting.collect(ids(&["a"])).await.status, 202);
    trusting.script(json!([{ "tls": "bad_cert" }]));
    let error = format!("{:?}", trusting.try_collect(ids(&["b"])).await.err().unwrap());
    assert!(
        error.contains("UnknownIssuer") || error.contains("BadSignature"),
        "{error}"
    );
    assert_eq!(trusting.collect(ids(&["c"])).await.status, 202);
    assert_eq!(trusting.emulator.unique_ids(), 2);
}

#[tokio::test]
async fn random_faults_occur_and_are_counted_by_name() {
    let fixture = Fixture::with(|config| config.faults = Some(RandomFaults::new(1.0, 5))).await;
    for id in 0..40 {
        fixture.try_collect(ids(&[&id.to_string()])).await.ok();
    }
    let totals = fixture.emulator.totals();
    assert_eq!(totals.requests, 40);
    assert_eq!(totals.faults.values().sum::<u64>(), 40);
    assert!(
        totals.by_status.contains_key(&503) && totals.by_status.contains_key(&429),
        "{totals:?}"
    );
    assert!(totals.faults.contains_key("close:after_record"), "{totals:?}");
}

#[tokio::test]
async fn a_token_request_gets_only_its_own_faults() {
    let fixture = Fixture::start().await;
    fixture.script(json!([{ "status": 500 }, { "status": 503, "match": { "path": "/ims/token" } }]));
    let answer = got(fixture.client.post(fixture.emulator.ims_url()).body(""))
        .await
        .unwrap();
    assert_eq!(answer.status, 503);
    assert_eq!(fixture.emulator.pending_script().len(), 1);
}

#[tokio::test]
async fn a_taken_port_is_an_error_that_names_it() {
    let fixture = Fixture::start().await;
    let address: std::net::SocketAddr = fixture
        .emulator
        .server_url()
        .replace("http://", "")
        .parse()
        .unwrap();
    let config = EmulatorConfig {
        listen_server: address,
        ..EmulatorConfig::default()
    };
    let error = anyhow::Error::from(Emulator::start(config).await.err().unwrap());
    assert!(format!("{error:#}").contains(&address.to_string()), "{error:#}");
}
