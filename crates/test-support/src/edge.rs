//! The emulator as the edge of the shop's four websites, and assertions over its ledger. An emulator that cannot start
//! panics, as the crate's documentation states.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::SocketAddr;

use orderfeed_demo_shop::shop::Shop;
use orderfeed_emulator::{
    ClientConfig, DatastreamConfig, Emulator, EmulatorConfig, EmulatorHandle, EventStatus,
};
use orderfeed_events::{EventKind, event_id};
use orderfeed_model::clock::UtcMillis;
use serde_json::json;
use uuid::{Uuid, uuid};

use crate::oracle::Expected;

/// The data space of every event in these tests.
pub const DATA_SPACE: Uuid = uuid!("2a7d1c34-8f10-4be3-9d2f-0c5b7f6a1e90");
/// Secret of the OAuth client. It must never be logged.
pub const SECRET: &str = "s3cr3t-of-the-client";
/// Longest time from reading an answer to applying it, in milliseconds: a few instructions, and on a busy machine
/// another thread's time slice.
const APPLIED_WITHIN_MS: i64 = 400;
const ORGANIZATION: &str = "53A16ACB5CC1D3760A495C99@AdobeOrg";
const CLIENT: &str = "proof-client";

/// Returns the datastream of the shop's n-th website.
pub fn datastream(index: usize) -> String {
    format!("de300000-0000-4000-8000-{index:012}")
}

/// Returns the settings of an edge with the shop's websites, in strict mode and without a quota.
pub fn settings() -> EmulatorConfig {
    let ours = || DatastreamConfig {
        org: ORGANIZATION.to_owned(),
        ..DatastreamConfig::default()
    };
    let client = ClientConfig {
        secret: SECRET.to_owned(),
        org: ORGANIZATION.to_owned(),
        ..ClientConfig::default()
    };
    EmulatorConfig {
        datastreams: (0..Shop::website_codes().len())
            .map(|index| (datastream(index), ours()))
            .collect(),
        clients: BTreeMap::from([(CLIENT.to_owned(), client)]),
        strict_xdm: true,
        ru_per_s: 0,
        ..EmulatorConfig::default()
    }
}

/// Starts an edge with the default [`settings`].
pub async fn start() -> EmulatorHandle {
    Emulator::start(settings())
        .await
        .unwrap_or_else(|cause| panic!("the edge does not start: {cause}"))
}

/// Makes the edge refuse the placed event of an order, whatever else the request holds.
pub fn refuse_placed(edge: &EmulatorHandle, order: i64) {
    let poisoned = event_id(&DATA_SPACE, EventKind::Placed, order, 0).to_string();
    let refused = json!({"code": "0305-400", "times": 0, "match": {"contains_id": poisoned}});
    edge.script_json(json!([refused]))
        .unwrap_or_else(|cause| panic!("the edge refuses a script: {cause}"));
}

/// Returns a free address, for an edge that is started later.
pub fn free_address() -> SocketAddr {
    std::net::TcpListener::bind(("127.0.0.1", 0))
        .expect("loopback has a free port")
        .local_addr()
        .expect("a bound socket has an address")
}

/// Returns a configuration for the edge at `url` and the orders of `source` (a `[source…]` section), with frequent
/// schedules, short pauses and no rate limit.
pub fn config(url: &str, source: &str) -> String {
    let mut text = format!(
        r#"
[services_connector]
organization_id = "{ORGANIZATION}"
environment = "sandbox"
[services_connector.sandbox]
data_space_id = "{DATA_SPACE}"
[edge]
url = "{url}"
[edge.oauth]
token_url = "{url}/ims/token/v3"
client_id = "{CLIENT}"
client_secret = "{SECRET}"
[cron]
indexer_update_all_views = "* * * * * *"
indexer_reindex_all_invalid = "* * * * * *"
[delivery]
request_units_per_second = 0
[delivery.retry]
initial = "100ms"
max = "1s"
[store]
path = "orderfeed.db"
[log]
format = "logfmt"
[admin]
listen = "off"
{source}
"#
    );
    for (index, code) in Shop::website_codes().iter().enumerate() {
        let id = datastream(index);
        text.push_str(&format!(
            "[websites.{code}]\ndatastream_id = \"{id}\"\nback_office_events = true\n"
        ));
    }
    text
}

/// Returns the event ids of the expected events.
pub fn ids(expected: &BTreeSet<Expected>) -> HashSet<String> {
    expected.iter().map(id).collect()
}

fn id(expected: &Expected) -> String {
    let kind: EventKind = expected.kind.parse().expect("the oracle names kinds of events");
    event_id(&DATA_SPACE, kind, expected.document_id, 0).to_string()
}

/// Returns the number of requests without an answer, because they are in flight or their client disconnected.
pub fn unanswered(edge: &EmulatorHandle) -> u64 {
    let totals = edge.totals();
    totals.requests - totals.by_status.values().sum::<u64>()
}

/// Asserts that the edge has exactly the expected events.
#[track_caller]
pub fn assert_holds(edge: &EmulatorHandle, expected: &BTreeSet<Expected>) {
    let (held, wanted) = (edge.ids(), ids(expected));
    let missing = wanted.difference(&held).count();
    let beyond = held.difference(&wanted).count();
    assert!(
        missing == 0 && beyond == 0,
        "{missing} of {} events are missing at the edge, {beyond} are there without a reason; e.g. missing {:?}",
        wanted.len(),
        expected.iter().find(|one| !held.contains(&id(one))),
    );
}

/// Log level required by [`assert_pauses_kept`].
pub const LOG_REQUESTS: &str = "[log]\nlevel = \"info,orderfeed::delivery=debug\"\n";

/// Asserts that no request began within a pause requested by an answer the daemon had already read. The times are
/// taken from the daemon's log ([`LOG_REQUESTS`]), because the latency of requests and answers depends on the
/// machine. The pauses must be at least a second long.
#[track_caller]
pub fn assert_pauses_kept(edge: &EmulatorHandle, log: &str) {
    let logged = logged_requests(log);
    assert!(!logged.is_empty(), "the log contains no requests");
    let ids: HashMap<u64, String> = edge
        .requests()
        .into_iter()
        .filter_map(|row| Some((row.seq, row.request_id?)))
        .collect();
    let times = |seq: u64| logged.get(ids.get(&seq)?);
    let mut early = edge.early_requests();
    early.retain(|row| match (times(row.asked_by), times(row.seq)) {
        (Some(asked), Some(early)) => early.began.millis_since(asked.answered) > APPLIED_WITHIN_MS,
        // An answer that was never read has no effect.
        _ => false,
    });
    assert!(early.is_empty(), "requests within a pause: {early:#?}");
}

/// Times of a request in the daemon's log.
struct LoggedRequest {
    began: UtcMillis,
    answered: UtcMillis,
}

/// Returns the logged requests by the id the daemon gave them.
fn logged_requests(log: &str) -> HashMap<String, LoggedRequest> {
    let field = |line: &str, name: &str| {
        let (_, rest) = line.split_once(&format!("{name}="))?;
        rest.split(' ').next().map(str::to_owned)
    };
    let parsed = |line: &str| {
        let answered = UtcMillis::parse_rfc3339(&field(line, "time")?)?;
        let took: i64 = field(line, " duration_ms")?.parse().ok()?;
        // The edge appends a suffix to the id.
        let id = field(line, " request_id")?.get(..36)?.to_owned();
        let began = answered.plus_millis(-took);
        Some((id, LoggedRequest { began, answered }))
    };
    let lines = log
        .lines()
        .filter(|line| line.contains("msg=\"Request answered\""));
    lines.filter_map(parsed).collect()
}

/// Asserts the invariants of every run: the same bytes for the same id, an order's events in order, no personal data,
/// nothing that the schema refuses.
#[track_caller]
pub fn assert_promises(edge: &EmulatorHandle) {
    assert_eq!(
        edge.bytes_changed(),
        Vec::<String>::new(),
        "an id came again with other bytes"
    );
    assert_eq!(
        edge.order_violations(),
        [],
        "events of an order came out of order"
    );
    assert_eq!(edge.pii_findings(), [], "personal data was sent");
    let statuses = edge.totals().by_event_status;
    let fine = |status: &EventStatus| matches!(status, EventStatus::Recorded | EventStatus::DuplicateId);
    assert!(statuses.keys().all(fine), "the schema refuses some: {statuses:?}");
}
