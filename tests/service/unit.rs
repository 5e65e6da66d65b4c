//! The systemd unit is valid and sandboxed.

use std::path::Path;
use std::process::{Command, Output};

/// Highest exposure that `systemd-analyze security` may find, in tenths.
const EXPOSURE: &str = "12";

/// Runs `systemd-analyze` on a copy of the unit whose program exists. Returns `None` without systemd.
fn analyze(args: &[&str]) -> Option<Output> {
    let dir = tempfile::tempdir().unwrap();
    let unit = include_str!("../../systemd/orderfeed.service");
    let unit = unit.replace("/usr/bin/orderfeed", env!("CARGO_BIN_EXE_orderfeed"));
    let path = dir.path().join("orderfeed.service");
    std::fs::write(&path, unit).unwrap();
    let ran = Command::new("systemd-analyze").args(args).arg(&path).output();
    if ran.is_err() {
        // A test cannot be skipped at run time, so print a note.
        let note = "systemd-analyze is not installed: the unit was not checked\n";
        std::io::Write::write_all(&mut std::io::stderr(), note.as_bytes()).unwrap();
    }
    ran.ok()
}

#[test]
fn systemd_understands_every_line_of_the_unit() {
    let Some(verified) = analyze(&["verify", "--man=no"]) else {
        return;
    };
    let said = String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success() && said.is_empty(), "{said}");
}

#[test]
fn the_unit_is_confined() {
    let threshold = format!("--threshold={EXPOSURE}");
    let Some(judged) = analyze(&["security", "--offline=true", "--no-pager", &threshold]) else {
        return;
    };
    let said = String::from_utf8_lossy(&judged.stdout);
    assert!(
        judged.status.success(),
        "more exposed than {EXPOSURE} tenths:\n{said}"
    );
}

#[test]
fn a_hang_ends_the_daemon_without_a_core_dump_and_restarts_it() {
    let unit = include_str!("../../systemd/orderfeed.service");
    for line in ["LimitCORE=0", "WatchdogSignal=SIGKILL", "Restart=on-failure"] {
        assert!(unit.lines().any(|found| found == line), "{line}");
    }
}

#[test]
fn the_unit_restarts_neither_usage_nor_permission_nor_configuration_errors() {
    let unit = include_str!("../../systemd/orderfeed.service");
    assert!(unit.contains("\nRestartPreventExitStatus=2 77 78\n"));
    for name in ["credentials.conf", "addresses.conf", "notify-reload.conf"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("systemd/drop-ins")
            .join(name);
        assert!(
            std::fs::read_to_string(path).unwrap().contains("[Service]"),
            "{name}"
        );
    }
}
