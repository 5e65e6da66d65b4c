//! Checks the shipped rules and dashboard with Prometheus's own tool. Without it, these tests print a note and pass;
//! `tests/run` fetches it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::daemon::say;
use crate::support::golden;

/// Returns `$PROMTOOL`, the promtool fetched by `tests/run`, or that of the system.
fn promtool() -> Option<PathBuf> {
    let ours = [
        std::env::var_os("PROMTOOL").map(PathBuf::from),
        Some(golden::file("tests/.tools/promtool")),
        Some(PathBuf::from("promtool")),
    ];
    let works = |tool: &PathBuf| Command::new(tool).arg("--version").output().is_ok();
    let found = ours.into_iter().flatten().find(works);
    if found.is_none() {
        say("skipped: there is no promtool; tests/run fetches it, or set PROMTOOL");
    }
    found
}

/// Asserts that promtool accepts `input`.
#[track_caller]
pub fn content(args: &[&str], input: &str) {
    let Some(tool) = promtool() else {
        return;
    };
    let mut child = Command::new(tool)
        .args(args)
        .current_dir(golden::file(""))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "promtool {args:?}:\n{said}");
    assert!(!said.contains("FAILED"), "{said}");
}

#[test]
fn the_rules_are_sound_and_fire_when_they_should() {
    content(&["check", "rules", "contrib/prometheus/orderfeed.rules.yml"], "");
    content(
        &["test", "rules", "contrib/prometheus/orderfeed.rules.test.yml"],
        "",
    );
}

#[test]
fn every_query_of_the_dashboard_is_valid() {
    let text = std::fs::read_to_string(golden::file("contrib/grafana/orderfeed.json")).unwrap();
    let board: Value = serde_json::from_str(&text).unwrap();
    let mut rules = "groups:\n  - name: dashboard\n    rules:\n".to_owned();
    let panels = board["panels"].as_array().unwrap();
    for panel in panels {
        for target in panel["targets"].as_array().unwrap() {
            let query = target["expr"].as_str().unwrap().replace("$__rate_interval", "5m");
            rules += &format!(
                "      - record: orderfeed:query{}\n        expr: {}\n",
                rules.matches("record").count(),
                Value::from(query)
            );
        }
    }
    assert!(rules.matches("record").count() > 20);
    let dir = tempfile::tempdir().unwrap();
    let place: &Path = &dir.path().join("dashboard.yml");
    std::fs::write(place, rules).unwrap();
    content(&["check", "rules", place.to_str().unwrap()], "");
}
