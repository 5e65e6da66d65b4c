//! Failures around the daemon: the edge, the source, the disk, the store's path, another daemon. Each is logged in a
//! few lines, ends the daemon with the documented exit code or not at all, and loses nothing.

mod disk;
mod hanging;
mod stops;
mod stores;

use std::time::Duration;

use orderfeed_demo_shop::history::Span;
use orderfeed_demo_shop::shop::{Shop, ShopOptions};
use orderfeed_emulator::{Emulator, EmulatorConfig};

use crate::support::daemon::{Installation, eventually, now};
use crate::support::database::PASSWORD;
use crate::support::edge;
use crate::support::embedded::ShopFixture;
use crate::support::oracle;
use crate::support::server::Server;

/// Returns the lines of `log` that contain `part`.
fn lines<'a>(log: &'a str, part: &str) -> Vec<&'a str> {
    log.lines().filter(|line| line.contains(part)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_of_the_edge_is_logged_in_three_lines_and_loses_nothing() {
    let address = edge::free_address();
    let mut fixture = ShopFixture::new(&format!("http://{address}"), 80);
    // A single website, so that the lines below belong to one sender.
    fixture.installation.layer("quiet", "[websites.eu]\nback_office_events = false\n[websites.jp]\nback_office_events = false\n[websites.uk]\nback_office_events = false\n");
    let mut daemon = fixture.installation.start();
    let log = || fixture.installation.log();
    eventually("the first line", || {
        lines(&log(), "Delivery to the edge failed").len() == 1
    });
    eventually("a line that it still fails", || {
        !lines(&log(), "website=base")
            .iter()
            .all(|line| !line.contains("still"))
    });
    assert!(daemon.is_running(), "an edge that is down is no reason to end");
    fixture.place();
    let edge = Emulator::start(EmulatorConfig {
        listen_server: address,
        ..edge::settings()
    })
    .await
    .unwrap();
    let expected = expected_of_base(&fixture);
    eventually("the delivery", || fixture.is_served(&edge, expected.len()));
    eventually("the last line", || {
        lines(&fixture.installation.log(), "Delivery recovered").len() == 1
    });
    let reported = fixture.installation.log();
    let reported: Vec<&str> = reported
        .lines()
        .filter(|line| line.contains("msg=\"Delivery "))
        .collect();
    assert_eq!(reported.len(), 3, "first, still, recovered: {reported:#?}");
    assert_eq!(daemon.stop(), Some(0));
    edge::assert_holds(&edge, &expected);
    edge::assert_promises(&edge);
    assert_eq!(edge.totals().duplicates, 0);
}

fn expected_of_base(fixture: &ShopFixture) -> std::collections::BTreeSet<oracle::Expected> {
    oracle::expected_in_sqlite(&fixture.sql(), &["base"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_is_down_at_the_start_and_killed_in_the_middle_loses_nothing() {
    let server = Server::start();
    let database = server.database().await;
    // The fixture trades durability for speed, but here the shop's commits must survive.
    database
        .execute("SET GLOBAL innodb_flush_log_at_trx_commit = 1")
        .await;
    let to = now();
    let span = Span {
        orders: 1_500,
        from: to.plus_millis(-90 * 86_400_000),
        to,
    };
    let mut shop = database
        .load(
            ShopOptions {
                seed: 3,
                ..ShopOptions::default()
            },
            span,
        )
        .await;
    let user = database.read_only_account().await;
    let expected =
        async || oracle::expected_in_mariadb(&mut database.conn().await, "", &Shop::website_codes()).await;
    let history = expected().await;
    let edge = edge::start().await;
    let url = database.url(&user).replace('@', &format!(":{PASSWORD}@"));
    let source =
        format!("[source]\nkind = \"mysql\"\n[source.mysql]\nurl = \"{url}\"\npoll_interval = \"100ms\"\n");
    let installation = Installation::new(&edge::config(&edge.server_url(), &source));
    // Small batches, so that the kill below falls between two of them.
    installation.layer("small", "[index]\nbatch_size = 20\n");
    server.stop();
    let mut daemon = installation.start();
    eventually("the first line", || {
        lines(&installation.log(), "The source cannot be read").len() == 1
    });
    assert!(daemon.is_running(), "a source that is down is no reason to end");
    server.start_again();
    // The second outage counts as new only after the first has ended.
    eventually("some events", || {
        edge.unique_ids() > 0 && lines(&installation.log(), "The source answers again").len() == 1
    });
    server.kill();
    eventually("a second outage is noticed", || {
        lines(&installation.log(), "The source cannot be read").len() == 2
    });
    server.start_again();
    eventually("the history", || {
        edge.unique_ids() >= history.len() && installation.is_settled()
    });
    for _ in 0..100 {
        database.apply(&shop.next_action(now())).await;
    }
    let expected = expected().await;
    eventually("the changes", || {
        edge.unique_ids() >= expected.len() && installation.is_settled()
    });
    assert!(daemon.is_running());
    assert_eq!(daemon.stop(), Some(0));
    edge::assert_holds(&edge, &expected);
    edge::assert_promises(&edge);
    let log = installation.log();
    assert_eq!(lines(&log, "The source answers again").len(), 2, "{log}");
    let backfills = lines(&log, "A backfill resumes");
    assert!(
        backfills.len() <= 4,
        "a backfill that cannot resume is logged once: {backfills:#?}"
    );
    let complaints = lines(&log, "level=warn").len() + lines(&log, "level=error").len();
    assert!(complaints <= 8, "{complaints} lines for two outages:\n{log}");
}

/// Longest time for any of the stops below.
const SOON: Duration = Duration::from_secs(20);
