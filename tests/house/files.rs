//! Rules for single files: their length, their header, and what must not be in them.

use std::collections::BTreeMap;

use super::parse::tokens;
use super::tree::{CODE, CODE_AND_TESTS, root, rust_files, text_files};

const MOST_LINES: usize = 400;

#[test]
fn files_are_short() {
    let files = rust_files(&CODE_AND_TESTS);
    let too_long = |(name, text): (&String, &String)| {
        let lines = text.lines().count();
        (lines > MOST_LINES).then(|| format!("{name}: {lines} lines, at most {MOST_LINES}"))
    };
    let wrong: Vec<String> = files.iter().filter_map(too_long).collect();
    assert!(wrong.is_empty(), "split these by concept:\n{}", wrong.join("\n"));
}

#[test]
fn every_file_begins_with_its_purpose() {
    let files = rust_files(&CODE_AND_TESTS).into_iter();
    let without: Vec<String> = files
        .filter(|(_, text)| !text.starts_with("//! "))
        .map(|(name, _)| name)
        .collect();
    assert!(
        without.is_empty(),
        "these do not begin with //! and their purpose:\n{}",
        without.join("\n")
    );
}

#[test]
fn no_path_goes_up_twice() {
    let goes_up_twice = |text: &str| {
        tokens(text)
            .windows(3)
            .any(|part| part == ["super", "::", "super"])
    };
    let files = rust_files(&CODE).into_iter();
    let wrong: Vec<String> = files
        .filter(|(_, text)| goes_up_twice(text))
        .map(|(name, _)| name)
        .collect();
    assert!(
        wrong.is_empty(),
        "write `crate::…` instead of `super::super::…`:\n{}",
        wrong.join("\n")
    );
}

/// Most Rust files directly in one folder; more are grouped by concept.
const MOST_FILES: usize = 14;

#[test]
fn folders_hold_few_files() {
    let mut folders: BTreeMap<String, usize> = BTreeMap::new();
    for name in rust_files(&CODE).into_keys() {
        let (folder, _) = name.rsplit_once('/').expect("code is in a folder");
        *folders.entry(folder.to_owned()).or_default() += 1;
    }
    let full: Vec<String> = folders
        .iter()
        .filter(|(_, count)| **count > MOST_FILES)
        .map(|(folder, count)| format!("{folder}: {count} files, at most {MOST_FILES}"))
        .collect();
    assert!(
        full.is_empty(),
        "group the files of these folders by concept:\n{}",
        full.join("\n")
    );
}

#[test]
fn a_module_with_children_is_in_its_folder() {
    let files = rust_files(&CODE_AND_TESTS);
    let has_children = |name: &str| {
        let folder = name.replace(".rs", "/");
        files.keys().any(|other| other.starts_with(&folder))
    };
    let wrong: Vec<&String> = files.keys().filter(|name| has_children(name)).collect();
    assert!(wrong.is_empty(), "move `foo.rs` to `foo/mod.rs`: {wrong:?}");
}

#[test]
fn no_work_is_left_in_comments() {
    // Put together here, so that this file does not find itself.
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:")];
    let wrong = files_with(&marks);
    assert!(wrong.is_empty(), "do it, or open an issue:\n{}", wrong.join("\n"));
}

#[test]
fn no_file_names_a_path_of_one_machine() {
    let here = format!("{}/", root().display());
    let wrong = files_with(&[
        &here,
        concat!("/ho", "me/"),
        concat!("/Us", "ers/"),
        concat!("/ro", "ot/"),
    ]);
    assert!(
        wrong.is_empty(),
        "these paths exist on one machine only:\n{}",
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
