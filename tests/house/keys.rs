//! Every configuration key that a message or a page names exists, and is a key where a value is given for it.

use std::collections::BTreeSet;

use super::lex::{Kind, pieces};
use super::tree::{rust_files, text_files};

/// Names that start like a key and are columns of a table.
const OTHERS: [&str; 2] = ["first_sync.walk_id", "store.code"];

/// Endings of file names and domains.
const FILES: [&str; 6] = [".rs", ".db", ".toml", ".md", ".json", ".net"];

/// The names that a dotted name may be.
struct Names {
    /// Keys, with `*` for the code of a website or an environment.
    keys: Vec<String>,
    /// Checks of `doctor`, and fields of the status.
    others: BTreeSet<String>,
}

impl Names {
    fn read() -> Self {
        let files = text_files();
        let row = |line: &str| Some(line.strip_prefix("| `")?.split('`').next()?.replace("[]", ""));
        let mut keys = Vec::new();
        let mut table = String::new();
        for line in files["docs/CONFIGURATION.md"].lines() {
            if let Some(header) = line.strip_prefix("## [") {
                table = header.trim_end_matches(']').to_owned();
            }
            keys.extend(row(line).map(|key| format!("{table}.{key}")));
        }
        let others = ["docs/OPERATIONS.md", "docs/STATUS.md"];
        Self {
            keys,
            others: others
                .into_iter()
                .flat_map(|page| files[page].lines().filter_map(row))
                .collect(),
        }
    }

    /// Returns true if the name may be about a setting: its first segment is a table of the configuration.
    fn is_candidate(&self, name: &str) -> bool {
        let start = name.split_once('.').map(|(table, _)| format!("{table}."));
        start.is_some_and(|start| self.keys.iter().any(|key| key.starts_with(&start)))
            && !FILES.iter().any(|ending| name.ends_with(ending))
    }

    fn is_key(&self, name: &str) -> bool {
        self.keys.iter().any(|key| matches(key, name) == Some(0))
    }

    fn is_known(&self, name: &str) -> bool {
        let is_table = self.keys.iter().any(|key| matches(key, name).is_some());
        let is_field = |known: &String| known == name || known.starts_with(&format!("{name}."));
        self.is_key(name) || is_table || self.others.iter().any(is_field) || OTHERS.contains(&name)
    }
}

/// Returns the number of segments of `key` that follow `name`; `None` if the key does not start with it.
fn matches(key: &str, name: &str) -> Option<usize> {
    let (key, name): (Vec<_>, Vec<_>) = (key.split('.').collect(), name.split('.').collect());
    let fits = |(key, name): (&&str, &&str)| key == name || *key == "*" || *name == "*";
    (name.len() <= key.len() && key.iter().zip(&name).all(fits)).then(|| key.len() - name.len())
}

/// Returns the dotted names of a text, each with true if a value is given for it.
fn dotted(text: &str) -> Vec<(String, bool)> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '*');
    let mut found = Vec::new();
    for (at, word) in text.match_indices(is_part).filter_map(|(at, _)| {
        let begins = !text[..at]
            .chars()
            .next_back()
            .is_some_and(|c| is_part(c) || matches!(c, '/' | '-'));
        let rest = &text[at..];
        begins.then(|| (at, &rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())]))
    }) {
        let name = word.trim_end_matches(['.', '*']).to_owned();
        let after = text[at + word.len()..].trim_start_matches('`');
        found.push((name, after.starts_with(" = \"") || after.starts_with(" = \\\"")));
    }
    found
}

#[test]
fn keys_named_in_messages_and_pages_exist() {
    let names = Names::read();
    assert!(
        names.keys.len() > 60 && names.others.len() > 60,
        "the tables were not found"
    );
    let mut wrong = Vec::new();
    let mut check = |place: String, text: &str| {
        for (name, is_set) in dotted(text) {
            if names.is_candidate(&name) && !(names.is_known(&name) && (!is_set || names.is_key(&name))) {
                wrong.push(format!("{place}: {name}"));
            }
        }
    };
    for (file, text) in rust_files(&["src/"]) {
        // Without the tests, which hold misspelt keys on purpose.
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        if file.ends_with("tests.rs") {
            continue;
        }
        for piece in pieces(code).iter().filter(|piece| piece.kind == Kind::Text) {
            check(format!("{file}:{}", piece.line), piece.source);
        }
    }
    for (file, text) in text_files() {
        let is_page = file.ends_with(".md") && file != "CHANGELOG.md";
        if is_page || file.starts_with("config/") {
            for (at, line) in text.lines().enumerate() {
                check(format!("{file}:{}", at + 1), line);
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "these are no keys of docs/CONFIGURATION.md:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn a_key_that_does_not_exist_is_found() {
    let names = Names::read();
    for (text, expected) in [
        ("check source.mysql.ca_file.", false),
        ("set source.mysql.tls.ca_file", true),
        ("set source.mysql.password_file", true),
        ("set `source.mysql.tls = \"preferred\"`", false),
        ("set `source.mysql.tls.mode` = \"preferred\"", true),
        ("websites.base.datastream_id", true),
    ] {
        let fits = dotted(text).into_iter().all(|(name, is_set)| {
            !names.is_candidate(&name) || (names.is_known(&name) && (!is_set || names.is_key(&name)))
        });
        assert_eq!(fits, expected, "{text}");
    }
}
