//! A shop in which some orders are Jane's, an edge that keeps all bodies, and the initial states shared by several
//! tests.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::Stdio;

use orderfeed_emulator::{Emulator, EmulatorConfig, EmulatorHandle};
use orderfeed_events::person;
use serde_json::Value;

use crate::support::daemon::{Daemon, Installation, Ran, eventually};
use crate::support::edge;
use crate::support::embedded::ShopFixture;
use crate::support::oracle::Expected;

/// A customer whose data differs from everyone else's.
pub(super) const JANE: &str = "Jane.Unm1stakable@example.com";
/// Text in every personal column of Jane's orders.
pub(super) const MARK: &str = "unm1stakable";

pub(super) fn hash() -> String {
    hex::encode(person(JANE).unwrap())
}

/// Starts an edge that keeps all bodies.
pub(super) async fn recording_edge() -> EmulatorHandle {
    let settings = EmulatorConfig {
        keep_bodies: true,
        ..edge::settings()
    };
    Emulator::start(settings).await.unwrap()
}

/// Makes some orders of the shop Jane's. Returns their entity ids.
pub(super) fn assign_to_jane(fixture: &ShopFixture, orders: i64) -> Vec<i64> {
    let conn = fixture.sql();
    let sql = "SELECT entity_id FROM sales_order WHERE store_id IS NOT NULL ORDER BY entity_id LIMIT ?1";
    let mut statement = conn.prepare(sql).unwrap();
    let ids = statement.query_map([orders], |row| row.get(0)).unwrap();
    let ids: Vec<i64> = ids.map(Result::unwrap).collect();
    for id in &ids {
        give_to_jane(fixture, *id);
    }
    ids
}

pub(super) fn give_to_jane(fixture: &ShopFixture, order: i64) {
    let conn = fixture.sql();
    conn.execute(
        "UPDATE sales_order SET customer_email = ?2, customer_firstname = ?3, customer_lastname = ?3 WHERE entity_id = ?1",
        rusqlite::params![order, JANE, MARK],
    )
    .unwrap();
    conn.execute(
        "UPDATE sales_order_address SET email = ?2, firstname = ?3, lastname = ?3, street = ?3 || ' street 7',
         city = ?3, telephone = ?3 WHERE parent_id = ?1",
        rusqlite::params![order, JANE, MARK],
    )
    .unwrap();
}

/// Returns the expected events, first Jane's, then the others.
pub(super) fn expected_apart(
    fixture: &ShopFixture,
    janes: &[i64],
) -> (BTreeSet<Expected>, BTreeSet<Expected>) {
    fixture
        .expected()
        .into_iter()
        .partition(|one| janes.contains(&one.order_id))
}

/// Runs a command that reads Jane's address from stdin.
pub(super) fn with_jane(installation: &Installation, args: &[&str]) -> Ran {
    let mut command = installation.command(args);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(format!("# by letter\n\n  {JANE}\r\n").as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

pub(super) fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Returns every event of an order with its state, as reported by `explain`.
pub(super) fn states(fixture: &ShopFixture, order: i64) -> Vec<(String, String)> {
    let sql = "SELECT increment_id FROM sales_order WHERE entity_id = ?1";
    let number: String = fixture.sql().query_row(sql, [order], |row| row.get(0)).unwrap();
    let reported = json(&fixture.installation.run(&["explain", &number, "--json"]).ok());
    let lives = reported["orders"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|life| life["entity_id"] == order);
    lives
        .flat_map(|life| life["events"].as_array().unwrap().clone())
        .map(|event| {
            let notes = event["notes"].to_string();
            (event["state"].as_str().unwrap().to_owned(), notes)
        })
        .collect()
}

/// Asserts that nothing received is Jane's.
#[track_caller]
pub(super) fn assert_nothing_of_jane(edge: &EmulatorHandle) {
    for id in edge.ids() {
        let body = String::from_utf8(edge.body(&id).unwrap().to_vec()).unwrap();
        assert!(!body.contains(&hash()) && !body.contains(MARK), "{body}");
    }
}

/// State of a test: everything is captured and indexed, nothing was sent, and no daemon runs.
pub(super) struct Waiting {
    pub(super) edge: EmulatorHandle,
    pub(super) fixture: ShopFixture,
    pub(super) janes: Vec<i64>,
    /// Events of Jane's orders.
    pub(super) own: BTreeSet<Expected>,
    pub(super) others: BTreeSet<Expected>,
}

impl Waiting {
    pub(super) fn all(&self) -> u64 {
        (self.own.len() + self.others.len()) as u64
    }

    /// Waits until the other events have reached the edge and asserts that none of Jane's did. Stops the daemon.
    #[track_caller]
    pub(super) fn assert_only_others_arrive(&self, daemon: Daemon) {
        eventually("the others arrive", || {
            self.fixture.is_served(&self.edge, self.others.len())
        });
        edge::assert_holds(&self.edge, &self.others);
        assert_nothing_of_jane(&self.edge);
        assert_eq!(daemon.stop(), Some(0));
    }
}

/// Creates a shop of `orders` orders, some of them Jane's, with `config` layered over its configuration. Kills the
/// daemon while all events are pending, after running `before` beside it. The edge answers afterwards.
pub(super) async fn pending_fixture(
    orders: usize,
    janes: i64,
    config: &str,
    before: impl FnOnce(&ShopFixture),
) -> Waiting {
    let edge = recording_edge().await;
    let fixture = ShopFixture::new(&edge.server_url(), orders);
    fixture.installation.layer("waiting", config);
    let janes = assign_to_jane(&fixture, janes);
    let (own, others) = expected_apart(&fixture, &janes);
    let waiting = Waiting {
        edge,
        fixture,
        janes,
        own,
        others,
    };
    // No request gets an answer in time.
    waiting.edge.configure(|config| config.latency_ms = 600_000);
    let daemon = waiting.fixture.installation.start_and_wait();
    eventually("everything waits", || {
        let installation = &waiting.fixture.installation;
        installation.pending() == waiting.all()
            && installation.index().is_some_and(|index| index.backlog == 0)
    });
    before(&waiting.fixture);
    daemon.kill();
    waiting.edge.configure(|config| config.latency_ms = 0);
    waiting.edge.reset();
    waiting
}
