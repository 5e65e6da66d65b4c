//! The runbook text of each log code: the catalogue of `docs/OPERATIONS.md`, compiled in.

use crate::web::parts::{Piece, pieces};

const OPERATIONS: &str = include_str!("../../../docs/OPERATIONS.md");

/// One row of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runbook {
    pub code: String,
    /// The line as it is logged.
    pub line: Vec<Piece>,
    pub meaning: Vec<Piece>,
    /// The next step for an operator.
    pub remedy: Vec<Piece>,
}

/// Returns the row of a code; `None` for a code that the catalogue does not have.
pub fn runbook(code: &str) -> Option<Runbook> {
    let head = format!("| `{code}` |");
    let row = OPERATIONS.lines().find(|line| line.starts_with(&head))?;
    let cells = cells(row);
    let [_, line, meaning, remedy] = cells.as_slice() else {
        return None;
    };
    Some(Runbook {
        code: code.to_owned(),
        line: pieces(&without_links(line)),
        meaning: pieces(&without_links(meaning)),
        remedy: pieces(&without_links(remedy)),
    })
}

/// Splits a row of a Markdown table at its bars, except those that are escaped.
fn cells(row: &str) -> Vec<String> {
    let hidden = row.trim().trim_matches('|').replace("\\|", "\u{0}");
    hidden
        .split('|')
        .map(|cell| cell.trim().replace('\u{0}', "|"))
        .collect()
}

/// Replaces `[text](target)` by its text: the target is a file of the documentation.
fn without_links(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        plain.push_str(before);
        match after
            .split_once("](")
            .and_then(|(name, link)| Some((name, link.split_once(')')?.1)))
        {
            Some((name, behind)) => {
                plain.push_str(name);
                rest = behind;
            }
            None => {
                plain.push('[');
                rest = after;
            }
        }
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_catalogue_is_found() {
        let codes: Vec<&str> = OPERATIONS
            .lines()
            .filter_map(|line| line.strip_prefix("| `OF")?.split_once('`'))
            .map(|(number, _)| number)
            .collect();
        assert!(codes.len() > 40, "the catalogue was not found");
        for number in codes {
            let code = format!("OF{number}");
            let found = runbook(&code).unwrap_or_else(|| panic!("{code} has no runbook"));
            assert!(!found.meaning.is_empty() && !found.remedy.is_empty(), "{code}");
        }
        assert_eq!(runbook("OF99-99"), None);
    }

    #[test]
    fn links_are_replaced_by_their_text() {
        assert_eq!(
            without_links("see [DELIVERY.md](DELIVERY.md), [it"),
            "see DELIVERY.md, [it"
        );
    }
}
