//! A backup taken beside the running daemon is sound, and complete or absent. A store restored from it loses nothing
//! and repeats events with the same bytes.

use std::collections::HashSet;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};

use orderfeed::store::StoreLock;
use orderfeed_events::{EventKind, event_id};

use crate::support::daemon::{Installation, eventually, say};
use crate::support::edge;
use crate::support::embedded::ShopFixture;

/// A local address without a listener.
const NOWHERE: &str = "http://127.0.0.1:9";

/// Returns the ids of all events in the store `file`.
fn held(file: &Path) -> HashSet<String> {
    let conn = rusqlite::Connection::open(file).unwrap();
    let mut statement = conn
        .prepare("SELECT kind, document_id FROM outbox_event")
        .unwrap();
    let rows = statement
        .query_map([], |row| Ok((row.get::<_, u8>(0)?, row.get::<_, i64>(1)?)))
        .unwrap();
    rows.map(Result::unwrap)
        .map(|(kind, document)| {
            let kind = EventKind::from_code(kind).unwrap();
            event_id(&edge::DATA_SPACE, kind, document, 0).to_string()
        })
        .collect()
}

/// Returns the other files in the directory of `file` whose names contain its name.
fn leftovers(file: &Path) -> Vec<String> {
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    std::fs::read_dir(file.parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|other| other.starts_with(&name) && *other != name)
        .collect()
}

fn used_store(fixture: &ShopFixture) {
    let said = fixture.installation.run(&["indexer:reindex"]).ok();
    assert!(said.contains("rebuilt successfully"), "{said}");
}

fn command(
    installation: &Installation,
    verb: &str,
    file: &Path,
    more: &[&str],
) -> crate::support::daemon::Ran {
    let file = file.to_str().unwrap();
    installation.run(&[&[verb, file], more].concat())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_amid_traffic_restores_without_loss_and_repeats_with_the_same_bytes() {
    let edge = edge::start().await;
    let mut fixture = ShopFixture::new(&edge.server_url(), 250);
    let daemon = fixture.installation.start();
    let expected = fixture.expected();
    eventually("the first sync", || fixture.is_served(&edge, expected.len()));

    // Some events in the backup are still pending, and delivered after it.
    edge.configure(|config| config.latency_ms = 4_000);
    let file = fixture.installation.path("backup.db");
    for _ in 0..60 {
        fixture.act();
    }
    eventually("something is pending", || {
        (1..u64::MAX).contains(&fixture.installation.pending())
    });
    let mut copying = fixture
        .installation
        .command(&["backup"])
        .arg(&file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while copying.try_wait().unwrap().is_none() {
        fixture.act();
    }
    assert!(copying.wait().unwrap().success());
    let of_backup = held(&file);
    assert_eq!(leftovers(&file), Vec::<String>::new());
    assert_eq!(
        std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let report = command(&fixture.installation, "backup", &file, &["--check", "--json"]).ok();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert!(report["pending_events"].as_u64().unwrap() > 0, "{report}");

    for _ in 0..60 {
        fixture.act();
    }
    edge.configure(|config| config.latency_ms = 0);
    let expected = fixture.expected();
    eventually("everything is delivered once", || {
        fixture.is_served(&edge, expected.len())
    });
    let beyond = edge::ids(&expected).difference(&of_backup).count();
    assert!(beyond > 10, "the backup is older than the edge: {beyond}");

    let busy = command(&fixture.installation, "restore", &file, &[]);
    assert_eq!(busy.code, Some(75), "{busy:?}");
    assert!(busy.stderr.contains("orderfeed run (process"), "{busy:?}");
    daemon.kill();
    for _ in 0..20 {
        fixture.act();
    }
    // The killed daemon's WAL still exists. Replayed into the restored store, it would corrupt it.
    let said = command(&fixture.installation, "restore", &file, &[]).ok();
    assert!(
        said.contains("was restored") && said.contains(".before-restore-"),
        "{said}"
    );
    let log = std::fs::metadata(fixture.installation.path("orderfeed.db-wal"));
    assert_eq!(
        log.map_or(0, |log| log.len()),
        0,
        "the old log went with the old store"
    );
    let lost = held(&fixture.installation.path("orderfeed.db"));
    assert_eq!(lost, of_backup);

    let daemon = fixture.installation.start();
    let expected = fixture.expected();
    let before = edge.totals().duplicates;
    eventually("events missing in the restored store arrive again", || {
        fixture.is_served(&edge, expected.len()) && edge.totals().duplicates > before
    });
    edge::assert_holds(&edge, &expected);
    let changed: Vec<String> = edge.bytes_changed();
    let broken: Vec<&String> = changed.iter().filter(|id| of_backup.contains(*id)).collect();
    assert!(
        broken.is_empty(),
        "held by the backup, and sent with other bytes: {broken:?}"
    );
    say(&format!(
        "backup: {} events held, {} repeated, {} of those made anew have other bytes",
        of_backup.len(),
        edge.totals().duplicates,
        changed.len()
    ));
    fixture.act();
    let expected = fixture.expected();
    eventually("a change after all that", || {
        fixture.is_served(&edge, expected.len())
    });
    let verified = fixture.installation.run(&["verify"]).ok();
    assert!(verified.contains("Nothing differs."), "{verified}");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn an_existing_file_is_kept_unless_forced() {
    let fixture = ShopFixture::new(NOWHERE, 20);
    let installation = &fixture.installation;
    let file = installation.path("backup.db");
    let ran = command(installation, "backup", &file, &[]);
    assert_eq!(ran.code, Some(69), "there is no store yet: {ran:?}");
    used_store(&fixture);
    std::fs::write(&file, "mine").unwrap();
    let ran = command(installation, "backup", &file, &[]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("--force"), "{ran:?}");
    assert_eq!(std::fs::read(&file).unwrap(), b"mine");
    // Left by a killed run and used by no process.
    std::fs::write(installation.path("backup.db.partial"), "half").unwrap();
    let report = command(installation, "backup", &file, &["--force", "--json"]).ok();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["orders"], 20, "{report}");
    assert_eq!(leftovers(&file), Vec::<String>::new());

    let store = installation.path("orderfeed.db");
    let itself = command(installation, "backup", &store, &["--force"]);
    assert_eq!(itself.code, Some(1), "{itself:?}");
    assert!(itself.stderr.contains("is the store itself"), "{itself:?}");
    std::fs::write(installation.path("other.db-wal"), "").unwrap();
    let beside = command(installation, "backup", &installation.path("other.db"), &[]);
    assert!(beside.stderr.contains("other.db-wal belongs to"), "{beside:?}");
    let nowhere = command(installation, "backup", &installation.path("no/such/dir.db"), &[]);
    assert_eq!(nowhere.code, Some(74), "{nowhere:?}");
}

#[test]
fn a_damaged_copy_is_reported_and_never_restored() {
    let fixture = ShopFixture::new(NOWHERE, 200);
    let installation = &fixture.installation;
    used_store(&fixture);
    let file = installation.path("backup.db");
    command(installation, "backup", &file, &[]).ok();
    let store = installation.path("orderfeed.db");
    let before = held(&store);

    let good = std::fs::read(&file).unwrap();
    let mut damaged = good.clone();
    let third = damaged.len() / 3;
    damaged[4096..third * 2].fill(0x5a);
    let half = &good[..good.len() / 2];
    for bad in [
        damaged.as_slice(),
        half,
        b"not a database at all".repeat(40).as_slice(),
    ] {
        std::fs::write(&file, bad).unwrap();
        let ran = command(installation, "backup", &file, &["--check"]);
        assert!(matches!(ran.code, Some(1 | 74)), "{ran:?}");
        let ran = command(installation, "restore", &file, &[]);
        assert!(matches!(ran.code, Some(1 | 74)), "{ran:?}");
        assert_eq!(held(&store), before, "the store is as it was");
        assert!(
            leftovers(&store)
                .iter()
                .all(|name| !name.contains("before-restore"))
        );
    }
    std::fs::remove_file(&file).unwrap();
    let other = rusqlite::Connection::open(&file).unwrap();
    other
        .execute_batch("CREATE TABLE of_another_program (a)")
        .unwrap();
    drop(other);
    let ran = command(installation, "restore", &file, &[]);
    assert!(ran.stderr.contains("database of another program"), "{ran:?}");

    std::fs::write(&file, &good).unwrap();
    let _held = StoreLock::acquire(&store, "orderfeed run").unwrap();
    assert_eq!(command(installation, "restore", &file, &[]).code, Some(75));
}

#[test]
fn a_copy_that_does_not_fit_leaves_nothing() {
    let fixture = ShopFixture::new(NOWHERE, 400);
    let installation = &fixture.installation;
    used_store(&fixture);
    let disk = installation.path("disk");
    std::fs::create_dir(&disk).unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=100k,mode=700", "tmpfs"])
        .arg(&disk)
        .output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        say("skipped: a small file system cannot be mounted here (needs root)");
        return;
    }
    let ran = command(installation, "backup", &disk.join("backup.db"), &[]);
    let left = std::fs::read_dir(&disk).unwrap().count();
    let _ = Command::new("umount").arg("-l").arg(&disk).status();
    assert_eq!((ran.code, left), (Some(74), 0), "{ran:?}");
    assert!(
        ran.stderr.contains("the copy needs") && ran.stderr.contains("choose another disk"),
        "{ran:?}"
    );

    installation.layer("reserve", "[store]\ndisk_reserve = \"1024TiB\"\n");
    let ran = command(installation, "backup", &installation.path("backup.db"), &[]);
    assert_eq!(
        ran.code,
        Some(74),
        "a copy on the store's own disk leaves its reserve: {ran:?}"
    );
    assert!(ran.stderr.contains("store.disk_reserve"), "{ran:?}");
}

#[test]
fn files_created_by_root_belong_to_the_daemons_user() {
    const NOBODY: u32 = 65_534;
    if !rustix::process::geteuid().is_root() {
        say("skipped: only root can give files away");
        return;
    }
    let fixture = ShopFixture::new("http://127.0.0.1:9", 5);
    let (installation, copy) = (&fixture.installation, fixture.installation.path("copy.db"));
    std::fs::create_dir(installation.path("state")).unwrap();
    std::os::unix::fs::chown(installation.path("state"), Some(NOBODY), Some(NOBODY)).unwrap();
    // The owner must be able to reach its directory.
    let passable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(installation.path(""), passable).unwrap();
    installation.layer("path", "[store]\npath = \"state/orderfeed.db\"\n");
    let foreign = || -> Vec<_> {
        let files = std::fs::read_dir(installation.path("state")).unwrap();
        let files = files.map(Result::unwrap);
        let foreign = files.filter(|file| file.metadata().unwrap().uid() != NOBODY);
        foreign.map(|file| file.file_name()).collect()
    };
    installation.run(&["suppress", "add", "buyer@example.com"]).ok();
    assert_eq!(foreign(), Vec::<std::ffi::OsString>::new(), "a store that is new");
    let path = copy.to_str().unwrap();
    installation.run(&["backup", path]).ok();
    assert_eq!(std::fs::metadata(&copy).unwrap().uid(), 0, "a copy is root's");
    installation.run(&["restore", path]).ok();
    assert_eq!(
        foreign(),
        Vec::<std::ffi::OsString>::new(),
        "a store that was restored"
    );
}
