//! Asks each shop for its status, in a process of its own and with a time limit, and finds daemons in `/proc`.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::cli::context::CONFIG_FILE;
use crate::cli::shops::find::ShopFile;
use crate::cli::shops::row::{Answer, DaemonProcess, ShopRow};
use crate::config::shop::ShopName;

/// Longest wait for the status of one shop. A store on a disk that hangs does not answer at all.
const LIMIT: Duration = Duration::from_secs(5);
/// Shops asked at the same time: more would only share the processors.
const AT_ONCE: usize = 8;
/// Longest output that is read, in bytes. The status of a shop with a thousand websites is below a megabyte.
const LONGEST: u64 = 16 * 1024 * 1024;

/// Returns the row of each shop, in their order.
///
/// # Errors
/// If the path of this program is not known.
pub(super) fn all(files: Vec<ShopFile>) -> anyhow::Result<Vec<ShopRow>> {
    let program = std::env::current_exe().context("the path of this program is not known")?;
    let workers = AT_ONCE.min(files.len());
    let waiting = Mutex::new(files.into_iter().enumerate());
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || {
        let mut rows = Vec::new();
        while let Some((position, file)) = next() {
            rows.push((position, row(&program, file)));
        }
        rows
    };
    let mut rows = thread::scope(|scope| {
        let started: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        // A worker holds no lock while it works, and its rows are lost only if it panics.
        started
            .into_iter()
            .flat_map(|worker| worker.join().unwrap_or_default())
            .collect::<Vec<_>>()
    });
    rows.sort_by_key(|(position, _)| *position);
    Ok(rows.into_iter().map(|(_, row)| row).collect())
}

fn row(program: &Path, file: ShopFile) -> ShopRow {
    let answer = match file.unit {
        Some(_) => ask(program, &file.config),
        None => Answer::Error(format!(
            "{:?} is not a name of a shop; rename the file",
            file.shop
        )),
    };
    // A daemon keeps running when its file or its store becomes unreadable, and only its process shows that.
    let pid = answer.pid().or_else(|| daemon_of(&file));
    let process = pid.map(|pid| DaemonProcess {
        pid,
        memory_bytes: memory_bytes(pid),
    });
    ShopRow::new(file, &answer, process)
}

/// Runs `orderfeed status --json` with this configuration.
fn ask(program: &Path, config: &Path) -> Answer {
    let mut command = Command::new(program);
    command.args(["status", "--json", "--config"]).arg(config);
    // The variables of the operator's shell are not those of the service, and those that set a key would set it for all shops.
    let of_one = |name: &str| name.starts_with("ORDERFEED") || name == "CREDENTIALS_DIRECTORY";
    for (name, _) in std::env::vars_os() {
        if of_one(&name.to_string_lossy()) {
            command.env_remove(name);
        }
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    match command
        .spawn()
        .and_then(|child| output(child, Instant::now() + LIMIT))
    {
        Ok(Some((true, stdout, _))) => Answer::status(&stdout),
        Ok(Some((false, _, stderr))) => Answer::refused(&stderr),
        Ok(None) => Answer::Error(format!("no answer within {} s", LIMIT.as_secs())),
        Err(error) => Answer::Error(format!("its status could not be read: {error}")),
    }
}

/// Returns whether a process succeeded, its stdout and its stderr; `None` if it did not end in time and was killed.
fn output(mut child: Child, deadline: Instant) -> io::Result<Option<(bool, String, String)>> {
    let stdout = child.stdout.take().map(reading);
    let stderr = child.stderr.take().map(reading);
    let mut texts = [String::new(), String::new()];
    for (text, pipe) in texts.iter_mut().zip([stdout, stderr]) {
        let Some(pipe) = pipe else { continue };
        match pipe.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(read) => *text = read?,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                // It is not waited for: a process in a disk that hangs does not even end when it is killed.
                child.kill()?;
                return Ok(None);
            }
        }
    }
    let [stdout, stderr] = texts;
    // Both pipes are closed, so it ends now.
    Ok(Some((child.wait()?.success(), stdout, stderr)))
}

/// Reads a pipe to its end on a thread of its own: a full pipe would stop the process.
fn reading(pipe: impl Read + Send + 'static) -> Receiver<io::Result<String>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = pipe.take(LONGEST).read_to_end(&mut bytes);
        let text = read.map(|_| String::from_utf8_lossy(&bytes).into_owned());
        // Nothing is received after the deadline.
        let _ = sender.send(text);
    });
    receiver
}

/// Returns the process that runs `orderfeed run` for this shop; `None` also if the system hides other users' processes.
fn daemon_of(file: &ShopFile) -> Option<u32> {
    let pids = fs::read_dir("/proc").ok()?.flatten();
    let mut pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.find(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line);
        let words: Vec<&str> = line.split_terminator('\0').collect();
        served_by(&words).is_some_and(|served| served == file.config)
    })
}

/// Returns the configuration file of the daemon with this command line; `None` if it is not that of a daemon.
fn served_by(words: &[&str]) -> Option<PathBuf> {
    let (program, args) = words.split_first()?;
    if Path::new(program).file_name()? != "orderfeed" || !args.contains(&"run") {
        return None;
    }
    let value = |option: &str| {
        let joined = args
            .iter()
            .find_map(|arg| arg.strip_prefix(option)?.strip_prefix('='));
        joined.or_else(|| args.windows(2).find(|pair| pair[0] == option).map(|pair| pair[1]))
    };
    let config = PathBuf::from(value("--config").unwrap_or(CONFIG_FILE));
    match value("--shop") {
        Some(shop) => Some(shop.parse::<ShopName>().ok()?.file(&config)),
        None => Some(config),
    }
}

/// Returns the resident memory of a process.
fn memory_bytes(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace()
        .next()?
        .parse::<u64>()
        .ok()
        .map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_is_recognized_by_its_command_line() {
        let served = |line: &str| served_by(&line.split(' ').collect::<Vec<_>>());
        for line in [
            "/usr/bin/orderfeed run --config /etc/orderfeed/shops/a.toml",
            "orderfeed --config=/etc/orderfeed/shops/a.toml run",
            "/usr/bin/orderfeed --shop a run",
            "/usr/bin/orderfeed run --shop=a --config /etc/orderfeed/shops/b.toml",
        ] {
            assert_eq!(served(line), Some("/etc/orderfeed/shops/a.toml".into()), "{line}");
        }
        for line in [
            "/usr/bin/orderfeed status --config /etc/orderfeed/shops/a.toml",
            "vim run --config /etc/orderfeed/shops/a.toml",
            "/usr/bin/orderfeed run --shop ../a",
            "",
        ] {
            assert_eq!(served(line), None, "{line}");
        }
    }

    #[test]
    fn a_process_that_hangs_is_given_up_and_one_that_prints_much_is_read() {
        let start = |script: &str| {
            let mut command = Command::new("/bin/sh");
            command
                .args(["-c", script])
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
            command.spawn().unwrap()
        };
        let later = |millis| Instant::now() + Duration::from_millis(millis);
        assert_eq!(output(start("exec sleep 600"), later(50)).unwrap(), None);
        let script =
            "head -c 300000 /dev/zero | tr '\\0' x; head -c 300000 /dev/zero | tr '\\0' y >&2; exit 3";
        let (success, stdout, stderr) = output(start(script), later(60_000)).unwrap().unwrap();
        assert_eq!((success, stdout.len(), stderr.len()), (false, 300_000, 300_000));
    }

    #[test]
    fn memory_is_that_of_the_process() {
        assert!(memory_bytes(std::process::id()).unwrap() > 1 << 20);
        assert_eq!(memory_bytes(u32::MAX), None);
    }
}
