//! Every warning and every error that the log can show has a line in `docs/OPERATIONS.md`.

use super::tree::{rust_files, text_files};

#[test]
fn operators_find_every_warning_and_error_in_the_runbook() {
    let runbook = &text_files()["docs/OPERATIONS.md"];
    let mut messages = Vec::new();
    for (name, text) in rust_files(&["src/"]) {
        if name.ends_with("tests.rs") {
            continue;
        }
        let program = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        messages.extend(
            messages_of(program)
                .into_iter()
                .map(|message| (name.clone(), message)),
        );
    }
    assert!(messages.len() > 15, "the messages were not found");
    let missing: Vec<String> = messages
        .iter()
        .filter(|(_, message)| !runbook.contains(message.as_str()))
        .map(|(name, message)| format!("{name}: {message}"))
        .collect();
    assert!(
        missing.is_empty(),
        "without a line in docs/OPERATIONS.md:\n{}",
        missing.join("\n")
    );
}

#[test]
fn a_message_is_found_wherever_its_fields_stand() {
    let text = r#"
        tracing::warn!(order, reason = "not \"this\"", "It failed; \
            it is tried again",);
        tracing::error!(%error, "It broke");
        tracing::warn!("{warning}");
        tracing::info!("It works");
    "#;
    assert_eq!(messages_of(text), ["It failed; it is tried again", "It broke"]);
}

/// The messages of all `warn!` and `error!`: the last text in each. One that is made of values only has none.
fn messages_of(text: &str) -> Vec<String> {
    let calls = ["tracing::warn!(", "tracing::error!("].into_iter();
    let mut found: Vec<(usize, &str)> = calls.flat_map(|call| text.match_indices(call)).collect();
    found.sort_unstable();
    let messages = found
        .into_iter()
        .filter_map(|(at, call)| last_text(&text[at + call.len()..]));
    messages.filter(|message| !message.starts_with('{')).collect()
}

/// The last text before the parenthesis that closes the call.
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

/// A text up to its closing quote; a backslash at a line's end joins it with the next line.
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
