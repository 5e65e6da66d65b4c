//! The main job on a real MariaDB and a real MySQL: every order status event of twenty thousand orders reaches the edge
//! exactly once, and so does every change, while the daemon is killed repeatedly and the edge fails.
//!
//! The expected events are computed by SQL from the shop's tables alone (`orderfeed_test_support::oracle`), and their
//! ids from those.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use orderfeed::commerce::grants::grants;
use orderfeed::config::CaptureMode;
use orderfeed_demo_shop::history::Span;
use orderfeed_demo_shop::shop::{Shop, ShopOptions};
use orderfeed_emulator::{EmulatorHandle, RandomFaults};

use crate::support::daemon::{Daemon, Installation, eventually_within, now, say};
use crate::support::database::{Database, PASSWORD};
use crate::support::edge;
use crate::support::on_each_server;
use crate::support::oracle::{self, Expected};
use crate::support::server::Server;

const ORDERS: usize = 20_000;
const LIVE_CHANGES: usize = 2_000;
const KILLS: usize = 20;
/// Longest life of a daemon that is not killed during delivery.
const LIFE_MS: u64 = 2_500;
/// Longest life in the long form of the test.
const SHORT_LIFE_MS: u64 = 800;
/// Live changes per second.
const PACE: u64 = 50;
/// Length of the shop's history, in milliseconds.
const PAST: i64 = 400 * 86_400_000;
/// Generous, because debug builds of other tests share two cores with this one.
const SYNC_LIMIT: Duration = Duration::from_secs(420);

on_each_server! {
    twenty_thousand_orders_and_two_thousand_changes_arrive_each_once_through_kills_and_faults,
}

async fn twenty_thousand_orders_and_two_thousand_changes_arrive_each_once_through_kills_and_faults(
    server: &Server,
) {
    let database = Arc::new(server.database().await);
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
        "main job on {:?}: {ORDERS} orders loaded in {loaded:.1?}; {} events delivered in {synced:.1?} ({:.0} orders/s): {:?}",
        server.product(),
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
    let kills = kills();
    let in_delivery = kill_again_and_again(&installation, &edge, kills);
    let changes = live.end().await;
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
        "main job: {changes} changes, {kills} kills ({in_delivery} with requests in flight) in {:.1?}; {} events in \
         all, {} repeats, faults {:?}",
        started.elapsed(),
        expected.len(),
        edge.totals().duplicates,
        edge.totals().faults,
    ));
}

/// Creates an account with exactly the documented grants and an installation that uses it.
async fn installation(database: &Database, edge: &EmulatorHandle) -> Installation {
    let user = format!("feed_{}", database.name());
    database
        .execute(&format!("CREATE USER '{user}'@'%' IDENTIFIED BY '{PASSWORD}'"))
        .await;
    // These grants are for tables that the shop lacks. The documentation advises leaving such statements out.
    let lacks = |grant: &String| grant.contains("eav_") || grant.contains("_entity_int`");
    for grant in grants(CaptureMode::Poll, &user, database.name(), "")
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

/// Returns the number of kills. `ORDERFEED_KILLS=2000` is the long form.
fn kills() -> usize {
    std::env::var("ORDERFEED_KILLS")
        .map_or(KILLS, |kills| kills.parse().expect("ORDERFEED_KILLS is a number"))
}

/// Kills the daemon repeatedly, every other time during delivery. Returns the number of kills with requests in
/// flight.
fn kill_again_and_again(installation: &Installation, edge: &EmulatorHandle, kills: usize) -> usize {
    let life = if kills > KILLS { SHORT_LIFE_MS } else { LIFE_MS };
    let mut random = fastrand::Rng::with_seed(9);
    let mut in_delivery = 0;
    for kill in 0..kills {
        // Requests of a killed client are never answered, so they do not count as in flight.
        let (before, orphaned) = (edge.totals().requests, edge::unanswered(edge));
        let mut daemon = installation.start();
        if kill % 2 == 0 {
            let some = random.u64(1..12);
            eventually_within(SYNC_LIMIT, "requests after a restart", || {
                edge.totals().requests >= before + some
            });
        } else {
            std::thread::sleep(Duration::from_millis(random.u64(0..life)));
        }
        assert!(daemon.is_running(), "the daemon ended by itself");
        in_delivery += usize::from(edge::unanswered(edge) > orphaned);
        Daemon::kill(daemon);
        if kill % 100 == 99 {
            say(&format!(
                "main job: {} kills, {} events at the edge",
                kill + 1,
                edge.unique_ids()
            ));
        }
    }
    in_delivery
}

/// Background changes of the shop at a steady rate.
struct Live {
    may_stop: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<usize>,
}

impl Live {
    fn begin(database: &Arc<Database>, mut shop: Shop) -> Self {
        let may_stop = Arc::new(AtomicBool::new(false));
        let (database, is_over) = (Arc::clone(database), Arc::clone(&may_stop));
        let task = tokio::spawn(async move {
            let mut tick = tokio::time::interval(Duration::from_millis(1000 / PACE));
            let mut done = 0;
            while done < LIVE_CHANGES || !is_over.load(Ordering::Relaxed) {
                tick.tick().await;
                database.apply(&shop.next_action(now())).await;
                done += 1;
            }
            done
        });
        Self { may_stop, task }
    }

    /// Stops the changes and returns their number, at least [`LIVE_CHANGES`].
    async fn end(self) -> usize {
        self.may_stop.store(true, Ordering::Relaxed);
        self.task.await.unwrap()
    }
}
