//! Child processes and their resource usage.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;

/// Clock ticks per second in `/proc/PID/stat` (USER_HZ, 100 on every common Linux).
const TICKS: f64 = 100.0;

/// A child process, killed on drop.
pub struct Process(Child);

/// Resource usage of a process so far.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// User and system time, in seconds.
    pub cpu_s: f64,
    pub peak_kib: u64,
    pub now_kib: u64,
}

impl Process {
    /// Starts `orderfeed` with these arguments and its stderr in `log`.
    pub fn start(args: &[&str], log: std::fs::File) -> anyhow::Result<Self> {
        Self::start_with(args, log, &[])
    }

    /// Runs `orderfeed` with these arguments to its end.
    pub fn run(args: &[&str]) -> anyhow::Result<()> {
        let status = Command::new(env!("CARGO_BIN_EXE_orderfeed"))
            .args(args)
            .stdout(Stdio::null())
            .status()?;
        anyhow::ensure!(status.success(), "orderfeed {args:?} ended with {status}");
        Ok(())
    }

    /// Starts like [`Self::start`], with these paths in the environment.
    pub fn start_with(args: &[&str], log: std::fs::File, paths: &[(&str, &Path)]) -> anyhow::Result<Self> {
        let child = Command::new(env!("CARGO_BIN_EXE_orderfeed"))
            .args(args)
            .envs(paths.iter().copied())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("orderfeed")?;
        Ok(Self(child))
    }

    /// Starts `orderfeed` and reads lines of its output until `enough`.
    pub fn start_and_read(args: &[&str], mut enough: impl FnMut(&str) -> bool) -> anyhow::Result<Self> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_orderfeed"))
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("orderfeed")?;
        let output = child.stdout.take().context("no output")?;
        let mut lines = BufReader::new(output).lines();
        for line in lines.by_ref() {
            if enough(&line?) {
                break;
            }
        }
        // Keeps reading, or the child would block on a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(Self(child))
    }

    /// Sends SIGKILL and waits for the end.
    pub fn kill(mut self) -> anyhow::Result<()> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }

    /// Returns true if it has ended by itself.
    pub fn has_ended(&self) -> anyhow::Result<bool> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0.id()))?;
        Ok(stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" Z")))
    }

    /// Returns the CPU time of each live thread in nanoseconds, as counted by the scheduler. An idle daemon wakes for
    /// less than the tick of [`Self::usage`].
    pub fn threads_ns(&self) -> anyhow::Result<HashMap<OsString, u64>> {
        let mut threads = HashMap::new();
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.0.id()))? {
            let thread = thread?;
            let text = std::fs::read_to_string(thread.path().join("schedstat"))?;
            let spent = text.split_whitespace().next().map_or(Ok(0), str::parse::<u64>)?;
            threads.insert(thread.file_name(), spent);
        }
        Ok(threads)
    }

    /// Returns the resource usage so far.
    pub fn usage(&self) -> anyhow::Result<Usage> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0.id()))?;
        let fields: Vec<&str> = stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        let ticks = |index: usize| {
            fields
                .get(index)
                .and_then(|field| field.parse::<f64>().ok())
                .unwrap_or(0.0)
        };
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let kib = |name: &str| {
            let rest = status.lines().find_map(|line| line.strip_prefix(name));
            rest.and_then(|rest| rest.split_whitespace().next()?.parse().ok())
                .unwrap_or(0)
        };
        Ok(Usage {
            cpu_s: (ticks(11) + ticks(12)) / TICKS,
            peak_kib: kib("VmHWM:"),
            now_kib: kib("VmRSS:"),
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // SIGTERM first: the daemon closes its store.
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}
