//! The line of a shop, computed from the answer of `orderfeed status --json`. Pure.
//!
//! The answer may come from another version of the program (the package was upgraded a moment ago), so each field is optional.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cli::output::table::{AsciiTable, Cell, Tone};
use crate::cli::shops::find::ShopFile;
use crate::ops::sentence::{human_bytes, human_duration};
use orderfeed_model::clock::UtcMillis;

/// Longest text of a problem in the table, in characters. The JSON has all of it.
const LONGEST: usize = 80;

/// The outcome of asking a shop.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    Status(Box<Value>),
    /// The reason why there is no status.
    Error(String),
}

/// The process of a daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DaemonProcess {
    pub(super) pid: u32,
    pub(super) memory_bytes: Option<u64>,
}

/// The most severe problem of a shop, as its status reports it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(super) struct ShopProblem {
    kind: String,
    severity: String,
    /// The website or job.
    subject: Option<String>,
    message: String,
    remedy: String,
}

/// The status of one shop. What its status does not show is `None`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct ShopRow {
    #[serde(flatten)]
    file: ShopFile,
    running: bool,
    pid: Option<u32>,
    memory_bytes: Option<u64>,
    /// `single`, or the role among several hosts.
    role: Option<String>,
    /// Age of the oldest change that is not indexed or not delivered; 0 if there is none.
    lag_ms: Option<i64>,
    /// Changed orders that wait to be indexed.
    backlog: Option<u64>,
    /// Events of all websites that wait to be delivered.
    pending: Option<u64>,
    parked: Option<u64>,
    /// Codes of the websites whose delivery is halted.
    halted: Vec<String>,
    problems: u64,
    problem: Option<ShopProblem>,
    /// The reason why the status could not be read.
    pub(super) error: Option<String>,
}

impl Answer {
    /// Parses the output of a process that succeeded.
    pub(super) fn status(stdout: &str) -> Self {
        match serde_json::from_str(stdout) {
            Ok(status) => Self::Status(status),
            Err(error) => Self::Error(format!("its status is not JSON: {error}")),
        }
    }

    /// Takes the reason from the stderr of a process that failed: its first line, without the name of the program.
    pub(super) fn refused(stderr: &str) -> Self {
        let line = stderr.lines().find(|line| !line.trim().is_empty());
        let line = line.unwrap_or("its status could not be read, without a reason");
        Self::Error(line.strip_prefix("orderfeed: ").unwrap_or(line).to_owned())
    }

    /// Returns the process that holds the store.
    pub(super) fn pid(&self) -> Option<u32> {
        let Self::Status(status) = self else { return None };
        status["daemon"]["pid"].as_u64()?.try_into().ok()
    }
}

impl ShopRow {
    pub(super) fn new(file: ShopFile, answer: &Answer, process: Option<DaemonProcess>) -> Self {
        let mut row = Self {
            file,
            running: process.is_some(),
            pid: process.map(|process| process.pid),
            memory_bytes: process.and_then(|process| process.memory_bytes),
            role: None,
            lag_ms: None,
            backlog: None,
            pending: None,
            parked: None,
            halted: Vec::new(),
            problems: 0,
            problem: None,
            error: None,
        };
        match answer {
            Answer::Status(status) => row.read(status),
            Answer::Error(reason) => row.error = Some(reason.clone()),
        }
        row
    }

    fn read(&mut self, status: &Value) {
        let websites = status["websites"].as_array().map_or(&[][..], Vec::as_slice);
        let sum = |of: fn(&Value) -> u64| websites.iter().map(of).sum::<u64>();
        self.running |= status["daemon"]["running"] == true;
        self.role = Some(status["cluster"]["role"].as_str().unwrap_or("single").to_owned());
        self.lag_ms = lag_ms(status, websites);
        self.backlog = status["index"]["backlog"].as_u64();
        self.pending = Some(sum(|website| {
            let pending = &website["pending"];
            [&pending["live"], &pending["history"]]
                .iter()
                .filter_map(|count| count.as_u64())
                .sum()
        }));
        self.parked = Some(sum(|website| counts(&website["parked"])));
        let halted = websites
            .iter()
            .filter(|website| website["sender"]["state"] == "halted");
        self.halted = halted
            .filter_map(|website| website["code"].as_str().map(str::to_owned))
            .collect();
        let problems = status["problems"].as_array().map_or(&[][..], Vec::as_slice);
        self.problems = problems.len() as u64;
        self.problem = problems
            .first()
            .and_then(|first| ShopProblem::deserialize(first).ok());
    }

    fn state(&self) -> Cell {
        match (self.running, &self.error) {
            (true, None) if self.halted.is_empty() => Cell::toned("running", Tone::Good),
            (true, None) => Cell::toned("HALTED", Tone::Bad),
            (true, Some(_)) => Cell::toned("running?", Tone::Bad),
            (false, None) => Cell::toned("stopped", Tone::Bad),
            (false, Some(_)) => Cell::toned("BROKEN", Tone::Bad),
        }
    }

    /// Returns the reason why the status could not be read, or the most severe problem, on one line.
    fn remark(&self) -> String {
        let text = match (&self.error, &self.problem) {
            (Some(error), _) => error.clone(),
            (None, Some(problem)) => {
                let subject = problem.subject.iter().map(|subject| format!("{subject}: "));
                subject.chain([problem.message.clone()]).collect()
            }
            (None, None) => String::new(),
        };
        let more = match self.problems {
            0 | 1 => String::new(),
            problems => format!(" (+{})", problems - 1),
        };
        match text.char_indices().nth(LONGEST) {
            Some((end, _)) => format!("{}…{more}", &text[..end]),
            None => text + &more,
        }
    }
}

/// Returns the age of the oldest change that is not indexed or not delivered.
fn lag_ms(status: &Value, websites: &[Value]) -> Option<i64> {
    let time = |value: &Value| value.as_str().and_then(UtcMillis::parse_rfc3339);
    let now = time(&status["taken_at"])?;
    let pending = websites
        .iter()
        .map(|website| &website["pending"]["oldest_change_at"]);
    let oldest = pending
        .chain([&status["index"]["oldest_change_at"]])
        .filter_map(time)
        .min();
    Some(oldest.map_or(0, |oldest| now.millis_since(oldest).max(0)))
}

/// Sums counts by kind.
fn counts(by_kind: &Value) -> u64 {
    let kinds = by_kind.as_object();
    kinds.map_or(0, |kinds| kinds.values().filter_map(Value::as_u64).sum())
}

fn lag(millis: i64) -> String {
    match millis {
        0 => "none".to_owned(),
        millis => human_duration(millis),
    }
}

/// Returns the table of `shops status`, one line for each shop.
pub(super) fn table(rows: &[ShopRow]) -> AsciiTable {
    let mut table = AsciiTable::new(
        "Shop | Daemon | Role | Lag | Backlog | Pending | Parked | Memory | Most severe problem",
    );
    for row in rows {
        let shown = |value: Option<String>| Cell::from(value.unwrap_or_else(|| "-".to_owned()));
        let count = |value: Option<u64>| shown(value.map(|count| count.to_string()));
        table.row([
            (&row.file.shop).into(),
            row.state(),
            shown(row.role.clone()),
            shown(row.lag_ms.map(lag)),
            count(row.backlog),
            count(row.pending),
            count(row.parked),
            shown(row.memory_bytes.map(human_bytes)),
            row.remark().into(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::output::Paint;
    use crate::ops::status::testing;
    use crate::ops::status::{IndexSnapshot, Moment, Snapshot};

    fn row(name: &str, answer: &Answer, pid: Option<u32>) -> ShopRow {
        let file = ShopFile {
            shop: name.to_owned(),
            config: format!("/etc/orderfeed/shops/{name}.toml").into(),
            unit: Some(format!("orderfeed@{name}.service")),
        };
        let process = pid.map(|pid| DaemonProcess {
            pid,
            memory_bytes: Some(21 << 20),
        });
        ShopRow::new(file, answer, process)
    }

    /// A status as the program prints it, taken 10 s after the epoch.
    fn answer(change: impl FnOnce(&mut Snapshot)) -> Answer {
        let mut snapshot = testing::snapshot();
        snapshot.daemon.running = true;
        snapshot.daemon.pid = Some(7);
        change(&mut snapshot);
        Answer::status(&serde_json::to_string(&snapshot).unwrap())
    }

    #[test]
    fn a_row_sums_the_websites_of_a_shop() {
        let answer = answer(|snapshot| {
            snapshot.websites = vec![testing::website("base"), testing::website("eu")];
            snapshot.index = IndexSnapshot {
                backlog: 5,
                oldest_change_at: Some(Moment(UtcMillis(1_500))),
                ..snapshot.index
            };
        });
        assert_eq!(answer.pid(), Some(7));
        let row = row("agency", &answer, answer.pid());
        assert_eq!(
            (row.backlog, row.pending, row.parked),
            (Some(5), Some(22), Some(4))
        );
        // The backlog of the index is older than the pending events.
        assert_eq!(row.lag_ms, Some(8_500));
        assert_eq!(row.halted, ["base", "eu"]);
        assert_eq!((row.role.as_deref(), row.running), (Some("single"), true));
    }

    #[test]
    fn an_idle_shop_has_no_lag_and_the_role_is_that_of_the_status() {
        assert_eq!(row("a", &answer(|_| {}), Some(7)).lag_ms, Some(0));
        let Answer::Status(mut status) = answer(|_| {}) else {
            panic!("no status");
        };
        status["cluster"] = json!({"role": "standby"});
        let standby = row("a", &Answer::Status(status), Some(7));
        assert_eq!(standby.role.as_deref(), Some("standby"));
    }

    #[test]
    fn the_reason_of_a_failure_is_its_first_line() {
        let refused = |stderr| Answer::refused(stderr);
        let error = |text: &str| Answer::Error(text.to_owned());
        assert_eq!(
            refused("orderfeed: a.toml:3: x: is wrong\na.toml:4: y\n"),
            error("a.toml:3: x: is wrong")
        );
        assert_eq!(
            refused(""),
            error("its status could not be read, without a reason")
        );
        assert!(matches!(Answer::status("not JSON"), Answer::Error(_)));
        assert_eq!(error("x").pid(), None);
    }

    #[test]
    fn every_shop_has_one_line() {
        let idle = answer(|_| {});
        let halted = answer(|snapshot| {
            snapshot.websites = vec![testing::website("base")];
        });
        let broken = Answer::Error(
            "bakery.toml:3: delivery.lanes: is not a number\nforged".to_owned() + &"x".repeat(99),
        );
        let rows = [
            row("agency", &idle, Some(7)),
            row("bakery", &broken, None),
            row("cellar", &broken, Some(8)),
            row("dairy", &halted, Some(9)),
        ];
        insta::assert_snapshot!(table(&rows).render(Paint::Plain));
    }

    #[test]
    fn the_shape_for_scripts_is_stable() {
        let status = json!({
            "taken_at": "2026-11-22T10:00:00Z",
            "problems": [{"kind": "delivery_halted", "severity": "problem", "subject": "base", "message": "m", "remedy": "r"}, {}],
        });
        let rows = [
            row("agency", &Answer::Status(Box::new(status)), Some(7)),
            row("bakery", &Answer::Error("no answer within 5 s".to_owned()), None),
        ];
        insta::assert_json_snapshot!(rows);
    }
}
