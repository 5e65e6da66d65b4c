//! Checks of the store: its file, its schema, its contents, and other processes that keep its locks.

use crate::doctor::check::Check;
use crate::doctor::finding::Finding;
use crate::store::{Integrity, StoreError};

#[derive(Debug)]
pub struct StoreFacts {
    pub opened: Result<(), StoreError>,
    /// The result of `quick_check`, or the reason for which it could not run; `None` after the time limit.
    pub integrity: Option<Result<Integrity, String>>,
    /// A process other than the daemon that keeps the write lock.
    pub lock_holder: Option<LockHolder>,
    /// The view's version and its changelog's head.
    pub versions: Option<(i64, i64)>,
    /// The stored and the configured data space, if they differ.
    pub other_data_space: Option<(String, String)>,
    /// The time limit of `quick_check`, in seconds.
    pub limit_s: u64,
}

/// A process that keeps SQLite's write lock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockHolder {
    /// 0 if the process is in another PID namespace.
    pub pid: u32,
    /// The command line, if it can be read.
    pub command: String,
    /// Time for which it was seen to hold the lock.
    pub held_ms: i64,
}

impl LockHolder {
    pub fn describe(&self) -> String {
        match self.pid {
            0 => "a process outside this PID namespace (another container?)".to_owned(),
            pid => format!("process {pid} ({})", self.command),
        }
    }
}

pub fn verdict(facts: &StoreFacts) -> Vec<Finding> {
    let locked = locked(facts.lock_holder.as_ref());
    let opened = match &facts.opened {
        Ok(()) => Check::StoreOpens.ok("the store can be opened, and its schema is of this version"),
        Err(error) => {
            let why = "the store cannot be opened";
            return vec![
                unopened(error),
                Check::Integrity.skipped(why),
                locked,
                Check::Consistent.skipped(why),
            ];
        }
    };
    vec![opened, integrity(facts), locked, consistent(facts)]
}

fn unopened(error: &StoreError) -> Finding {
    let (check, cause) = (Check::StoreOpens, error.cause());
    match error {
        // The first start creates it, so it is missing only until then.
        StoreError::Missing { .. } => check.warning(cause, error.remedy()),
        StoreError::Path { .. } => check.problem(cause,
            "let the daemon's user and this user enter the directory: `namei -l` on the path shows its permissions; if they \
             are right, check SELinux or AppArmor",
        ),
        StoreError::Closed => check.problem(cause, "see the message"),
        _ => check.problem(cause, error.remedy()),
    }
}

fn integrity(facts: &StoreFacts) -> Finding {
    let check = Check::Integrity;
    match &facts.integrity {
        Some(Ok(Integrity::Sound)) => check.ok("SQLite's quick_check finds no damage"),
        Some(Ok(Integrity::Damaged(words))) => check.problem(format!("the store is damaged: {words}"),
            "stop the daemon, keep the file, restore a backup; the source is read again from the backup's position \
             (docs/OPERATIONS.md, Backup)",
        ),
        Some(Ok(Integrity::Unfinished)) => check.skipped(format!(
                "the file is too large to be checked within {} s; each start of the daemon checks all of it",
                facts.limit_s
            ),
        ),
        Some(Err(why)) => check.skipped(why.clone()),
        None => check.skipped("no answer within the time limit"),
    }
}

fn locked(holder: Option<&LockHolder>) -> Finding {
    let Some(holder) = holder else {
        return Check::Locked.ok("no other process keeps SQLite's locks");
    };
    let remedy = match holder.pid {
        0 => "find it on the host: `fuser -v` on the store's files".to_owned(),
        pid => format!("end it, or let it finish: `ps -fp {pid}`, then `kill {pid}`"),
    };
    Check::Locked.problem(
        format!(
            "{} keeps the store's database locked, for {} ms so far: the daemon cannot write",
            holder.describe(),
            holder.held_ms
        ),
        remedy,
    )
}

fn consistent(facts: &StoreFacts) -> Finding {
    let check = Check::Consistent;
    if let Some((stored, configured)) = &facts.other_data_space {
        return check.problem(format!(
                "data_space_id is {configured}, but the events in this store were made for {stored}: the daemon does not \
                 start with it"
            ),
            "set data_space_id back, point store.path to a new file, or start once with --accept-new-data-space if that is \
             intended",
        );
    }
    match facts.versions {
        None => check.skipped("no answer within the time limit"),
        Some((version, head)) if version > head => check.problem(format!(
                "the view is indexed up to version {version}, but its changelog ends at {head}: changes would be skipped"
            ),
            "restore a backup, or report this with a copy of the file",
        ),
        Some((version, head)) => check.ok(format!("the view is at version {version} of {head}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict::{self, Ok as Fine, Problem, Skipped, Warning};

    fn facts() -> StoreFacts {
        StoreFacts {
            opened: Ok(()),
            integrity: Some(Ok(Integrity::Sound)),
            lock_holder: None,
            versions: Some((3, 4)),
            other_data_space: None,
            limit_s: 5,
        }
    }

    fn verdicts(facts: &StoreFacts) -> Vec<Verdict> {
        verdict(facts).iter().map(|finding| finding.verdict).collect()
    }

    #[test]
    fn an_intact_store_is_fine() {
        assert_eq!(verdicts(&facts()), [Fine; 4]);
    }

    #[test]
    fn each_defect_has_its_finding() {
        let missing = StoreError::Missing { path: "/x".into() };
        let cases = [
            (
                StoreFacts {
                    opened: Err(missing),
                    ..facts()
                },
                [Warning, Skipped, Fine, Skipped],
            ),
            (
                StoreFacts {
                    integrity: Some(Ok(Integrity::Damaged("page 7".into()))),
                    ..facts()
                },
                [Fine, Problem, Fine, Fine],
            ),
            (
                StoreFacts {
                    integrity: Some(Ok(Integrity::Unfinished)),
                    versions: Some((5, 4)),
                    ..facts()
                },
                [Fine, Skipped, Fine, Problem],
            ),
            (
                StoreFacts {
                    lock_holder: Some(LockHolder {
                        pid: 12,
                        command: "sqlite3".into(),
                        held_ms: 900,
                    }),
                    ..facts()
                },
                [Fine, Fine, Problem, Fine],
            ),
        ];
        for (facts, expected) in cases {
            assert_eq!(verdicts(&facts), expected, "{facts:?}");
        }
    }

    #[test]
    fn the_holder_of_the_lock_is_named_with_a_remedy() {
        let holder = LockHolder {
            pid: 12,
            command: "sqlite3 orderfeed.db".into(),
            held_ms: 900,
        };
        let finding = locked(Some(&holder));
        assert!(
            finding.message.contains("process 12 (sqlite3 orderfeed.db)"),
            "{finding:?}"
        );
        assert!(finding.remedy.unwrap().contains("kill 12"));
    }
}
