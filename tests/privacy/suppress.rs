//! The suppression list.

use std::fmt::Write;

use orderfeed::store::{Durability, Store};
use orderfeed_events::person;

use crate::privacy::fixture::{
    JANE, MARK, Waiting, assert_nothing_of_jane, assign_to_jane, expected_apart, give_to_jane, hash, json,
    pending_fixture, recording_edge, states, with_jane,
};
use crate::support::daemon::{eventually, now};
use crate::support::edge;
use crate::support::embedded::ShopFixture;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listed_customer_gets_no_events_before_and_after_the_order() {
    let edge = recording_edge().await;
    let mut fixture = ShopFixture::new(&edge.server_url(), 40);
    let mut janes = assign_to_jane(&fixture, 3);
    let empty = fixture.installation.run(&["suppress", "list"]);
    assert_eq!(empty.code, Some(69), "{empty:?}");

    // Added before the first start, so that the first sync skips her too.
    let added = json(&with_jane(&fixture.installation, &["suppress", "add", "-", "--json"]).ok());
    assert_eq!(added["added"], 1);
    let again = json(&with_jane(&fixture.installation, &["suppress", "add", "-", "--json"]).ok());
    assert_eq!((&again["added"], &again["known"]), (&0.into(), &1.into()));
    let placed = fixture.place();
    give_to_jane(&fixture, placed);
    janes.push(placed);
    let daemon = fixture.installation.start_and_wait();
    let (own, others) = expected_apart(&fixture, &janes);
    assert!(own.len() > 3);
    eventually("everything is final", || {
        fixture.is_served(&edge, others.len()) && !states(&fixture, placed).is_empty()
    });
    edge::assert_holds(&edge, &others);
    assert_nothing_of_jane(&edge);
    for (state, notes) in states(&fixture, janes[0]) {
        assert_eq!(state, "suppressed");
        assert!(notes.contains("local list of `orderfeed suppress`"), "{notes}");
    }
    let status = json(&fixture.installation.run(&["status", "--json"]).ok());
    let count = |website: &serde_json::Value| {
        let kinds = website["suppressed"].as_object().unwrap();
        kinds.values().map(|count| count.as_u64().unwrap()).sum::<u64>()
    };
    let suppressed: u64 = status["websites"].as_array().unwrap().iter().map(count).sum();
    assert_eq!(suppressed, own.len() as u64, "{status:#}");

    // Suppressed events stay suppressed, even with a forced resend.
    fixture.installation.send_all_again();
    let reported = fixture
        .installation
        .run(&["suppress", "remove", "--sha256", &hash()])
        .ok();
    assert!(reported.contains("1 persons removed"), "{reported}");
    fixture.installation.send_all_again();
    for (state, _) in states(&fixture, janes[0]) {
        assert_eq!(state, "suppressed");
    }
    assert_eq!(
        fixture
            .installation
            .run(&["suppress", "remove", "--sha256", &hash()])
            .code,
        Some(1)
    );
    // With an empty list, a new order of hers is sent.
    let events = edge.unique_ids();
    let later = fixture.place();
    give_to_jane(&fixture, later);
    eventually("a later order goes", || edge.unique_ids() > events);
    assert_eq!(daemon.stop(), Some(0));
    assert!(!fixture.installation.log().contains(MARK));
    assert_eq!(edge.bytes_changed(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pending_events_are_suppressed_at_once_even_across_a_kill() {
    let pause = |fixture: &ShopFixture| drop(fixture.installation.run(&["delivery", "pause"]).ok());
    let waiting = pending_fixture(60, 4, "[privacy]\nprofile = \"full\"\n", pause).await;
    let fixture = &waiting.fixture;
    let daemon = fixture.installation.start_and_wait();
    let added = json(&with_jane(&fixture.installation, &["suppress", "add", "-", "--json"]).ok());
    assert_eq!(added["events"], waiting.own.len() as u64, "{added}");
    assert_eq!(fixture.installation.pending(), waiting.others.len() as u64);
    assert_all_suppressed(&waiting);
    daemon.kill();
    let daemon = fixture.installation.start_and_wait();
    fixture.installation.run(&["delivery", "resume"]).ok();
    waiting.assert_only_others_arrive(daemon);
    assert_eq!(waiting.edge.bytes_changed(), Vec::<String>::new());
}

#[track_caller]
fn assert_all_suppressed(waiting: &Waiting) {
    for order in &waiting.janes {
        let states = states(&waiting.fixture, *order);
        assert!(
            states.iter().all(|(state, _)| state == "suppressed"),
            "{states:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sender_suppresses_pending_events_left_by_a_killed_command() {
    let waiting = pending_fixture(60, 4, "", |_| {}).await;
    let fixture = &waiting.fixture;
    // The state after a killed command: she is on the list, and her events are still pending.
    let store = Store::open(&fixture.installation.path("orderfeed.db")).unwrap();
    let jane = person(JANE).unwrap();
    let listed = store.write(Durability::Durable, move |w| {
        w.add_suppressions(&[jane], "", now())
    });
    assert_eq!(listed.await.unwrap(), 1);
    drop(store);
    assert_eq!(fixture.installation.pending(), waiting.all());
    waiting.assert_only_others_arrive(fixture.installation.start_and_wait());
    assert_all_suppressed(&waiting);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_sender_sends_nothing_of_a_person_once_the_command_has_returned() {
    let edge = recording_edge().await;
    let fixture = ShopFixture::new(&edge.server_url(), 400);
    fixture
        .installation
        .layer("slow", "[delivery]\nlanes = 2\nmax_batch_events = 5\n");
    let janes = assign_to_jane(&fixture, 300);
    edge.configure(|config| config.latency_ms = 15);
    let daemon = fixture.installation.start_and_wait();
    eventually("it sends", || edge.unique_ids() > 20);
    with_jane(&fixture.installation, &["suppress", "add", "-"]).ok();
    let at_once: usize = janes_at(&edge);
    let (own, others) = expected_apart(&fixture, &janes);
    eventually("everything is final", || {
        fixture.installation.is_settled() && edge.unique_ids() >= others.len()
    });
    assert_eq!(janes_at(&edge), at_once, "none came after the command");
    assert!(at_once < own.len(), "the command came too late to show anything");
    edge::assert_promises(&edge);
    assert_eq!(edge.unique_ids(), others.len() + at_once);
    assert_eq!(daemon.stop(), Some(0));
}

fn janes_at(edge: &orderfeed_emulator::EmulatorHandle) -> usize {
    let hash = hash();
    let hers = |id: &&String| {
        let body = edge.body(id).unwrap().to_vec();
        body.windows(hash.len()).any(|window| window == hash.as_bytes())
    };
    edge.ids().iter().filter(hers).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_lines_are_imported_beside_a_daemon_and_bad_ones_are_named_by_number() {
    let edge = edge::start().await;
    let fixture = ShopFixture::new(&edge.server_url(), 5);
    let daemon = fixture.installation.start_and_wait();
    eventually("it is up", || fixture.installation.is_settled());
    let mut file = String::from("id,email,name\n");
    for number in 0..100_000 {
        let _ = writeln!(file, "{number},shopper{number}@example.com,\"Doe, {number}\"");
    }
    let _ = writeln!(file, "7,s3cret-no-address,x\n\n# the end\n8,{JANE}");
    fixture.installation.write("list.csv", &file);
    let path = fixture.installation.path("list.csv");
    let path = path.to_str().unwrap();
    let import = |args: &[&str]| {
        let args: Vec<_> = ["suppress", "import", path, "--column"]
            .iter()
            .chain(args)
            .copied()
            .collect();
        fixture.installation.run(&args)
    };
    let first = import(&["email", "--json"]);
    assert_eq!(first.code, Some(1), "{first:?}");
    assert!(first.stderr.contains("Line 100002 of"), "{first:?}");
    assert!(!first.stderr.contains("s3cret"), "{first:?}");
    let counts = json(&first.stdout);
    assert_eq!((&counts["added"], &counts["bad"]), (&100_001.into(), &1.into()));
    let again = json(&import(&["2", "--json"]).stdout);
    assert_eq!((&again["added"], &again["known"]), (&0.into(), &100_001.into()));
    assert_eq!(
        fixture.installation.run(&["suppress", "list", "--count"]).ok(),
        "100001\n"
    );
    let listed = json(&fixture.installation.run(&["suppress", "list", "--json"]).ok());
    let entries = listed["entries"].as_array().unwrap();
    assert_eq!((&listed["count"], entries.len()), (&100_001.into(), 100_001));
    assert!(
        entries
            .iter()
            .any(|entry| entry["sha256"] == hash() && entry["note"] == "imported")
    );
    assert_eq!(import(&["telephone"]).code, Some(2));
    assert_eq!(daemon.stop(), Some(0));
    // Without a daemon, and from one list to another.
    let text = fixture.installation.run(&["suppress", "list"]).ok();
    assert_eq!(text.lines().count(), 100_001);
    let hashes: Vec<&str> = text.lines().filter_map(|line| line.split(' ').next()).collect();
    fixture
        .installation
        .write("hashes.txt", &hashes[..20_000].join("\n"));
    let removed = fixture.installation.path("hashes.txt");
    let removed = fixture.installation.run(&[
        "suppress",
        "remove",
        "--file",
        removed.to_str().unwrap(),
        "--json",
    ]);
    assert_eq!(json(&removed.ok())["removed"], 20_000);
}
