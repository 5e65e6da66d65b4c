//! Reads the tables of the documentation and of module headers, and checks that none has a row twice.

use std::collections::{BTreeMap, BTreeSet};

use super::tree::{CODE, text_files};

/// A table of a Markdown document.
#[derive(Debug)]
pub struct Table {
    pub header: Vec<String>,
    pub rows: Vec<Row>,
}

/// A row of a table.
#[derive(Debug, PartialEq)]
pub struct Row {
    /// Line in the file, from 1.
    pub line: usize,
    pub cells: Vec<String>,
}

/// Returns the tables outside of code blocks.
pub fn tables(markdown: &str) -> Vec<Table> {
    let (mut found, mut is_code, mut is_open) = (Vec::new(), false, false);
    for (at, line) in markdown.lines().enumerate() {
        is_code ^= line.trim_start().starts_with("```");
        if is_code || !line.trim_start().starts_with('|') {
            is_open = false;
            continue;
        }
        let cells = cells(line);
        let is_rule = cells
            .iter()
            .all(|cell| !cell.is_empty() && cell.chars().all(|c| "-:".contains(c)));
        match found.last_mut() {
            _ if !is_open => found.push(Table {
                header: cells,
                rows: Vec::new(),
            }),
            Some(table) if !is_rule => table.rows.push(Row { line: at + 1, cells }),
            _ => {}
        }
        is_open = true;
    }
    found
}

fn cells(line: &str) -> Vec<String> {
    let line = line.trim().trim_start_matches('|').replace("\\|", "\u{1}");
    let line = line.strip_suffix('|').unwrap_or(&line);
    let cells = line.split('|').map(|cell| cell.trim().replace('\u{1}', "\\|"));
    cells.collect()
}

/// Returns what is below this heading, up to the next heading of its level or above; other lines become empty, so
/// that line numbers stay.
pub fn section(markdown: &str, heading: &str) -> String {
    let level = |line: &str| line.bytes().take_while(|&b| b == b'#').count();
    let mut inside = None;
    let lines = markdown.lines().map(|line| {
        let own = level(line);
        match inside {
            _ if own > 0 && line[own..].trim() == heading => inside = Some(own),
            Some(outer) if own > 0 && own <= outer => inside = None,
            _ => {}
        }
        if inside.is_some() { line } else { "" }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Returns the texts between backticks.
pub fn quoted(text: &str) -> Vec<String> {
    let inside = text.split('`').skip(1).step_by(2);
    inside.map(str::to_owned).collect()
}

/// Returns the header of a Rust file as Markdown, on the same lines.
pub fn module_header(source: &str) -> String {
    let lines = source.lines().map_while(|line| line.strip_prefix("//!"));
    let lines = lines.map(|line| line.strip_prefix(' ').unwrap_or(line));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn no_table_has_the_same_row_twice() {
    let mut twice = Vec::new();
    for (name, text) in documents() {
        for table in tables(&text) {
            let mut seen = BTreeSet::new();
            let repeated = table.rows.iter().filter(|row| !seen.insert(&row.cells));
            twice.extend(repeated.map(|row| format!("{name}:{}: {}", row.line, row.cells.join(" | "))));
        }
    }
    assert!(
        twice.is_empty(),
        "these rows are in their table twice:\n{}",
        twice.join("\n")
    );
}

/// Markdown files, and the headers of Rust files.
pub fn documents() -> BTreeMap<String, String> {
    let is_code = |name: &str| name.ends_with(".rs") && CODE.iter().any(|code| name.starts_with(code));
    let files = text_files().into_iter().filter_map(|(name, text)| match name {
        _ if name.ends_with(".md") => Some((name, text)),
        _ if is_code(&name) => Some((name, module_header(&text))),
        _ => None,
    });
    files.collect()
}

#[test]
fn tables_are_read_with_their_lines() {
    let text = "# A\n| file | for |\n|---|---|\n| `a`, [`b`] | x \\| y |\n\n```\n| no | table |\n```\n## B\n| c |\n|---|\n| d |\n# C\n";
    let found = tables(text);
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].header, ["file", "for"]);
    assert_eq!(found[0].rows[0].line, 4);
    assert_eq!(found[0].rows[0].cells, ["`a`, [`b`]", "x \\| y"]);
    assert_eq!(quoted(&found[0].rows[0].cells[0]), ["a", "b"]);
    assert_eq!(tables(&section(text, "B")).len(), 1);
    assert_eq!(tables(&section(text, "A")).len(), 2);
    assert_eq!(
        module_header("//! A.\n//!\n//! | b |\nmod c;\n//! d"),
        "A.\n\n| b |"
    );
}
