//! A command of root takes the identity of the store's owner before it touches the store, so that it can do nothing that the
//! owner cannot. Only files in directories of root are read and written with root's rights.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use clap::CommandFactory;
use orderfeed::cli::args::Cli;

use super::fixture::{Ground, OWNER, PERSON, is_root};
use crate::support::daemon::eventually;

/// A command line of each kind. FILE stands for a file of root.
const COMMANDS: [&[&str]; 32] = [
    &["status"],
    &["doctor"],
    &["explain", "000000101"],
    &["test-connection"],
    &["source", "triggers", "check"],
    &["indexer:status"],
    &["indexer:status:mview"],
    &["indexer:show-mode"],
    &["indexer:set-mode", "realtime"],
    &["indexer:set-status", "suspended"],
    &["indexer:reindex"],
    &["indexer:reset"],
    &["saas:resync", "--feed", "orders"],
    &["verify"],
    &["backup", "FILE"],
    &["backup", "--check", "FILE"],
    &["restore", "FILE"],
    &["cron", "list"],
    &["cron", "history"],
    &["cron", "run", "cleanup_delivered_events"],
    &["failed", "list"],
    &["failed", "retry", "--all"],
    &["failed", "discard", "--all"],
    &["delivery", "pause"],
    &["delivery", "resume"],
    &["admin", "set-password"],
    &["suppress", "add", "--sha256", PERSON],
    &["suppress", "remove", "--sha256", PERSON],
    &["suppress", "import", "/dev/null"],
    &["privacy", "erase", "--sha256", PERSON],
    &["hint", "000000101"],
    &["run"],
];
/// Commands that open no configured store.
const WITHOUT_STORE: [&str; 8] = [
    "config",
    "indexer:info",
    "demo",
    "emulator",
    "completions",
    "manual",
    "storefront",
    // Reads each shop in a process of its own, which is `status`.
    "shops",
];

#[test]
fn every_command_with_a_store_is_tested_here() {
    let tested: BTreeSet<_> = COMMANDS.iter().map(|command| command[0].to_owned()).collect();
    let command = Cli::command();
    let all = command
        .get_subcommands()
        .map(|command| command.get_name().to_owned());
    let others: BTreeSet<_> = all.filter(|name| !tested.contains(name)).collect();
    assert_eq!(others, BTreeSet::from(WITHOUT_STORE.map(str::to_owned)));
}

#[test]
fn commands_get_their_configuration_from_the_context_alone() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli");
    let mut folders = vec![root.clone()];
    let mut loading = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if fs::read_to_string(&path).unwrap().contains("process_environment") {
                let name = path.strip_prefix(&root).unwrap();
                loading.insert(name.to_string_lossy().into_owned());
            }
        }
    }
    // The second reads no store, and the third reloads.
    let allowed = ["context.rs", "setup/config.rs", "run/mod.rs"];
    assert_eq!(loading, BTreeSet::from(allowed.map(str::to_owned)));
}

/// Runs every command and asserts that none creates a file of root.
fn run_all(hostile: impl Fn() -> Ground) {
    for command in COMMANDS {
        let ground = hostile();
        let file = tempfile::tempdir().unwrap();
        let file = file.path().join("file.db").to_string_lossy().into_owned();
        let args: Vec<_> = command
            .iter()
            .map(|arg| if *arg == "FILE" { file.as_str() } else { arg })
            .collect();
        let ran = ground.run(&args);
        assert_eq!(ground.in_roots(), Vec::<String>::new(), "{args:?} {ran:?}");
    }
}

#[test]
fn no_command_creates_a_file_through_a_dangling_link() {
    if !is_root() {
        return;
    }
    run_all(|| {
        let ground = Ground::new("orderfeed.db");
        ground.plant("orderfeed.db");
        ground
    });
}

#[test]
fn no_command_works_in_a_directory_of_root_that_the_owner_links_to() {
    if !is_root() {
        return;
    }
    run_all(|| {
        let ground = Ground::new("data/orderfeed.db");
        ground.link("data", &ground.roots());
        ground
    });
}

#[test]
fn no_change_follows_the_links_beside_a_store() {
    if !is_root() {
        return;
    }
    for suffix in ["-wal", "-shm", "-journal", ".lock", ".sock", ".partial"] {
        let ground = Ground::with_store();
        let name = format!("orderfeed.db{suffix}");
        let _ = fs::remove_file(ground.state().join(&name));
        ground.plant(&name);
        let copy = ground.installation.path("copy.db");
        for args in [
            &["suppress", "add", "--sha256", PERSON][..],
            &["status"],
            &["backup", copy.to_str().unwrap()],
            &["restore", copy.to_str().unwrap()],
        ] {
            let ran = ground.run(args);
            assert_eq!(
                ground.in_roots(),
                Vec::<String>::new(),
                "{suffix} {args:?} {ran:?}"
            );
        }
    }
}

#[test]
fn a_directory_that_changes_under_a_restore_yields_no_file_of_root() {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    if !is_root() {
        return;
    }
    let ground = Ground::with_store();
    let copy = ground.installation.path("copy.db");
    let copy = copy.to_str().unwrap();
    ground.run(&["backup", copy]).ok();
    let (data, trap) = (ground.state().join("data"), ground.state().join("trap"));
    fs::create_dir(&data).unwrap();
    std::os::unix::fs::chown(&data, Some(OWNER), Some(OWNER)).unwrap();
    ground.link("trap", &ground.roots());
    ground.set_store(&data.join("orderfeed.db"));
    let racing = std::sync::atomic::AtomicBool::new(true);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while racing.load(std::sync::atomic::Ordering::Relaxed) {
                renameat_with(CWD, &data, CWD, &trap, RenameFlags::EXCHANGE).unwrap();
            }
        });
        for _ in 0..20 {
            ground.run(&["restore", copy]);
        }
        racing.store(false, std::sync::atomic::Ordering::Relaxed);
    });
    assert_eq!(ground.in_roots(), Vec::<String>::new());
}

#[test]
fn files_of_root_are_read_and_written_and_the_store_stays_its_owners() {
    if !is_root() {
        return;
    }
    let ground = Ground::with_store();
    let copy = ground.roots().join("copy.db");
    let copy = copy.to_str().unwrap();
    ground.run(&["backup", copy]).ok();
    let made = fs::metadata(copy).unwrap();
    assert_eq!((made.uid(), made.permissions().mode() & 0o777), (0, 0o600));
    ground.run(&["backup", "--check", copy]).ok();
    let persons = ground.roots().join("persons");
    fs::write(&persons, PERSON).unwrap();
    ground
        .run(&["suppress", "import", persons.to_str().unwrap()])
        .ok();
    ground.run(&["restore", copy]).ok();
    for entry in fs::read_dir(ground.state()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().uid(), OWNER, "{entry:?}");
    }
}

#[test]
fn a_backup_into_the_owners_directory_is_the_owners() {
    if !is_root() {
        return;
    }
    let ground = Ground::with_store();
    let copy = ground.state().join("copy.db");
    ground.run(&["backup", copy.to_str().unwrap()]).ok();
    assert_eq!(fs::metadata(&copy).unwrap().uid(), OWNER);
    // A link to a backup of root is not readable for the owner, and so not for root's command.
    let secret = ground.roots().join("secret.db");
    fs::rename(&copy, &secret).unwrap();
    std::os::unix::fs::chown(&secret, Some(0), Some(0)).unwrap();
    ground.link("copy.db", &secret);
    let ran = ground.run(&["restore", copy.to_str().unwrap()]);
    assert_ne!(ran.code, Some(0), "{ran:?}");
}

#[test]
fn a_password_that_root_sets_is_the_owners() {
    if !is_root() {
        return;
    }
    let ground = Ground::with_store();
    let typed = ground.roots().join("typed");
    fs::write(&typed, "correct horse\n").unwrap();
    let set = |ground: &Ground| {
        let stdin = fs::File::open(&typed).unwrap();
        ground.run_with(&["admin", "set-password"], stdin.into()).ok()
    };
    set(&ground);
    let beside = ground.state().join("orderfeed.db.password");
    // In a directory of root, where the owner could not write.
    let of_root = ground.roots().join("password");
    let layer = format!("[admin]\npassword_file = \"{}\"\n", of_root.display());
    ground.installation.layer("password", &layer);
    set(&ground);
    for file in [&beside, &of_root] {
        let made = fs::metadata(file).unwrap();
        assert_eq!((made.uid(), made.permissions().mode() & 0o777), (OWNER, 0o600));
    }
}

#[test]
fn a_daemon_that_root_starts_has_the_owners_identity_and_cannot_be_dumped() {
    if !is_root() {
        return;
    }
    let ground = Ground::with_store();
    let daemon = ground.installation.start_and_wait();
    let process = format!("/proc/{}", daemon.pid());
    for thread in fs::read_dir(format!("{process}/task")).unwrap() {
        let status = fs::read_to_string(thread.unwrap().path().join("status")).unwrap();
        let ids =
            format!("\nUid:\t{OWNER}\t{OWNER}\t{OWNER}\t{OWNER}\nGid:\t{OWNER}\t{OWNER}\t{OWNER}\t{OWNER}\n");
        assert!(status.contains(&ids), "{status}");
    }
    // The kernel gives the files in `/proc` of a process that cannot be dumped to root.
    assert_eq!(fs::metadata(format!("{process}/environ")).unwrap().uid(), 0);
    eventually("the daemon answers root", || {
        ground.run(&["delivery", "pause"]).code == Some(0)
    });
    assert_eq!(daemon.stop(), Some(0));
}
