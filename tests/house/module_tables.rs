//! Tables of modules, in `docs/ARCHITECTURE.md` and in module headers, name modules that exist, each once.

use std::collections::{BTreeMap, BTreeSet};

use super::tables::{Row, Table, documents, quoted, section, tables};
use super::tree::{module_of, text_files};

/// First cell of the header of a table that lists modules.
const MODULE_TABLES: [&str; 3] = ["module", "file", "crate"];

fn lists_modules(table: &Table) -> bool {
    table
        .header
        .first()
        .is_some_and(|first| MODULE_TABLES.contains(&first.as_str()))
}

#[test]
fn rows_of_module_tables_name_modules_that_exist_once() {
    let files = text_files();
    let (mut wrong, mut count) = (Vec::new(), 0);
    for (name, text) in documents() {
        let Some(bases) = bases_of(&name) else { continue };
        let dependencies = section(&text, "Dependencies");
        let is_dependency = |row: &Row| {
            dependencies
                .lines()
                .nth(row.line - 1)
                .is_some_and(|line| !line.is_empty())
        };
        for table in tables(&text).iter().filter(|table| lists_modules(table)) {
            let mut seen = BTreeSet::new();
            for row in table.rows.iter().filter(|row| !is_dependency(row)) {
                for module in quoted(&row.cells[0]) {
                    count += 1;
                    if !exists(&files, &bases, &module) {
                        wrong.push(format!("{name}:{}: `{module}` does not exist", row.line));
                    }
                    if !seen.insert(module.clone()) {
                        wrong.push(format!("{name}:{}: `{module}` is in the table twice", row.line));
                    }
                }
            }
        }
    }
    assert!(count > 50, "the tables were not found: {count}");
    assert!(
        wrong.is_empty(),
        "correct these tables of modules:\n{}",
        wrong.join("\n")
    );
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

/// Directories to which the names in a file's tables of modules are relative.
fn bases_of(name: &str) -> Option<Vec<String>> {
    if name == "docs/ARCHITECTURE.md" {
        return Some(["", "src/", "crates/"].map(str::to_owned).to_vec());
    }
    let (directory, file) = name.strip_suffix(".rs")?.rsplit_once('/')?;
    match file {
        "mod" => Some(vec![format!("{directory}/")]),
        "lib" => Some(vec![format!("{directory}/"), "crates/".to_owned()]),
        _ => Some(vec![format!("{directory}/{file}/")]),
    }
}

/// True if this is a file, a directory, a module or a crate below one of the bases.
fn exists(files: &BTreeMap<String, String>, bases: &[String], name: &str) -> bool {
    let crate_directory = name.strip_prefix("orderfeed_").unwrap_or(name).replace('_', "-");
    // A pattern exists if the directory before its first `*` does.
    let name = name.split('*').next().unwrap_or_default();
    let path = name.trim_end_matches('/').replace("::", "/");
    let is_there = |path: &str| {
        let directory = format!("{path}/");
        let after = files.range(directory.clone()..).next();
        files.contains_key(path)
            || files.contains_key(&format!("{path}.rs"))
            || after.is_some_and(|(file, _)| file.starts_with(&directory))
    };
    bases.iter().any(|base| {
        is_there(&format!("{base}{path}"))
            || (base == "crates/" && is_there(&format!("{base}{crate_directory}")))
    })
}

#[test]
fn a_name_in_a_table_is_a_module_a_file_a_directory_or_a_crate() {
    let names = [
        "src/store/mod.rs",
        "src/store/meta.rs",
        "crates/demo-shop/src/lib.rs",
    ];
    let files: BTreeMap<String, String> = names
        .iter()
        .map(|name| (name.to_string(), String::new()))
        .collect();
    let bases = bases_of("src/store/mod.rs").unwrap();
    assert!(exists(&files, &bases, "meta") && !exists(&files, &bases, "met"));
    let bases = bases_of("src/lib.rs").unwrap();
    assert!(exists(&files, &bases, "store") && exists(&files, &bases, "store::meta"));
    assert!(exists(&files, &bases, "orderfeed_demo_shop") && !exists(&files, &bases, "orderfeed_shop"));
    let bases = bases_of("docs/ARCHITECTURE.md").unwrap();
    assert!(exists(&files, &bases, "store/") && exists(&files, &bases, "crates/demo-shop"));
    assert!(bases_of("README.md").is_none());
}
