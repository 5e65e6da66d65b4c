//! Does a daemon run, does it answer, does it make progress, and may it open enough files?

use crate::doctor::check::Check;
use crate::doctor::finding::Finding;
use crate::ops::sentence::human_duration;
use orderfeed_model::clock::UtcMillis;

/// Fewer open files than this may run out: one for each request in flight, and the store's.
const FEW_FILES: u64 = 1024;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// When it was looked at.
    pub now: UtcMillis,
    /// Who holds the store's lock, if anybody.
    pub holder: Option<Holder>,
    /// Why that could not be found out.
    pub unseen: Option<String>,
    /// Who keeps the database locked, if that is not the daemon: then none can start.
    pub locked_by: Option<String>,
    /// What the control socket answered: the daemon's version.
    pub answer: Option<Result<String, Silence>>,
    /// What `/healthz` said: status and text. `Err` says why it was not asked.
    pub health: Option<Result<(u16, String), String>>,
    /// Most files that the daemon may open.
    pub open_files: Option<u64>,
}

/// Who holds the lock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    /// The command, such as `orderfeed run`.
    pub command: String,
    /// Its process id.
    pub pid: Option<u32>,
    /// Since when.
    pub since: Option<UtcMillis>,
}

impl Holder {
    /// Whether it is the daemon, rather than a command that works on the store.
    pub fn is_daemon(&self) -> bool {
        self.command.starts_with("orderfeed run") || self.command.starts_with("orderfeed demo")
    }
}

/// Why the daemon did not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Silence {
    /// Whoever asks may not.
    NotPermitted(String),
    /// It did not, in the socket's words.
    Dead(String),
}

/// Judges it.
pub fn verdict(facts: &Facts) -> Vec<Finding> {
    if let Some(why) = &facts.unseen {
        let why =
            format!("who holds the store cannot be seen: {why}; run this as the daemon's user or as root");
        return crate::doctor::finding::all_skipped(
            &[Check::Running, Check::Answers, Check::Healthy, Check::Limits],
            &why,
        );
    }
    let Some(holder) = &facts.holder else {
        let mut findings = vec![nobody(facts.locked_by.as_deref())];
        let why = "no daemon is running";
        findings.extend(crate::doctor::finding::all_skipped(
            &[Check::Answers, Check::Healthy, Check::Limits],
            why,
        ));
        return findings;
    };
    let who = match holder.pid {
        Some(pid) => format!("{} (process {pid})", holder.command),
        None => holder.command.clone(),
    };
    let since = holder.since.map_or_else(String::new, |since| {
        format!(", for {}", human_duration(facts.now.millis_since(since)))
    });
    if !holder.is_daemon() {
        let mut findings = vec![Finding::warning(
            Check::Running,
            format!("{who} works on the store{since}; no daemon is running meanwhile"),
            "let it finish, then `systemctl start orderfeed`",
        )];
        findings.extend(crate::doctor::finding::all_skipped(
            &[Check::Answers, Check::Healthy, Check::Limits],
            "no daemon is running",
        ));
        return findings;
    }
    vec![
        Finding::ok(Check::Running, format!("{who}{since}")),
        answers(facts),
        healthy(facts),
        limits(facts),
    ]
}

/// A start would be in vain while somebody keeps the database locked.
fn nobody(locked_by: Option<&str>) -> Finding {
    let (why, remedy) = match locked_by {
        Some(who) => (
            format!(", and none can start: {who} keeps the database locked"),
            "first what store.locked says, then `systemctl start orderfeed`",
        ),
        None => (
            String::new(),
            "systemctl start orderfeed; if it does not stay up, `journalctl -u orderfeed -n 20` ends with the reason",
        ),
    };
    Finding::problem(
        Check::Running,
        format!("no daemon is running on this store{why}; changes wait in the source, events in the outbox"),
        remedy,
    )
}

fn answers(facts: &Facts) -> Finding {
    let check = Check::Answers;
    let ours = env!("CARGO_PKG_VERSION");
    match &facts.answer {
        Some(Ok(version)) if version == ours => {
            Finding::ok(check, format!("version {version} answers on its control socket"))
        }
        Some(Ok(version)) => Finding::warning(
            check,
            format!(
                "the daemon that runs is version {version}, this command is {ours}: it was not restarted after an upgrade"
            ),
            "systemctl restart orderfeed",
        ),
        Some(Err(Silence::NotPermitted(words))) => Finding::skipped(
            check,
            format!("{words}; run this as the daemon's user or as root to ask it"),
        ),
        Some(Err(Silence::Dead(words))) => Finding::problem(
            check,
            format!("the daemon does not answer: {words}"),
            "look at the end of its log (`journalctl -u orderfeed -n 50`); if it hangs, `systemctl restart orderfeed` is safe",
        ),
        None => Finding::problem(
            check,
            "the daemon does not answer within the time limit",
            "look at the end of its log (`journalctl -u orderfeed -n 50`); if it hangs, `systemctl restart orderfeed` is safe",
        ),
    }
}

fn healthy(facts: &Facts) -> Finding {
    let check = Check::Healthy;
    match &facts.health {
        Some(Ok((200, _))) => Finding::ok(check, "store, schedules and senders make progress"),
        Some(Ok((status, text))) => Finding::problem(
            check,
            format!("/healthz answers {status}: {}", text.trim()),
            "look at disk and memory; without progress systemd restarts it, which is safe",
        ),
        Some(Err(why)) => Finding::skipped(check, why.clone()),
        None => Finding::problem(
            check,
            "/healthz does not answer within the time limit",
            "look at disk and memory; `systemctl restart orderfeed` is safe",
        ),
    }
}

fn limits(facts: &Facts) -> Finding {
    let check = Check::Limits;
    match facts.open_files {
        None => Finding::skipped(check, "the daemon's limits cannot be read by this user"),
        Some(files) if files < FEW_FILES => Finding::warning(
            check,
            format!("the daemon may open only {files} files"),
            "set LimitNOFILE=8192 in the unit (`systemctl edit orderfeed`), then restart it",
        ),
        Some(files) => Finding::ok(check, format!("the daemon may open {files} files")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict::{self, Ok as Fine, Problem, Skipped, Warning};

    fn running() -> Facts {
        Facts {
            holder: Some(Holder {
                command: "orderfeed run".into(),
                pid: Some(7),
                since: None,
            }),
            answer: Some(Ok(env!("CARGO_PKG_VERSION").into())),
            health: Some(Ok((200, "ok\n".into()))),
            open_files: Some(8192),
            ..Facts::default()
        }
    }

    fn verdicts(facts: &Facts) -> Vec<Verdict> {
        verdict(facts).iter().map(|finding| finding.verdict).collect()
    }

    #[test]
    fn a_daemon_that_works_is_fine_and_none_is_a_problem() {
        assert_eq!(verdicts(&running()), [Fine; 4]);
        assert_eq!(verdicts(&Facts::default()), [Problem, Skipped, Skipped, Skipped]);
        let locked = Facts {
            locked_by: Some("process 12 (sqlite3 orderfeed.db)".into()),
            ..Facts::default()
        };
        let finding = verdict(&locked).remove(0);
        assert!(
            finding.message.contains("none can start: process 12 (sqlite3"),
            "{finding:?}"
        );
        assert!(finding.remedy.unwrap().contains("store.locked"));
        let unseen = Facts {
            unseen: Some("Permission denied".into()),
            ..Facts::default()
        };
        assert_eq!(verdicts(&unseen), [Skipped; 4]);
        let mut command = running();
        command.holder.as_mut().unwrap().command = "orderfeed indexer:reindex".into();
        assert_eq!(verdicts(&command), [Warning, Skipped, Skipped, Skipped]);
    }

    #[test]
    fn one_that_hangs_is_old_or_short_of_files_is_told() {
        let hangs = Facts {
            answer: None,
            health: Some(Ok((503, "hangs: the store\n".into()))),
            open_files: Some(256),
            ..running()
        };
        assert_eq!(verdicts(&hangs), [Fine, Problem, Problem, Warning]);
        let old = Facts {
            answer: Some(Ok("0.0.1".into())),
            health: Some(Err("admin.listen is off".into())),
            open_files: None,
            ..running()
        };
        assert_eq!(verdicts(&old), [Fine, Warning, Skipped, Skipped]);
        let foreign = Facts {
            answer: Some(Err(Silence::NotPermitted("may not".into()))),
            ..running()
        };
        assert_eq!(verdicts(&foreign)[1], Skipped);
    }
}
