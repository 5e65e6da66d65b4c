//! The shapes of a logfmt log, on which log rules depend: its messages, and the fields of each.

use std::collections::{BTreeMap, BTreeSet};

/// Returns each message with its level, its code and the names of its fields, one per line. Messages that a slow
/// machine adds are left out.
pub fn shapes(log: &str) -> String {
    let mut shapes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for fields in log.lines().map(pairs) {
        let value = |name: &str| {
            let found = fields.iter().find(|(field, _)| field == name);
            found.map_or("", |(_, value)| value.as_str())
        };
        let (level, message) = (value("level"), value("msg"));
        if level == "debug" || message.contains("goes on") {
            continue;
        }
        let head = format!("{level} {} {message}", value("log_code")).replace("  ", " ");
        let names = fields.iter().map(|(name, _)| name.clone());
        shapes.entry(head).or_default().extend(names);
    }
    let always = ["time", "level", "log_code", "msg", "target"];
    let mut text = String::new();
    for (head, names) in shapes {
        let own: Vec<String> = names
            .into_iter()
            .filter(|name| !always.contains(&name.as_str()))
            .collect();
        text += format!("{head}\n    {}", own.join(" ")).trim_end();
        text.push('\n');
    }
    text
}

/// Parses the pairs `key=value` and `key="a value"`.
fn pairs(line: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let mut rest = line;
    while let Some((key, after)) = rest.split_once('=') {
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => quoted_value(quoted),
            None => after
                .split_once(' ')
                .map_or((after.to_owned(), ""), |(v, n)| (v.to_owned(), n)),
        };
        pairs.push((key.trim().to_owned(), value));
        rest = next;
    }
    pairs
}

/// Splits `text` at the first quote that is not escaped.
fn quoted_value(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, &text[at + 1..]),
            '\\' => value.extend(chars.next().map(|(_, c)| c)),
            c => value.push(c),
        }
    }
    (value, "")
}

#[test]
fn a_line_is_split_at_its_fields_and_not_within_them() {
    let log = "time=1 level=warn log_code=OF06-02 msg=\"It \\\"failed\\\" a=b\" target=x code=503 cause=\"a b\"\n\
               time=2 level=info msg=Works target=x orders=3\ntime=3 level=info msg=Works target=x events=1\n\
               time=4 level=info msg=\"It goes on\" target=x\n";
    let expected = "info Works\n    events orders\nwarn OF06-02 It \"failed\" a=b\n    cause code\n";
    assert_eq!(shapes(log), expected);
}
