//! Dependencies: each is used by the crate that names it, and has one row in `docs/ARCHITECTURE.md`.

use std::collections::{BTreeMap, BTreeSet};

use super::parse::tokens;
use super::tables::{quoted, section, tables};
use super::tree::text_files;

/// A crate of the workspace.
struct Member {
    /// Directory of its manifest, with a trailing slash; empty for the root.
    directory: String,
    /// Names of the dependencies of its library and programs.
    normal: Vec<String>,
    /// Names of all dependencies, of tests and build scripts as well.
    all: Vec<String>,
}

#[test]
fn every_dependency_is_used() {
    let files = text_files();
    let mut unused = Vec::new();
    for member in members(&files) {
        let directory = &member.directory;
        let words_below = |parts: &[&str]| -> BTreeSet<String> {
            let folders: Vec<String> = parts.iter().map(|part| format!("{directory}{part}")).collect();
            let is_code = |name: &str| {
                // The fuzz targets include the checks in `tests/fuzz`.
                let is_fuzzed = directory == "fuzz/" && name.starts_with("tests/fuzz/");
                name.ends_with(".rs") && (is_fuzzed || folders.iter().any(|folder| name.starts_with(folder)))
            };
            let code = files.iter().filter(|(name, _)| is_code(name));
            code.flat_map(|(_, text)| first_words(&tokens(text))).collect()
        };
        let in_code = words_below(&["src/", "fuzz_targets/"]);
        let anywhere = words_below(&[
            "src/",
            "fuzz_targets/",
            "tests/",
            "benches/",
            "examples/",
            "build.rs",
        ]);
        for name in &member.all {
            let words = match member.normal.contains(name) {
                true => &in_code,
                false => &anywhere,
            };
            if !words.contains(&name.replace('-', "_")) {
                unused.push(format!("{directory}Cargo.toml: {name}"));
            }
        }
    }
    assert!(
        unused.is_empty(),
        "remove these dependencies, nothing uses them:\n{}",
        unused.join("\n")
    );
}

#[test]
fn a_version_shared_by_the_workspace_is_used_by_a_crate() {
    let files = text_files();
    let used: BTreeSet<String> = members(&files)
        .into_iter()
        .flat_map(|member| member.all)
        .collect();
    let shared = table_at(&manifest(&files["Cargo.toml"]), &["workspace", "dependencies"]);
    let unused: Vec<&String> = shared.keys().filter(|name| !used.contains(*name)).collect();
    assert!(
        unused.is_empty(),
        "remove these from [workspace.dependencies]: {unused:?}"
    );
}

#[test]
fn the_documentation_has_one_row_for_each_dependency() {
    let files = text_files();
    let page = section(&files["docs/ARCHITECTURE.md"], "Dependencies");
    let listed: Vec<String> = tables(&page)
        .iter()
        .flat_map(|table| &table.rows)
        .flat_map(|row| quoted(&row.cells[0]))
        .collect();
    let unique: BTreeSet<String> = listed.iter().cloned().collect();
    assert_eq!(
        listed.len(),
        unique.len(),
        "a crate is listed twice under Dependencies"
    );
    let used: BTreeSet<String> = members(&files)
        .into_iter()
        .flat_map(|member| member.all)
        .filter(|name| name != "orderfeed" && !name.starts_with("orderfeed-"))
        .collect();
    let missing: Vec<_> = used.difference(&unique).collect();
    let stale: Vec<_> = unique.difference(&used).collect();
    assert!(
        missing.is_empty() && stale.is_empty(),
        "docs/ARCHITECTURE.md, Dependencies: add a row with the reason for {missing:?}; remove {stale:?}, no crate \
         depends on them"
    );
}

/// Words with which a path begins: crates are used as `name::…` or `use name;`.
fn first_words(tokens: &[String]) -> Vec<String> {
    let begins_path = |at: usize| {
        let before = at.checked_sub(1).map_or("", |before| tokens[before].as_str());
        let after = tokens.get(at + 1).map_or("", String::as_str);
        before != "::" && (after == "::" || before == "use")
    };
    let starts = (0..tokens.len()).filter(|&at| begins_path(at));
    starts.map(|at| tokens[at].clone()).collect()
}

/// The root package, the crates below `crates/`, and the fuzz targets.
fn members(files: &BTreeMap<String, String>) -> Vec<Member> {
    let manifests = files.iter().filter_map(|(name, text)| {
        let directory = name.strip_suffix("Cargo.toml")?;
        (["", "fuzz/"].contains(&directory) || directory.starts_with("crates/"))
            .then(|| (directory, manifest(text)))
    });
    let members: Vec<Member> = manifests
        .map(|(directory, manifest)| Member {
            directory: directory.to_owned(),
            normal: dependencies(&manifest, &["dependencies"]),
            all: dependencies(
                &manifest,
                &["dependencies", "dev-dependencies", "build-dependencies"],
            ),
        })
        .collect();
    assert!(!members.is_empty(), "the manifests were not found");
    members
}

fn manifest(text: &str) -> toml::Table {
    text.parse().expect("a manifest is valid TOML")
}

/// Names of the dependencies in these sections, also of those for one platform only.
fn dependencies(manifest: &toml::Table, sections: &[&str]) -> Vec<String> {
    let platforms = table_at(manifest, &["target"]);
    let mut tables = vec![manifest.clone()];
    tables.extend(platforms.values().filter_map(|value| value.as_table().cloned()));
    let names: BTreeSet<String> = tables
        .iter()
        .flat_map(|table| sections.iter().flat_map(|section| table_at(table, &[section])))
        .map(|(name, _)| name)
        .collect();
    names.into_iter().collect()
}

/// The table at this path, empty if there is none.
fn table_at(table: &toml::Table, path: &[&str]) -> toml::Table {
    let mut table = table.clone();
    for key in path {
        table = match table.remove(*key) {
            Some(toml::Value::Table(inner)) => inner,
            _ => return toml::Table::new(),
        };
    }
    table
}

#[test]
fn dependencies_are_found_in_every_form() {
    let manifest = manifest(
        "[dependencies]\na = \"1\"\nb = { workspace = true }\nc.workspace = true\n[dependencies.d]\nversion = \"1\"\n\
         [dev-dependencies]\ne = \"1\"\n[target.'cfg(unix)'.dependencies]\nf = \"1\"\n",
    );
    assert_eq!(
        dependencies(&manifest, &["dependencies"]),
        ["a", "b", "c", "d", "f"]
    );
    assert_eq!(dependencies(&manifest, &["dev-dependencies"]), ["e"]);
}
