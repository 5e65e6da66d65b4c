//! A source that hangs: a locked table delays only its own changes, and nothing delays the shutdown.

use std::time::{Duration, Instant};

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::lines;
use crate::support::daemon::{Daemon, Installation, eventually, eventually_within, say};
use crate::support::database::PASSWORD;
use crate::support::edge;
use crate::support::network::{BlackHole, Proxy};
use crate::support::served::{self, Served};
use crate::support::server::Server;

/// Longest time of a shutdown with nothing in flight to the edge.
const STOP: Duration = Duration::from_secs(3);
/// Longest time from a change to the edge, while a table that it does not need is locked.
const ARRIVAL: Duration = Duration::from_secs(10);

/// Locks a table until the connection is dropped.
async fn lock(served: &Served, table: &str) -> Conn {
    let mut conn = served.database.conn().await;
    conn.query_drop(format!("LOCK TABLES {table} WRITE"))
        .await
        .unwrap();
    conn
}

/// Waits until the server has statements of the daemon that wait for a table.
async fn wait_for_blocked(served: &Served) {
    let mut conn = served.database.conn().await;
    let sql = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE STATE LIKE 'Waiting for table%'";
    let deadline = Instant::now() + Duration::from_secs(30);
    while conn.query_first::<u64, _>(sql).await.unwrap() == Some(0) {
        assert!(Instant::now() < deadline, "no statement waits");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[track_caller]
fn ends_soon(daemon: &mut Daemon) {
    let started = Instant::now();
    daemon.terminate();
    let status = daemon.exit_within(STOP);
    assert_eq!(status.code(), Some(0), "{status}");
    say(&format!("stopped after {:?}", started.elapsed()));
}

/// Adds an invoice and waits for its event, which needs no locked table.
async fn an_invoice_arrives(served: &Served, order: i64) {
    let before = served.edge.unique_ids();
    let started = Instant::now();
    let invoice = format!(
        "INSERT INTO sales_invoice (order_id, store_id, increment_id, state, base_grand_total, created_at, updated_at) \
         SELECT entity_id, store_id, 'locked-{order}', 2, 10, UTC_TIMESTAMP(), UTC_TIMESTAMP() FROM sales_order \
         WHERE entity_id = {order}"
    );
    served.database.execute(&invoice).await;
    eventually_within(ARRIVAL, "the change arrives", || {
        served.edge.unique_ids() > before
    });
    say(&format!("arrived after {:?}", started.elapsed()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_table_delays_only_its_own_changes() {
    let mut served = Served::start(200, Server::port).await;
    let locked = lock(&served, "magento_rma").await;
    for order in [11, 12, 13] {
        an_invoice_arrives(&served, order).await;
    }
    let log = served.installation.log();
    assert_eq!(
        lines(&log, "OF03-10").len(),
        2,
        "the table and its history: {log}"
    );
    assert!(lines(&log, "The source cannot be read").is_empty(), "{log}");
    let status = served.installation.run(&["status"]).stdout;
    assert!(status.contains("magento_rma does not answer in time"), "{status}");
    let doctor = served.installation.run(&["doctor"]).stdout;
    assert!(
        doctor.contains("changes are late: magento_rma does not answer in time"),
        "{doctor}"
    );
    drop(locked);
    let requested = "INSERT INTO magento_rma (order_id, store_id, increment_id, status) \
                     SELECT entity_id, store_id, 'locked', 'pending' FROM sales_order WHERE entity_id = 14";
    let before = served.edge.unique_ids();
    served.database.execute(requested).await;
    eventually("the return arrives", || served.edge.unique_ids() > before);
    eventually("both tables are read in time again", || {
        lines(&served.installation.log(), "read in time again").len() == 2
    });
    ends_soon(&mut served.daemon);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_while_a_table_of_returns_is_locked_delays_no_other_change() {
    let mut served = Served::start(200, Server::port).await;
    ends_soon(&mut served.daemon);
    let _locked = lock(&served, "magento_rma").await;
    served.daemon = served.installation.start();
    an_invoice_arrives(&served, 11).await;
    ends_soon(&mut served.daemon);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_table_does_not_hold_up_the_shutdown() {
    let mut served = Served::start(200, Server::port).await;
    let _locked = lock(&served, "sales_order").await;
    wait_for_blocked(&served).await;
    ends_soon(&mut served.daemon);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_stops_answering_does_not_hold_up_the_shutdown() {
    let mut proxy = None;
    let started = Served::start(200, |server| proxy.insert(Proxy::start(server.port())).port());
    let mut served = started.await;
    proxy.unwrap().stall();
    // Longer than a poll: a statement waits for its answer.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(served.daemon.is_running());
    ends_soon(&mut served.daemon);
    drop(served.server);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_drops_packets_does_not_hold_up_the_shutdown() {
    let hole = BlackHole::start();
    let edge = edge::start().await;
    let url = format!("mysql://feed:{PASSWORD}@127.0.0.1:{}/shop", hole.port());
    let installation = Installation::new(&edge::config(&edge.server_url(), &served::source(&url)));
    let mut daemon = installation.start_and_wait();
    tokio::time::sleep(Duration::from_secs(1)).await;
    ends_soon(&mut daemon);
}
