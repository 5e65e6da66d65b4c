//! The nightly job finds what capture missed, a share of all orders at a time.

use std::collections::BTreeSet;

use super::{number, sum, verify, without_triggers};
use crate::support::daemon::{Installation, eventually, now};
use crate::support::database::PASSWORD;
use crate::support::edge;
use crate::support::embedded::ShopFixture;
use crate::support::oracle;
use crate::support::server::Server;
use orderfeed_demo_shop::history::Span;
use orderfeed_demo_shop::shop::{Shop, ShopOptions};
use orderfeed_emulator::EmulatorHandle;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_commit_beyond_the_overlap_is_found_by_the_nightly_job_and_delivered() {
    let database = Server::shared().database().await;
    let to = now();
    let span = Span {
        orders: 120,
        from: to.plus_millis(-40 * 86_400_000),
        to,
    };
    let options = ShopOptions {
        seed: 31,
        ..ShopOptions::default()
    };
    database.load(options, span).await;
    let edge = edge::start().await;
    let installation = in_front_of(&database.url(&database.read_only_account().await), &edge);
    let daemon = installation.start();
    let expected = || async {
        oracle::expected_in_mariadb(&mut database.conn().await, "", &Shop::website_codes()).await
    };
    let before = expected().await;
    eventually("the first sync", || {
        edge.unique_ids() >= before.len() && installation.is_settled()
    });

    // A transaction that began an hour ago commits now. Its rows carry the time at which they were written.
    database
        .execute(
            "UPDATE sales_order SET state = 'canceled', status = 'canceled', \
             updated_at = DATE_SUB(UTC_TIMESTAMP(), INTERVAL 1 HOUR) \
             WHERE state <> 'canceled' ORDER BY entity_id LIMIT 3",
        )
        .await;
    // Events of a cancelled order that were sent before stay sent.
    let after: BTreeSet<_> = expected().await.union(&before).cloned().collect();
    let unseen = after.difference(&before).count();
    assert!(unseen >= 1, "a cancelled order calls for an event");
    let version = || installation.index().unwrap().version;
    let settled = version();
    // At least two polls have passed when an ordinary change arrives.
    database
        .execute("UPDATE sales_order SET customer_note_notify = 1, updated_at = UTC_TIMESTAMP() ORDER BY entity_id DESC LIMIT 1")
        .await;
    eventually("an ordinary change is captured", || version() > settled);
    assert_eq!(edge.unique_ids(), before.len(), "no capture saw the late commit");

    let (code, report) = verify(&installation, &[]);
    assert_eq!(code, Some(1), "{report:#}");
    assert_eq!(number(&report, "/differing/stale"), 3, "{report:#}");
    assert_eq!(sum(&report, "missing"), unseen as u64);

    let said = installation.run(&["cron", "run", "verify_source"]).ok();
    assert!(said.contains("3 differ and are indexed again"), "{said}");
    eventually("the late commit's events arrive", || {
        edge.unique_ids() >= after.len() && installation.is_settled()
    });
    edge::assert_holds(&edge, &after);
    let log = installation.log();
    assert!(
        log.contains("Verification found orders that differ from the source")
            && log.contains("stale_orders=3"),
        "{log}"
    );
    let (code, report) = verify(&installation, &["--from", "2000-01-01"]);
    assert_eq!((code, number(&report, "/orders")), (Some(0), 120), "{report:#}");
    assert_eq!(daemon.stop(), Some(0));
    edge::assert_promises(&edge);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sweep_covers_all_of_history_night_after_night() {
    let edge = edge::start().await;
    let fixture = ShopFixture::new(&edge.server_url(), 90);
    fixture
        .installation
        .layer("nights", "[verify]\nnights = 3\nrecent = \"1h\"\n");
    let daemon = fixture.installation.start();
    let expected = fixture.expected().len();
    eventually("the first sync", || fixture.is_served(&edge, expected));
    let oldest = "(SELECT min(entity_id) FROM sales_order)";
    without_triggers(
        &fixture,
        &format!(
            "UPDATE sales_order SET status = 'unseen', updated_at = '2020-01-01 00:00:00' \
             WHERE entity_id = {oldest}"
        ),
    );
    let night = || fixture.installation.run(&["cron", "run", "verify_source"]).ok();
    let mut said = Vec::new();
    for _ in 0..3 {
        said.push(night());
    }
    assert!(said[0].contains("30 of all: nothing differs"), "{said:?}");
    assert!(said[1].contains("30 of all: nothing differs"), "{said:?}");
    assert!(
        said[2].contains("30 of all: 1 differ and are indexed again"),
        "{said:?}"
    );
    assert_eq!(daemon.stop(), Some(0));
    let history = fixture
        .installation
        .run(&["cron", "history", "--job", "verify_source"])
        .ok();
    assert!(history.contains("1 differ and are indexed again"), "{history}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_is_down_fails_the_night_and_the_next_one_continues() {
    let server = Server::start();
    let database = server.database().await;
    let to = now();
    let span = Span {
        orders: 40,
        from: to.plus_millis(-40 * 86_400_000),
        to,
    };
    database.load(ShopOptions::default(), span).await;
    let edge = edge::start().await;
    let installation = in_front_of(&database.url(&database.read_only_account().await), &edge);
    let daemon = installation.start();
    eventually("the first sync", || installation.is_settled());
    server.stop();
    let ran = installation.run(&["cron", "run", "verify_source"]);
    assert_eq!(ran.code, Some(69), "{ran:?}");
    let ran = installation.run(&["verify"]);
    assert_eq!(ran.code, Some(69), "{ran:?}");
    server.start_again();
    eventually("the source is back", || {
        let ran = installation.run(&["cron", "run", "verify_source"]);
        ran.code == Some(0) && ran.stdout.contains("nothing differs")
    });
    assert_eq!(daemon.stop(), Some(0));
}

fn in_front_of(url: &str, edge: &EmulatorHandle) -> Installation {
    let source = format!(
        "[source]\nkind = \"mysql\"\n[source.mysql]\nurl = \"{url}\"\npassword_file = \"password\"\ncapture = \"poll\"\n\
         poll_interval = \"100ms\"\npoll_overlap = \"10s\"\n"
    );
    let installation = Installation::new(&edge::config(&edge.server_url(), &source));
    installation.write("password", PASSWORD);
    installation
}
