//! A thousand live changes over REST, while the daemon is killed and both the API and the edge fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use orderfeed_demo_shop::embedded::EmbeddedShop;
use orderfeed_demo_shop::shop::{Shop, ShopOptions};
use orderfeed_emulator::RandomFaults as EdgeFaults;
use orderfeed_mock_commerce::{MockConfig, RandomFaults};

use super::fixture::RestFixture;
use crate::support::daemon::{now, say};
use crate::support::edge;

const HISTORY: usize = 150;
const LIVE_CHANGES: usize = 1_000;
const KILLS: usize = 20;
/// Live changes per second.
const PACE: u64 = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_changes_arrive_each_once_through_kills_and_faults() {
    let rest = RestFixture::start(HISTORY, MockConfig::default()).await;
    let faults = Some(RandomFaults { rate: 0.05, seed: 3 });
    rest.mock.configure(|config| config.random_faults = faults);
    rest.edge
        .configure(|config| config.faults = Some(EdgeFaults::new(0.05, 5)));
    let began = Instant::now();
    let may_stop = Arc::new(AtomicBool::new(false));
    let shoppers = tokio::task::spawn_blocking({
        let (path, is_over) = (rest.installation().path("shop.db"), Arc::clone(&may_stop));
        move || shop_on(&path, &is_over)
    });
    let mut random = fastrand::Rng::with_seed(9);
    for _ in 0..KILLS {
        let mut daemon = rest.installation().start();
        std::thread::sleep(Duration::from_millis(random.u64(200..1_500)));
        assert!(daemon.is_running(), "the daemon ended by itself");
        daemon.kill();
    }
    may_stop.store(true, Ordering::Relaxed);
    let changes = shoppers.await.unwrap();
    let daemon = rest.installation().start();
    rest.wait_until_served();
    let met = rest.faults_met();
    rest.assert_whole(daemon);
    assert!(met > 20, "only {met} requests met a fault");
    say(&format!(
        "REST: {changes} changes, {KILLS} kills, {met} faults of the API in {:.1?}; {} repeats at the edge, {:?}",
        began.elapsed(),
        rest.edge.totals().duplicates,
        rest.mock.ledger().by_path(),
    ));
}

/// Changes the shop at a steady rate until it may stop. Returns the number of changes.
fn shop_on(path: &std::path::Path, is_over: &AtomicBool) -> usize {
    let mut file = EmbeddedShop::open(path).unwrap();
    let mut shop = Shop::new(ShopOptions {
        seed: 12,
        first_id: file.next_free_id().unwrap(),
        ..ShopOptions::default()
    });
    let mut done = 0;
    while done < LIVE_CHANGES || !is_over.load(Ordering::Relaxed) {
        let transaction = shop.next_action(now());
        file.commit(&transaction.statements).unwrap();
        done += 1;
        std::thread::sleep(Duration::from_millis(1000 / PACE));
    }
    done
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ids_in_steps_and_orders_that_appear_late_are_found() {
    let mut rest = RestFixture::start(30, MockConfig::default()).await;
    let daemon = rest.installation().start();
    rest.wait_until_served();
    rest.shop.shop = Shop::new(ShopOptions {
        seed: 13,
        first_id: 10_000,
        id_step: 3,
        // Each placed order must have an event.
        deleted_store_views_per_mille: 0,
        ..ShopOptions::default()
    });
    // Ids are given before the commit, so a higher one is visible first.
    let late = rest.shop.place();
    rest.mock.configure(|config| {
        config.hidden.insert(late);
    });
    for _ in 0..5 {
        rest.shop.place();
    }
    let mut visible = rest.shop.expected();
    visible.retain(|one| one.order_id != late);
    rest.wait_for(&visible);
    edge::assert_holds(&rest.edge, &visible);
    rest.mock.configure(|config| config.hidden.clear());
    rest.wait_until_served();
    rest.assert_whole(daemon);
}
