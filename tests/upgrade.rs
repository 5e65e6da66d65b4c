//! A store that the build before schema version 9 wrote: this build migrates it, reports the same about it, finds the
//! persons of its events, and delivers what was pending byte for byte.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use orderfeed::store::outbox::EventState;
use orderfeed::store::{Reader, Store, StoreError};
use orderfeed_emulator::{Emulator, EmulatorConfig, EmulatorHandle};
use orderfeed_events::{EventKind, event_id, person};
use serde_json::Value;

use crate::support::daemon::{Installation, eventually};
use crate::support::edge;

/// A delivered order of `base`.
const DELIVERED: &str = "zoe.410@example.com";
/// A pending order of `eu`.
const PENDING: &str = "maire.5166544@example.com";
/// Another pending order of `eu`.
const OTHER_PENDING: &str = "lucja.3047@example.org";
/// The order of `base` with parked events, of which one was retried.
const PARKED: &str = "zoe.10442@example.com";
/// Sentences and moments of the report, which may differ, and fields that were added since.
const NOT_COMPARED: [&str; 22] = [
    "storefront",
    "failure",
    "gap",
    "index_suspended_by",
    "late_tables",
    "pause",
    "problems",
    "schedules",
    "warnings",
    "generation",
    "dated_ahead",
    "dated_ahead_until",
    "taken_at",
    "missed",
    "eta_ms",
    "store",
    "remedy",
    "reason",
    "notes",
    "summary",
    "detail",
    "requests_per_minute",
];

struct OldStore {
    installation: Installation,
    /// Output of each command of the earlier build.
    outputs: Value,
}

impl OldStore {
    fn new(url: &str) -> Self {
        let source = "[source]\nkind = \"sqlite\"\n[source.sqlite]\npath = \"shop.db\"\n";
        let installation = Installation::new(&edge::config(url, source));
        // The fixture gets older than any retention.
        installation.layer("retention", "[store]\nbody_retention = \"10y\"\n");
        for name in ["orderfeed.db", "shop.db"] {
            let path = installation.path(name);
            std::fs::write(&path, unpack(name)).unwrap();
            std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        }
        let outputs = serde_json::from_slice(&unpack("outputs.json")).unwrap();
        Self {
            installation,
            outputs,
        }
    }

    /// Migrates the store without doing anything else.
    fn migrated(url: &str) -> Self {
        let old = Self::new(url);
        drop(Store::open(&old.installation.path("orderfeed.db")).unwrap());
        old
    }

    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.installation.run(args).ok()).unwrap()
    }

    fn look<T>(&self, read: impl FnOnce(&Reader<'_>) -> Result<T, StoreError>) -> T {
        self.installation.read_store(read).unwrap()
    }

    /// Returns the body of every event that is still stored in a batch, by order, kind and document.
    fn bodies(&self) -> BTreeMap<(i64, u8, i64), (EventState, String)> {
        let shop = rusqlite::Connection::open(self.installation.path("shop.db")).unwrap();
        let last: i64 = shop
            .query_row("SELECT max(entity_id) FROM sales_order", [], |row| row.get(0))
            .unwrap();
        self.look(|reader| {
            let mut bodies = BTreeMap::new();
            for order in 1..=last {
                for event in reader.events_of(order)? {
                    let body = reader.batch_body(event.batch)?.unwrap_or_default();
                    let json = body.events().find(|(entry, _)| entry.key == event.key);
                    if let Some((_, json)) = json {
                        let json = String::from_utf8(json.to_vec()).unwrap();
                        let key = (order, event.key.kind, event.key.document);
                        bodies.insert(key, (event.state, json));
                    }
                }
            }
            Ok(bodies)
        })
    }

    fn is_converted(&self) -> bool {
        self.look(|reader| reader.meta("persons_unknown_upto")).is_none()
    }
}

fn unpack(name: &str) -> Vec<u8> {
    let path = format!(
        "{}/tests/fixtures/schema-8/{name}.zst",
        env!("CARGO_MANIFEST_DIR")
    );
    zstd::decode_all(std::fs::File::open(path).unwrap()).unwrap()
}

fn hash(address: &str) -> String {
    hex::encode(person(address).unwrap())
}

/// Removes what may differ between builds.
fn facts(mut value: Value) -> Value {
    match &mut value {
        Value::Object(fields) => {
            for name in NOT_COMPARED {
                fields.remove(name);
            }
            fields.values_mut().for_each(|field| *field = facts(field.take()));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| *value = facts(value.take())),
        _ => {}
    }
    value
}

async fn recording_edge() -> EmulatorHandle {
    let settings = EmulatorConfig {
        keep_bodies: true,
        ..edge::settings()
    };
    Emulator::start(settings).await.unwrap()
}

#[test]
fn commands_report_the_same_as_the_build_that_wrote_the_store() {
    let old = OldStore::new("http://127.0.0.1:9");
    let refused = old.installation.run(&["status"]);
    assert!(
        refused.stderr.contains("version 8"),
        "only a writer migrates: {refused:?}"
    );
    let old = OldStore::migrated("http://127.0.0.1:9");
    let same = |args: &[&str], before: &Value| {
        assert_eq!(facts(old.json(args)), facts(before.clone()), "{args:?}");
    };
    same(&["status", "--json"], &old.outputs["status"]);
    same(&["failed", "list", "--json"], &old.outputs["failed"]);
    same(&["suppress", "list", "--json"], &old.outputs["suppress"]);
    for (number, before) in old.outputs["explain"].as_object().unwrap() {
        same(&["explain", number, "--json"], before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pending_events_are_delivered_with_the_bytes_that_the_earlier_build_stored() {
    let edge = recording_edge().await;
    let old = OldStore::migrated(&edge.server_url());
    let pending: BTreeMap<_, _> = old
        .bodies()
        .into_iter()
        .filter(|(_, (state, _))| *state == EventState::Pending)
        .collect();
    assert_eq!(pending.len(), 73);
    let daemon = old.installation.start();
    eventually("everything is delivered", || old.installation.is_settled());
    eventually("the persons are converted", || old.is_converted());
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(edge.unique_ids(), pending.len());
    for ((_, kind, document), (_, json)) in &pending {
        let kind = EventKind::from_code(*kind).unwrap();
        let id = event_id(&edge::DATA_SPACE, kind, *document, 0).to_string();
        let received = edge.body(&id).unwrap();
        assert_eq!(String::from_utf8_lossy(&received), *json);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn persons_of_events_that_the_earlier_build_stored_are_suppressed_and_erased() {
    let edge = recording_edge().await;
    let old = OldStore::migrated(&edge.server_url());
    assert!(!old.is_converted());
    let named = |address: &str| {
        let bodies = old.bodies();
        bodies
            .values()
            .filter(|(_, json)| json.contains(&hash(address)))
            .count()
    };
    let (pending, delivered, parked) = (named(PENDING), named(DELIVERED), named(PARKED));
    assert!(pending > 1 && delivered > 1 && parked > 1);
    let other = named(OTHER_PENDING);
    let suppress = ["suppress", "add", "--json", "--sha256", &hash(OTHER_PENDING)];
    assert_eq!(old.json(&suppress)["events"], other);
    let erase = |address: &str| old.json(&["privacy", "erase", "--json", "--sha256", &hash(address)]);
    let erased = erase(PENDING);
    assert_eq!(
        (&erased["waiting"], &erased["sent"]),
        (&pending.into(), &0.into())
    );
    assert!(old.is_converted(), "an erasure converts what is left");
    let erased = erase(DELIVERED);
    assert_eq!(
        (&erased["waiting"], &erased["sent"]),
        (&0.into(), &delivered.into())
    );
    let erased = erase(PARKED);
    assert_eq!((&erased["waiting"], &erased["parked"]), (&1.into(), &2.into()));
    for address in [PENDING, DELIVERED, PARKED] {
        assert_eq!(named(address), 0, "{address}");
    }
    let daemon = old.installation.start();
    eventually("the others are delivered", || old.installation.is_settled());
    assert_eq!(daemon.stop(), Some(0));
    assert!(edge.unique_ids() > 50);
    for id in edge.ids() {
        let body = String::from_utf8(edge.body(&id).unwrap().to_vec()).unwrap();
        for address in [PENDING, OTHER_PENDING, DELIVERED, PARKED] {
            assert!(!body.contains(&hash(address)), "{body}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_without_birth_marks_adopts_them_and_recognizes_reused_ids_from_then_on() {
    let edge = recording_edge().await;
    let old = OldStore::migrated(&edge.server_url());
    let daemon = old.installation.start();
    eventually("everything is delivered", || old.installation.is_settled());
    old.installation.run(&["indexer:reindex"]).ok();
    eventually("the reindex is delivered", || old.installation.is_settled());
    let reused = || old.look(|reader| reader.reborn()).0;
    assert_eq!((reused(), edge.totals().duplicates), (0, 0));
    let before = edge.unique_ids();
    let shop = rusqlite::Connection::open(old.installation.path("shop.db")).unwrap();
    let sql =
        "UPDATE sales_order SET created_at = '2026-11-30 10:00:00', customer_email = 'other@example.com'
               WHERE entity_id = (SELECT max(order_id) FROM sales_invoice)";
    assert_eq!(shop.execute(sql, []).unwrap(), 1);
    eventually("the other order is delivered", || {
        reused() == 1 && edge.unique_ids() > before && old.installation.is_settled()
    });
    assert_eq!(daemon.stop(), Some(0));
}
