//! The rules of the house, one test each.

use std::collections::{BTreeMap, BTreeSet};

use super::graph::{Graph, room_of};
use super::parse::tokens;
use super::tree::{modules, root, rust_files, text_files};

/// Which rooms a room may use. Whoever adds a line changes the drawing in `docs/ARCHITECTURE.md` as well.
const MAY_USE: [(&str, &[&str]); 15] = [
    ("crate", &[]),
    ("clock", &[]),
    ("config", &["clock"]),
    ("commerce", &["clock"]),
    ("events", &["clock", "commerce"]),
    ("store", &["clock", "commerce"]),
    ("first_sync", &["clock", "config", "store"]),
    ("ops", &["clock", "config", "events", "first_sync", "store"]),
    (
        "indexer",
        &[
            "clock",
            "config",
            "commerce",
            "events",
            "store",
            "ops",
            "first_sync",
        ],
    ),
    ("delivery", &["clock", "config", "events", "store", "ops"]),
    (
        "daemon",
        &[
            "clock",
            "config",
            "commerce",
            "events",
            "store",
            "ops",
            "first_sync",
            "indexer",
            "delivery",
        ],
    ),
    (
        "doctor",
        &[
            "clock", "config", "commerce", "store", "ops", "delivery", "daemon",
        ],
    ),
    ("emulator", &["clock"]),
    ("demo", &["clock"]),
    (
        "cli",
        &[
            "doctor",
            "clock",
            "config",
            "commerce",
            "events",
            "store",
            "ops",
            "first_sync",
            "indexer",
            "delivery",
            "daemon",
            "emulator",
            "demo",
        ],
    ),
];

/// Modules that know neither a database nor a network, nor use one that does.
const PURE: [&str; 2] = ["crate::events", "crate::commerce::order"];
const IMPURE: [&str; 6] = [
    "rusqlite",
    "reqwest",
    "hyper",
    "hyper_util",
    "tokio",
    "mysql_async",
];

const MOST_LINES: usize = 400;
/// Longer files: the most lines they may have, and why they are one.
const LONGER: [(&str, usize, &str); 3] = [
    (
        "src/commerce/mysql/round.rs",
        420,
        "one round of polling from beginning to end",
    ),
    ("src/commerce/sqlite/mod.rs", 420, "all of a small source"),
    (
        "src/indexer/tests/mod.rs",
        420,
        "one source in memory for all promises of the indexer",
    ),
];

#[test]
fn no_file_depends_on_itself_in_a_circle() {
    let graph = Graph::of(&modules());
    assert!(graph.edges().count() > 100, "the modules were not found");
    let cycles: Vec<String> = graph.cycles().iter().map(|cycle| cycle.join(" → ")).collect();
    assert!(
        cycles.is_empty(),
        "these files depend on themselves:\n{}",
        cycles.join("\n")
    );
}

#[test]
fn no_room_depends_on_itself_in_a_circle() {
    let rooms = Graph::of(&modules()).rooms();
    let cycles: Vec<String> = rooms.cycles().iter().map(|cycle| cycle.join(" → ")).collect();
    assert!(
        cycles.is_empty(),
        "these rooms depend on themselves:\n{}",
        cycles.join("\n")
    );
}

#[test]
fn rooms_use_only_the_rooms_below_them() {
    let allowed = BTreeMap::from(MAY_USE);
    let mut wrong = Vec::new();
    for (module, uses) in Graph::of(&modules()).edges() {
        let room = room_of(module);
        let may_use = allowed
            .get(room)
            .unwrap_or_else(|| panic!("the room {room} has no line in MAY_USE"));
        let others = uses
            .iter()
            .filter(|used| room_of(used) != room && !may_use.contains(&room_of(used)));
        wrong.extend(others.map(|used| format!("{module} → {used}")));
    }
    assert!(wrong.is_empty(), "these go up or across:\n{}", wrong.join("\n"));
}

#[test]
fn events_and_orders_know_no_database_and_no_network() {
    let texts = modules();
    let graph = Graph::of(&texts);
    let is_pure = |module: &str| {
        PURE.iter()
            .any(|p| module == *p || module.starts_with(&format!("{p}::")))
    };
    let reached = graph.reachable(is_pure);
    assert!(reached.len() > 10, "the modules were not found");
    for module in reached {
        let tokens = tokens(&texts[module]);
        let impure = tokens.iter().find(|token| IMPURE.contains(&token.as_str()));
        assert_eq!(impure, None, "{module} is pure or used by a pure module");
    }
}

#[test]
fn files_are_short() {
    let too_long = |(name, text): (String, String)| {
        let exception = LONGER.iter().find(|(longer, ..)| *longer == name);
        let most = exception.map_or(MOST_LINES, |(_, most, _)| *most);
        let lines = text.lines().count();
        (lines > most).then(|| format!("{name}: {lines} lines, at most {most}"))
    };
    let wrong: Vec<String> = rust_files(&["src/", "tests/"])
        .into_iter()
        .filter_map(too_long)
        .collect();
    assert!(wrong.is_empty(), "split these by question:\n{}", wrong.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for() {
    let files = rust_files(&["src/", "tests/"]).into_iter();
    let silent: Vec<String> = files
        .filter(|(_, text)| !text.starts_with("//! "))
        .map(|(name, _)| name)
        .collect();
    assert!(
        silent.is_empty(),
        "these do not begin with //! and their purpose:\n{}",
        silent.join("\n")
    );
}

#[test]
fn nothing_is_left_to_do_in_the_text() {
    // Put together here, so that this file does not find itself.
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:")];
    let wrong = files_with(&marks);
    assert!(wrong.is_empty(), "do it, or open an issue:\n{}", wrong.join("\n"));
}

#[test]
fn no_text_names_a_path_of_somebodys_machine() {
    let here = format!("{}/", root().display());
    let wrong = files_with(&[
        &here,
        concat!("/ho", "me/"),
        concat!("/Us", "ers/"),
        concat!("/ro", "ot/"),
    ]);
    assert!(
        wrong.is_empty(),
        "these work on one machine only:\n{}",
        wrong.join("\n")
    );
}

fn files_with(words: &[&str]) -> Vec<String> {
    let found = |text: &str| words.iter().find(|word| text.contains(**word)).copied();
    let files = text_files().into_iter();
    files
        .filter_map(|(name, text)| Some(format!("{name}: {}", found(&text)?)))
        .collect()
}

#[test]
fn every_dependency_is_used_and_has_a_line_that_says_why() {
    let files = text_files();
    let (manifest, drawing) = (&files["Cargo.toml"], &files["docs/ARCHITECTURE.md"]);
    let section = manifest
        .split("\n[")
        .find(|part| part.starts_with("dependencies]"));
    let names = section
        .unwrap_or_default()
        .lines()
        .filter_map(|line| Some(line.split_once(" = ")?.0));
    let words: BTreeSet<String> = rust_files(&["src/"])
        .values()
        .flat_map(|text| tokens(text))
        .collect();
    let wrong: Vec<&str> = names
        .filter(|name| !drawing.contains(&format!("`{name}`")) || !words.contains(&name.replace('-', "_")))
        .collect();
    assert!(
        wrong.is_empty(),
        "not used, or without a line in docs/ARCHITECTURE.md: {wrong:?}"
    );
}
