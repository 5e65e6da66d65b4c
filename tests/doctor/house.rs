//! Findings about the installation: configuration, schedules, disk, locks, permissions, a suspended index, a website
//! that is off.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::fixture::{Examination, examine};
use crate::support::daemon::{Ran, eventually, say};
use crate::support::edge;
use crate::support::embedded::ShopFixture;

/// A local address without a listener.
const NOWHERE: &str = "http://127.0.0.1:9";

#[test]
fn a_misspelled_key_is_reported_with_the_intended_one() {
    let fixture = ShopFixture::new(NOWHERE, 1);
    fixture.installation.layer("typo", "[delivery]\nlanez = 3\n");
    let examination = examine(&fixture.installation);
    examination.finds(
        "configuration.valid",
        "problem",
        &["typo.toml:2", "lanez", "lanes"],
        &["config check"],
    );
    examination.finds(
        "store.opens",
        "skipped",
        &["the configuration cannot be used"],
        &[],
    );
    assert_eq!(fixture.installation.run(&["status"]).code, Some(78));
}

#[test]
fn a_schedule_that_never_fires_is_named_with_its_key() {
    let fixture = ShopFixture::new(NOWHERE, 1);
    fixture
        .installation
        .layer("cron", "[cron]\nresend_failed_items = \"0 0 30 2 *\"\n");
    let examination = examine(&fixture.installation);
    let words = &["cron.resend_failed_items", "never fires"];
    examination.finds("configuration.valid", "problem", words, &["config check"]);
    let started = fixture.installation.run(&["run"]);
    assert!(
        started.code == Some(78) && started.stderr.contains("never fires"),
        "{started:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_named_by_status_log_and_doctor() {
    let edge = edge::start().await;
    let fixture = ShopFixture::new(&edge.server_url(), 5);
    fixture
        .installation
        .layer("disk", "[store]\ndisk_reserve = \"900TiB\"\n");
    let daemon = fixture.installation.start();
    eventually("the intake pauses", || {
        fixture.installation.log().contains("The disk is nearly full")
    });
    eventually("the status", || {
        fixture
            .installation
            .run(&["status"])
            .stdout
            .contains("the disk is nearly full")
    });
    let examination = examine(&fixture.installation);
    examination.finds(
        "files.disk",
        "problem",
        &["nearly full", "store.disk_reserve 9"],
        &["free some space"],
    );
    examination.finds("index.intake", "problem", &["disk"], &["store.disk_reserve"]);
    assert_eq!(daemon.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_another_process_keeps_locked_is_named_with_that_process() {
    let edge = edge::start().await;
    let mut fixture = ShopFixture::new(&edge.server_url(), 10);
    let daemon = fixture.installation.start();
    let expected = fixture.expected();
    eventually("the history is served", || {
        fixture.is_served(&edge, expected.len())
    });
    let other = rusqlite::Connection::open(fixture.installation.path("orderfeed.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    fixture.place();
    let examination = examine(&fixture.installation);
    let pid = std::process::id();
    examination.finds(
        "store.locked",
        "problem",
        &[&format!("process {pid}"), "promises"],
        &[&format!("kill {pid}")],
    );
    examination.finds("store.opens", "ok", &[], &[]);
    eventually("the log line", || {
        fixture.installation.log().contains("is held by another process")
    });
    other.execute_batch("ROLLBACK").unwrap();
    examine(&fixture.installation).finds("store.locked", "ok", &[], &[]);
    drop(daemon);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exclusively_locked_store_is_reported_with_the_holder() {
    let edge = edge::start().await;
    let fixture = ShopFixture::new(&edge.server_url(), 3);
    let daemon = fixture.installation.start();
    let expected = fixture.expected();
    eventually("the history is served", || {
        fixture.is_served(&edge, expected.len())
    });
    assert_eq!(daemon.stop(), Some(0));
    let other = rusqlite::Connection::open(fixture.installation.path("orderfeed.db")).unwrap();
    other
        .execute_batch("PRAGMA locking_mode = EXCLUSIVE; CREATE TABLE of_somebody_else (a)")
        .unwrap();
    let examination = examine(&fixture.installation);
    examination.finds(
        "store.locked",
        "problem",
        &[&format!("process {}", std::process::id())],
        &["kill"],
    );
    examination.finds(
        "store.opens",
        "problem",
        &["is held by another process"],
        &["find the other process"],
    );
    examination.finds(
        "daemon.running",
        "problem",
        &["none can start", &format!("process {}", std::process::id())],
        &["see store.locked first"],
    );
    examination.finds("index.status", "skipped", &["the store cannot be read"], &[]);
    examination.finds("edge.datastream", "ok", &[], &[]);
}

#[test]
fn an_inaccessible_state_directory_is_reported_with_its_remedy() {
    let fixture = ShopFixture::new(NOWHERE, 1);
    if !rustix::process::geteuid().is_root() {
        say("skipped: running as another user needs root");
        return;
    }
    fixture
        .installation
        .layer("path", "[store]\npath = \"state/orderfeed.db\"\n");
    std::fs::create_dir(fixture.installation.path("state")).unwrap();
    for path in [".", "orderfeed.toml", "conf.d", "conf.d/path.toml", "shop.db"] {
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(fixture.installation.path(path), open).unwrap();
    }
    // Copied, because other users cannot enter a build directory in root's home.
    let program = fixture.installation.path("orderfeed");
    std::fs::copy(env!("CARGO_BIN_EXE_orderfeed"), &program).unwrap();
    let as_nobody = |args: &[&str]| {
        let own = fixture.installation.command(args);
        let mut command = Command::new(&program);
        command
            .args(own.get_args())
            .current_dir(fixture.installation.path("."));
        command.env_clear().uid(65_534).gid(65_534);
        let output = command.output().unwrap();
        Ran {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    };
    // First the directory is searchable but not writable, then neither.
    for (mode, status) in [(0o755, "there is no store"), (0o700, "ermission denied")] {
        let closed = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(fixture.installation.path("state"), closed).unwrap();
        let examination = Examination::of(&as_nobody(&["doctor", "--json"]));
        let words = &["state", "cannot be written", "ermission denied"];
        examination.finds("files.directory", "problem", words, &["chown", "SELinux"]);
        let said = as_nobody(&["status"]);
        assert!(
            said.stderr.contains(status) && said.stderr.contains("state"),
            "{said:?}"
        );
        let started = as_nobody(&["run"]);
        assert_eq!(started.code, Some(78), "{started:?}");
        let names_it = started.stderr.contains("ermission denied") && started.stderr.contains("store.path");
        assert!(names_it, "{started:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_that_is_suspended_is_named_with_the_command_that_ends_it() {
    let edge = edge::start().await;
    let mut fixture = ShopFixture::new(&edge.server_url(), 5);
    let daemon = fixture.installation.start();
    let expected = fixture.expected();
    eventually("the history is served", || {
        fixture.is_served(&edge, expected.len())
    });
    fixture
        .installation
        .run(&["indexer:set-status", "suspended", "sales_order_data_exporter_v2"])
        .ok();
    fixture.place();
    eventually("the change is captured", || {
        fixture
            .installation
            .index()
            .is_some_and(|index| index.backlog > 0)
    });
    let status = fixture.installation.run(&["status"]).ok();
    assert!(status.contains("Suspended"), "{status}");
    let examination = examine(&fixture.installation);
    examination.finds(
        "index.status",
        "warning",
        &["suspended", "1 order"],
        &["indexer:set-status valid"],
    );
    assert_eq!(daemon.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_website_that_is_switched_off_is_named_with_its_key() {
    let edge = edge::start().await;
    let fixture = ShopFixture::new(&edge.server_url(), 30);
    let daemon = fixture.installation.start();
    let expected = fixture.expected();
    eventually("the history is served", || {
        fixture.is_served(&edge, expected.len())
    });
    assert_eq!(daemon.stop(), Some(0));
    fixture
        .installation
        .layer("off", "[websites.eu]\nback_office_events = false\n");
    let daemon = fixture.installation.start_and_wait();
    let status = fixture.installation.run(&["status"]).ok();
    assert!(status.contains("switched off or not configured"), "{status}");
    let examination = examine(&fixture.installation);
    let key = &["websites.eu.back_office_events = true"];
    examination.finds("delivery.website", "warning", &["switched off"], key);
    assert_eq!(examination.of_check("delivery.website")[0]["subject"], "eu");
    assert_eq!(examination.of_check("source.websites")[0]["subject"], "eu");
    assert_eq!(daemon.stop(), Some(0));
}
