//! The real program as a service, with a socket for its notifications and its admin endpoint.

use std::io::{Read, Write};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::leaks;

/// Longer than any step takes on a busy machine. A passing test never waits that long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A directory with a configuration and optionally a running daemon.
pub struct Service {
    dir: tempfile::TempDir,
    manager: UnixDatagram,
    daemon: Option<Child>,
}

impl Service {
    /// Writes a configuration with the admin endpoint at `listen`, or at a socket in the directory. Starts nothing.
    pub fn new(listen: Option<&str>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let manager = UnixDatagram::bind(dir.path().join("notify")).unwrap();
        manager.set_read_timeout(Some(PATIENCE)).unwrap();
        let service = Self {
            dir,
            manager,
            daemon: None,
        };
        let socket = format!("unix:{}", service.path("admin.sock").display());
        let listen = listen.unwrap_or(&socket);
        // The edge and the source are down, which does not affect readiness.
        let text = format!(
            "[services_connector]\norganization_id = \"53A16ACB5CC1D3760A495C99@AdobeOrg\"\n\
             production.data_space_id = \"2a7d1c34-8f10-4be3-9d2f-0c5b7f6a1e90\"\n\
             [edge]\nurl = \"http://127.0.0.1:9\"\nauth = \"none\"\n\
             [source]\nkind = \"mysql\"\n[source.mysql]\nurl = \"mysql://orderfeed@127.0.0.1:9/magento\"\n\
             [websites.base]\ndatastream_id = \"ebebf826-a01f-4458-8cec-ef61de241c93\"\nback_office_events = true\n\
             [store]\npath = \"orderfeed.db\"\n[log]\nformat = \"logfmt\"\n[admin]\nlisten = \"{listen}\"\n"
        );
        std::fs::write(service.config(), text).unwrap();
        service
    }

    /// A file in the directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn config(&self) -> PathBuf {
        self.path("orderfeed.toml")
    }

    /// Starts the daemon as systemd would, with a watchdog of three seconds and its log in a file.
    pub fn start(&mut self) {
        let log = std::fs::File::create(self.path("log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_orderfeed"));
        command
            .env_clear()
            .env("NOTIFY_SOCKET", self.path("notify"))
            .env("WATCHDOG_USEC", "3000000")
            .args(["run", "--config"])
            .arg(self.config())
            .stdout(Stdio::null())
            .stderr(log);
        self.daemon = Some(command.spawn().unwrap());
    }

    pub fn message(&self) -> String {
        let mut buffer = [0; 1000];
        let length = self.manager.recv(&mut buffer).unwrap_or_else(|error| {
            panic!("no message came: {error}; the log says:\n{}", self.log());
        });
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    /// Waits for a message that begins with `word`, and returns it and those before it.
    pub fn until(&self, word: &str) -> (String, Vec<String>) {
        let mut before = Vec::new();
        loop {
            let message = self.message();
            if message.starts_with(word) {
                return (message, before);
            }
            before.push(message);
        }
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(self.daemon.as_ref().unwrap());
        kill_process(pid, signal).unwrap();
    }

    /// Returns the daemon's stderr.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Waits until the log contains `words`.
    pub fn logged(&self, words: &str) {
        self.eventually(words, || self.log().contains(words));
    }

    /// Waits for an answer of the admin endpoint and returns status and body of a page.
    pub fn page(&self, path: &str) -> (u16, String) {
        let mut stream = None;
        self.eventually("the admin endpoint", || {
            stream = UnixStream::connect(self.path("admin.sock")).ok();
            stream.is_some()
        });
        let mut stream = stream.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body.to_owned())
    }

    /// Polls, because the expected change sends no notification.
    fn eventually(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so() {
            assert!(Instant::now() < deadline, "{what} did not come:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for the end of the daemon and returns its exit code.
    pub fn ended(&mut self) -> i32 {
        let mut daemon = self.daemon.take().unwrap();
        daemon.wait().unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
        if !std::thread::panicking() {
            leaks::assert_none("the log", &self.log());
        }
    }
}
