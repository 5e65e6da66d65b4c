//! Checks of the daemon: running, answering, making progress, and able to open enough files.

use crate::doctor::check::Check;
use crate::doctor::finding::{Finding, all_skipped};
use crate::ops::sentence::human_duration;
use orderfeed_model::clock::UtcMillis;

/// Fewest open files: each request in flight needs one, and the store several.
const MIN_FILES: u64 = 1024;

const NO_ANSWER_REMEDY: &str = "read the end of its log (`journalctl -u orderfeed -n 50`); if it hangs, \
    `systemctl restart orderfeed` is safe";

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DaemonFacts {
    pub now: UtcMillis,
    pub holder: Option<Holder>,
    pub unknown_holder: Option<String>,
    /// Another process that keeps the database locked, so that no daemon can start.
    pub locked_by: Option<String>,
    /// The daemon's version, from its control socket; `None` after the time limit.
    pub answer: Option<Result<String, NoAnswer>>,
    /// Status and text of `/healthz`, or the reason for which there is none; `None` after the time limit.
    pub health: Option<Result<(u16, String), String>>,
    pub open_files: Option<u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    /// Such as `orderfeed run`.
    pub command: String,
    pub pid: Option<u32>,
    pub since: Option<UtcMillis>,
}

impl Holder {
    /// Returns true if the holder is a daemon; other commands hold the lock while they work on the store.
    pub fn is_daemon(&self) -> bool {
        self.command.starts_with("orderfeed run") || self.command.starts_with("orderfeed demo")
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    NotPermitted(String),
    Failed(String),
}

pub fn verdict(facts: &DaemonFacts) -> Vec<Finding> {
    if let Some(why) = &facts.unknown_holder {
        let why =
            format!("the holder of the store is unknown: {why}; run this as the daemon's user or as root");
        return all_skipped(Check::of_groups(&["daemon"]), &why).collect();
    }
    let mut findings = vec![running(facts)];
    match facts.holder.as_ref().filter(|holder| holder.is_daemon()) {
        Some(_) => findings.extend([answers(facts), healthy(facts), limits(facts)]),
        None => findings.extend(all_skipped(
            [Check::Answers, Check::Healthy, Check::Limits],
            "no daemon is running",
        )),
    }
    findings
}

fn running(facts: &DaemonFacts) -> Finding {
    let Some(holder) = &facts.holder else {
        return not_running(facts.locked_by.as_deref());
    };
    let process = holder
        .pid
        .map_or_else(String::new, |pid| format!(" (process {pid})"));
    let since = holder.since.map_or_else(String::new, |since| {
        format!(", for {}", human_duration(facts.now.millis_since(since)))
    });
    let command = &holder.command;
    match holder.is_daemon() {
        true => Check::Running.ok(format!("{command}{process}{since}")),
        false => Check::Running.warning(
            format!("{command}{process} works on the store{since}; no daemon is running meanwhile"),
            "let it finish, then `systemctl start orderfeed`",
        ),
    }
}

/// Reports that no daemon is running. None can start while another process keeps the database locked.
fn not_running(locked_by: Option<&str>) -> Finding {
    let (why, remedy) = match locked_by {
        Some(who) => (
            format!(", and none can start: {who} keeps the database locked"),
            "see store.locked first, then `systemctl start orderfeed`",
        ),
        None => (
            String::new(),
            "systemctl start orderfeed; if it does not stay up, `journalctl -u orderfeed -n 20` ends with the reason",
        ),
    };
    Check::Running.problem(
        format!("no daemon is running on this store{why}; changes wait in the source, events in the outbox"),
        remedy,
    )
}

fn answers(facts: &DaemonFacts) -> Finding {
    let check = Check::Answers;
    let ours = env!("CARGO_PKG_VERSION");
    match &facts.answer {
        // A daemon that was not restarted after an upgrade may not understand newer requests.
        Some(Ok(version)) if version == ours => {
            check.ok(format!("version {version} answers on its control socket"))
        }
        Some(Ok(version)) => check.warning(format!(
                "the daemon that runs is version {version}, this command is {ours}: it was not restarted after an upgrade"
            ),
            "systemctl restart orderfeed",
        ),
        Some(Err(NoAnswer::NotPermitted(words))) => check.skipped(format!("{words}; run this as the daemon's user or as root"),
        ),
        Some(Err(NoAnswer::Failed(words))) => check.problem(format!("the daemon does not answer: {words}"),
            NO_ANSWER_REMEDY,
        ),
        None => check.problem("the daemon does not answer within the time limit",
            NO_ANSWER_REMEDY,
        ),
    }
}

fn healthy(facts: &DaemonFacts) -> Finding {
    let check = Check::Healthy;
    match &facts.health {
        Some(Ok((200, _))) => check.ok("store, schedules and senders make progress"),
        Some(Ok((status, text))) => check.problem(
            format!("/healthz answers {status}: {}", text.trim()),
            "check disk and memory; without progress systemd restarts it, which is safe",
        ),
        Some(Err(why)) => check.skipped(why.clone()),
        None => check.problem(
            "/healthz does not answer within the time limit",
            "check disk and memory; `systemctl restart orderfeed` is safe",
        ),
    }
}

fn limits(facts: &DaemonFacts) -> Finding {
    let check = Check::Limits;
    match facts.open_files {
        None => check.skipped("the daemon's limits cannot be read by this user"),
        Some(files) if files < MIN_FILES => check.warning(
            format!("the daemon may open only {files} files"),
            "set LimitNOFILE=8192 in the unit (`systemctl edit orderfeed`), then restart it",
        ),
        Some(files) => check.ok(format!("the daemon may open {files} files")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict::{self, Ok as Fine, Problem, Skipped, Warning};

    fn running() -> DaemonFacts {
        DaemonFacts {
            holder: Some(Holder {
                command: "orderfeed run".into(),
                pid: Some(7),
                since: None,
            }),
            answer: Some(Ok(env!("CARGO_PKG_VERSION").into())),
            health: Some(Ok((200, "ok\n".into()))),
            open_files: Some(8192),
            ..DaemonFacts::default()
        }
    }

    fn verdicts(facts: &DaemonFacts) -> Vec<Verdict> {
        verdict(facts).iter().map(|finding| finding.verdict).collect()
    }

    #[test]
    fn a_working_daemon_is_fine_and_none_is_a_problem() {
        assert_eq!(verdicts(&running()), [Fine; 4]);
        assert_eq!(
            verdicts(&DaemonFacts::default()),
            [Problem, Skipped, Skipped, Skipped]
        );
        let locked = DaemonFacts {
            locked_by: Some("process 12 (sqlite3 orderfeed.db)".into()),
            ..DaemonFacts::default()
        };
        let finding = verdict(&locked).remove(0);
        assert!(
            finding.message.contains("none can start: process 12 (sqlite3"),
            "{finding:?}"
        );
        assert!(finding.remedy.unwrap().contains("store.locked"));
        let unknown = DaemonFacts {
            unknown_holder: Some("Permission denied".into()),
            ..DaemonFacts::default()
        };
        assert_eq!(verdicts(&unknown), [Skipped; 4]);
        let mut command = running();
        command.holder.as_mut().unwrap().command = "orderfeed indexer:reindex".into();
        assert_eq!(verdicts(&command), [Warning, Skipped, Skipped, Skipped]);
    }

    #[test]
    fn a_daemon_that_hangs_is_outdated_or_short_of_files_is_reported() {
        let hangs = DaemonFacts {
            answer: None,
            health: Some(Ok((503, "hangs: the store\n".into()))),
            open_files: Some(256),
            ..running()
        };
        assert_eq!(verdicts(&hangs), [Fine, Problem, Problem, Warning]);
        let old = DaemonFacts {
            answer: Some(Ok("0.0.1".into())),
            health: Some(Err("admin.listen is off".into())),
            open_files: None,
            ..running()
        };
        assert_eq!(verdicts(&old), [Fine, Warning, Skipped, Skipped]);
        let foreign = DaemonFacts {
            answer: Some(Err(NoAnswer::NotPermitted("may not".into()))),
            ..running()
        };
        assert_eq!(verdicts(&foreign)[1], Skipped);
    }
}
