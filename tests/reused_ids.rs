//! Two facts never share an `_id`, also if Commerce assigns ids again after its database was restored.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::daemon::eventually;
use crate::support::edge;
use crate::support::embedded::ShopFixture;
use crate::support::oracle::Expected;

fn json(fixture: &ShopFixture, args: &[&str]) -> Value {
    let ran = fixture.installation.run(args);
    serde_json::from_str(&ran.stdout).unwrap_or_else(|cause| panic!("{cause}: {ran:?}"))
}

/// Returns the orders of both sets.
fn common(one: &BTreeSet<Expected>, other: &BTreeSet<Expected>) -> Vec<i64> {
    let orders = |set: &BTreeSet<Expected>| set.iter().map(|event| event.order_id).collect::<BTreeSet<_>>();
    orders(one).intersection(&orders(other)).copied().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_placed_after_a_restore_are_new_orders_although_their_ids_are_known() {
    let edge = edge::start().await;
    let mut fixture = ShopFixture::new(&edge.server_url(), 40);
    let daemon = fixture.installation.start();
    let kept = fixture.expected();
    eventually("the first sync", || fixture.is_served(&edge, kept.len()));
    assert_eq!(daemon.stop(), Some(0));
    let copy = fixture.backup();

    fixture.continue_with(12);
    fixture.live_through(30);
    let before = fixture.expected();
    let daemon = fixture.installation.start();
    eventually("the orders that are lost later", || {
        fixture.is_served(&edge, before.len())
    });
    assert_eq!(daemon.stop(), Some(0));
    edge::assert_holds(&edge, &before);

    // While the daemon is down, the shop is restored and gets past the position that the daemon has stored.
    fixture.restore(&copy);
    fixture.continue_with(13);
    fixture.live_through(45);
    let after = fixture.expected();
    let lost: BTreeSet<Expected> = before.difference(&kept).cloned().collect();
    let new: BTreeSet<Expected> = after.difference(&kept).cloned().collect();
    let reused = common(&lost, &new);
    assert!(reused.len() > 20, "{reused:?}");
    let daemon = fixture.installation.start();
    let all = before.len() + new.len();
    eventually("the orders placed after the restore", || {
        fixture.is_served(&edge, all)
    });
    assert_eq!(edge.unique_ids(), all, "every fact has an id of its own");
    assert!(edge.bytes_changed().is_empty());
    let log = fixture.installation.log();
    assert!(log.contains("OF05-08") && log.contains("OF05-07"), "{log}");

    let verified = json(&fixture, &["verify", "--json"]);
    assert_eq!(verified["orders"], 85, "{verified:#}");
    assert!(verified["reused_ids"].as_u64().unwrap() >= reused.len() as u64);
    let differing = verified["differing"].as_object().unwrap();
    assert!(differing.values().all(|count| count == 0), "{verified:#}");
    let doctor = json(&fixture, &["doctor", "--json"]);
    let notes = doctor["checks"].as_array().unwrap().iter().filter(|check| {
        check["check"] == "source.identity" && check["message"].to_string().contains("id of an earlier one")
    });
    assert_eq!(notes.count(), 1, "{doctor:#}");

    let number: String = fixture
        .sql()
        .query_row(
            "SELECT increment_id FROM sales_order WHERE entity_id = ?1",
            [reused[0]],
            |row| row.get(0),
        )
        .unwrap();
    let explained = json(&fixture, &["explain", &number, "--json"]);
    let order = &explained["orders"][0];
    assert_eq!(order["generation"], 1, "{explained:#}");
    let placed = |generation: u64| {
        let events = order["events"].as_array().unwrap();
        let mut events = events
            .iter()
            .filter(|event| event["kind"] == "placed" && event["generation"] == generation);
        events.next().unwrap_or_else(|| panic!("{explained:#}"))
    };
    assert_ne!(placed(0)["id"], placed(1)["id"]);
    assert!(
        placed(0)["notes"].to_string().contains("another order"),
        "{explained:#}"
    );

    // A forced resend sends the order that has the id now, with the bytes that it was sent with.
    let id = placed(1)["id"].as_str().unwrap().to_owned();
    let earlier = placed(0)["id"].as_str().unwrap().to_owned();
    let resync = ["saas:resync", "--feed", "orders", "--force", "--wait", "--by-ids"];
    let named = reused[0].to_string();
    fixture.installation.run(&[&resync[..], &[&named]].concat()).ok();
    eventually("the forced resend", || edge.times_recorded(&id) == 2);
    assert_eq!(edge.times_recorded(&earlier), 1);
    assert!(edge.bytes_changed().is_empty());
    assert_eq!(daemon.stop(), Some(0));
}
