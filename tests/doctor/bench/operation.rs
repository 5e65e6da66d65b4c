//! Faults of an installation that works, and that end with their cause.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::{Fault, is_well};
use crate::support::daemon::eventually;
use crate::support::edge;
use crate::support::embedded::ShopFixture;

/// Faults of an installation that works, one after the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_in_operation_is_the_first_line_and_ends_with_its_cause() {
    let edge = edge::start().await;
    let mut fixture = ShopFixture::new(&edge.server_url(), 20);
    let daemon = fixture.installation.start();
    let expected = fixture.expected();
    eventually("the history is served", || {
        fixture.is_served(&edge, expected.len())
    });
    is_well(&fixture.installation);
    let run = |args: &[&str]| fixture.installation.run(args).ok();
    run(&["delivery", "pause", "--website", "base"]);
    let paused = Fault {
        check: "delivery.sender base",
        cause: &["paused by an operator"],
        remedy: &["delivery resume --website base"],
        status: &["Warning", "base: delivery was paused"],
    };
    paused.is_named_by(&fixture.installation);
    run(&["delivery", "resume", "--website", "base"]);
    run(&["indexer:set-status", "suspended"]);
    let suspended = Fault {
        check: "index.status",
        cause: &["the index is suspended by "],
        remedy: &["indexer:set-status valid"],
        status: &["Warning", "the index is suspended by "],
    };
    suspended.is_named_by(&fixture.installation);
    let log = fixture.installation.log();
    assert!(log.contains("An operator set the status of the index"), "{log}");
    run(&["indexer:set-status", "valid"]);
    let store = fixture.installation.path("orderfeed.db");
    set_mode(&store, 0o644);
    let readable = Fault {
        check: "files.store",
        cause: &["orderfeed.db"],
        remedy: &["chmod 600"],
        status: &[],
    };
    readable.is_named_by(&fixture.installation);
    set_mode(&store, 0o600);
    is_well(&fixture.installation);
    a_lock_is_named(&mut fixture);
    assert_eq!(daemon.stop(), Some(0));
    let stopped = Fault {
        check: "daemon.running",
        cause: &["no daemon is running"],
        remedy: &["systemctl start orderfeed"],
        status: &["PROBLEM", "no daemon is running"],
    };
    stopped.is_named_by(&fixture.installation);
    fixture
        .installation
        .layer("fault", "[websites.eu]\nback_office_events = false\n");
    let daemon = fixture.installation.start_and_wait();
    let off = Fault {
        check: "delivery.website eu",
        cause: &["switched off"],
        remedy: &["websites.eu.back_office_events = true"],
        status: &["Warning", "eu: its back-office events are switched off"],
    };
    off.is_named_by(&fixture.installation);
    assert_eq!(daemon.stop(), Some(0));
}

fn a_lock_is_named(fixture: &mut ShopFixture) {
    let other = rusqlite::Connection::open(fixture.installation.path("orderfeed.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let pid = std::process::id();
    let locked = Fault {
        check: "store.locked",
        cause: &[&format!("process {pid}")],
        remedy: &[&format!("kill {pid}")],
        status: &[],
    };
    locked.is_named_by(&fixture.installation);
    other.execute_batch("ROLLBACK").unwrap();
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}
