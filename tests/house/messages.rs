//! Every warning and error has a stable log code and a row in the catalogue of `docs/OPERATIONS.md`, and every row of the
//! catalogue is logged by the program. An information may have a code, and then it has a row as well.

use std::collections::{BTreeMap, BTreeSet};

use super::tree::{CODE, rust_files, text_files};

/// A call of `warn!` or `error!` in the program, or of `info!` with a code.
#[derive(Debug, PartialEq)]
struct LogCall {
    level: &'static str,
    code: Option<String>,
    /// The last string literal in the call, which tracing takes as the message.
    message: String,
}

/// A row of the catalogue.
#[derive(Debug, PartialEq)]
pub(super) struct Row {
    pub(super) level: &'static str,
    pub(super) code: String,
    pub(super) message: String,
    /// The meaning, and what to do.
    pub(super) explanation: Vec<String>,
}

#[test]
fn every_warning_and_error_has_a_code() {
    let calls = log_calls();
    assert!(calls.len() > 30, "the messages were not found");
    let without: Vec<String> = calls
        .iter()
        .filter(|(_, call)| call.code.as_deref().is_none_or(|code| !is_code(code)))
        .map(|(file, call)| format!("{file}: {}", call.message))
        .collect();
    assert!(
        without.is_empty(),
        "give these `log_code = \"OFgg-nn\"` as their first field: the next free number of its group in the catalogue of \
         docs/OPERATIONS.md, never one that was used before:\n{}",
        without.join("\n")
    );
}

#[test]
fn a_code_belongs_to_one_message_and_a_message_to_one_code() {
    let mut by_code: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut by_message: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (_, LogCall { code, message, .. }) in log_calls() {
        let code = code.unwrap_or_default();
        by_code.entry(code.clone()).or_default().insert(message.clone());
        by_message.entry(message).or_default().insert(code);
    }
    for (one, several) in by_code.iter().chain(&by_message) {
        assert_eq!(several.len(), 1, "{one:?} belongs to all of {several:?}");
    }
}

#[test]
fn the_catalogue_lists_the_messages_of_the_program_and_no_others() {
    let catalogue = &text_files()["docs/OPERATIONS.md"];
    let logged: BTreeSet<(String, String)> = log_calls()
        .into_iter()
        .map(|(_, call)| (call.code.unwrap_or_default(), call.message))
        .collect();
    let rows = rows_of(catalogue);
    let listed: BTreeSet<(String, String)> = rows
        .iter()
        .map(|row| (row.code.clone(), row.message.clone()))
        .collect();
    let missing: Vec<_> = logged.difference(&listed).collect();
    assert!(
        missing.is_empty(),
        "these need a row with code and message, word for word: {missing:#?}"
    );
    let stale: Vec<_> = listed.difference(&logged).collect();
    assert!(
        stale.is_empty(),
        "the program does not log these (move numbers that are no longer used to the retired ones): {stale:#?}"
    );
    assert_eq!(rows.len(), listed.len(), "a row is in the catalogue twice");
}

#[test]
fn each_row_is_below_its_level_and_gives_the_meaning_and_what_to_do() {
    let calls = log_calls();
    for row in rows_of(&text_files()["docs/OPERATIONS.md"]) {
        let is_its_level = |(_, call): &(String, LogCall)| {
            call.code.as_deref() == Some(&row.code) && call.level == row.level
        };
        assert!(calls.iter().any(is_its_level), "{} is no {}", row.code, row.level);
        assert_eq!(row.explanation.len(), 2, "{row:?}");
        assert!(row.explanation.iter().all(|text| !text.is_empty()), "{row:?}");
    }
}

#[test]
fn a_retired_number_is_not_reused() {
    let catalogue = &text_files()["docs/OPERATIONS.md"];
    let line = catalogue.lines().find(|line| line.starts_with("Retired: "));
    let retired = line.expect("the catalogue lists the retired numbers");
    for row in rows_of(catalogue) {
        assert!(!retired.contains(&row.code), "{} was used before", row.code);
        let group = format!("`{}-`", &row.code[..4]);
        assert!(
            catalogue.contains(&group),
            "the catalogue does not describe group {group}"
        );
    }
}

#[test]
fn a_message_is_found_whatever_fields_come_first() {
    let text = r#"
        tracing::warn!(log_code = "OF01-01", order, reason = "not \"this\"", "It failed; \
            it is tried again",);
        error!(%error, "It broke");
        tracing::info!("It works");
        my_warn!("Not this");
    "#;
    let call = |level, code: Option<&str>, message: &str| LogCall {
        level,
        code: code.map(str::to_owned),
        message: message.to_owned(),
    };
    assert_eq!(
        log_calls_in(text),
        [
            call("WARN", Some("OF01-01"), "It failed; it is tried again"),
            call("ERROR", None, "It broke")
        ]
    );
    let rows = rows_of("### WARN: x\n| code | line |\n|---|---|\n| `OF01-02` | It broke | Why. | Do. |\n");
    let explanation = vec!["Why.".to_owned(), "Do.".to_owned()];
    let (code, message) = ("OF01-02".to_owned(), "It broke".to_owned());
    let row = Row {
        level: "WARN",
        code,
        message,
        explanation,
    };
    assert_eq!(rows, [row]);
    assert!(is_code("OF01-02") && !is_code("OF1-2") && !is_code("OF01-2x") && !is_code("XY01-02"));
}

fn log_calls() -> Vec<(String, LogCall)> {
    let mut all = Vec::new();
    for (name, text) in rust_files(&CODE) {
        if name.ends_with("tests.rs") || name.contains("/tests/") {
            continue;
        }
        let program = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        all.extend(log_calls_in(program).into_iter().map(|call| (name.clone(), call)));
    }
    all
}

fn log_calls_in(text: &str) -> Vec<LogCall> {
    let calls = [("warn!(", "WARN"), ("error!(", "ERROR"), ("info!(", "INFO")].into_iter();
    let is_call = |at: usize| !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
    let mut found: Vec<(usize, &'static str)> = calls
        .flat_map(|(call, level)| text.match_indices(call).map(move |(at, _)| (at, level)))
        .filter(|(at, _)| is_call(*at))
        .collect();
    found.sort_unstable();
    let calls = found.into_iter().filter_map(|(at, level)| {
        let call = text[at..].split_once('(')?.1;
        let code = code_of(call);
        (level != "INFO" || code.is_some()).then_some(LogCall {
            level,
            code,
            message: last_text(call)?,
        })
    });
    calls.collect()
}

/// The log code, if it is the first field.
fn code_of(call: &str) -> Option<String> {
    let value = call.trim_start().strip_prefix("log_code = \"")?;
    Some(value.split_once('"')?.0.to_owned())
}

/// True for `OF`, two digits for the group, and two for the number in it.
fn is_code(code: &str) -> bool {
    let is_number = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
    code.strip_prefix("OF")
        .and_then(|rest| rest.split_once('-'))
        .is_some_and(|(group, number)| is_number(group) && is_number(number))
}

pub(super) fn rows_of(catalogue: &str) -> Vec<Row> {
    let mut level = "";
    let mut rows = Vec::new();
    for line in catalogue.lines() {
        level = match line {
            _ if line.starts_with("### WARN") => "WARN",
            _ if line.starts_with("### ERROR") => "ERROR",
            _ if line.starts_with("### INFO") => "INFO",
            _ => level,
        };
        if !line.starts_with("| `OF") {
            continue;
        }
        let mut cells = line
            .trim_matches('|')
            .split(" | ")
            .map(|cell| cell.trim().to_owned());
        rows.push(Row {
            level,
            code: cells.next().unwrap_or_default().trim_matches('`').to_owned(),
            message: cells.next().unwrap_or_default(),
            explanation: cells.collect(),
        });
    }
    rows
}

/// The last string literal before the parenthesis that closes the call.
fn last_text(call: &str) -> Option<String> {
    let mut depth = 1;
    let mut last = None;
    let mut chars = call.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => last = Some(read_text(&mut chars)),
            '(' => depth += 1,
            ')' if depth == 1 => return last,
            ')' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Reads a string literal up to its closing quote; a backslash at a line's end joins it with the next line.
fn read_text(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> String {
    let mut text = String::new();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => match chars.next() {
                Some('\n') => while chars.next_if(|c| c.is_whitespace()).is_some() {},
                Some(escaped) => text.push(escaped),
                None => break,
            },
            c => text.push(c),
        }
    }
    text
}
