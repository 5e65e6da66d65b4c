//! Checks of the store's directory and files, and of the free space.

use std::path::PathBuf;

use crate::doctor::check::Check;
use crate::doctor::finding::{Finding, or_ok};
use crate::ops::sentence::human_bytes;

/// A write-ahead log larger than this was not reset for a while, because a reader keeps it in use.
const LARGE_WAL: u64 = 512 << 20;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileFacts {
    pub directory: PathBuf,
    /// `None` if it does not exist; the error if it cannot be entered.
    pub entry: Option<Result<FileEntry, String>>,
    /// The reason for which this user may not write in it.
    pub refused: Option<String>,
    /// The daemon's user (name, uid, gid), if this user is root.
    pub service: Option<(String, u32, u32)>,
    pub files: Vec<(PathBuf, FileEntry)>,
    pub free: Option<u64>,
    /// `store.disk_reserve`.
    pub reserve: u64,
    /// Sizes of database and write-ahead log.
    pub sizes: (u64, u64),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileEntry {
    pub uid: u32,
    pub gid: u32,
    pub mode: u32,
}

pub fn verdict(facts: &FileFacts) -> Vec<Finding> {
    let mut findings = vec![directory(facts)];
    findings.extend(store_files(facts));
    findings.push(disk(facts));
    findings
}

fn directory(facts: &FileFacts) -> Finding {
    let (check, at) = (Check::Directory, facts.directory.display());
    let entry = match &facts.entry {
        None => {
            let message = format!("the state directory {at} does not exist yet; the first start creates it");
            return check.note(message);
        }
        Some(Err(cause)) => {
            let message = format!("the state directory {at} cannot be entered: {cause}");
            let remedy = format!(
                "let the daemon's user enter it: `ls -ld {at}` and every directory above it; {SECURITY_MODULES}"
            );
            return check.problem(message, remedy);
        }
        Some(Ok(entry)) => *entry,
    };
    if let Some(cause) = &facts.refused {
        let message = format!("the state directory {at} cannot be written: {cause}; the daemon cannot start");
        let remedy = format!(
            "chown it to the daemon's user and `chmod 700 {at}`, check that it is not mounted read-only; {SECURITY_MODULES}"
        );
        return check.problem(message, remedy);
    }
    if let Some((name, uid, gid)) = &facts.service
        && !may_write(entry, *uid, *gid)
    {
        let message = format!(
            "the state directory {at} cannot be written by the daemon's user {name}; the daemon cannot start"
        );
        return check.problem(message, format!("chown -R {name}: {at}; chmod 700 {at}"));
    }
    // Read access for the group is fine; write access for it, and any access for others, is not.
    if entry.mode & 0o027 == 0 {
        return check.ok(format!("{at} can be written"));
    }
    let mode = entry.mode & 0o777;
    let message =
        format!("the state directory {at} is accessible to more users than it should be (mode {mode:o})");
    check.warning(message, format!("chmod 700 {at}"))
}

/// The remedy for a denial that owner and mode do not explain.
const SECURITY_MODULES: &str =
    "if owner and mode are right, check SELinux or AppArmor (`ausearch -m avc -ts recent`, `ls -Z`)";

fn may_write(entry: FileEntry, uid: u32, gid: u32) -> bool {
    let wanted = match (entry.uid == uid, entry.gid == gid) {
        (true, _) => 0o300,
        (false, true) => 0o030,
        (false, false) => 0o003,
    };
    uid == 0 || entry.mode & wanted == wanted
}

fn store_files(facts: &FileFacts) -> Vec<Finding> {
    let check = Check::StoreFiles;
    let Some(Ok(directory)) = &facts.entry else {
        let why = "the state directory does not exist or cannot be entered";
        return vec![check.skipped(why)];
    };
    if facts.files.is_empty() {
        return vec![check.skipped("there is no store yet")];
    }
    let mut findings = Vec::new();
    for (path, entry) in &facts.files {
        let (shown, mode) = (path.display(), entry.mode & 0o777);
        // A command that ran as root leaves files that the daemon cannot write.
        if entry.uid != directory.uid {
            let message = format!(
                "{shown} belongs to user {}, its directory to user {}: was a command run as another user?",
                entry.uid, directory.uid
            );
            let remedy = format!("chown --reference={} {shown}", facts.directory.display());
            findings.push(check.problem(message, remedy));
        }
        if mode & 0o077 != 0 {
            let message = format!("users other than its owner can access {shown} (mode {mode:o})");
            findings.push(check.warning(message, format!("chmod 600 {shown}")));
        }
    }
    or_ok(findings, check, "the store's files belong to their owner alone")
}

fn disk(facts: &FileFacts) -> Finding {
    let (check, place, reserve) = (Check::Disk, facts.directory.display(), facts.reserve);
    let (database, wal) = facts.sizes;
    let store = format!(
        "store {}, write-ahead log {}",
        human_bytes(database),
        human_bytes(wal)
    );
    let Some(free) = facts.free else {
        return check.skipped(format!("free space cannot be measured; {store}"));
    };
    let (free_text, reserve_text) = (human_bytes(free), human_bytes(reserve));
    let space = format!("{free_text} free, store.disk_reserve {reserve_text}; {store}");
    if free < reserve {
        let remedy = format!(
            "free some space beside {place}, or lower store.disk_reserve; shorter store.body_retention lets bodies go \
             at the next cleanup_delivered_events"
        );
        let message = format!("the disk is nearly full, so nothing is captured or indexed: {space}");
        return check.problem(message, remedy);
    }
    if wal > LARGE_WAL {
        let remedy = format!(
            "find the process with a long read: `fuser {place}/*`; a restart of the daemon resets the log"
        );
        return check.warning(format!("the write-ahead log is large: {space}"), remedy);
    }
    // Early enough to act before the intake closes.
    if free < reserve.saturating_mul(2) {
        let remedy = format!("free some space beside {place} before capture pauses");
        return check.warning(format!("the disk is getting full: {space}"), remedy);
    }
    check.ok(space)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    fn facts() -> FileFacts {
        let mine = FileEntry {
            uid: 7,
            gid: 7,
            mode: 0o40_700,
        };
        FileFacts {
            directory: "/var/lib/orderfeed".into(),
            entry: Some(Ok(mine)),
            files: vec![(
                "/var/lib/orderfeed/orderfeed.db".into(),
                FileEntry {
                    mode: 0o100_600,
                    ..mine
                },
            )],
            free: Some(10 << 30),
            reserve: 256 << 20,
            ..FileFacts::default()
        }
    }

    fn verdicts(facts: &FileFacts) -> Vec<Verdict> {
        verdict(facts).iter().map(|finding| finding.verdict).collect()
    }

    #[test]
    fn files_of_the_daemon_alone_are_fine() {
        assert_eq!(verdicts(&facts()), [Verdict::Ok; 3]);
    }

    #[test]
    fn a_directory_that_cannot_be_used_is_a_problem() {
        let refused = FileFacts {
            refused: Some("Permission denied (os error 13)".into()),
            ..facts()
        };
        assert_eq!(verdicts(&refused)[0], Verdict::Problem);
        let service = Some(("orderfeed".to_owned(), 9, 9));
        assert_eq!(verdicts(&FileFacts { service, ..facts() })[0], Verdict::Problem);
        let closed = FileFacts {
            entry: Some(Err("Permission denied".into())),
            ..facts()
        };
        assert_eq!(verdicts(&closed)[..2], [Verdict::Problem, Verdict::Skipped]);
    }

    #[test]
    fn files_of_another_user_are_a_problem_and_readable_ones_a_warning() {
        let mut other = facts();
        other.files[0].1.uid = 0;
        assert_eq!(verdicts(&other)[1], Verdict::Problem);
        let mut open = facts();
        open.files[0].1.mode = 0o644;
        assert_eq!(verdicts(&open)[1], Verdict::Warning);
    }

    #[test]
    fn space_is_judged_by_the_reserve() {
        for (free, expected) in [
            (100 << 20, Verdict::Problem),
            (300 << 20, Verdict::Warning),
            (600 << 20, Verdict::Ok),
        ] {
            let facts = FileFacts {
                free: Some(free),
                ..facts()
            };
            assert_eq!(verdicts(&facts)[2], expected, "{free}");
        }
    }
}
