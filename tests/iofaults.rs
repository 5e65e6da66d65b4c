//! Writes and syncs of the store that fail below SQLite, from the n-th one on: the daemon ends with a clear error,
//! and continues where it was once the disk works again. `ORDERFEED_IO_FAULTS` sets the number of faults.

use std::time::Duration;

use crate::support::daemon::eventually;
use crate::support::disk;
use crate::support::edge;
use crate::support::embedded::ShopFixture;

/// The exit code for a failed disk (sysexits: EX_IOERR).
const IO_ERROR: Option<i32> = Some(74);
const FOR_EVER: u64 = 1 << 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_disk_ends_the_daemon_with_a_clear_error_and_loses_nothing() {
    let edge = edge::start().await;
    let mut fixture = ShopFixture::new(&edge.server_url(), 200);
    fixture.installation.layer("small", "[index]\nbatch_size = 10\n");
    let rounds = std::env::var("ORDERFEED_IO_FAULTS")
        .ok()
        .and_then(|number| number.parse().ok())
        .unwrap_or(8);
    let mut dice = fastrand::Rng::with_seed(3);
    for round in 0..rounds {
        let kind = ["eio", "enospc", "short", "fsync"][round % 4];
        // Some fail while the store is created, others during operation; either once or for good.
        let first = if round < 4 {
            dice.u64(1..60)
        } else {
            dice.u64(60..900)
        };
        let first = if kind == "fsync" { first / 8 + 1 } else { first };
        let times = if dice.bool() { 1 } else { FOR_EVER };
        let before = fixture.installation.log().len();
        let mut daemon = fixture.installation.start_with(|command| {
            command
                .env("LD_PRELOAD", disk::library())
                .env("ORDERFEED_DISK_FAULT", format!("{kind}:{first}:{times}"));
        });
        for _ in 0..6 {
            fixture.act();
            std::thread::sleep(Duration::from_millis(100));
        }
        // A single failure may hit an operation that is retried. The daemon then continues.
        if daemon.is_running() && times == 1 {
            daemon.kill();
            continue;
        }
        let status = daemon.exit_within(Duration::from_secs(60));
        let log = fixture.installation.log();
        let reported = &log[before..];
        assert!(
            matches!(status.code(), Some(74 | 78)),
            "{kind} from {first}, {times} times: {status}, {reported}"
        );
        assert!(
            reported.contains("the store")
                && (reported.contains("check the disk") || reported.contains("free some space")),
            "{kind} from {first}: {reported}"
        );
        assert!(
            status.code() == IO_ERROR || first < 60,
            "only a start is refused as unusable: {reported}"
        );
    }
    let daemon = fixture.installation.start();
    // A new order, whose delivery proves that the daemon has started before it is stopped.
    fixture.place();
    let expected = fixture.expected();
    eventually("everything arrives", || fixture.is_served(&edge, expected.len()));
    assert_eq!(daemon.stop(), Some(0));
    edge::assert_holds(&edge, &expected);
    edge::assert_promises(&edge);
}
