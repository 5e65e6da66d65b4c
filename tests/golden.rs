//! Golden files of the program's descriptions of itself: the help of every command, and the page of all keys.
//!
//! The metrics and the JSON shapes are snapshots beside their code (`src/daemon/metrics`, `src/cli`).

use std::collections::BTreeMap;
use std::process::Command;

use crate::support::golden;

#[test]
fn the_help_of_every_command_matches_its_golden_file() {
    let mut pages = BTreeMap::new();
    collect(&[], &mut pages);
    assert!(
        pages.len() > 30,
        "the commands were not found: {:?}",
        pages.keys()
    );
    golden::assert_holds_all("tests/golden/help", &pages);
}

#[test]
fn the_help_of_every_command_has_an_example() {
    let mut pages = BTreeMap::new();
    collect(&[], &mut pages);
    let silent: Vec<_> = pages
        .iter()
        .filter(|(_, page)| !page.contains("\nCommands:\n") && !page.contains("Example"))
        .map(|(name, _)| name)
        .collect();
    assert!(silent.is_empty(), "without an example: {silent:?}");
}

#[test]
fn the_page_of_keys_matches_the_documentation() {
    let dir = tempfile::tempdir().unwrap();
    let status = program().arg("manual").arg(dir.path()).status().unwrap();
    assert!(status.success());
    let page = std::fs::read_to_string(dir.path().join("CONFIGURATION.md")).unwrap();
    golden::assert_holds("docs/CONFIGURATION.md", &page);
}

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orderfeed"));
    command.env_remove("ORDERFEED_CONFIG").env("NO_COLOR", "1");
    command
}

/// Collects the help of a command and its subcommands, by the words of the command.
fn collect(words: &[String], pages: &mut BTreeMap<String, String>) {
    let output = program().args(words).arg("--help").output().unwrap();
    assert!(output.status.success(), "{words:?}");
    let page = String::from_utf8(output.stdout).unwrap();
    for below in commands(&page) {
        collect(&[words, &[below]].concat(), pages);
    }
    let name = [&["orderfeed".to_owned()], words].concat().join(" ");
    pages.insert(name.replace(' ', "-").replace(':', "_") + ".txt", page);
}

/// Returns the names under "Commands:", which are indented by two spaces.
fn commands(page: &str) -> Vec<String> {
    let listed = page.lines().skip_while(|line| *line != "Commands:").skip(1);
    let listed = listed.take_while(|line| !line.is_empty());
    let named = listed.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    named
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}
