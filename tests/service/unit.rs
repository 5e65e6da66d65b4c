//! The systemd units, that of a single shop and the template for several, are valid and sandboxed.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

/// Highest exposure that `systemd-analyze security` may find, in tenths.
const EXPOSURE: &str = "12";

const SINGLE: &str = include_str!("../../systemd/orderfeed.service");
const OF_SHOPS: &str = include_str!("../../systemd/orderfeed@.service");
/// Each unit with a name under which systemd may run it.
const UNITS: [(&str, &str); 2] = [
    ("orderfeed.service", SINGLE),
    ("orderfeed@shop-1.example.com.service", OF_SHOPS),
];

/// Runs `systemd-analyze` on a copy of a unit whose program exists. Returns `None` without systemd.
fn analyze((name, unit): (&str, &str), args: &[&str]) -> Option<Output> {
    let dir = tempfile::tempdir().unwrap();
    let unit = unit.replace("/usr/bin/orderfeed", env!("CARGO_BIN_EXE_orderfeed"));
    let path = dir.path().join(name);
    std::fs::write(&path, unit).unwrap();
    if let Some((template, _)) = name.split_once('@') {
        let drop_ins = dir.path().join(format!("{template}@.service.d"));
        std::fs::create_dir(&drop_ins).unwrap();
        let credentials = include_str!("../../systemd/drop-ins/shop-credentials.conf");
        std::fs::write(drop_ins.join("credentials.conf"), credentials).unwrap();
    }
    let ran = Command::new("systemd-analyze").args(args).arg(&path).output();
    if ran.is_err() {
        // A test cannot be skipped at run time, so print a note.
        let note = "systemd-analyze is not installed: the unit was not checked\n";
        std::io::Write::write_all(&mut std::io::stderr(), note.as_bytes()).unwrap();
    }
    ran.ok()
}

#[test]
fn systemd_understands_every_line_of_the_units() {
    for unit in UNITS {
        let Some(verified) = analyze(unit, &["verify", "--man=no"]) else {
            return;
        };
        let said = String::from_utf8_lossy(&verified.stderr);
        assert!(verified.status.success() && said.is_empty(), "{}: {said}", unit.0);
    }
}

#[test]
fn the_units_are_confined() {
    let threshold = format!("--threshold={EXPOSURE}");
    for unit in UNITS {
        let Some(judged) = analyze(unit, &["security", "--offline=true", "--no-pager", &threshold]) else {
            return;
        };
        let said = String::from_utf8_lossy(&judged.stdout);
        assert!(
            judged.status.success(),
            "{} is more exposed than {EXPOSURE} tenths:\n{said}",
            unit.0
        );
    }
}

#[test]
fn a_shop_has_the_settings_of_a_single_one_except_for_names_and_its_own_files() {
    let settings = |unit: &'static str| {
        let lines = unit
            .lines()
            .filter(|line| line.contains('=') && !line.starts_with('#'));
        lines.collect::<BTreeSet<_>>()
    };
    let (single, of_shops) = (settings(SINGLE), settings(OF_SHOPS));
    let own: Vec<_> = of_shops.difference(&single).collect();
    // Each of these names the instance, or hides the files of the others.
    for line in &own {
        assert!(
            line.contains("%i") || **line == "TemporaryFileSystem=/var/lib/orderfeed:ro",
            "{line}"
        );
    }
    let names = |lines: Vec<&&'static str>| {
        let names = lines.into_iter().filter_map(|line| Some(line.split_once('=')?.0));
        names.collect::<BTreeSet<_>>()
    };
    let missing: Vec<_> = single.difference(&of_shops).collect();
    assert!(
        names(missing).is_subset(&names(own)),
        "a setting of the single unit is missing"
    );
}

#[test]
fn a_hang_ends_the_daemon_without_a_core_dump_and_restarts_it() {
    let unit = SINGLE;
    for line in ["LimitCORE=0", "WatchdogSignal=SIGKILL", "Restart=on-failure"] {
        assert!(unit.lines().any(|found| found == line), "{line}");
    }
}

#[test]
fn the_unit_restarts_neither_usage_nor_permission_nor_configuration_errors() {
    assert!(SINGLE.contains("\nRestartPreventExitStatus=2 77 78\n"));
    for name in [
        "credentials.conf",
        "addresses.conf",
        "notify-reload.conf",
        "shop-credentials.conf",
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("systemd/drop-ins")
            .join(name);
        assert!(
            std::fs::read_to_string(path).unwrap().contains("[Service]"),
            "{name}"
        );
    }
}
