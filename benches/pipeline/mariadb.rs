//! A shop in a real MariaDB on the same machine.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::ensure;
use mysql_async::prelude::Queryable;
use orderfeed_demo_shop::shop::ShopOptions;
use orderfeed_demo_shop::tables::schema::{self, Edition};
use tokio::runtime::Runtime;

use crate::fixture::year_of;
use orderfeed_test_support::database::{Database, PASSWORD};
use orderfeed_test_support::server::Server;

/// Documents whose numbers follow the order in which a real shop creates them, and the tables that refer to them.
const DOCUMENTS: [(&str, &[&str]); 3] = [
    ("sales_invoice", &["sales_invoice_item"]),
    ("sales_shipment", &["sales_shipment_item", "sales_shipment_track"]),
    (
        "sales_creditmemo",
        &["sales_creditmemo_item", "sales_creditmemo_comment"],
    ),
];
/// Tables with the names of products.
const NAMED: [&str; 4] = [
    "sales_order_item",
    "sales_invoice_item",
    "sales_shipment_item",
    "sales_creditmemo_item",
];

/// A server with one database. Both are removed on drop.
pub struct MariaShop {
    /// The `[source]` section of the configuration: a read-only account, polled.
    pub source: String,
    database: Database,
    user: String,
    server: Server,
    runtime: Runtime,
}

impl MariaShop {
    /// Creates a shop with a history of `orders` orders, loaded each time.
    pub fn new(orders: usize) -> anyhow::Result<Self> {
        Self::with(orders, ShopOptions::default())
    }

    /// Creates a shop like [`MariaShop::new`], nearer to a real one: 3.5 lines an order, product names of 120 characters, and
    /// the documents of many orders mixed.
    pub fn realistic(orders: usize) -> anyhow::Result<Self> {
        let options = ShopOptions {
            products_per_order: &[1, 2, 2, 3, 3, 3, 4],
            ..ShopOptions::default()
        };
        let shop = Self::with(orders, options)?;
        shop.runtime.block_on(async {
            let mut script = vec!["SET SESSION foreign_key_checks = 0".to_owned()];
            for table in NAMED {
                script.push(format!(
                    "UPDATE {table} SET name = RPAD(CONCAT(name, ' '), 120, 'of brushed cotton ')"
                ));
            }
            for (table, children) in DOCUMENTS {
                script.extend(mix(table, children));
            }
            let mut conn = shop.database.conn().await;
            for statement in script {
                conn.query_drop(&statement).await?;
            }
            anyhow::Ok(())
        })?;
        shop.refresh_statistics();
        Ok(shop)
    }

    fn with(orders: usize, options: ShopOptions) -> anyhow::Result<Self> {
        let runtime = Runtime::new()?;
        let server = Server::start();
        let (database, user) = runtime.block_on(async {
            let database = server.database_with(Edition::Full, "").await;
            database.load(options, year_of(orders)).await;
            let user = database.read_only_account().await;
            database.execute("ANALYZE TABLE sales_order").await;
            (database, user)
        });
        let url = database.url(&user);
        Ok(Self {
            source: format!(
                "[source]\nkind = \"mysql\"\n[source.mysql]\nurl = \"{url}\"\npassword = \"{PASSWORD}\"\n"
            ),
            database,
            user,
            server,
            runtime,
        })
    }

    /// Returns how long `mariadb-dump` takes for the tables that the daemon reads.
    pub fn dump(&self) -> anyhow::Result<Duration> {
        let port = self.server.port().to_string();
        let began = Instant::now();
        let status = Command::new("mariadb-dump")
            .args(["--single-transaction", "--skip-lock-tables", "--no-create-info"])
            .args([
                "--host=127.0.0.1",
                "--port",
                &port,
                "--user",
                &self.user,
                self.database.name(),
            ])
            .args(schema::tables(Edition::Full).map(|table| table.name))
            .env("MYSQL_PWD", PASSWORD)
            .stdout(Stdio::null())
            .status()?;
        ensure!(status.success(), "mariadb-dump: {status}");
        Ok(began.elapsed())
    }

    /// Counts the tables' rows for the optimizer.
    pub fn refresh_statistics(&self) {
        let tables: Vec<_> = schema::tables(Edition::Full).map(|table| table.name).collect();
        let sql = format!("ANALYZE TABLE {}", tables.join(", "));
        self.runtime.block_on(self.database.execute(&sql));
    }

    /// Makes the optimizer believe that all tables are empty, as after a restored dump.
    pub fn empty_statistics(&self) {
        self.runtime.block_on(async {
            let name = self.database.name();
            for table in schema::tables(Edition::Full).map(|table| table.name) {
                let sql = format!("ALTER TABLE {table} STATS_PERSISTENT = 1, STATS_AUTO_RECALC = 0");
                self.database.execute(&sql).await;
            }
            for sql in [
                format!(
                    "UPDATE mysql.innodb_table_stats
                     SET n_rows = 0, clustered_index_size = 1, sum_of_other_index_sizes = 1
                     WHERE database_name = '{name}'"
                ),
                format!(
                    "UPDATE mysql.innodb_index_stats SET stat_value = 0
                     WHERE database_name = '{name}' AND stat_name LIKE 'n_diff%'"
                ),
                "FLUSH TABLES".to_owned(),
            ] {
                self.database.execute(&sql).await;
            }
        });
    }
}

/// Returns the statements that number a table's documents by their time instead of order by order.
fn mix(table: &str, children: &[&str]) -> Vec<String> {
    let mut script = number(table, "created_at");
    for child in children {
        script.push(format!(
            "UPDATE {child} t, numbers n SET t.parent_id = n.new WHERE n.old = t.parent_id"
        ));
    }
    for child in children {
        script.extend(number(child, "parent_id"));
    }
    script
}

/// Returns the statements that number the rows of a table anew, beyond all that there are. `numbers` then has old and new.
fn number(table: &str, by: &str) -> Vec<String> {
    vec![
        format!(
            "CREATE OR REPLACE TEMPORARY TABLE numbers (old int unsigned PRIMARY KEY, new int unsigned)
             SELECT entity_id AS old, ROW_NUMBER() OVER (ORDER BY {by}, entity_id) + 1000000000 AS new FROM {table}"
        ),
        format!("UPDATE {table} t, numbers n SET t.entity_id = n.new WHERE n.old = t.entity_id"),
    ]
}
