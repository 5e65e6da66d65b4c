//! The rules of the house, one test each.

use std::collections::BTreeMap;

use super::graph::{Graph, room_of};
use super::parse::tokens;
use super::tree::{modules, root, rust_files, text_files};

/// Which rooms a room may use. Whoever adds a line changes the drawing in `docs/ARCHITECTURE.md` as well.
const MAY_USE: [(&str, &[&str]); 13] = [
    ("crate", &[]),
    ("clock", &[]),
    ("config", &["clock"]),
    ("commerce", &["clock", "config"]),
    ("events", &["clock", "commerce"]),
    ("store", &["clock", "config", "commerce"]),
    ("ops", &["clock", "config", "store"]),
    ("indexer", &["clock", "config", "commerce", "events", "store", "ops"]),
    ("delivery", &["clock", "config", "events", "store", "ops"]),
    ("daemon", &["clock", "config", "commerce", "events", "store", "ops", "indexer", "delivery"]),
    ("emulator", &["clock"]),
    ("demo", &["clock"]),
    (
        "cli",
        &[
            "clock", "config", "commerce", "events", "store", "ops", "indexer", "delivery", "daemon", "emulator", "demo",
        ],
    ),
];

/// Modules that know neither a database nor a network, nor use one that does.
const PURE: [&str; 2] = ["crate::events", "crate::commerce::order"];
const IMPURE: [&str; 6] = ["rusqlite", "reqwest", "hyper", "hyper_util", "tokio", "mysql_async"];

const MOST_LINES: usize = 400;
/// Longer files: the most lines they may have, and why they are one.
const LONGER: [(&str, usize, &str); 0] = [];

#[test]
fn no_file_depends_on_itself_in_a_circle() {
    let graph = Graph::of(&modules());
    assert!(graph.edges().count() > 100, "the modules were not found");
    let cycles: Vec<String> = graph.cycles().iter().map(|cycle| cycle.join(" → ")).collect();
    assert!(cycles.is_empty(), "these files depend on themselves:\n{}", cycles.join("\n"));
}

#[test]
fn no_room_depends_on_itself_in_a_circle() {
    let rooms = Graph::of(&modules()).rooms();
    let cycles: Vec<String> = rooms.cycles().iter().map(|cycle| cycle.join(" → ")).collect();
    assert!(cycles.is_empty(), "these rooms depend on themselves:\n{}", cycles.join("\n"));
}

#[test]
fn rooms_use_only_the_rooms_below_them() {
    let allowed = BTreeMap::from(MAY_USE);
    let mut wrong = Vec::new();
    for (module, uses) in Graph::of(&modules()).edges() {
        let room = room_of(module);
        let may_use = allowed.get(room).unwrap_or_else(|| panic!("the room {room} has no line in MAY_USE"));
        let others = uses.iter().filter(|used| room_of(used) != room && !may_use.contains(&room_of(used)));
        wrong.extend(others.map(|used| format!("{module} → {used}")));
    }
    assert!(wrong.is_empty(), "these go up or across:\n{}", wrong.join("\n"));
}

#[test]
fn events_and_orders_know_no_database_and_no_network() {
    let texts = modules();
    let graph = Graph::of(&texts);
    let is_pure = |module: &str| PURE.iter().any(|p| module == *p || module.starts_with(&format!("{p}::")));
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
    for (name, text) in rust_files(&["src/", "tests/"]) {
        let exception = LONGER.iter().find(|(longer, ..)| *longer == name);
        let most = exception.map_or(MOST_LINES, |(_, most, _)| *most);
        let lines = text.lines().count();
        assert!(lines <= most, "{name} has {lines} lines, at most {most}: split it by question");
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    for (name, text) in rust_files(&["src/", "tests/"]) {
        assert!(text.starts_with("//! "), "{name} does not begin with //! and its purpose");
    }
}

#[test]
fn nothing_is_left_to_do_in_the_text() {
    // Put together here, so that this file does not find itself.
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:")];
    for (name, text) in text_files() {
        let found = marks.iter().find(|mark| text.contains(**mark));
        assert_eq!(found, None, "{name}: do it, or open an issue");
    }
}

#[test]
fn no_text_names_a_path_of_somebodys_machine() {
    let here = format!("{}/", root().display());
    let homes = [concat!("/ho", "me/"), concat!("/Us", "ers/"), concat!("/ro", "ot/")];
    for (name, text) in text_files() {
        let found = homes.iter().copied().chain([here.as_str()]).find(|path| text.contains(path));
        assert_eq!(found, None, "{name}");
    }
}
