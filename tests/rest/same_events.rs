//! The events from the REST API are those from the database of the same shop, byte for byte but for the fields that the
//! API lacks.

use std::collections::{BTreeMap, BTreeSet};

use orderfeed_emulator::{Emulator, EmulatorConfig, EmulatorHandle};
use orderfeed_mock_commerce::{MockConfig, PageLimits, Release};
use serde_json::Value;

use super::fixture::RestFixture;
use crate::support::daemon::{Installation, eventually_within, say};
use crate::support::edge;
use crate::support::oracle;

const ORDERS: usize = 5_000;
const LIMIT: std::time::Duration = std::time::Duration::from_secs(240);

/// Returns the reason for which a field of an event may differ. `docs/SOURCE.md` names them for users.
fn reason(path: &str, database: &Value, rest: &Value) -> Option<&'static str> {
    let amount = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    // A row of yen is rounded to whole yen, its price is not.
    if path.ends_with("/priceTotal") && (amount(database) - amount(rest)).abs() < 1.0 {
        return Some(
            "newer versions round row totals, or set them to 0: then price and quantity are multiplied",
        );
    }
    if path.ends_with("/selectedOptions") && rest.is_null() {
        return Some("the API has the ids of options, not their labels");
    }
    let is_quantity = path.contains("/returnItem/") || path.ends_with("/productListItems/*/quantity");
    if is_quantity && database.is_null() && rest.is_i64() {
        return Some("the API cuts decimals of returned quantities, which events of the database leave out");
    }
    None
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_orders_give_the_events_that_the_database_gives() {
    let rest = RestFixture::start(ORDERS, MockConfig::default()).await;
    let expected = rest.shop.expected();
    assert_eq!(
        oracle::counts(&expected).len(),
        8,
        "every kind: {:?}",
        oracle::counts(&expected)
    );
    let (from_database, _installation) = events_from_database(&rest, expected.len()).await;
    let began = std::time::Instant::now();
    let daemon = rest.installation().start();
    rest.wait_for(&expected);
    let took = began.elapsed();
    let ledger = rest.mock.ledger();
    rest.assert_whole(daemon);
    assert_eq!(
        rest.edge.totals().duplicates,
        0,
        "nothing failed, so nothing was repeated"
    );
    assert_eq!(
        ledger.highest_page(),
        Some(1),
        "pages are selected by key, never by number"
    );
    assert!(ledger.largest_page() <= Some(300), "{:?}", ledger.largest_page());
    let differences = differences(&from_database, &rest.edge);
    say(&format!(
        "REST: {} events of {ORDERS} orders in {took:.1?}, {:.3} requests an order, {:?}; other fields: {differences:?}",
        expected.len(),
        ledger.total() as f64 / ORDERS as f64,
        ledger.by_path(),
    ));
    let unexplained: Vec<_> = differences
        .iter()
        .filter(|(path, (database, rest))| reason(path, database, rest).is_none())
        .collect();
    assert!(unexplained.is_empty(), "{unexplained:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_release_and_limit_gives_the_same_set() {
    for (release, limits, precise_floats) in [
        (Release::V2_3, None, true),
        (Release::V2_4_4, Some(PageLimits::default()), false),
        (Release::V2_4_8, Some(PageLimits { usual: 5, most: 17 }), false),
    ] {
        let config = MockConfig {
            release,
            limits,
            precise_floats,
            text_store_ids: release == Release::V2_4_8,
            bare_return_lists: release == Release::V2_3,
            ..MockConfig::default()
        };
        let rest = RestFixture::start(120, config).await;
        let daemon = rest.installation().start();
        rest.wait_until_served();
        rest.assert_whole(daemon);
        if let Some(limits) = limits {
            let served: Vec<_> = rest
                .mock
                .ledger()
                .requests()
                .filter(|row| row.status == 200)
                .map(|row| row.page_size)
                .collect();
            assert!(served.iter().all(|size| *size <= Some(limits.most)), "{served:?}");
        }
    }
}

/// Sends the events of a copy of the shop, read as a database, to an edge of their own.
async fn events_from_database(rest: &RestFixture, events: usize) -> (EmulatorHandle, Installation) {
    let settings = EmulatorConfig {
        keep_bodies: true,
        ..edge::settings()
    };
    let other = Emulator::start(settings).await.unwrap();
    let copy = rest.shop.backup();
    let source = format!(
        "[source]\nkind = \"sqlite\"\n[source.sqlite]\npath = \"{}\"\n",
        copy.display()
    );
    let installation = Installation::new(&edge::config(&other.server_url(), &source));
    let daemon = installation.start();
    eventually_within(LIMIT, "the events from the database", || {
        other.unique_ids() >= events && installation.is_settled()
    });
    assert_eq!(daemon.stop(), Some(0));
    (other, installation)
}

/// Returns the paths in events at which the two edges hold different values, each with an example.
fn differences(one: &EmulatorHandle, other: &EmulatorHandle) -> BTreeMap<String, (Value, Value)> {
    let (ids, others): (BTreeSet<String>, BTreeSet<String>) =
        (one.ids().into_iter().collect(), other.ids().into_iter().collect());
    assert_eq!(ids, others, "the sets differ");
    let mut found = BTreeMap::new();
    for id in ids {
        let body =
            |edge: &EmulatorHandle| -> Value { serde_json::from_slice(&edge.body(&id).unwrap()).unwrap() };
        compare("", &body(one), &body(other), &mut found);
    }
    found
}

fn compare(path: &str, one: &Value, other: &Value, found: &mut BTreeMap<String, (Value, Value)>) {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            for name in names {
                let value = |map: &serde_json::Map<String, Value>| map.get(name).cloned().unwrap_or_default();
                compare(&format!("{path}/{name}"), &value(one), &value(other), found);
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (one, other) in one.iter().zip(other) {
                compare(&format!("{path}/*"), one, other, found);
            }
        }
        // An example without a reason goes first.
        _ if one != other
            && found
                .get(path)
                .is_none_or(|(one, other)| reason(path, one, other).is_some()) =>
        {
            found.insert(path.to_owned(), (one.clone(), other.clone()));
        }
        _ => {}
    }
}
