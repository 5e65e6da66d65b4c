//! The pages fit an editor, are in the book's table of contents, and name recipes that exist.

use std::collections::BTreeSet;

use super::links::links_of;
use super::tree::text_files;

const MOST_CHARACTERS: usize = 160;

/// Rows of tables that may be longer, because a table's row is one line: file, start of the row, reason.
const LONGER: [(&str, &str, &str); 2] = [
    (
        "docs/OPERATIONS.md",
        "| `OF",
        "the catalogue of log codes is compared with the program",
    ),
    ("docs/CONFIGURATION.md", "| `", "generated: one row for each key"),
];

#[test]
fn lines_of_pages_are_not_too_long() {
    let mut long = Vec::new();
    for (name, text) in text_files().iter().filter(|(name, _)| is_page(name)) {
        for (at, line) in text.lines().enumerate() {
            let length = line.chars().count();
            let is_exempt = LONGER
                .iter()
                .any(|(file, start, _)| name == file && line.starts_with(start));
            if length > MOST_CHARACTERS && !is_exempt {
                long.push(format!("{name}:{}: {length} characters", at + 1));
            }
        }
    }
    assert!(
        long.is_empty(),
        "wrap these after at most {MOST_CHARACTERS} characters:\n{}",
        long.join("\n")
    );
}

#[test]
fn every_page_is_in_the_table_of_contents() {
    let files = text_files();
    let listed: BTreeSet<String> = links_of(&files["docs/SUMMARY.md"]).into_iter().collect();
    let missing: Vec<&String> = files
        .keys()
        .filter(|name| name.ends_with(".md") && *name != "docs/SUMMARY.md")
        .filter(|name| {
            name.strip_prefix("docs/")
                .is_some_and(|page| !listed.contains(page))
        })
        .collect();
    assert!(missing.is_empty(), "not in docs/SUMMARY.md: {missing:?}");
}

/// A page outside of `docs/` is not part of the book, so a link to it would lead nowhere there.
#[test]
fn links_between_pages_stay_within_the_book() {
    let files = text_files();
    let mut outside = Vec::new();
    for (name, text) in files
        .iter()
        .filter(|(name, _)| name.starts_with("docs/") && is_page(name))
    {
        let links = links_of(text).into_iter().filter(|link| link.starts_with("../"));
        outside.extend(links.map(|link| format!("{name}: {link}")));
    }
    assert!(outside.is_empty(), "not in the book:\n{}", outside.join("\n"));
}

#[test]
fn recipes_named_in_the_guide_for_contributors_exist() {
    let files = text_files();
    let recipes: BTreeSet<&str> = files["justfile"]
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()) && line.contains(':'))
        .filter_map(|line| line.split([' ', ':']).next())
        .collect();
    let guide = &files["CONTRIBUTING.md"];
    let named: BTreeSet<&str> = guide
        .match_indices("`just ")
        .filter_map(|(at, start)| guide[at + start.len()..].split([' ', '`']).next())
        .collect();
    assert!(named.len() > 5, "the recipes were not found: {named:?}");
    let unknown: Vec<_> = named.difference(&recipes).collect();
    assert!(unknown.is_empty(), "not in the justfile: {unknown:?}");
}

/// The changelog is written for releases, not for the book.
fn is_page(name: &str) -> bool {
    let is_at_root = ["README.md", "CONTRIBUTING.md", "SECURITY.md"].contains(&name);
    is_at_root || (name.starts_with("docs/") && name.ends_with(".md"))
}
