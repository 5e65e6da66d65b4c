//! A disk that fills up while the daemon is running.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::SOON;
use crate::support::daemon::{eventually, say};
use crate::support::edge;
use crate::support::embedded::ShopFixture;

/// A small file system in memory, unmounted on drop.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path, kib: usize) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={kib}k,mode=700"), "tmpfs"])
            .arg(at)
            .output();
        mounted
            .is_ok_and(|output| output.status.success())
            .then(|| Self(at.to_owned()))
    }

    fn grow(&self, kib: usize) {
        let options = format!("remount,size={kib}k");
        assert!(
            Command::new("mount")
                .args(["-o", &options])
                .arg(&self.0)
                .status()
                .unwrap()
                .success()
        );
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_ends_the_daemon_with_a_clear_error_and_loses_nothing() {
    let edge = edge::start().await;
    let fixture = ShopFixture::new(&edge.server_url(), 1_500);
    let Some(disk) = SmallDisk::mount(&fixture.installation.path("disk"), 900) else {
        say("skipped: a small file system cannot be mounted here (needs root)");
        return;
    };
    fixture.installation.layer(
        "disk",
        "[store]\npath = \"disk/orderfeed.db\"\ndisk_reserve = \"1KiB\"\n[index]\nbatch_size = 50\n",
    );
    let mut daemon = fixture.installation.start();
    let status = daemon.exit_within(SOON * 3);
    let log = fixture.installation.log();
    assert_eq!(status.code(), Some(74), "{log}");
    assert!(
        log.contains("has no space left on its disk") && log.contains("free some space"),
        "{log}"
    );
    assert!(
        log.lines().count() < 40,
        "an orderly end without a busy loop:\n{log}"
    );
    drop(daemon);

    disk.grow(200_000);
    let daemon = fixture.installation.start();
    let expected = fixture.expected();
    let pending = || {
        let store = orderfeed::store::StoreView::open(&fixture.installation.path("disk/orderfeed.db"));
        store.and_then(|mut store| store.read(|reader| reader.pending_events()))
    };
    eventually("everything arrives", || {
        edge.unique_ids() >= expected.len() && pending().is_ok_and(|left| left == 0)
    });
    assert_eq!(daemon.stop(), Some(0));
    edge::assert_holds(&edge, &expected);
    edge::assert_promises(&edge);
}
