//! `docs/ARCHITECTURE.md` names and draws the modules that exist.

use std::collections::{BTreeMap, BTreeSet};

use super::tables::{Table, quoted, section, tables};
use super::tree::{module_of, text_files};

/// First cell of the header of a table that lists modules.
const MODULE_TABLES: [&str; 4] = ["module", "file", "crate", "room"];

fn lists_modules(table: &Table) -> bool {
    table
        .header
        .first()
        .is_some_and(|first| MODULE_TABLES.contains(&first.as_str()))
}

/// The cells behind a directory's name explain it; the modules that they name are below that directory.
#[test]
fn the_architecture_names_modules_where_they_are() {
    let files = text_files();
    let page = &files["docs/ARCHITECTURE.md"];
    let mut wrong = Vec::new();
    for row in tables(page)
        .iter()
        .filter(|t| lists_modules(t))
        .flat_map(|t| &t.rows)
    {
        let directories: Vec<String> = quoted(&row.cells[0])
            .iter()
            .filter_map(|name| Some(format!("/{}/", name.strip_suffix('/')?)))
            .collect();
        let explained = row.cells[1..].iter().flat_map(|cell| quoted(cell));
        for module in explained.filter(|_| !directories.is_empty()) {
            let name = module.trim_end_matches('/').replace("::", "/");
            let is_module = name.chars().all(|c| c.is_ascii_lowercase() || "_/".contains(c));
            let (file, directory) = (format!("/{name}.rs"), format!("/{name}/"));
            let is_there = |path: &str| {
                let below = directories
                    .iter()
                    .find_map(|d| Some(&path[path.find(d.as_str())? + d.len() - 1..]));
                below.is_some_and(|rest| rest.ends_with(&file) || rest.contains(&directory))
            };
            if is_module && !files.keys().any(|path| is_there(&format!("/{path}"))) {
                wrong.push(format!("line {}: `{module}`", row.line));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "docs/ARCHITECTURE.md names modules that do not exist in this directory:\n{}",
        wrong.join("\n")
    );
}

/// The folders drawn in the documentation and those of the code, both ways. A folder with only one file beside
/// its `mod.rs` need not be drawn.
#[test]
fn the_architecture_draws_the_folders_of_the_code() {
    let files = text_files();
    let drawn = drawn_folders(&section(&files["docs/ARCHITECTURE.md"], "Modules"));
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for file in files
        .keys()
        .filter(|file| module_of(file).is_some() || *file == "src/main.rs")
    {
        let (folder, name) = file.rsplit_once('/').expect("a module is in a folder");
        let is_test = name == "tests.rs" || folder.split('/').any(|part| part == "tests");
        let folder = folder.trim_end_matches("/src").replace("/src/", "/");
        *found.entry(folder).or_default() += usize::from(!is_test);
    }
    let missing: Vec<_> = found
        .iter()
        .filter(|(folder, count)| **count > 2 && !drawn.contains(*folder))
        .map(|(folder, _)| folder)
        .collect();
    let stale: Vec<_> = drawn
        .iter()
        .filter(|folder| *folder != "crates" && !found.contains_key(*folder))
        .collect();
    assert!(
        missing.is_empty() && stale.is_empty(),
        "docs/ARCHITECTURE.md, Modules: draw {missing:?}; remove {stale:?}"
    );
}

/// Folders in the code blocks of a page: a line each, two spaces deeper than the folder around it.
fn drawn_folders(page: &str) -> BTreeSet<String> {
    let (mut found, mut path) = (BTreeSet::new(), Vec::new());
    for line in page.split("```").skip(1).step_by(2).flat_map(str::lines) {
        let depth = line.bytes().take_while(|&b| b == b' ').count() / 2;
        let Some(name) = line
            .split_whitespace()
            .next()
            .and_then(|word| word.strip_suffix('/'))
        else {
            continue;
        };
        path.truncate(depth);
        path.push(name);
        found.insert(path.join("/"));
    }
    found
}

#[test]
fn drawn_folders_have_their_path() {
    let page = "```\nsrc/   all\n  store/  tables/\n    outbox/\n  ops/\n```\nx/\n```\n  ┌─ a\n```\n";
    let found: Vec<String> = drawn_folders(page).into_iter().collect();
    assert_eq!(found, ["src", "src/ops", "src/store", "src/store/outbox"]);
}
