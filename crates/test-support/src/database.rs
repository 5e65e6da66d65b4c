//! A shop's database on a server: tables, accounts with exactly the documented grants, and the shop's transactions.
//!
//! The server belongs to the test. A statement that it refuses panics, as the crate's documentation states.

use std::panic::resume_unwind;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder, Params, Pool, Value as MySqlValue};
use orderfeed_demo_shop::history;
use orderfeed_demo_shop::history::Span;
use orderfeed_demo_shop::shop::{Shop, ShopOptions};
use orderfeed_demo_shop::sql::{Statement, Transaction, Value};
use orderfeed_demo_shop::tables::mview;
use orderfeed_demo_shop::tables::schema;
use orderfeed_demo_shop::tables::schema::{Dialect, Edition};

/// Password of every account created by the fixture.
pub const PASSWORD: &str = "pa55word-of-the-reader";

/// A database on a server. Dropping the handle does not drop the database: the server's directory is removed as a
/// whole.
pub struct Database {
    port: u16,
    pool: Pool,
    name: String,
    edition: Edition,
    prefix: String,
}

impl Database {
    /// Creates a database with a name of its own on the server at `port`, and the tables in it.
    pub async fn create(port: u16, edition: Edition, table_prefix: &str) -> Self {
        let name = format!("t_{}", &uuid::Uuid::new_v4().simple().to_string()[..16]);
        let mut conn = admitted(Conn::new(admin(port, None)).await);
        run(
            &mut conn,
            &format!("CREATE DATABASE {name} CHARACTER SET utf8mb4"),
        )
        .await;
        let pool = Pool::new(admin(port, Some(&name)));
        let database = Self {
            port,
            pool,
            name,
            edition,
            prefix: table_prefix.into(),
        };
        let mut conn = database.conn().await;
        for statement in schema::create_statements(Dialect::MySql, table_prefix, edition) {
            run(&mut conn, &statement).await;
        }
        database
    }

    /// Returns the name of the database.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns `source.mysql.url` for `user`, whose password is [`PASSWORD`].
    pub fn url(&self, user: &str) -> String {
        format!("mysql://{user}@127.0.0.1:{}/{}", self.port, self.name)
    }

    /// Opens a connection as administrator, in UTC.
    pub async fn conn(&self) -> Conn {
        admitted(self.pool.get_conn().await)
    }

    /// Executes one statement as administrator.
    pub async fn execute(&self, sql: &str) {
        run(&mut self.conn().await, sql).await;
    }

    /// Creates an account with exactly the grants of a read-only source, and returns its name.
    pub async fn read_only_account(&self) -> String {
        let user = format!("ro_{}", self.name);
        self.account(&user, &read_grants(&self.name, &self.prefix, self.edition, &user))
            .await;
        user
    }

    /// Creates an account that may also install triggers on the sales tables and write to `log_table`, and returns
    /// its name.
    pub async fn trigger_account(&self, log_table: &str) -> String {
        let user = format!("tr_{}", self.name);
        let mut grants = read_grants(&self.name, &self.prefix, self.edition, &user);
        grants.extend(trigger_grants(
            &self.name,
            &self.prefix,
            self.edition,
            &user,
            log_table,
        ));
        self.account(&user, &grants).await;
        user
    }

    /// Creates Commerce's own changelog and its triggers, as `indexer:set-mode schedule` would.
    pub async fn enable_changelog(&self) {
        for statement in mview::changelog_statements(&self.prefix) {
            self.execute(&statement).await;
        }
    }

    /// Commits one action of the shop.
    pub async fn apply(&self, transaction: &Transaction) {
        let mut conn = self.conn().await;
        commit(&mut conn, &transaction.statements).await;
    }

    /// Fills the database with a history of orders and returns the shop, which continues from there.
    pub async fn load(&self, options: ShopOptions, span: Span) -> Shop {
        let options = ShopOptions {
            table_prefix: self.prefix.clone(),
            edition: self.edition,
            ..options
        };
        let mut shop = Shop::new(options);
        let mut conn = self.conn().await;
        run(
            &mut conn,
            "SET SESSION foreign_key_checks = 0, SESSION unique_checks = 0",
        )
        .await;
        commit(&mut conn, &shop.open_statements()).await;
        // The shop generates the next orders while the server inserts the last ones.
        let (batches, mut made) = tokio::sync::mpsc::channel(4);
        let maker = std::thread::spawn(move || {
            history::batches(&mut shop, span).all(|batch| batches.blocking_send(batch).is_ok());
            shop
        });
        while let Some(batch) = made.recv().await {
            commit(&mut conn, &batch).await;
        }
        run(
            &mut conn,
            "SET SESSION foreign_key_checks = 1, SESSION unique_checks = 1",
        )
        .await;
        maker.join().unwrap_or_else(|panic| resume_unwind(panic))
    }

    async fn account(&self, user: &str, grants: &[String]) {
        let mut conn = self.conn().await;
        for statement in [
            format!("DROP USER IF EXISTS '{user}'@'%'"),
            format!("CREATE USER '{user}'@'%' IDENTIFIED BY '{PASSWORD}'"),
        ] {
            run(&mut conn, &statement).await;
        }
        for grant in grants {
            run(&mut conn, grant).await;
        }
    }
}

/// Returns the grants of a read-only source: `SELECT` on each table, and nothing else.
pub fn read_grants(database: &str, prefix: &str, edition: Edition, user: &str) -> Vec<String> {
    schema::tables(edition)
        .map(|table| {
            format!(
                "GRANT SELECT ON {database}.{prefix}{} TO '{user}'@'%'",
                table.name
            )
        })
        .collect()
}

/// Returns the additional grants for `capture = "triggers"`. With binary logging, the server also requires
/// `log_bin_trust_function_creators = 1` or SUPER.
pub fn trigger_grants(
    database: &str,
    prefix: &str,
    edition: Edition,
    user: &str,
    log_table: &str,
) -> Vec<String> {
    let mut grants: Vec<String> = schema::tables(edition)
        .map(|table| {
            format!(
                "GRANT TRIGGER ON {database}.{prefix}{} TO '{user}'@'%'",
                table.name
            )
        })
        .collect();
    grants.push(format!(
        "GRANT CREATE, DROP, SELECT, INSERT, DELETE ON {database}.{prefix}{log_table} TO '{user}'@'%'"
    ));
    grants
}

/// Executes statements as one transaction.
pub async fn commit(conn: &mut Conn, statements: &[Statement]) {
    run(conn, "BEGIN").await;
    for statement in statements {
        let params = Params::Positional(statement.params.iter().map(to_mysql).collect());
        conn.exec_drop(&statement.sql, params)
            .await
            .unwrap_or_else(|cause| panic!("{cause}: {}", statement.sql));
    }
    run(conn, "COMMIT").await;
}

/// Returns the connection of the administrator, whom every server of the tests admits.
fn admitted(conn: mysql_async::Result<Conn>) -> Conn {
    conn.unwrap_or_else(|cause| panic!("the server does not admit its administrator: {cause}"))
}

/// Executes a statement that the administrator may execute.
async fn run(conn: &mut Conn, sql: &str) {
    conn.query_drop(sql)
        .await
        .unwrap_or_else(|cause| panic!("{cause}: {sql}"));
}

fn to_mysql(value: &Value) -> MySqlValue {
    match value {
        Value::Null => MySqlValue::NULL,
        Value::Int(number) => MySqlValue::Int(*number),
        Value::Text(text) => MySqlValue::Bytes(text.as_bytes().to_vec()),
    }
}

/// Returns the connection options of the administrator. Sessions are in UTC.
fn admin(port: u16, database: Option<&str>) -> OptsBuilder {
    OptsBuilder::default()
        .ip_or_hostname("127.0.0.1")
        .tcp_port(port)
        .prefer_socket(false)
        .user(Some("admin"))
        .db_name(database)
        .setup(schema::session_statements(Dialect::MySql).to_vec())
}
