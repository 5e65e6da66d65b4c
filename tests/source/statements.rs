//! Every statement for the database reads about as many rows as it returns, in a shop of 300,000 orders, whether the tables'
//! statistics are fresh or those of empty tables.

use std::collections::BTreeSet;

use mysql_async::prelude::Queryable;
use orderfeed::commerce::mysql::MysqlSource;
use orderfeed::commerce::source::{Change, ChangeOp, OrderFilter, Source};
use orderfeed::config::{CaptureMode, HumanDuration, MysqlConfig};
use orderfeed_model::clock::UtcMillis;

use super::large_shop::{self, ORDERS, RETURNS, SMALL_WEBSITE};
use super::{Reader, settings};
use crate::support::daemon::say;
use crate::support::database::Database;
use crate::support::server::Server;

/// Rows that a statement may examine for each that it returns.
const RATIO: u64 = 10;
/// Rows that a statement may examine if it returns none: small tables that are read whole, the row at a position.
const ALLOWANCE: u64 = 50;

/// Orders that were updated since the time of the filter, more or less.
const RECENT: u64 = 2_000;

/// A statement as the server logged it.
struct Logged {
    sql: String,
    sent: u64,
    examined: u64,
}

impl Logged {
    /// Returns the rows that the statement may examine. A count or an end of a range, once at the start of a backfill or a
    /// verification, reads along one index what it counts.
    fn allowed(&self, counted: u64) -> u64 {
        let aggregates = ["COUNT(*)", "MIN(`entity_id`) FROM `sales_order`"];
        if aggregates.iter().any(|part| self.sql.contains(part)) {
            return 2 * counted + ALLOWANCE;
        }
        // Recently updated orders are scattered over all ids: each page reads all of them, along the index.
        let recent = u64::from(self.sql.contains("`entity_id` + 0")) * RECENT;
        RATIO * self.sent + ALLOWANCE + recent
    }
}

#[tokio::test]
async fn no_statement_reads_much_more_than_it_returns() {
    // A server of its own: its log holds the statements of all databases.
    let server = Server::start();
    let database = server.database().await;
    large_shop::fill(&database, |_| true).await;
    log_all(&database).await;
    let stale = run_everything(&database).await;
    large_shop::analyze(&database).await;
    let fresh = run_everything(&database).await;
    for (statistics, logged) in [("stale", stale), ("fresh", fresh)] {
        let mut shapes = BTreeSet::new();
        for one in &logged {
            shapes.insert(shape(&one.sql));
            let allowed = one.allowed(ORDERS.unsigned_abs());
            assert!(
                one.examined <= allowed,
                "with {statistics} statistics {} rows were examined for {} returned (at most {allowed}) by {}",
                one.examined,
                one.sent,
                &one.sql[..one.sql.len().min(1500)]
            );
        }
        assert!(
            logged.len() > 60 && shapes.len() > 30,
            "{} {}",
            logged.len(),
            shapes.len()
        );
        report(statistics, &logged);
    }
}

/// Makes the server log every statement with the rows that it examines, in a table.
async fn log_all(database: &Database) {
    for statement in [
        "SET GLOBAL log_output = 'TABLE'",
        "SET GLOBAL long_query_time = 0",
        "SET GLOBAL log_slow_filter = ''",
        "SET GLOBAL slow_query_log = 1",
    ] {
        database.execute(statement).await;
    }
}

/// Does everything that the daemon and its commands do with the source, and returns the statements.
async fn run_everything(database: &Database) -> Vec<Logged> {
    database.execute("TRUNCATE TABLE mysql.slow_log").await;
    let settings = MysqlConfig {
        returns_interval: HumanDuration::from_millis(10),
        ..settings(database, "admin")
    };
    let source = MysqlSource::new(settings).unwrap();
    source.describe().await.unwrap();
    let mut reader = Reader::start(&source).await;
    let open: BTreeSet<_> = reader.orders().await;
    assert!(open.is_empty(), "nothing changed: {open:?}");
    change_something(database).await;
    let changed = reader.orders().await;
    assert!(changed.len() >= 200, "{}", changed.len());
    // Sweeps through the returns, and rows that leave the window.
    for _ in 0..40 {
        reader.take().await;
        tokio::time::sleep(std::time::Duration::from_millis(150)).await;
    }
    source.examine(&reader.cursors).await.unwrap();
    let scattered: Vec<i64> = (0..100).map(|index| 290_001 + index * 83).collect();
    assert_eq!(source.read_orders(&scattered).await.unwrap().len(), 100);
    let page: Vec<i64> = (294_000..294_200).collect();
    assert_eq!(source.read_history(&page).await.unwrap().len(), 200);
    for filter in filters() {
        source.count_orders(&filter).await.unwrap();
        let (low, high) = source.id_range(&filter).await.unwrap().unwrap();
        for below in [None, Some(high), Some(low + 5), Some(low)] {
            source.order_ids(&filter, below, 200).await.unwrap();
        }
    }
    assert_eq!(source.find_by_number("000000777").await.unwrap(), [777]);
    logged(database).await
}

/// Returns the filters of backfills and verifications.
fn filters() -> [OrderFilter; 5] {
    let moment = |text| UtcMillis::parse_sql(text);
    [
        OrderFilter::default(),
        OrderFilter {
            created_from: moment("2025-09-01 00:00:00"),
            website: Some("base".into()),
            ..OrderFilter::default()
        },
        OrderFilter {
            website: Some(SMALL_WEBSITE.into()),
            ..OrderFilter::default()
        },
        OrderFilter {
            updated_from: moment("2025-09-15 00:00:00"),
            ..OrderFilter::default()
        },
        OrderFilter {
            lowest: Some(299_000),
            ..OrderFilter::default()
        },
    ]
}

async fn change_something(database: &Database) {
    for statement in [
        "UPDATE sales_order SET status = 'x', updated_at = UTC_TIMESTAMP() WHERE entity_id BETWEEN 1000 AND 1199",
        "UPDATE sales_invoice SET updated_at = UTC_TIMESTAMP() WHERE entity_id BETWEEN 1000 AND 1199",
        "UPDATE magento_rma SET status = 'approved' WHERE entity_id = 41",
        "INSERT INTO magento_rma_status_history (rma_entity_id, status) VALUES (41, 'approved')",
        "INSERT INTO sales_creditmemo_comment (parent_id) VALUES (7)",
    ] {
        database.execute(statement).await;
    }
}

/// Returns the statements in the server's log, except those of this test.
async fn logged(database: &Database) -> Vec<Logged> {
    let mut conn = database.conn().await;
    conn.query_drop("SET SESSION long_query_time = 100")
        .await
        .unwrap();
    let sql = "SELECT CONVERT(sql_text USING utf8mb4), rows_sent, rows_examined FROM mysql.slow_log WHERE db = DATABASE() \
               AND sql_text LIKE '%SELECT%' AND sql_text NOT LIKE '%slow_log%'";
    let rows: Vec<(String, u64, u64)> = conn.query(sql).await.unwrap();
    rows.into_iter()
        .filter(|(sql, ..)| sql.contains("MAX_EXECUTION_TIME"))
        .map(|(sql, sent, examined)| Logged { sql, sent, examined })
        .collect()
}

/// Returns a statement with all numbers replaced.
fn shape(sql: &str) -> String {
    let mut shape = String::new();
    for part in sql.split(|c: char| c.is_ascii_digit() || c == ',') {
        if !part.is_empty() {
            shape.push_str(part);
            shape.push('#');
        }
    }
    shape
}

/// Prints the statements of each shape that examine most for a row.
fn report(statistics: &str, logged: &[Logged]) {
    let mut worst: std::collections::BTreeMap<String, &Logged> = std::collections::BTreeMap::new();
    for one in logged {
        let most = worst.entry(shape(&one.sql)).or_insert(one);
        if one.examined > most.examined {
            *most = one;
        }
    }
    for one in worst.values() {
        let from = one.sql.find("*/ ").map_or(0, |at| at + 3);
        let text: String = one.sql[from..].chars().skip(30).take(150).collect();
        say(&format!(
            "{statistics}: {} sent, {} examined: {text}",
            one.sent, one.examined
        ));
    }
}

#[tokio::test]
async fn every_open_return_is_compared_however_many_there_are() {
    let database = Server::shared().database().await;
    large_shop::fill(&database, |table| table.starts_with("magento_rma")).await;
    database
        .execute("UPDATE magento_rma SET status = 'pending'")
        .await;
    let settings = MysqlConfig {
        returns_interval: HumanDuration::from_millis(10),
        capture: CaptureMode::Poll,
        ..settings(&database, "admin")
    };
    let source = MysqlSource::new(settings).unwrap();
    let cursors = source.initial_cursors().await.unwrap();
    let mut reader = Reader {
        source: &source,
        cursors,
    };
    let first: Vec<_> = reader.take().await;
    let is_sweep = |change: &&Change| change.table == "magento_rma" && change.op == ChangeOp::Recheck;
    let returns = first.iter().filter(is_sweep).count();
    assert_eq!(i64::try_from(returns).unwrap(), RETURNS, "each of them once");
    // The oldest of all, far from the newest 5,000 returns.
    database
        .execute("UPDATE magento_rma_item_entity SET status = 'approved' WHERE rma_entity_id = 1")
        .await;
    reader.wait_for(|change| change.order == 290_001).await;
}
