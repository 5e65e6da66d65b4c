//! The cost of a change beside a long history, counted in steps of SQLite's virtual machine: they do not depend on the speed
//! of the machine, and a scan takes several for each row.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::Connection;

use super::*;

/// Orders that were delivered long ago, three events each.
const HISTORY: i64 = 10_000;
/// Changes whose steps are added up.
const CHANGES: i64 = 20;
/// Steps after which SQLite reports.
const INTERVAL: u32 = 10;

/// A connection to a new store that counts its steps. The store's own thread would not let SQLite report to a test.
struct Counted {
    _dir: tempfile::TempDir,
    connection: Connection,
    steps: Arc<AtomicU64>,
}

impl Counted {
    fn new() -> Self {
        let (dir, store) = testing::fresh();
        drop(store);
        let path = dir.path().join("orderfeed.db");
        let mut connection = Connection::open(path).unwrap();
        let steps = Arc::<AtomicU64>::default();
        let counter = Arc::clone(&steps);
        let count = move || {
            counter.fetch_add(u64::from(INTERVAL), Ordering::Relaxed);
            false
        };
        connection
            .progress_handler(INTERVAL.cast_signed(), Some(count))
            .unwrap();
        Self {
            _dir: dir,
            connection,
            steps,
        }
    }

    /// Commits a piece of work.
    fn write<T>(&self, job: impl FnOnce(&mut Writer<'_>) -> Result<T, StoreError>) -> T {
        let transaction = self.connection.unchecked_transaction().unwrap();
        let mut writer = Writer {
            connection: &self.connection,
            touched: [false; 2],
        };
        let done = job(&mut writer).unwrap();
        transaction.commit().unwrap();
        done
    }

    fn remember(&self, orders: i64) {
        self.write(|w| {
            let sql = "WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < ?1)
                       INSERT INTO outbox_event SELECT n.id, k.value, n.id, 1, 0, 0
                       FROM n, (SELECT 1 AS value UNION SELECT 2 UNION SELECT 3) k";
            w.connection.execute(sql, [orders])?;
            let sql = "WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < ?1)
                       INSERT INTO sales_order_data_exporter_v2_cl (entity_id, source_table, op, observed_at)
                       SELECT id, 'sales_order', 'update', 0 FROM n";
            w.connection.execute(sql, [orders])?;
            Ok(())
        });
    }

    /// Returns the steps of several changes, each from the changelog to a final event.
    fn changes(&self, from: OrderId, version: i64) -> u64 {
        let before = self.steps.load(Ordering::Relaxed);
        for id in from..from + CHANGES {
            let orders = [order(id, Class::Live, &[1, 2])];
            self.write(|w| w.enqueue(&orders, EnqueueMode::Insert, LIMITS, NOW));
            let batches = self.write(|w| {
                let reader = w.reader();
                reader.events_of(id)?;
                reader.changelog_slice(version, 100, 2_000)?;
                reader.ready_batches(1, NOW, &HashSet::new(), 100)
            });
            for batch in batches {
                self.write(|w| {
                    let kinds = w.reader().batch_body(batch.id)?.unwrap().kinds();
                    let settled = Settled {
                        id: batch.id,
                        website: 1,
                        kinds,
                    };
                    w.settle_delivered(&[settled], &EdgeAnswer::default())
                });
            }
        }
        self.steps.load(Ordering::Relaxed) - before
    }
}

#[test]
fn a_change_costs_the_same_beside_a_long_history() {
    let store = Counted::new();
    let young = store.changes(10_000_000, 0);
    store.remember(HISTORY);
    let old = store.changes(20_000_000, HISTORY - 50);
    assert!(young > 0, "nothing was counted");
    assert!(
        old < young * 2,
        "{young} steps without a history, {old} beside {HISTORY} orders"
    );
}
