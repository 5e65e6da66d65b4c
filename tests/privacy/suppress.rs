//! The suppression list.

use std::fmt::Write;

use orderfeed::store::{Durability, Store};
use orderfeed_events::person;

use crate::privacy::rig::{
    JANE, MARK, Waiting, assert_nothing_of_jane, become_janes, everything_waits, expected_apart,
    give_to_jane, hash, json, keeping_edge, states, with_jane,
};
use crate::support::daemon::{eventually, now};
use crate::support::edge;
use crate::support::embedded::ShopHouse;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shopper_on_the_list_is_left_alone_before_and_after_the_order() {
    let edge = keeping_edge().await;
    let mut house = ShopHouse::new(&edge.server_url(), 40);
    let mut janes = become_janes(&house, 3);
    let empty = house.installation.run(&["suppress", "list"]);
    assert_eq!(empty.code, Some(69), "{empty:?}");

    // Added before the first start, so that the first sync skips her too.
    let added = json(&with_jane(&house.installation, &["suppress", "add", "-", "--json"]).ok());
    assert_eq!(added["added"], 1);
    let again = json(&with_jane(&house.installation, &["suppress", "add", "-", "--json"]).ok());
    assert_eq!((&again["added"], &again["known"]), (&0.into(), &1.into()));
    let placed = house.place();
    give_to_jane(&house, placed);
    janes.push(placed);
    let daemon = house.installation.start_and_wait();
    let (own, others) = expected_apart(&house, &janes);
    assert!(own.len() > 3);
    eventually("everything is final", || {
        house.is_served(&edge, others.len()) && !states(&house, placed).is_empty()
    });
    edge::assert_holds(&edge, &others);
    assert_nothing_of_jane(&edge);
    for (state, notes) in states(&house, janes[0]) {
        assert_eq!(state, "suppressed");
        assert!(notes.contains("local list of `orderfeed suppress`"), "{notes}");
    }
    let status = json(&house.installation.run(&["status", "--json"]).ok());
    let count = |website: &serde_json::Value| {
        let kinds = website["suppressed"].as_object().unwrap();
        kinds.values().map(|count| count.as_u64().unwrap()).sum::<u64>()
    };
    let suppressed: u64 = status["websites"].as_array().unwrap().iter().map(count).sum();
    assert_eq!(suppressed, own.len() as u64, "{status:#}");

    // Suppressed events stay suppressed, even with a forced resend.
    house.installation.send_all_again();
    let told = house
        .installation
        .run(&["suppress", "remove", "--sha256", &hash()])
        .ok();
    assert!(told.contains("1 persons removed"), "{told}");
    house.installation.send_all_again();
    for (state, _) in states(&house, janes[0]) {
        assert_eq!(state, "suppressed");
    }
    assert_eq!(
        house
            .installation
            .run(&["suppress", "remove", "--sha256", &hash()])
            .code,
        Some(1)
    );
    // With an empty list, a new order of hers is sent.
    let events = edge.unique_ids();
    let later = house.place();
    give_to_jane(&house, later);
    eventually("a later order goes", || edge.unique_ids() > events);
    assert_eq!(daemon.stop(), Some(0));
    assert!(!house.installation.log().contains(MARK));
    assert_eq!(edge.bytes_changed(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_is_suppressed_at_once_and_a_kill_in_the_middle_changes_nothing() {
    let pause = |house: &ShopHouse| drop(house.installation.run(&["delivery", "pause"]).ok());
    let waiting = everything_waits(60, 4, "[privacy]\nprofile = \"full\"\n", pause).await;
    let house = &waiting.house;
    let daemon = house.installation.start_and_wait();
    let added = json(&with_jane(&house.installation, &["suppress", "add", "-", "--json"]).ok());
    assert_eq!(added["events"], waiting.own.len() as u64, "{added}");
    assert_eq!(house.installation.pending(), waiting.others.len() as u64);
    assert_all_suppressed(&waiting);
    daemon.kill();
    let daemon = house.installation.start_and_wait();
    house.installation.run(&["delivery", "resume"]).ok();
    waiting.only_the_others_arrive(daemon);
    assert_eq!(waiting.edge.bytes_changed(), Vec::<String>::new());
}

#[track_caller]
fn assert_all_suppressed(waiting: &Waiting) {
    for order in &waiting.janes {
        let states = states(&waiting.house, *order);
        assert!(
            states.iter().all(|(state, _)| state == "suppressed"),
            "{states:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_was_killed_before_it_went_through_what_waits_is_made_up_for_by_the_sender() {
    let waiting = everything_waits(60, 4, "", |_| {}).await;
    let house = &waiting.house;
    // The state after a killed command: she is on the list, and her events are still pending.
    let store = Store::open(&house.installation.path("orderfeed.db")).unwrap();
    let jane = person(JANE).unwrap();
    let listed = store.write(Durability::Durable, move |w| {
        w.add_suppressions(&[jane], "", now())
    });
    assert_eq!(listed.await.unwrap(), 1);
    drop(store);
    assert_eq!(house.installation.pending(), waiting.all());
    waiting.only_the_others_arrive(house.installation.start_and_wait());
    assert_all_suppressed(&waiting);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_in_full_flight_sends_nothing_of_a_person_once_the_command_has_returned() {
    let edge = keeping_edge().await;
    let house = ShopHouse::new(&edge.server_url(), 400);
    house
        .installation
        .layer("slow", "[delivery]\nlanes = 2\nmax_batch_events = 5\n");
    let janes = become_janes(&house, 300);
    edge.configure(|config| config.latency_ms = 15);
    let daemon = house.installation.start_and_wait();
    eventually("it sends", || edge.unique_ids() > 20);
    with_jane(&house.installation, &["suppress", "add", "-"]).ok();
    let at_once: usize = janes_at(&edge);
    let (own, others) = expected_apart(&house, &janes);
    eventually("everything is final", || {
        house.installation.is_settled() && edge.unique_ids() >= others.len()
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
    let house = ShopHouse::new(&edge.server_url(), 5);
    let daemon = house.installation.start_and_wait();
    eventually("it is up", || house.installation.is_settled());
    let mut file = String::from("id,email,name\n");
    for number in 0..100_000 {
        let _ = writeln!(file, "{number},shopper{number}@example.com,\"Doe, {number}\"");
    }
    let _ = writeln!(file, "7,s3cret-no-address,x\n\n# the end\n8,{JANE}");
    house.installation.write("list.csv", &file);
    let path = house.installation.path("list.csv");
    let path = path.to_str().unwrap();
    let import = |args: &[&str]| {
        let args: Vec<_> = ["suppress", "import", path, "--column"]
            .iter()
            .chain(args)
            .copied()
            .collect();
        house.installation.run(&args)
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
        house.installation.run(&["suppress", "list", "--count"]).ok(),
        "100001\n"
    );
    let listed = json(&house.installation.run(&["suppress", "list", "--json"]).ok());
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
    let text = house.installation.run(&["suppress", "list"]).ok();
    assert_eq!(text.lines().count(), 100_001);
    let hashes: Vec<&str> = text.lines().filter_map(|line| line.split(' ').next()).collect();
    house
        .installation
        .write("hashes.txt", &hashes[..20_000].join("\n"));
    let removed = house.installation.path("hashes.txt");
    let removed = house.installation.run(&[
        "suppress",
        "remove",
        "--file",
        removed.to_str().unwrap(),
        "--json",
    ]);
    assert_eq!(json(&removed.ok())["removed"], 20_000);
}
