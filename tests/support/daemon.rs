//! The real binary in a directory of its own, with configuration, log, store, and the daemon's process.
//!
//! Tests wait for observable state (the store, the log, the emulator's ledger) with a deadline, and never sleep for a
//! fixed time. Dropping the handle kills the daemon. Its log is then scanned for secrets and personal data or, if the
//! test panics, its last lines are printed.

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

/// Longest wait for an expected change, on a machine busy with other tests.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A directory with a configuration and the files of the binary.
pub struct Installation {
    dir: tempfile::TempDir,
}

/// The result of a command.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// Asserts success and returns stdout.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.stdout
    }
}

impl Installation {
    /// Creates a directory with this configuration, which is the base of relative paths. The store is `orderfeed.db`.
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

    /// Returns the path of a file in the directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file with mode 0600.
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

    /// Layers `config` over the existing configuration, as `conf.d/<name>.toml`.
    pub fn layer(&self, name: &str, config: &str) {
        std::fs::create_dir_all(self.path("conf.d")).unwrap();
        self.write(&format!("conf.d/{name}.toml"), config);
    }

    pub fn start(&self) -> Daemon {
        self.start_with(|_| {})
    }

    /// Starts `orderfeed run` with the command modified by `change`.
    pub fn start_with(&self, change: impl FnOnce(&mut Command)) -> Daemon {
        let log = self.path("daemon.log");
        let stderr = OpenOptions::new().create(true).append(true).open(&log).unwrap();
        let mut command = self.command(&["run"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr);
        change(&mut command);
        let child = command.spawn().unwrap();
        Daemon { child, log }
    }

    /// Starts `orderfeed run` and waits until it logs the start, after which it handles signals.
    pub fn start_and_wait(&self) -> Daemon {
        let before = self.log().len();
        let daemon = self.start();
        eventually("the daemon starts", || {
            self.log()[before..].contains("orderfeed starts")
        });
        daemon
    }

    /// Runs another command to its end.
    pub fn run(&self, args: &[&str]) -> Ran {
        let output = self.command(args).output().unwrap();
        leaks::assert_none("stderr", &String::from_utf8_lossy(&output.stderr));
        Ran {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Resends everything, including delivered events, waits for it, and returns the command's output.
    pub fn send_all_again(&self) -> String {
        let feed = ["saas:resync", "--feed", "orders"];
        let all = ["--force", "--cleanup-feed", "--wait"];
        self.run(&[feed, all].concat()).ok()
    }

    /// Returns the binary with this configuration and an empty environment otherwise.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = binary();
        command
            .args(args)
            .arg("--config")
            .arg(self.path("orderfeed.toml"));
        command
    }

    /// Returns the stderr of all daemons of this directory.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path("daemon.log")).unwrap_or_default()
    }

    /// Reads from the store. Returns `None` while there is none, or it is being created.
    pub fn read_store<T>(&self, read: impl FnOnce(&Reader<'_>) -> Result<T, StoreError>) -> Option<T> {
        StoreView::open(&self.path("orderfeed.db")).ok()?.read(read).ok()
    }

    /// Returns the number of pending events, or `u64::MAX` while there is no store.
    pub fn pending(&self) -> u64 {
        self.read_store(|reader| reader.pending_events())
            .unwrap_or(u64::MAX)
    }

    /// Returns index, view and changelog.
    pub fn index(&self) -> Option<IndexSnapshot> {
        self.read_store(IndexSnapshot::read)
    }

    /// Returns true if the whole history is indexed, the changelog has no backlog, and every event is final.
    pub fn is_settled(&self) -> bool {
        let indexed = |index: IndexSnapshot| index.status.as_str() == "valid" && index.backlog == 0;
        self.index().is_some_and(indexed) && self.pending() == 0
    }
}

/// A running `orderfeed run`. Dropping it kills the process.
pub struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Sends SIGKILL and waits for the end.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.child.id().cast_signed()).unwrap(), signal).unwrap();
    }

    /// Sends SIGTERM as soon as the daemon handles it, and returns the exit code.
    pub fn stop(mut self) -> Option<i32> {
        // Before that, the signal ends the process as it ends any other.
        eventually("the daemon handles SIGTERM", || {
            !self.is_running() || self.handles_terminate()
        });
        self.terminate();
        self.exit_within(Duration::from_secs(60)).code()
    }

    /// Returns true if the process has a handler for SIGTERM (proc_pid_status(5), `SigCgt`).
    fn handles_terminate(&self) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        caught.is_some_and(|mask| mask & (1 << (Signal::TERM.as_raw() - 1)) != 0)
    }

    /// Waits for the end of the process.
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

    /// Returns true if the process has not ended.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns the memory in use, in KiB. `field` is `VmRSS` (current) or `VmHWM` (peak).
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

/// Returns the binary with an empty environment.
pub fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orderfeed"));
    let ours = |name: &str| name.starts_with("ORDERFEED") || name == "JOURNAL_STREAM";
    for (name, _) in std::env::vars().filter(|(name, _)| ours(name)) {
        command.env_remove(name);
    }
    command
}

/// Waits until `condition` returns true. `what` completes "… did not happen".
#[track_caller]
pub fn eventually(what: &str, condition: impl FnMut() -> bool) {
    eventually_within(PATIENCE, what, condition);
}

/// Waits like [`eventually`], with another limit.
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

/// Prints figures and reasons for skips, visible with `--nocapture`.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Returns the machine's time, which the daemon and MariaDB use as well.
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
