//! Can the store be opened, is it sound, and does anybody else keep its locks?

use crate::doctor::check::Check;
use crate::doctor::finding::Finding;
use crate::store::{Integrity, StoreError};

/// What was found.
#[derive(Debug)]
pub struct Facts {
    /// How opening it ended.
    pub opened: Result<(), StoreError>,
    /// What `quick_check` found; `Err` if it could not be done.
    pub integrity: Option<Result<Integrity, String>>,
    /// Whoever kept the right to write each time that the kernel was asked, if it is not the daemon.
    pub writer: Option<Writer>,
    /// The view's version and its changelog's head.
    pub versions: Option<(i64, i64)>,
    /// The data space that the store is bound to, if it is another one than the configured one: theirs, ours.
    pub other_data_space: Option<(String, String)>,
    /// How long the check of the file may take, in seconds.
    pub limit_s: u64,
}

/// A process that keeps SQLite's locks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Writer {
    /// Its id; 0 if it cannot be named from here.
    pub pid: u32,
    /// Its command line, as far as it can be read.
    pub command: String,
    /// How long it was watched, in milliseconds.
    pub watched_ms: i64,
}

impl Writer {
    /// Who it is, in words.
    pub fn who(&self) -> String {
        match self.pid {
            0 => "a process that cannot be named from here (another container?)".to_owned(),
            pid => format!("process {pid} ({})", self.command),
        }
    }
}

/// Judges it.
pub fn verdict(facts: &Facts) -> Vec<Finding> {
    let locked = locked(facts.writer.as_ref());
    let opened = match &facts.opened {
        Ok(()) => Finding::ok(
            Check::StoreOpens,
            "the store can be opened, its schema is of this version",
        ),
        Err(error) => {
            let why = "the store cannot be opened";
            return vec![
                unopened(error),
                Finding::skipped(Check::Integrity, why),
                locked,
                Finding::skipped(Check::Consistent, why),
            ];
        }
    };
    vec![opened, integrity(facts), locked, consistent(facts)]
}

fn unopened(error: &StoreError) -> Finding {
    // The message ends with its remedy.
    let text = error.to_string();
    let (what, remedy) = text.rsplit_once("; ").unwrap_or((&text, ""));
    let remedy = match (error, remedy) {
        (StoreError::Path { .. }, _) => {
            "let the daemon's user (and whoever runs this) enter the directory: `namei -l` on the path shows who may; if \
             that is right, look at SELinux or AppArmor"
        }
        (_, "") => "see the message",
        (_, remedy) => remedy,
    };
    match error {
        StoreError::Missing { .. } => Finding::warning(Check::StoreOpens, what, remedy),
        _ => Finding::problem(Check::StoreOpens, what, remedy),
    }
}

fn integrity(facts: &Facts) -> Finding {
    let check = Check::Integrity;
    match &facts.integrity {
        Some(Ok(Integrity::Sound)) => Finding::ok(check, "SQLite's quick_check finds nothing wrong"),
        Some(Ok(Integrity::Damaged(words))) => Finding::problem(
            check,
            format!("the store is damaged: {words}"),
            "stop the daemon, keep the file, restore a backup; the source is read again from the backup's position \
             (docs/OPERATIONS.md, Backup)",
        ),
        Some(Ok(Integrity::Unfinished)) => Finding::skipped(
            check,
            format!(
                "the file is too large to be checked within {} s; each start of the daemon checks it whole",
                facts.limit_s
            ),
        ),
        Some(Err(why)) => Finding::skipped(check, why.clone()),
        None => Finding::skipped(check, "not looked at in time"),
    }
}

fn locked(writer: Option<&Writer>) -> Finding {
    let Some(writer) = writer else {
        return Finding::ok(Check::Locked, "no other process keeps SQLite's locks");
    };
    let remedy = match writer.pid {
        0 => "find it on the host: `fuser -v` on the store's files".to_owned(),
        pid => format!("end it, or let it finish: `ps -fp {pid}`, then `kill {pid}`"),
    };
    Finding::problem(
        Check::Locked,
        format!(
            "{} keeps the store's database locked, for {} ms so far: the daemon cannot write",
            writer.who(),
            writer.watched_ms
        ),
        remedy,
    )
}

fn consistent(facts: &Facts) -> Finding {
    let check = Check::Consistent;
    if let Some((stored, configured)) = &facts.other_data_space {
        return Finding::problem(
            check,
            format!(
                "data_space_id is {configured}, but the events in this store were made for {stored}: the daemon does not \
                 start with it"
            ),
            "set data_space_id back, point store.path to a new file, or start once with --accept-new-data-space if that is \
             meant",
        );
    }
    match facts.versions {
        None => Finding::skipped(check, "not looked at in time"),
        Some((version, head)) if version > head => Finding::problem(
            check,
            format!(
                "the view is indexed up to version {version}, but its changelog ends at {head}: changes would be skipped"
            ),
            "restore a backup, or report this with a copy of the file",
        ),
        Some((version, head)) => Finding::ok(check, format!("the view is at version {version} of {head}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict::{self, Ok as Fine, Problem, Skipped, Warning};

    fn facts() -> Facts {
        Facts {
            opened: Ok(()),
            integrity: Some(Ok(Integrity::Sound)),
            writer: None,
            versions: Some((3, 4)),
            other_data_space: None,
            limit_s: 5,
        }
    }

    fn verdicts(facts: &Facts) -> Vec<Verdict> {
        verdict(facts).iter().map(|finding| finding.verdict).collect()
    }

    #[test]
    fn a_sound_store_of_ours_is_fine() {
        assert_eq!(verdicts(&facts()), [Fine; 4]);
    }

    #[test]
    fn each_trouble_has_its_finding() {
        let missing = StoreError::Missing { path: "/x".into() };
        let cases = [
            (
                Facts {
                    opened: Err(missing),
                    ..facts()
                },
                [Warning, Skipped, Fine, Skipped],
            ),
            (
                Facts {
                    integrity: Some(Ok(Integrity::Damaged("page 7".into()))),
                    ..facts()
                },
                [Fine, Problem, Fine, Fine],
            ),
            (
                Facts {
                    integrity: Some(Ok(Integrity::Unfinished)),
                    versions: Some((5, 4)),
                    ..facts()
                },
                [Fine, Skipped, Fine, Problem],
            ),
            (
                Facts {
                    writer: Some(Writer {
                        pid: 12,
                        command: "sqlite3".into(),
                        watched_ms: 900,
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
    fn whoever_holds_it_is_named_with_what_to_do() {
        let writer = Writer {
            pid: 12,
            command: "sqlite3 orderfeed.db".into(),
            watched_ms: 900,
        };
        let finding = locked(Some(&writer));
        assert!(
            finding.message.contains("process 12 (sqlite3 orderfeed.db)"),
            "{finding:?}"
        );
        assert!(finding.remedy.unwrap().contains("kill 12"));
    }
}
