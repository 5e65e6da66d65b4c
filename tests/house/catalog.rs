//! `systemd/orderfeed.catalog`, the explanations that `journalctl -x` prints below warnings and errors, is generated
//! from the catalogue in `docs/OPERATIONS.md`.

use uuid::{Uuid, uuid};

use super::messages::{Row, rows_of};
use super::tree::text_files;
use crate::support::golden;

/// Equal to the namespace in `src/ops`, which a test there freezes.
const MESSAGE_NAMESPACE: Uuid = uuid!("2fcdf397-5db2-5f74-9ef2-8127b855082d");
const HEAD: &str = "# Explanations of orderfeed's warnings and errors for `journalctl -x`, generated from docs/OPERATIONS.md by a test.\n";

#[test]
fn the_journal_catalog_is_generated_from_the_documentation() {
    let rows = rows_of(&text_files()["docs/OPERATIONS.md"]);
    let entries: String = rows.iter().map(entry).collect();
    assert!(entries.contains("\n-- 177bc07591375ded876689c92e9f1115\nSubject: OF06-01 Delivery halted"));
    golden::assert_holds("systemd/orderfeed.catalog", &format!("{HEAD}{entries}"));
}

fn entry(row: &Row) -> String {
    let id = Uuid::new_v5(&MESSAGE_NAMESPACE, row.code.as_bytes()).simple();
    let explanation: Vec<String> = row.explanation.iter().map(|text| folded(&plain(text))).collect();
    format!(
        "\n-- {id}\nSubject: {} {}\nDefined-By: orderfeed\nDocumentation: file:///usr/share/doc/orderfeed/docs/OPERATIONS.md\n\n{}\n",
        row.code,
        row.message,
        explanation.join("\n\n"),
    )
}

/// Removes Markdown: backticks, and the targets of links.
fn plain(text: &str) -> String {
    let mut words = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        let Some((name, link)) = after.split_once("](") else {
            break;
        };
        words.push_str(before);
        words.push_str(name);
        rest = link.split_once(')').map_or("", |(_, rest)| rest);
    }
    words.push_str(rest);
    words.replace('`', "")
}

fn folded(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.last_mut().expect("never empty");
        if last.is_empty() {
            last.push_str(word);
        } else if last.chars().count() + word.chars().count() < 80 {
            last.push(' ');
            last.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines.join("\n")
}
