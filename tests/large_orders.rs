//! The size of single orders does not decide how much memory the daemon takes: a shop whose 130 orders have 80 lines with
//! 60 KB of option text each is delivered under the unit's `MemoryMax`, with a peak far below it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use orderfeed_demo_shop::history::Span;
use orderfeed_demo_shop::shop::{Shop, ShopOptions};
use orderfeed_emulator::EmulatorHandle;

use crate::support::daemon::{Daemon, Installation, eventually, now, say};
use crate::support::database::PASSWORD;
use crate::support::edge;
use crate::support::embedded::ShopFixture;
use crate::support::oracle::{self, Expected};
use crate::support::server::Server;

const ORDERS: usize = 130;
const LINES: usize = 80;
/// Peak of the daemon, in KiB.
const PEAK_KIB: u64 = 128 * 1024;

/// Memory of the idle daemon after a first sync, in KiB.
const IDLE_KIB: u64 = 24 * 1024;

/// Returns the statement that adds the lines to one order, for either database. They are virtual, so none is shipped.
fn add_lines(order: i64) -> String {
    let text = "x".repeat(30_000);
    let options = format!(
        r#"{{"info_buyRequest":{{"options":{{"1":"{text}"}}}},"options":[
            {{"label":"Note","value":"{text}","option_type":"area"}},
            {{"label":"Wrap","value":"Red","option_type":"drop_down"}}]}}"#
    );
    let first = 10_000_000 + order * 1_000;
    format!(
        "INSERT INTO sales_order_item (item_id, order_id, sku, name, product_type, is_virtual, qty_ordered, base_price,
           product_options, created_at)
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {LINES})
         SELECT {first} + i, {order}, 'LARGE', 'A line with many options', 'virtual', 1, 1, 9.5, '{options}',
           '2026-11-01 00:00:00' FROM n"
    )
}

/// A control group with the memory limit of the unit.
struct MemoryLimit(PathBuf);

impl MemoryLimit {
    /// Puts a daemon into a group of its own. `None` if this machine does not allow it.
    fn of_the_unit(daemon: &Daemon) -> Option<Self> {
        let unit = include_str!("../systemd/orderfeed.service");
        let limit = unit
            .lines()
            .find_map(|line| line.strip_prefix("MemoryMax="))
            .unwrap();
        // One hierarchy for all controllers, or the older form with one for each.
        let (root, file) = match Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
            true => ("/sys/fs/cgroup", "memory.max"),
            false => ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
        };
        let group = Self(format!("{root}/orderfeed-test-{}", daemon.pid()).into());
        let write = |name: &str, value: &str| std::fs::write(group.0.join(name), value);
        let entered = std::fs::create_dir(&group.0)
            .and_then(|()| write(file, limit))
            .and_then(|()| write("cgroup.procs", &daemon.pid().to_string()));
        entered
            .inspect_err(|cause| {
                say(&format!(
                    "skipped: no control group with MemoryMax={limit} ({cause})"
                ));
            })
            .is_ok()
            .then_some(group)
    }
}

impl Drop for MemoryLimit {
    fn drop(&mut self) {
        // Fails while the daemon lives; the group then stays, without a process, until the machine restarts.
        let _ = std::fs::remove_dir(&self.0);
    }
}

fn delivers_within_the_limit(installation: &Installation, edge: &EmulatorHandle, events: usize) {
    let mut daemon = installation.start();
    let limit = MemoryLimit::of_the_unit(&daemon);
    eventually("everything is delivered", || {
        assert!(daemon.is_running(), "killed: {}", installation.log());
        edge.unique_ids() >= events && installation.is_settled()
    });
    let peak = daemon.memory_kib("VmHWM");
    say(&format!("peak {} MiB", peak / 1024));
    assert!(peak < PEAK_KIB, "peak {peak} KiB");
    // Without the pages of the program's file, which the system takes back when it needs them.
    eventually("the memory of the first sync is returned", || {
        daemon.memory_kib("RssAnon") < IDLE_KIB
    });
    say(&format!("then {} MiB", daemon.memory_kib("RssAnon") / 1024));
    assert_eq!(daemon.stop(), Some(0));
    drop(limit);
}

/// Asserts that the edge has exactly these events, in order and without personal data. Not that a profile takes them: the
/// events of 80 lines are larger than 10 KB.
fn assert_received(edge: &EmulatorHandle, expected: &BTreeSet<Expected>) {
    edge::assert_holds(edge, expected);
    assert!(edge.bytes_changed().is_empty() && edge.pii_findings().is_empty());
    assert_eq!(edge.order_violations(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn huge_options_in_sqlite_are_delivered_in_little_memory() {
    let edge = edge::start().await;
    let fixture = ShopFixture::new(&edge.server_url(), ORDERS);
    let shop = fixture.sql();
    let ids: Vec<i64> = {
        let mut statement = shop.prepare("SELECT entity_id FROM sales_order").unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    };
    assert_eq!(ids.len(), ORDERS);
    for id in ids {
        shop.execute_batch(&add_lines(id)).unwrap();
    }
    let expected = fixture.expected();
    delivers_within_the_limit(&fixture.installation, &edge, expected.len());
    assert_received(&edge, &expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn huge_options_in_mariadb_are_delivered_in_little_memory() {
    let database = Server::shared().database().await;
    let to = now();
    let span = Span {
        orders: ORDERS,
        from: to.plus_millis(-40 * 86_400_000),
        to,
    };
    database.load(ShopOptions::default(), span).await;
    for id in 1..=ORDERS {
        database.execute(&add_lines(i64::try_from(id).unwrap())).await;
    }
    let edge = edge::start().await;
    let url = database.url(&database.read_only_account().await);
    let source = format!(
        "[source]\nkind = \"mysql\"\n[source.mysql]\nurl = \"{url}\"\npassword_file = \"password\"\n"
    );
    let installation = Installation::new(&edge::config(&edge.server_url(), &source));
    installation.write("password", PASSWORD);
    let websites = Shop::website_codes();
    let expected = oracle::expected_in_mariadb(&mut database.conn().await, "", &websites).await;
    delivers_within_the_limit(&installation, &edge, expected.len());
    assert_received(&edge, &expected);
}
