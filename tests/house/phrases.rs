//! Phrases that comments, log messages and help texts avoid, each with plainer words to use instead.

/// Phrases of one meaning.
pub struct Avoided {
    /// Sequences of words. `look*` is any word that begins so.
    pub phrases: &'static [&'static str],
    /// True if string literals must not hold them either.
    pub in_texts: bool,
    pub instead: &'static str,
}

const fn avoid(phrases: &'static [&'static str], instead: &'static str) -> Avoided {
    Avoided {
        phrases,
        in_texts: true,
        instead,
    }
}

const fn avoid_in_comments(phrases: &'static [&'static str], instead: &'static str) -> Avoided {
    Avoided {
        in_texts: false,
        ..avoid(phrases, instead)
    }
}

pub const AVOIDED: &[Avoided] = &[
    avoid(&["somebody", "someone"], "the user, an operator, another process"),
    avoid(
        &["nobody", "anybody", "everybody"],
        "the user, caller or process meant: \"nobody reads it\" → \"nothing reads it\"",
    ),
    avoid(
        &["whoever", "whomever", "whosoever", "who ask*"],
        "the caller, the client, the holder of the lock",
    ),
    avoid(
        &["told", "tell", "tells", "telling", "retell*", "untold"],
        "logs, reports, returns, informs, distinguishes",
    ),
    avoid(
        &["say", "says", "said", "saying", "unsaid"],
        "logs, reports, returns, states",
    ),
    avoid(
        &[
            "look* at",
            "look* into",
            "look* after",
            "look* through",
            "look* over",
        ],
        "reads, checks, inspects, polls",
    ),
    avoid(
        &[
            "a look",
            "one look",
            "each look",
            "every look",
            "next look",
            "last look",
            "first look",
        ],
        "check, read, poll",
    ),
    avoid(&["heed*"], "applies, obeys"),
    avoid(
        &["mind", "minds", "minded", "minding"],
        "considers, applies, checks",
    ),
    avoid(&["to heart", "by heart"], "applies, updates, stores"),
    avoid(&["mend", "mends", "mended", "mending"], "fix, repair"),
    avoid(&["the house"], "the program, the repository, this crate"),
    avoid_in_comments(
        &[
            "rooms",
            "this room",
            "each room",
            "other room",
            "another room",
            "every room",
            "which room",
            "a room",
            "the room",
            "any room",
            "its room",
        ],
        "module, crate",
    ),
    avoid(
        &["speak", "speaks", "speaking", "spoke", "spoken"],
        "uses, sends, reports",
    ),
    avoid(
        &["talk", "talks", "talked", "talking"],
        "connects to, sends; messages",
    ),
    avoid(&["knows", "knew"], "stores, holds, has, depends on"),
    avoid(
        &[
            "is at it",
            "are at it",
            "be at it",
            "was at it",
            "were at it",
            "been at it",
            "at it again",
        ],
        "is running, holds the lock",
    ),
    avoid(&["under way"], "in flight for requests, running for work"),
    avoid(
        &["on its way", "on their way", "on the way", "on his way"],
        "pending, in flight",
    ),
    avoid(&["lies", "lying"], "is"),
    avoid(
        &[
            "stands",
            "stood",
            "to stand",
            "may stand",
            "must stand",
            "can stand",
            "would stand",
            "standstill",
        ],
        "is; blocked, halted",
    ),
    avoid(
        &["goes on", "go on", "went on", "going on", "gone on"],
        "continues",
    ),
    avoid(&["comes to", "come to", "came to"], "is, totals, reaches"),
    avoid(
        &[
            "as far as we know",
            "as far as it know*",
            "as far as we can",
            "as far as it can",
        ],
        "state what was checked",
    ),
    avoid(
        &["so many", "how manyth"],
        "the number, or the name of the constant",
    ),
    avoid(
        &[
            "that there is",
            "that there are",
            "that there was",
            "that there were",
        ],
        "existing, available; or leave it out",
    ),
    avoid(&["anew", "afresh"], "again, new"),
    avoid_in_comments(
        &["a yes", "the yes", "its yes", "their yes", "every yes"],
        "accepted",
    ),
    avoid(
        &["is at hand", "are at hand", "be at hand", "was at hand"],
        "is available",
    ),
    avoid(&["comeback*", "welcome* back"], "re-enabled"),
    avoid(&["sake"], "because of"),
];

/// Phrases that contain an avoided one and are fine.
const FINE: &[&str] = &[
    "in mind",
    "who knows",
    "so that there is",
    "so that there are",
    "stands for",
    "stands in for",
    "stands alone",
    "the room for",
    "the room left",
    "a room for",
    "go on top",
    "come to be",
    "comes to be",
    "comes to the end",
];

/// A word of a comment or literal, in lower case, with its line.
#[derive(Debug, Clone, PartialEq)]
pub struct Word {
    pub text: String,
    pub line: usize,
}

/// An avoided phrase in a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    pub line: usize,
    pub phrase: String,
    pub instead: &'static str,
}

/// Finds the avoided phrases among the words; in a literal, only those that are avoided there too.
pub fn find(words: &[Word], is_literal: bool) -> Vec<Hit> {
    let is_fine = |at: usize, length: usize| {
        let near = at.saturating_sub(4)..at + length;
        near.into_iter().any(|from| {
            FINE.iter()
                .any(|fine| matches(words, from, fine).is_some_and(|end| from + end >= at + length))
        })
    };
    let mut hits = Vec::new();
    for (avoided, phrase) in AVOIDED.iter().flat_map(|a| a.phrases.iter().map(move |p| (a, p))) {
        if is_literal && !avoided.in_texts {
            continue;
        }
        for at in 0..words.len() {
            let Some(length) = matches(words, at, phrase) else {
                continue;
            };
            if !is_fine(at, length) {
                let found: Vec<&str> = words[at..at + length]
                    .iter()
                    .map(|word| word.text.as_str())
                    .collect();
                hits.push(Hit {
                    line: words[at].line,
                    phrase: found.join(" "),
                    instead: avoided.instead,
                });
            }
        }
    }
    hits
}

/// The number of words of the phrase, if it starts at this position.
fn matches(words: &[Word], at: usize, phrase: &str) -> Option<usize> {
    let mut length = 0;
    for expected in phrase.split(' ') {
        let word = words.get(at + length)?.text.as_str();
        let is_same = match expected.strip_suffix('*') {
            Some(start) => word.starts_with(start),
            None => word == expected,
        };
        if !is_same {
            return None;
        }
        length += 1;
    }
    Some(length)
}

/// Splits text that starts on this line into words. A `.` between them ends a phrase, as does any other mark.
pub fn words(text: &str, first_line: usize) -> Vec<Word> {
    let mut found = Vec::new();
    for (offset, line_text) in text.split('\n').enumerate() {
        let line = first_line + offset;
        let mut rest = line_text;
        while let Some(c) = rest.chars().next() {
            let end = rest
                .find(|c: char| !(c.is_alphanumeric() || c == '\''))
                .unwrap_or(rest.len());
            let (text, length) = match end {
                0 if c.is_whitespace() => (None, c.len_utf8()),
                0 => (Some(".".to_owned()), c.len_utf8()),
                end => (Some(rest[..end].to_lowercase()), end),
            };
            found.extend(text.map(|text| Word { text, line }));
            rest = &rest[length..];
        }
    }
    found
}

#[test]
fn avoided_phrases_are_found_across_lines_and_not_across_sentences() {
    let found = |text: &str, is_literal| -> Vec<(usize, String)> {
        let hits = find(&words(text, 7), is_literal);
        hits.into_iter().map(|hit| (hit.line, hit.phrase)).collect()
    };
    let one = |line, phrase: &str| vec![(line, phrase.to_owned())];
    assert_eq!(found("It goes\non, newest first.", false), one(7, "goes on"));
    assert_eq!(found("Looking at it", true), one(7, "looking at"));
    assert_eq!(
        found("In\nother words, SOMEBODY reads", false),
        one(8, "somebody")
    );
    assert!(found("There it goes. On the next day, it's \"say-so\"", false).len() == 1);
    assert!(found("Keep in mind that 1 stands for true; the room for it.", false).is_empty());
    assert_eq!(found("each room", false), one(7, "each room"));
    assert!(found("each room", true).is_empty());
}
