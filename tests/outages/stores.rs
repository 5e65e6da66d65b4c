//! Stores that cannot be used: each start ends within a second, in at most a dozen lines, with a remedy.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::time::{Duration, Instant};

use crate::support::daemon::{Ran, eventually, say};
use crate::support::edge;
use crate::support::embedded::ShopFixture;

/// A local address without a listener. A start that fails early sends no request.
const NOWHERE: &str = "http://127.0.0.1:9";
/// A second, plus the start of a process on a busy machine.
const A_SECOND: Duration = Duration::from_secs(3);

fn refused(fixture: &ShopFixture) -> Ran {
    let started = Instant::now();
    let ran = fixture.installation.run(&["run"]);
    assert!(started.elapsed() < A_SECOND, "{:?}: {ran:?}", started.elapsed());
    assert!(ran.stderr.lines().count() <= 12, "{ran:?}");
    ran
}

#[test]
fn a_path_that_cannot_be_a_store_is_a_bad_configuration() {
    let fixture = ShopFixture::new(NOWHERE, 1);
    std::fs::write(fixture.installation.path("a-file"), "").unwrap();
    for path in ["a-file/orderfeed.db", "conf.d"] {
        fixture
            .installation
            .layer("path", &format!("[store]\npath = \"{path}\"\n"));
        let ran = refused(&fixture);
        assert_eq!(ran.code, Some(78), "{path}: {ran:?}");
        assert!(
            ran.stderr.contains("store.path") && ran.stderr.contains(path),
            "{path}: {ran:?}"
        );
    }
}

#[test]
fn a_directory_that_cannot_be_written_is_a_bad_configuration() {
    let fixture = ShopFixture::new(NOWHERE, 1);
    let closed = fixture.installation.path("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o555)).unwrap();
    fixture
        .installation
        .layer("path", "[store]\npath = \"closed/orderfeed.db\"\n");
    let mut command = fixture.installation.command(&["run"]);
    if rustix::process::geteuid().is_root() {
        // Root may write everywhere, so the daemon runs as an unprivileged user, who must be able to read the
        // configuration.
        let open = std::fs::Permissions::from_mode(0o755);
        for path in [".", "orderfeed.toml", "conf.d", "conf.d/path.toml"] {
            std::fs::set_permissions(fixture.installation.path(path), open.clone()).unwrap();
        }
        command.uid(65_534).gid(65_534);
    }
    let started = Instant::now();
    let Ok(output) = command.output() else {
        say("skipped: the binary cannot be run as another user here");
        return;
    };
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(started.elapsed() < A_SECOND, "{:?}", started.elapsed());
    assert_eq!(output.status.code(), Some(78), "{stderr}");
    assert!(
        stderr.contains("closed") && stderr.contains("store.path"),
        "{stderr}"
    );
    assert!(stderr.lines().count() <= 12, "{stderr}");
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_of_a_newer_version_a_damaged_one_and_a_foreign_one_are_left_alone() {
    let edge = edge::start().await;
    let fixture = ShopFixture::new(&edge.server_url(), 40);
    let daemon = fixture.installation.start();
    let expected = fixture.expected();
    eventually("a store with something in it", || {
        fixture.is_served(&edge, expected.len())
    });
    assert_eq!(daemon.stop(), Some(0));
    let requests = edge.totals().requests;
    let store = fixture.installation.path("orderfeed.db");
    let log = std::fs::metadata(fixture.installation.path("orderfeed.db-wal"));
    assert_eq!(
        log.map_or(0, |log| log.len()),
        0,
        "after a clean end the file alone is the whole store"
    );
    let good = std::fs::read(&store).unwrap();

    let conn = rusqlite::Connection::open(&store).unwrap();
    conn.pragma_update(None, "user_version", 99).unwrap();
    drop(conn);
    let newer = refused(&fixture);
    assert_eq!(newer.code, Some(78), "{newer:?}");
    assert!(
        newer.stderr.contains("schema is version 99") && newer.stderr.contains("install the version"),
        "{newer:?}"
    );
    let status = fixture.installation.run(&["indexer:status"]);
    assert_eq!(status.code, Some(78), "{status:?}");

    let mut damaged = good.clone();
    let third = damaged.len() / 3;
    damaged[4096..third * 2].fill(0x5a);
    std::fs::write(&store, &damaged).unwrap();
    let ran = refused(&fixture);
    assert_eq!(ran.code, Some(74), "{ran:?}");
    assert!(
        ran.stderr.contains("is damaged") && ran.stderr.contains("restore a backup"),
        "{ran:?}"
    );
    assert_eq!(
        std::fs::read(&store).unwrap(),
        damaged,
        "a damaged file is evidence"
    );

    std::fs::write(
        &store,
        "this is not a database, it only has its name ".repeat(300),
    )
    .unwrap();
    let ran = refused(&fixture);
    assert_eq!(ran.code, Some(74), "{ran:?}");

    std::fs::remove_file(&store).unwrap();
    let other = rusqlite::Connection::open(&store).unwrap();
    other
        .execute_batch("CREATE TABLE of_another_program (a)")
        .unwrap();
    drop(other);
    let ran = refused(&fixture);
    assert_eq!(ran.code, Some(78), "{ran:?}");
    assert!(
        ran.stderr.contains("another program") && ran.stderr.contains("store.path"),
        "{ran:?}"
    );

    assert_eq!(
        edge.totals().requests,
        requests,
        "no refused start sends anything"
    );
    std::fs::write(&store, &good).unwrap();
    let daemon = fixture.installation.start_and_wait();
    eventually("the restored store works", || fixture.installation.is_settled());
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(edge.totals().duplicates, 0);
    edge::assert_holds(&edge, &expected);
}
