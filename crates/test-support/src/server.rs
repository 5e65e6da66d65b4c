//! Real database servers for tests, each in a private directory, on a free loopback port.
//!
//! [`Server::shared_of`] is one server for the whole test process with one database per test; [`Server::start_with`] starts a
//! private one, which can be stopped, killed and started again. A small shell guards every server: it holds the
//! reading end of a pipe from the test process, so that the server and its directory are removed when the test
//! process ends, however it ends (a static is never dropped, and a kill -9 runs no destructor).

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use orderfeed_demo_shop::tables::schema::Edition;

use crate::database::Database;
use crate::edge::free_address;
use crate::product::Product;

/// Longest wait for a server's first answer, on a machine busy with other tests.
const START_DEADLINE: Duration = Duration::from_secs(90);

const GUARD: &str = r#"
dir=$1; shift
"$@" >"$dir/server.log" 2>&1 &
server=$!
read -r word
if [ "$word" = stop ]; then kill -TERM $server; else kill -KILL $server; fi
wait $server
[ -n "$word" ] || rm -rf "$dir"
"#;

/// A private database server.
pub struct Server {
    product: Product,
    dir: PathBuf,
    port: u16,
    options: Mutex<Vec<String>>,
    guard: Mutex<Option<Child>>,
}

impl Server {
    /// Returns the MariaDB shared by all tests of this process. Each creates its own [`Server::database`].
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// Returns the server of `product` shared by all tests of this process, or `None` where it is not available.
    pub fn shared_of(product: Product) -> Option<&'static Self> {
        static MYSQL: OnceLock<Server> = OnceLock::new();
        match product {
            Product::MariaDb => Some(Self::shared()),
            Product::MySql => product
                .is_available()
                .then(|| MYSQL.get_or_init(|| Self::start_with(product, &[]))),
        }
    }

    /// Initializes and starts a private MariaDB and waits until it answers.
    pub fn start() -> Self {
        Self::start_with(Product::MariaDb, &[])
    }

    /// Initializes a private server and starts it with additional options.
    pub fn start_with(product: Product, options: &[String]) -> Self {
        // The guard removes the directory once the server has ended.
        let dir = tempfile::Builder::new()
            .prefix("orderfeed-db-")
            .tempdir()
            .expect("the directory for temporary files can be written")
            .keep();
        std::fs::create_dir(dir.join("tmp")).expect("the directory is new");
        product.initialize(&dir);
        let init =
            "CREATE USER IF NOT EXISTS 'admin'@'%';\nGRANT ALL ON *.* TO 'admin'@'%' WITH GRANT OPTION;\n";
        std::fs::write(dir.join("init.sql"), init).expect("the directory can be written");
        let server = Self {
            product,
            port: free_address().port(),
            dir,
            options: Mutex::new(options.to_vec()),
            guard: Mutex::new(None),
        };
        server.start_again();
        server
    }

    /// Starts a stopped or killed server again, on the same port with the same data.
    pub fn start_again(&self) {
        let mut guard = self.guard.lock().expect("no holder of this lock panics");
        assert!(guard.is_none(), "the server runs already");
        *guard = Some(self.spawn());
        await_greeting(self.port, &self.dir);
    }

    /// Asks the server to shut down and waits until it has.
    pub fn stop(&self) {
        self.end(b"stop\n");
    }

    /// Sends SIGKILL to the server.
    pub fn kill(&self) {
        self.end(b"kill\n");
    }

    /// Replaces the additional options, with which the server starts the next time.
    pub fn set_options(&self, options: &[String]) {
        *self.options.lock().expect("no holder of this lock panics") = options.to_vec();
    }

    /// Returns the product.
    pub fn product(&self) -> Product {
        self.product
    }

    /// Returns the directory with the server's files; MySQL's own certificates are in `data`.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns the port on 127.0.0.1, which stays the same after a restart.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Creates a database with the whole Commerce schema and no prefix.
    pub async fn database(&self) -> Database {
        self.database_with(Edition::Full, "").await
    }

    /// Creates a database with an edition's tables under a prefix, without rows.
    pub async fn database_with(&self, edition: Edition, table_prefix: &str) -> Database {
        Database::create(self.port, edition, table_prefix).await
    }

    fn spawn(&self) -> Child {
        Command::new("sh")
            .args(["-c", GUARD, "database-guard"])
            .arg(&self.dir)
            .args(self.product.command_line(&self.dir, self.port))
            .args(&*self.options.lock().expect("no holder of this lock panics"))
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            // A process group of its own: Ctrl-C at the terminal must reach the tests, and not kill the server while
            // they use it.
            .process_group(0)
            .spawn()
            .expect("every system has sh")
    }

    fn end(&self, word: &[u8]) {
        let mut child = self
            .guard
            .lock()
            .expect("no holder of this lock panics")
            .take()
            .expect("the server does not run");
        let mut stdin = child.stdin.take().expect("its stdin is a pipe");
        stdin.write_all(word).expect("the guard reads its stdin");
        child.wait().expect("nothing else waits for the guard");
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

/// Waits for the first bytes of the protocol's greeting (version 10), which the server sends once it is ready.
fn await_greeting(port: u16, dir: &Path) {
    let deadline = Instant::now() + START_DEADLINE;
    while Instant::now() < deadline {
        if greets(port) {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let log = std::fs::read_to_string(dir.join("server.log")).unwrap_or_default();
    panic!("the server did not answer on port {port} within {START_DEADLINE:?}:\n{log}");
}

fn greets(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else {
        return false;
    };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
    let mut head = [0_u8; 5];
    stream.read_exact(&mut head).is_ok() && head[4] == 10
}
