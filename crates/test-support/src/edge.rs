//! The emulator as the edge of the shop's four websites, and what its ledger must say.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::SocketAddr;

use orderfeed_demo_shop::shop::Shop;
use orderfeed_emulator::{
    ClientConfig, DatastreamConfig, Emulator, EmulatorConfig, EmulatorHandle, EventStatus,
};
use orderfeed_events::{EventKind, event_id};
use orderfeed_model::clock::UtcMillis;
use uuid::{Uuid, uuid};

use crate::oracle::Expected;

/// The data space of every event in these tests.
pub const DATA_SPACE: Uuid = uuid!("2a7d1c34-8f10-4be3-9d2f-0c5b7f6a1e90");
/// The OAuth client's secret: must never be seen in a log.
pub const SECRET: &str = "s3cr3t-of-the-client";
/// Between reading an answer and heeding it lie a few instructions, and on a busy machine another thread's turn.
const HEEDED_WITHIN_MS: i64 = 400;
const ORGANIZATION: &str = "53A16ACB5CC1D3760A495C99@AdobeOrg";
const CLIENT: &str = "proof-client";

/// The datastream of the shop's n-th website.
pub fn datastream(index: usize) -> String {
    format!("de300000-0000-4000-8000-{index:012}")
}

/// An edge that knows the shop's websites: strict, without limits of rate.
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

/// Starts it.
pub async fn start() -> EmulatorHandle {
    Emulator::start(settings()).await.unwrap()
}

/// An address that nobody listens on now, for an edge that comes later.
pub fn free_address() -> SocketAddr {
    std::net::TcpListener::bind(("127.0.0.1", 0))
        .unwrap()
        .local_addr()
        .unwrap()
}

/// A configuration for the edge at `url` and the orders of `source` (a `[source…]` section): quick schedules, short
/// pauses, no limit of rate.
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

/// The ids of what is expected.
pub fn ids(expected: &BTreeSet<Expected>) -> HashSet<String> {
    let id = |one: &Expected| {
        let kind: EventKind = one.kind.parse().unwrap();
        event_id(&DATA_SPACE, kind, one.document_id).to_string()
    };
    expected.iter().map(id).collect()
}

/// Requests that arrived and have no answer: still in flight, or their client left.
pub fn unanswered(edge: &EmulatorHandle) -> u64 {
    let totals = edge.totals();
    totals.requests - totals.by_status.values().sum::<u64>()
}

/// The edge holds exactly what is expected: none more, none less.
#[track_caller]
pub fn assert_holds(edge: &EmulatorHandle, expected: &BTreeSet<Expected>) {
    let (held, wanted) = (edge.ids(), ids(expected));
    let missing = wanted.difference(&held).count();
    let beyond = held.difference(&wanted).count();
    assert!(
        missing == 0 && beyond == 0,
        "{missing} of {} events are missing at the edge, {beyond} are there without a reason; e.g. missing {:?}",
        wanted.len(),
        expected
            .iter()
            .find(|one| !held.contains(&ids(&BTreeSet::from([(*one).clone()])).into_iter().next().unwrap())),
    );
}

/// What the daemon must log for [`assert_pauses_kept`].
pub const TELL_REQUESTS: &str = "[log]\nlevel = \"info,orderfeed::delivery=debug\"\n";

/// No request began before the pause was over that an answer had asked for, once the daemon had read that answer. When it
/// did is for its log to say ([`TELL_REQUESTS`]): how long requests and answers are under way is the machine's business.
/// The pauses must be a second long.
#[track_caller]
pub fn assert_pauses_kept(edge: &EmulatorHandle, log: &str) {
    let told = requests_told(log);
    assert!(!told.is_empty(), "the log does not tell about requests");
    let ids: HashMap<u64, String> = edge
        .requests()
        .into_iter()
        .filter_map(|row| Some((row.seq, row.request_id?)))
        .collect();
    let told = |seq: u64| told.get(ids.get(&seq)?);
    let mut early = edge.early_requests();
    early.retain(|row| match (told(row.asked_by), told(row.seq)) {
        (Some(asked), Some(early)) => early.began.millis_since(asked.answered) > HEEDED_WITHIN_MS,
        // An answer that was never read binds nobody.
        _ => false,
    });
    assert!(early.is_empty(), "requests within a pause: {early:#?}");
}

/// A request by the daemon's own account.
struct Told {
    began: UtcMillis,
    answered: UtcMillis,
}

/// The requests that the log tells about, by the id that the daemon gave them.
fn requests_told(log: &str) -> HashMap<String, Told> {
    let field = |line: &str, name: &str| {
        let (_, rest) = line.split_once(&format!("{name}="))?;
        rest.split(' ').next().map(str::to_owned)
    };
    let told = |line: &str| {
        let answered = UtcMillis::parse_rfc3339(&field(line, "time")?)?;
        let took: i64 = field(line, " duration_ms")?.parse().ok()?;
        // The edge appends something to the id.
        let id = field(line, " request_id")?.get(..36)?.to_owned();
        let began = answered.plus_millis(-took);
        Some((id, Told { began, answered }))
    };
    let lines = log
        .lines()
        .filter(|line| line.contains("msg=\"Request answered\""));
    lines.filter_map(told).collect()
}

/// What holds whatever happened: the same bytes for the same id, an order's events in order, nothing personal, nothing
/// that the schema refuses.
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
    assert_eq!(edge.pii_findings(), [], "personal data left the house");
    let statuses = edge.totals().by_event_status;
    let fine = |status: &EventStatus| matches!(status, EventStatus::Recorded | EventStatus::DuplicateId);
    assert!(statuses.keys().all(fine), "the schema refuses some: {statuses:?}");
}
