//! Answers of the token service through the real daemon, each to a daemon whose token has just expired. Nothing is
//! sent meanwhile; afterwards the same bytes are sent with a new token, not before the requested pause ends.

use orderfeed::store::outbox::{EventState, KnownEvent};
use orderfeed_emulator::{EmulatorHandle, RequestRow};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::daemon::eventually;
use crate::support::edge;
use crate::support::embedded::ShopFixture;

/// An answer and its expected consequence.
struct Row {
    name: &'static str,
    step: Value,
    then: Then,
}

enum Then {
    /// The next attempt starts at least this many milliseconds later.
    Waits(i64),
    /// The sender halts, and a probe resumes it.
    Halts,
}

/// Interval between two probes with the configuration of these tests, in milliseconds.
const PROBE_MS: i64 = 1_000;

fn rows(edge: &EmulatorHandle) -> Vec<Row> {
    let row = |name, step, then| Row { name, step, then };
    let denied = |status, error, words| {
        let body = json!({"error": error, "error_description": words}).to_string();
        json!({"status": status, "body": body, "ctype": "application/json"})
    };
    let wrong_secret = "invalid client_secret parameter";
    let said = |body| json!({"status": 200, "body": body, "record": false});
    vec![
        row(
            "400 invalid_client",
            denied(400, "invalid_client", wrong_secret),
            Then::Halts,
        ),
        row(
            "401 invalid_client",
            denied(401, "invalid_client", wrong_secret),
            Then::Halts,
        ),
        row(
            "400 invalid_scope",
            denied(400, "invalid_scope", "not granted"),
            Then::Halts,
        ),
        row("403", json!({"status": 403}), Then::Halts),
        row(
            "a redirect",
            json!({"redirect": 307, "to": edge.ims_url()}),
            Then::Halts,
        ),
        row(
            "429 with seconds",
            json!({"status": 429, "retry_after": "2"}),
            Then::Waits(2_000),
        ),
        row(
            "429 with a date",
            json!({"status": 429, "retry_after_date_s": 3}),
            Then::Waits(2_000),
        ),
        row("429", json!({"status": 429, "body": "{}"}), Then::Waits(0)),
        row(
            "503 with seconds",
            json!({"status": 503, "retry_after": "2"}),
            Then::Waits(2_000),
        ),
        row("503", json!({"status": 503, "body": "{}"}), Then::Waits(0)),
        row("500", json!({"status": 500}), Then::Waits(0)),
        row("408", json!({"status": 408}), Then::Waits(0)),
        row("not JSON", said("<html>Welcome</html>"), Then::Waits(0)),
        row("no token", said("{}"), Then::Waits(0)),
        row(
            "a token that is no header",
            said("{\"access_token\": \"a\\nb\"}"),
            Then::Waits(0),
        ),
        row("a reset", json!({"close": "before_read"}), Then::Waits(0)),
        row("half an answer", json!({"close": "mid_response"}), Then::Waits(0)),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_of_the_token_service_through_one_daemon() {
    let edge = edge::start().await;
    let mut fixture = ShopFixture::new(&edge.server_url(), 0);
    fixture
        .installation
        .layer("live", "[index]\nmode = \"realtime\"\n");
    let daemon = fixture.installation.start();
    eventually("the empty shop is indexed", || fixture.installation.is_settled());
    deliver(&mut fixture);
    for mut row in rows(&edge) {
        let (before, halts) = (edge.requests().len(), halts(&fixture));
        row.step["match"] = json!({"path": "/ims/token"});
        edge.script_json(json!([row.step])).unwrap();
        edge.expire_tokens();
        deliver(&mut fixture);
        let requests = edge.requests().split_off(before);
        judge(&row, &requests);
        let halted = halts_since(&fixture, halts);
        match row.then {
            Then::Waits(_) => assert_eq!(halted, Vec::<String>::new(), "{}", row.name),
            Then::Halts => assert!(
                halted.len() == 1 && halted[0].contains("code=auth"),
                "{}: {halted:#?}",
                row.name
            ),
        }
    }
    assert_eq!(daemon.stop(), Some(0));
    edge::assert_holds(&edge, &fixture.expected());
    edge::assert_promises(&edge);
    assert_eq!(edge.totals().duplicates, 0);
}

/// Places an order and waits until its event is delivered.
#[track_caller]
fn deliver(fixture: &mut ShopFixture) {
    let order = fixture.place();
    eventually("the delivery", || {
        let known = fixture.installation.read_store(|reader| reader.events_of(order));
        let known = known.unwrap_or_default();
        !known.is_empty() && known.iter().all(|event| event.state == EventState::Delivered)
    });
}

/// Asserts that the expired token is refused, the service answers as scripted, is asked again later, and the same
/// bytes are sent.
#[track_caller]
fn judge(row: &Row, requests: &[RequestRow]) {
    let name = row.name;
    let [refused, failed, asked, taken] = requests else {
        panic!("{name}: {requests:#?}");
    };
    let is_token = |one: &RequestRow| one.path.starts_with("/ims/");
    assert!(is_token(failed) && is_token(asked), "{name}: {requests:#?}");
    assert_eq!(
        (refused.status, asked.status, taken.status),
        (401, 200, 202),
        "{name}"
    );
    assert!(
        failed.fault.is_some() && asked.fault.is_none(),
        "{name}: {requests:#?}"
    );
    assert_eq!(refused.body_hash, taken.body_hash, "{name}: other bytes");
    assert_ne!(
        refused.token_hash, taken.token_hash,
        "{name}: the expired token again"
    );
    let least = match row.then {
        Then::Waits(least) => least,
        Then::Halts => PROBE_MS,
    };
    let waited = asked.received_at.millis_since(failed.received_at);
    // Both times are rounded to milliseconds.
    assert!(
        waited + 1 >= least,
        "{name}: asked again after {waited} ms, not {least} ms"
    );
}

fn halts(fixture: &ShopFixture) -> usize {
    halts_since(fixture, 0).len()
}

fn halts_since(fixture: &ShopFixture, known: usize) -> Vec<String> {
    let log = fixture.installation.log();
    let lines = log.lines().filter(|line| line.contains("msg=\"Delivery halted"));
    lines.skip(known).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_service_that_does_not_answer_is_asked_again_and_nothing_is_sent_meanwhile() {
    let edge = edge::start().await;
    let mut fixture = ShopFixture::new(&edge.server_url(), 0);
    let impatient = "[delivery]\ntimeout = \"2s\"\nconnect_timeout = \"2s\"\n";
    fixture.installation.layer("impatient", impatient);
    edge.script_json(json!([{"hang_ms": 600_000, "match": {"path": "/ims/token"}}]))
        .unwrap();
    let daemon = fixture.installation.start();
    deliver(&mut fixture);
    assert_eq!(daemon.stop(), Some(0));
    let requests = edge.requests();
    let is_token = |one: &&RequestRow| one.path.starts_with("/ims/");
    let asked = requests.iter().take_while(is_token).count();
    assert!(asked >= 2, "nothing was sent without a token: {requests:#?}");
    assert!(
        requests[asked..].iter().all(|one| one.authorized),
        "{requests:#?}"
    );
    let log = fixture.installation.log();
    assert!(log.contains("code=ims_network"), "{log}");
    edge::assert_promises(&edge);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_was_rotated_is_read_again_on_a_reload() {
    let edge = edge::start().await;
    let mut fixture = ShopFixture::new(&edge.server_url(), 0);
    let secret = "[edge.oauth]\nclient_secret = \"\"\nclient_secret_file = \"secret\"\n";
    fixture.installation.layer("secret", secret);
    fixture.installation.write("secret", edge::SECRET);
    let daemon = fixture.installation.start_and_wait();
    deliver(&mut fixture);
    edge.configure(|config| {
        let clients = config.clients.values_mut();
        clients.for_each(|client| "r0tated-secret".clone_into(&mut client.secret));
    });
    edge.expire_tokens();
    let order = fixture.place();
    eventually("the halt", || halts(&fixture) == 1);
    let known = fixture.installation.read_store(|reader| reader.events_of(order));
    let is_pending = |event: &KnownEvent| event.state == EventState::Pending;
    assert!(known.unwrap_or_default().iter().all(is_pending));
    fixture.installation.write("secret", "r0tated-secret\n");
    daemon.signal(Signal::HUP);
    eventually("the delivery", || {
        fixture.is_served(&edge, fixture.expected().len())
    });
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(edge.totals().tokens_issued, 2);
    assert!(!fixture.installation.log().contains("r0tated-secret"));
    edge::assert_holds(&edge, &fixture.expected());
    edge::assert_promises(&edge);
}
