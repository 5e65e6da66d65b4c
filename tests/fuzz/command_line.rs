//! Any arguments of `orderfeed`: a command, or a printable error.

use clap::Parser;
use orderfeed::cli::args::Cli;

use super::feed::Feed;

/// Words of a command line, used besides arbitrary texts.
const WORDS: [&str; 40] = [
    "run",
    "demo",
    "emulator",
    "config",
    "check",
    "show",
    "status",
    "doctor",
    "explain",
    "test-connection",
    "indexer:info",
    "indexer:status",
    "indexer:set-mode",
    "indexer:reindex",
    "indexer:set-status",
    "saas:resync",
    "failed",
    "list",
    "retry",
    "discard",
    "cron",
    "history",
    "suppress",
    "privacy",
    "--feed",
    "orders",
    "--json",
    "--website",
    "base",
    "--by-ids",
    "1,2,3",
    "--from",
    "2026-01-01",
    "--dry-run",
    "--config",
    "/nowhere.toml",
    "--help",
    "--force",
    "--batch-size",
    "18446744073709551616",
];

pub fn check(data: &[u8]) {
    let mut feed = Feed::new(data);
    let mut words = vec!["orderfeed".to_owned()];
    while !feed.is_empty() && words.len() < 12 {
        words.push(match feed.byte() {
            0xff => feed.text(),
            byte => WORDS[usize::from(byte) % WORDS.len()].to_owned(),
        });
    }
    match Cli::try_parse_from(&words) {
        Ok(cli) => assert!(!format!("{cli:?}").is_empty()),
        Err(complaint) => assert!(!complaint.to_string().is_empty(), "{words:?}"),
    }
}
