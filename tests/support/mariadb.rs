//! A real MariaDB for tests: Debian's server in a private directory, on a free loopback port.
//!
//! [`Server::shared`] is one server for the whole test process with a database a test; [`Server::start`] gives a
//! private one, which can be stopped, killed and started again. A small shell guards every server: it holds the
//! reading end of a pipe from the test process, so that the server and its directory go when the test process ends,
//! however it ends (a static is never dropped, and a kill -9 runs no destructor).

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder, Params, Pool, Value as MySqlValue};
use orderfeed::demo::history::{self, Span};
use orderfeed::demo::mview;
use orderfeed::demo::schema::{self, Dialect, Edition};
use orderfeed::demo::shop::{Shop, ShopOptions};
use orderfeed::demo::sql::{Statement, Transaction, Value};

/// How long a server may take to answer, on a machine busy with other tests.
const START_DEADLINE: Duration = Duration::from_secs(90);

/// The password of every account that the fixture makes.
pub const PASSWORD: &str = "orderfeed-test";

const GUARD: &str = r#"
dir=$1; shift
"$@" >"$dir/server.log" 2>&1 &
server=$!
read -r word
if [ "$word" = stop ]; then kill -TERM $server; else kill -KILL $server; fi
wait $server
[ -n "$word" ] || rm -rf "$dir"
"#;

/// A MariaDB server of its own.
pub struct Server {
    dir: PathBuf,
    port: u16,
    guard: Mutex<Option<Child>>,
}

impl Server {
    /// The server that all tests of this process share; each takes its own [`Server::database`].
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// Installs and starts a private server and waits until it answers.
    pub fn start() -> Self {
        // The guard removes the directory, after the server that writes there is gone.
        let dir = tempfile::Builder::new()
            .prefix("orderfeed-db-")
            .tempdir()
            .unwrap()
            .keep();
        std::fs::create_dir(dir.join("tmp")).unwrap();
        let install = Command::new("mariadb-install-db")
            .args([
                "--no-defaults",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
            ])
            .arg(format!("--datadir={}", dir.join("data").display()))
            .arg(format!("--tmpdir={}", dir.join("tmp").display()))
            .args(as_root())
            .output();
        match install {
            Ok(output) if output.status.success() => {}
            Ok(output) => panic!(
                "mariadb-install-db failed: {}",
                String::from_utf8_lossy(&output.stderr)
            ),
            Err(cause) => {
                panic!("MariaDB is not installed ({cause}): run tests/run, which installs it from Debian")
            }
        }
        let init =
            "CREATE OR REPLACE USER 'admin'@'%';\nGRANT ALL ON *.* TO 'admin'@'%' WITH GRANT OPTION;\n";
        std::fs::write(dir.join("init.sql"), init).unwrap();
        let server = Self {
            port: free_port(),
            dir,
            guard: Mutex::new(None),
        };
        server.start_again();
        server
    }

    /// Starts a stopped or killed server again, on the same port with the same data.
    pub fn start_again(&self) {
        let mut guard = self.guard.lock().unwrap();
        assert!(guard.is_none(), "the server runs already");
        *guard = Some(self.spawn());
        await_greeting(self.port, &self.dir);
    }

    /// Asks the server to shut down and waits until it has.
    pub fn stop(&self) {
        self.end(b"stop\n");
    }

    /// kill -9.
    pub fn kill(&self) {
        self.end(b"kill\n");
    }

    /// The port on 127.0.0.1; it stays the same over restarts.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A new database with the whole Commerce schema and no prefix.
    pub async fn database(&self) -> Database<'_> {
        self.database_with(Edition::Full, "").await
    }

    /// A new database with an edition's tables under a prefix, and the four websites in it.
    pub async fn database_with(&self, edition: Edition, table_prefix: &str) -> Database<'_> {
        let name = format!("t_{}", &uuid::Uuid::new_v4().simple().to_string()[..16]);
        let database = Database {
            pool: Pool::new(self.opts("admin", "", None)),
            server: self,
            name,
            edition,
            prefix: table_prefix.into(),
        };
        let mut conn = database.pool.get_conn().await.unwrap();
        conn.query_drop(format!("CREATE DATABASE {} CHARACTER SET utf8mb4", database.name))
            .await
            .unwrap();
        drop(conn);
        let pool = Pool::new(self.opts("admin", "", Some(&database.name)));
        let database = Database { pool, ..database };
        let mut conn = database.conn().await;
        for statement in schema::create_statements(Dialect::MySql, table_prefix, edition) {
            conn.query_drop(&statement)
                .await
                .unwrap_or_else(|cause| panic!("{cause}: {statement}"));
        }
        drop(conn);
        database
    }

    fn opts(&self, user: &str, password: &str, database: Option<&str>) -> OptsBuilder {
        OptsBuilder::default()
            .ip_or_hostname("127.0.0.1")
            .tcp_port(self.port)
            .prefer_socket(false)
            .user(Some(user))
            .pass(Some(password))
            .db_name(database)
            .setup(schema::session_statements(Dialect::MySql).to_vec())
    }

    fn spawn(&self) -> Child {
        let dir = self.dir.display();
        Command::new("sh")
            .args(["-c", GUARD, "mariadb-guard"])
            .arg(&self.dir)
            .args([
                "mariadbd",
                "--no-defaults",
                "--bind-address=127.0.0.1",
                "--skip-networking=0",
            ])
            .args([
                "--skip-name-resolve",
                "--skip-log-bin",
                "--innodb-flush-log-at-trx-commit=0",
            ])
            .args([
                "--innodb-buffer-pool-size=128M",
                "--innodb-log-file-size=64M",
                "--innodb-flush-method=nosync",
            ])
            .args([
                "--performance-schema=0",
                "--max-connections=300",
                "--max-allowed-packet=64M",
            ])
            .arg(format!("--datadir={dir}/data"))
            // Not /tmp: a server that starts there removes the temporary tables of the others.
            .arg(format!("--tmpdir={dir}/tmp"))
            .arg(format!("--socket={dir}/sock"))
            .arg(format!("--pid-file={dir}/pid"))
            .arg(format!("--init-file={dir}/init.sql"))
            .arg(format!("--port={}", self.port))
            .args(as_root())
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            // Its own group: Ctrl-C at the terminal must reach the tests, not tear the server from under them.
            .process_group(0)
            .spawn()
            .unwrap()
    }

    fn end(&self, word: &[u8]) {
        let mut child = self
            .guard
            .lock()
            .unwrap()
            .take()
            .expect("the server does not run");
        child.stdin.take().unwrap().write_all(word).unwrap();
        child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let Ok(mut guard) = self.guard.lock() else { return };
        if let Some(mut child) = guard.take() {
            drop(child.stdin.take());
            let _ = child.wait();
        } else {
            let _ = std::fs::remove_dir_all(&self.dir);
        }
    }
}

/// One database on a server. It is not dropped with the handle: the server's directory goes as a whole.
pub struct Database<'a> {
    server: &'a Server,
    pool: Pool,
    name: String,
    edition: Edition,
    prefix: String,
}

impl Database<'_> {
    /// The database's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `source.mysql.url` for `user`; every account's password is [`PASSWORD`].
    pub fn url(&self, user: &str) -> String {
        format!("mysql://{user}@127.0.0.1:{}/{}", self.server.port, self.name)
    }

    /// A connection that may do everything, in UTC.
    pub async fn conn(&self) -> Conn {
        self.pool.get_conn().await.unwrap()
    }

    /// Executes one statement as administrator.
    pub async fn execute(&self, sql: &str) {
        let mut conn = self.conn().await;
        conn.query_drop(sql)
            .await
            .unwrap_or_else(|cause| panic!("{cause}: {sql}"));
    }

    /// Makes an account that may do exactly what a read-only source needs, and returns its name.
    pub async fn read_only_account(&self) -> String {
        let user = format!("ro_{}", self.name);
        self.account(&user, &read_grants(&self.name, &self.prefix, self.edition, &user))
            .await;
        user
    }

    /// Makes an account that may besides install triggers on the sales tables and keep `log_table`.
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

    /// Commits one deed of the shop.
    pub async fn apply(&self, transaction: &Transaction) {
        let mut conn = self.conn().await;
        commit(&mut conn, &transaction.statements).await;
    }

    /// Fills the database with a history of `orders` orders and returns the shop that goes on from there.
    pub async fn load(&self, options: ShopOptions, span: Span) -> Shop {
        let options = ShopOptions {
            table_prefix: self.prefix.clone(),
            edition: self.edition,
            ..options
        };
        let mut shop = Shop::new(options);
        let mut conn = self.conn().await;
        conn.query_drop("SET SESSION foreign_key_checks = 0, SESSION unique_checks = 0")
            .await
            .unwrap();
        commit(&mut conn, &shop.open_statements()).await;
        for batch in history::batches(&mut shop, span) {
            commit(&mut conn, &batch).await;
        }
        conn.query_drop("SET SESSION foreign_key_checks = 1, SESSION unique_checks = 1")
            .await
            .unwrap();
        shop
    }

    async fn account(&self, user: &str, grants: &[String]) {
        let mut conn = self.conn().await;
        conn.query_drop(format!(
            "CREATE OR REPLACE USER '{user}'@'%' IDENTIFIED BY '{PASSWORD}'"
        ))
        .await
        .unwrap();
        for grant in grants {
            conn.query_drop(grant)
                .await
                .unwrap_or_else(|cause| panic!("{cause}: {grant}"));
        }
    }
}

/// What a source that only reads needs: `SELECT` on each table, and nothing else.
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

/// What `capture = "triggers"` needs besides. With binary logging the server also wants
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
    conn.query_drop("BEGIN").await.unwrap();
    for statement in statements {
        let params = Params::Positional(statement.params.iter().map(to_mysql).collect());
        conn.exec_drop(&statement.sql, params)
            .await
            .unwrap_or_else(|cause| panic!("{cause}: {}", statement.sql));
    }
    conn.query_drop("COMMIT").await.unwrap();
}

fn to_mysql(value: &Value) -> MySqlValue {
    match value {
        Value::Null => MySqlValue::NULL,
        Value::Int(number) => MySqlValue::Int(*number),
        Value::Text(text) => MySqlValue::Bytes(text.as_bytes().to_vec()),
    }
}

/// MariaDB refuses to run as root unless told so.
fn as_root() -> Option<&'static str> {
    rustix::process::geteuid().is_root().then_some("--user=root")
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// Waits for the first bytes of the protocol's greeting (version 10), which a server sends only when it is ready.
fn await_greeting(port: u16, dir: &Path) {
    let deadline = Instant::now() + START_DEADLINE;
    while Instant::now() < deadline {
        if greets(port) {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let log = std::fs::read_to_string(dir.join("server.log")).unwrap_or_default();
    panic!("mariadbd did not answer on port {port} within {START_DEADLINE:?}:\n{log}");
}

fn greets(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else {
        return false;
    };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
    let mut head = [0_u8; 5];
    stream.read_exact(&mut head).is_ok() && head[4] == 10
}
