//! The real binary in a directory of its own: its configuration, its log, its store, and the daemon's process.
//!
//! Tests wait for what can be seen from outside (the store, the log, the emulator's ledger) with a deadline, never for
//! a time. A daemon dies with its handle; its log is then scanned for what must not be in it, or, when its test panics, the
//! end of it is shown.

use std::fs::{File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use orderfeed::ops::status::IndexSnapshot;
use orderfeed::store::{Reader, StoreError, StoreView};
use orderfeed_model::clock::{Clock, UtcMillis};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::leaks;

/// How long to wait for something that must happen, on a machine busy with other tests.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A directory with a configuration, and what the binary leaves there.
pub struct Installation {
    dir: tempfile::TempDir,
}

/// What a command said.
#[derive(Debug)]
pub struct Ran {
    /// How it ended.
    pub code: Option<i32>,
    /// Data.
    pub stdout: String,
    /// Talk.
    pub stderr: String,
}

impl Ran {
    /// The data of a command that must have worked.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.stdout
    }
}

impl Installation {
    /// With this configuration, whose relative paths start in the directory; the store is `orderfeed.db`.
    pub fn new(config: &str) -> Self {
        let dir = tempfile::Builder::new()
            .prefix("orderfeed-it-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir()
            .unwrap();
        let installation = Self { dir };
        installation.write("orderfeed.toml", config);
        installation
    }

    /// A file below the directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file that only its owner can read.
    pub fn write(&self, name: &str, text: &str) {
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(self.path(name))
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    /// Lays `config` over what is there already, as `conf.d/<name>.toml`.
    pub fn layer(&self, name: &str, config: &str) {
        std::fs::create_dir_all(self.path("conf.d")).unwrap();
        self.write(&format!("conf.d/{name}.toml"), config);
    }

    /// Starts `orderfeed run`.
    pub fn start(&self) -> Daemon {
        self.start_with(|_| {})
    }

    /// Starts `orderfeed run`, changed by `change`.
    pub fn start_with(&self, change: impl FnOnce(&mut Command)) -> Daemon {
        let log = self.path("daemon.log");
        let stderr = OpenOptions::new().create(true).append(true).open(&log).unwrap();
        let mut command = self.command(&["run"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr);
        change(&mut command);
        let child = command.spawn().unwrap();
        Daemon { child, log }
    }

    /// Starts `orderfeed run` and waits until it says so: from then on it hears signals.
    pub fn start_and_wait(&self) -> Daemon {
        let before = self.log().len();
        let daemon = self.start();
        eventually("the daemon starts", || {
            self.log()[before..].contains("orderfeed starts")
        });
        daemon
    }

    /// Runs any other command to its end.
    pub fn run(&self, args: &[&str]) -> Ran {
        let output = self.command(args).output().unwrap();
        leaks::assert_none("stderr", &String::from_utf8_lossy(&output.stderr));
        Ran {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Makes and sends everything again, also what was delivered, and waits for it; what the command says.
    pub fn send_all_again(&self) -> String {
        let feed = ["saas:resync", "--feed", "orders"];
        let all = ["--force", "--cleanup-feed", "--wait"];
        self.run(&[feed, all].concat()).ok()
    }

    /// The binary with the configuration, in an environment that says nothing else.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = binary();
        command
            .args(args)
            .arg("--config")
            .arg(self.path("orderfeed.toml"));
        command
    }

    /// What all daemons of this directory wrote to stderr.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path("daemon.log")).unwrap_or_default()
    }

    /// Looks at the store; `None` while there is none, or it is just being made.
    pub fn look<T>(&self, read: impl FnOnce(&Reader<'_>) -> Result<T, StoreError>) -> Option<T> {
        StoreView::open(&self.path("orderfeed.db")).ok()?.read(read).ok()
    }

    /// Events that wait in the outbox; `u64::MAX` while there is no store.
    pub fn pending(&self) -> u64 {
        self.look(|reader| reader.pending_events()).unwrap_or(u64::MAX)
    }

    /// Index, view and changelog.
    pub fn index(&self) -> Option<IndexSnapshot> {
        self.look(IndexSnapshot::read)
    }

    /// Whether the whole history is indexed, no captured change waits, and every event is final.
    pub fn is_settled(&self) -> bool {
        let indexed = |index: IndexSnapshot| index.status.as_str() == "valid" && index.backlog == 0;
        self.index().is_some_and(indexed) && self.pending() == 0
    }
}

/// A running `orderfeed run`.
pub struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// kill -9, and its end.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.child.id().cast_signed()).unwrap(), signal).unwrap();
    }

    /// SIGTERM; the exit code.
    pub fn stop(mut self) -> Option<i32> {
        self.terminate();
        self.exit_within(Duration::from_secs(60)).code()
    }

    /// Waits for its end.
    #[track_caller]
    pub fn exit_within(&mut self, limit: Duration) -> ExitStatus {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(
                Instant::now() < deadline,
                "the daemon did not end within {limit:?}"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Memory in use, in KiB: `field` is `VmRSS` (now) or `VmHWM` (at most so far).
    pub fn memory_kib(&self, field: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with(field)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !std::thread::panicking() {
            let log = std::fs::read(&self.log).unwrap_or_default();
            leaks::assert_none("the log", &String::from_utf8_lossy(&log));
        } else {
            say(&format!("--- end of {}\n{}", self.log.display(), tail(&self.log)));
        }
    }
}

/// The binary, in an environment that tells it nothing.
pub fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orderfeed"));
    let ours = |name: &str| name.starts_with("ORDERFEED") || name == "JOURNAL_STREAM";
    for (name, _) in std::env::vars().filter(|(name, _)| ours(name)) {
        command.env_remove(name);
    }
    command
}

/// Waits until `condition` holds; `what` completes "… did not happen".
#[track_caller]
pub fn eventually(what: &str, condition: impl FnMut() -> bool) {
    eventually_within(PATIENCE, what, condition);
}

/// Like [`eventually`], with another limit.
#[track_caller]
pub fn eventually_within(limit: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !condition() {
        assert!(
            Instant::now() < deadline,
            "{what}: did not happen within {limit:?}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Figures and reasons for a skip, for whoever runs with `--nocapture`.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// The machine's time, which is the daemon's and MariaDB's.
pub fn now() -> UtcMillis {
    Clock::System.now()
}

fn tail(path: &Path) -> String {
    let text = File::open(path)
        .and_then(std::io::read_to_string)
        .unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}
