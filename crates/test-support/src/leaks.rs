//! A search for secrets and personal data in logs. Every test that runs a daemon scans its log at the end, so that
//! the check covers everything any test makes the program log.

use orderfeed_emulator::DEFAULT_SECRET;

use crate::database::PASSWORD;
use crate::edge;

/// Secrets used by the tests: those of the client, the database's password, the emulator's tokens, and the text
/// preceding secrets in requests.
const SECRETS: [&str; 8] = [
    edge::SECRET,
    DEFAULT_SECRET,
    "rig-secret",
    PASSWORD,
    "emulated-",
    "Bearer ",
    "client_secret=",
    "-----BEGIN",
];

/// Words from the data of the demo's customers, except those with another meaning.
const SHOPPERS: [&str; 22] = [
    "Björn",
    "Hálfdán",
    "Nguyễn",
    "花子",
    "Lovelace",
    "Müller",
    "O'Neill",
    "Παπαδοπούλου",
    "Иванова",
    "Smith-Jones",
    "Wolfeschlegel",
    "Grace.Hopper",
    "jose+orders",
    "Infinite Loop",
    "Hauptstraße",
    "Baker Street",
    "Calle Mayor",
    "Besançon",
    "千代田区",
    "NW1 6XE",
    "+00 555",
    "Example Trading",
];
const MAIL_HOSTS: [&str; 3] = ["@example.", "@Example.", "@mail.example."];

/// Length of an identity: a SHA-256 in hexadecimal.
const HASH: usize = 64;

/// Asserts that `text` contains no secret and no personal data. `place` names it in the message.
#[track_caller]
pub fn assert_none(place: &str, text: &str) {
    if let Some((what, line)) = leak(text) {
        panic!("{place} holds {what:?}: {line}");
    }
}

fn leak(text: &str) -> Option<(String, &str)> {
    let words = || SECRETS.iter().chain(&SHOPPERS).chain(&MAIL_HOSTS);
    text.lines().find_map(|line| {
        let word = words().find(|word| line.contains(**word));
        let what = word.map(|word| (*word).to_owned()).or_else(|| hash_in(line))?;
        Some((what, line))
    })
}

/// Returns a run of exactly as many hexadecimal digits as a hash has.
fn hash_in(line: &str) -> Option<String> {
    line.split(|c: char| !c.is_ascii_hexdigit())
        .find(|run| run.len() == HASH)
        .map(str::to_owned)
}

#[test]
fn planted_leaks_are_found_and_the_demo_still_has_these_customers() {
    let people = include_str!("../../demo-shop/src/shop/people.rs");
    for word in SHOPPERS {
        assert!(people.contains(word), "{word} is no shopper's any more");
        assert!(leak(&format!("fine\nmsg=\"x {word} y\"\n")).is_some(), "{word}");
    }
    for word in [
        edge::SECRET,
        PASSWORD,
        "Bearer abc",
        "zoe.7@example.org",
        &"0a".repeat(32),
    ] {
        assert!(leak(word).is_some(), "{word}");
    }
    let fine = "level=info msg=\"Request answered\" request_id=6f1c2b58-3a4d-4f6e-8b7a-9c0d1e2f3a4b order=7";
    assert_eq!(leak(fine), None);
}
