//! One page in a headless Chromium that reaches nothing but the servers of its test.
//!
//! The browser keeps the real host names of Adobe and of the shop: its resolver leads them to ports of this machine, and
//! every other name fails. Time is virtual: the browser skips waits of the page, and ends once the budget is spent. In this
//! mode a page cannot lead to another one: a second visit is another run with the same profile.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Signal, kill_process};
use tokio::process::Command;
use tokio::sync::Semaphore;

use crate::support::daemon::say;
use crate::web::browser::driver::{processes_with, program};

/// Longest run of a browser in real time; a page takes two to three seconds on an idle machine.
const LIMIT: Duration = Duration::from_secs(90);
/// Browsers at the same time. Each has half a dozen processes.
static TURNS: Semaphore = Semaphore::const_new(2);

/// The ways out of the browser.
#[derive(Clone, Debug)]
pub struct Ways {
    /// Ports of this machine by host name. A name may start with `*.`.
    pub hosts: Vec<(&'static str, u16)>,
    /// Certificates that the browser accepts, by the SHA-256 of their keys.
    pub pins: Vec<String>,
}

impl Ways {
    /// Returns the command-line options.
    pub fn options(&self) -> [String; 2] {
        let mut rules: Vec<String> = self
            .hosts
            .iter()
            .map(|(host, port)| format!("MAP {host}:443 127.0.0.1:{port}"))
            .collect();
        rules.push("MAP * ~NOTFOUND".to_owned());
        rules.push("EXCLUDE 127.0.0.1".to_owned());
        [
            format!("--host-resolver-rules={}", rules.join(", ")),
            format!("--ignore-certificate-errors-spki-list={}", self.pins.join(",")),
        ]
    }
}

/// The program, or `None` with a line about the skipped test.
pub fn chromium() -> Option<PathBuf> {
    let found = program("chromium");
    if found.is_none() {
        say("skipped: there is no chromium; tests/run installs it");
    }
    found
}

/// Opens a page for `budget` milliseconds of its time. Returns its HTML at the end. The profile keeps the cookies.
pub async fn open(chromium: &Path, profile: &Path, ways: &Ways, url: &str, budget: u32) -> String {
    let _turn = TURNS.acquire().await.unwrap();
    let mut command = Command::new(chromium);
    command
        .args([
            "--headless=new",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--dump-dom",
        ])
        .args(ways.options())
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("--virtual-time-budget={budget}"));
    // Chromium's sandbox does not work for root.
    if rustix::process::getuid().is_root() {
        command.arg("--no-sandbox");
    }
    let running = command.arg(url).stdin(Stdio::null()).kill_on_drop(true).output();
    let ended = tokio::time::timeout(LIMIT, running).await;
    for process in processes_with(profile) {
        // A child may outlive the browser for a moment; it may also be gone by now.
        let _ = kill_process(process, Signal::KILL);
    }
    let output = ended.expect("the browser ends").unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "chromium: {errors}");
    String::from_utf8(output.stdout).unwrap()
}
