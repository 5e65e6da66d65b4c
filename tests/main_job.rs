//! The main job on a real MariaDB: every order status event of twenty thousand orders reaches the edge exactly once, then
//! every change, also while the daemon is killed again and again and the edge misbehaves.
//!
//! What must arrive is computed by SQL from the shop's tables alone (`support::oracle`); event ids are recomputed from it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use orderfeed::commerce::grants::grants;
use orderfeed::commerce::settings::Capture;
use orderfeed::demo::history::Span;
use orderfeed::demo::shop::{Shop, ShopOptions};
use orderfeed::emulator::{EmulatorHandle, RandomFaults};

use crate::support::daemon::{Daemon, Installation, eventually_within, now, say};
use crate::support::database::{Database, PASSWORD};
use crate::support::edge;
use crate::support::mariadb::Server;
use crate::support::oracle::{self, Expected};

const ORDERS: usize = 20_000;
const LIVE_CHANGES: usize = 2_000;
const KILLS: usize = 20;
/// Live changes a second.
const PACE: u64 = 50;
/// How far back the shop's history goes, in milliseconds.
const PAST: i64 = 400 * 86_400_000;
/// Generous: a debug build on two cores that other tests use as well.
const SYNC_LIMIT: Duration = Duration::from_secs(420);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_thousand_orders_and_two_thousand_changes_arrive_each_once_through_kills_and_faults() {
    let database = Arc::new(Server::shared().database().await);
    let to = now();
    let span = Span {
        orders: ORDERS,
        from: to.plus_millis(-PAST),
        to,
    };
    let started = Instant::now();
    let shop = database
        .load(
            ShopOptions {
                seed: 20,
                ..ShopOptions::default()
            },
            span,
        )
        .await;
    let loaded = started.elapsed();
    let edge = edge::start().await;
    let installation = installation(&database, &edge).await;
    let expected = expected(&database).await;
    assert_eq!(
        oracle::counts(&expected).len(),
        8,
        "every kind: {:?}",
        oracle::counts(&expected)
    );

    let started = Instant::now();
    let daemon = installation.start();
    served(&installation, &edge, &expected);
    let synced = started.elapsed();
    assert_eq!(
        edge.totals().duplicates,
        0,
        "nothing failed, so nothing was repeated"
    );
    edge::assert_holds(&edge, &expected);
    edge::assert_promises(&edge);
    say(&format!(
        "main job: {ORDERS} orders loaded in {loaded:.1?}; {} events delivered in {synced:.1?} ({:.0} orders/s): {:?}",
        expected.len(),
        ORDERS as f64 / synced.as_secs_f64(),
        oracle::counts(&expected),
    ));
    daemon.kill();

    edge.configure(|config| {
        config.faults = Some(RandomFaults::new(0.05, 5));
        config.latency_ms = 20;
    });
    let started = Instant::now();
    let live = Live::begin(&database, shop);
    let in_delivery = kill_again_and_again(&installation, &edge);
    live.end().await;
    let daemon = installation.start();
    let expected = self::expected(&database).await;
    served(&installation, &edge, &expected);
    assert_eq!(daemon.stop(), Some(0));
    edge::assert_holds(&edge, &expected);
    edge::assert_promises(&edge);
    assert!(
        in_delivery >= 3,
        "only {in_delivery} kills hit requests in flight"
    );
    assert!(
        edge.totals().duplicates > 0,
        "no kill fell between an answer and its commit: this proves little"
    );
    say(&format!(
        "main job: {LIVE_CHANGES} changes, {KILLS} kills ({in_delivery} with requests in flight) in {:.1?}; {} events in \
         all, {} repeats, faults {:?}",
        started.elapsed(),
        expected.len(),
        edge.totals().duplicates,
        edge.totals().faults,
    ));
}

/// An account that may do what the documentation says and no more, and a daemon that uses it.
async fn installation(database: &Database, edge: &EmulatorHandle) -> Installation {
    let user = format!("feed_{}", database.name());
    database
        .execute(&format!("CREATE USER '{user}'@'%' IDENTIFIED BY '{PASSWORD}'"))
        .await;
    // These belong to tables that the shop does not have, and the documentation says to leave such statements out.
    let lacks = |grant: &String| grant.contains("eav_") || grant.contains("_entity_int`");
    for grant in grants(Capture::Poll, &user, database.name(), "")
        .iter()
        .filter(|grant| !lacks(grant))
    {
        database.execute(grant.trim_end_matches(';')).await;
    }
    let source = format!(
        "[source]\nkind = \"mysql\"\n[source.mysql]\nurl = \"{}\"\npassword_file = \"password\"\ncapture = \"poll\"\n\
         poll_interval = \"200ms\"\n",
        database.url(&user)
    );
    let installation = Installation::new(&edge::config(&edge.server_url(), &source));
    installation.write("password", PASSWORD);
    installation
}

async fn expected(database: &Database) -> BTreeSet<Expected> {
    oracle::expected_in_mariadb(&mut database.conn().await, "", &Shop::website_codes()).await
}

fn served(installation: &Installation, edge: &EmulatorHandle, expected: &BTreeSet<Expected>) {
    let what = format!("{} events at the edge and nothing left to do", expected.len());
    eventually_within(SYNC_LIMIT, &what, || {
        edge.unique_ids() >= expected.len() && installation.is_settled()
    });
}

/// Kills the daemon, every other time in the middle of delivering; returns how often requests were in flight.
fn kill_again_and_again(installation: &Installation, edge: &EmulatorHandle) -> usize {
    let mut random = fastrand::Rng::with_seed(9);
    let mut in_delivery = 0;
    for kill in 0..KILLS {
        // Requests whose client was killed are never answered: they are no longer in flight.
        let (before, orphaned) = (edge.totals().requests, unanswered(edge));
        let mut daemon = installation.start();
        if kill % 2 == 0 {
            let some = random.u64(1..12);
            eventually_within(SYNC_LIMIT, "requests after a restart", || {
                edge.totals().requests >= before + some
            });
        } else {
            std::thread::sleep(Duration::from_millis(random.u64(0..2_500)));
        }
        assert!(daemon.is_running(), "the daemon ended by itself");
        in_delivery += usize::from(unanswered(edge) > orphaned);
        Daemon::kill(daemon);
    }
    in_delivery
}

/// Requests that arrived and have no answer.
fn unanswered(edge: &EmulatorHandle) -> u64 {
    let totals = edge.totals();
    totals.requests - totals.by_status.values().sum::<u64>()
}

/// Shoppers and merchants at work, at a steady pace.
struct Live {
    done: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Live {
    fn begin(database: &Arc<Database>, mut shop: Shop) -> Self {
        let done = Arc::new(AtomicUsize::new(0));
        let (database, counter) = (Arc::clone(database), Arc::clone(&done));
        let task = tokio::spawn(async move {
            let mut tick = tokio::time::interval(Duration::from_millis(1000 / PACE));
            for _ in 0..LIVE_CHANGES {
                tick.tick().await;
                database.apply(&shop.next_action(now())).await;
                counter.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { done, task }
    }

    async fn end(self) {
        self.task.await.unwrap();
        assert_eq!(self.done.load(Ordering::Relaxed), LIVE_CHANGES);
    }
}
