//! Fuzz tests: no external input makes the program panic, hang, or break an invariant. Each file below checks one
//! kind of input for arbitrary bytes; here the seeds in `fuzz/seeds` are replayed with small deterministic mutations.
//! The same checks are the targets of cargo-fuzz (`fuzz/`, `tests/fuzz/long`), which explores further.
//! `ORDERFEED_FUZZ_TIMES` multiplies the number of mutations.

mod codec;
mod command_line;
mod configuration;
mod cron;
mod emulator;
mod feed;
mod order_rows;
mod orders;
mod response;
mod retry_after;
#[path = "../../crates/events/src/tests/schema.rs"]
mod xdm_schema;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use fastrand::Rng;

/// Number of mutations of each seed.
const MUTATIONS: usize = 40;
/// Longest mutation, in bytes.
const LONGEST: usize = 4096;
/// Bytes that are likely to expose bugs.
const ODD: [u8; 10] = [0, 1, 0x0a, 0x20, 0x22, 0x2d, 0x39, 0x7f, 0x80, 0xff];

/// Returns the seeds of a target with their paths.
fn seeds(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/seeds")
        .join(target);
    let mut names: Vec<_> = fs::read_dir(&directory)
        .expect("each target has seeds")
        .map(|entry| entry.expect("the seeds can be listed").path())
        .collect();
    names.sort();
    let read = |path: PathBuf| {
        let seed = fs::read(&path).expect("a seed can be read");
        (path, seed)
    };
    names.into_iter().map(read).collect()
}

/// Checks the seeds of a target, each unchanged and mutated.
fn replay(target: &str, mutations: usize, check: fn(&[u8])) {
    let times = std::env::var("ORDERFEED_FUZZ_TIMES").ok();
    let mutations = mutations * times.and_then(|times| times.parse().ok()).unwrap_or(1);
    let seeds = seeds(target);
    assert!(!seeds.is_empty(), "{target} has no seeds");
    for (path, seed) in &seeds {
        let dice = &mut Rng::with_seed(seed.len() as u64);
        attempt(seed, check, &path.display().to_string());
        for round in 0..mutations {
            let input = mutated(seed, &seeds, dice);
            attempt(&input, check, &format!("mutation {round} of {}", path.display()));
        }
    }
}

/// Runs a check and reports the input if it panics.
fn attempt(input: &[u8], check: fn(&[u8]), name: &str) {
    let outcome = std::panic::catch_unwind(|| check(input));
    if let Err(cause) = outcome {
        let shown: String = input
            .iter()
            .flat_map(|byte| byte.escape_ascii())
            .map(char::from)
            .collect();
        crate::support::daemon::say(&format!("{name} fails; printf '{shown}' is the input"));
        std::panic::resume_unwind(cause);
    }
}

/// Returns the seed with one to four small changes.
fn mutated(seed: &[u8], others: &[(PathBuf, Vec<u8>)], dice: &mut Rng) -> Vec<u8> {
    let mut input = seed.to_vec();
    for _ in 0..=dice.usize(..4) {
        let (at, end) = two(input.len(), dice);
        match dice.usize(..7) {
            0 => drop(input.drain(at..end)),
            1 => input.insert(at, ODD[dice.usize(..ODD.len())]),
            2 => input[at..end].iter_mut().for_each(|byte| *byte = dice.u8(..)),
            3 if at < end => input[at] ^= 1 << dice.u8(..8),
            4 => input.splice(at..at, input[at..end].to_vec()).for_each(drop),
            5 => {
                let (_, other) = &others[dice.usize(..others.len())];
                let (from, to) = two(other.len(), dice);
                input
                    .splice(at..end, other[from..to].iter().copied())
                    .for_each(drop);
            }
            _ => input.truncate(end),
        }
        input.truncate(LONGEST);
    }
    input
}

/// Returns two positions in ascending order.
fn two(len: usize, dice: &mut Rng) -> (usize, usize) {
    let (one, other) = (dice.usize(..=len), dice.usize(..=len));
    (one.min(other), one.max(other))
}

#[test]
fn any_rows_become_valid_events_or_an_error() {
    replay("orders", 60, orders::check);
}

#[test]
fn the_seeds_reach_every_kind_of_event_and_an_accepted_request() {
    let kinds: BTreeSet<_> = seeds("orders")
        .iter()
        .flat_map(|(_, seed)| orders::kinds(seed))
        .collect();
    assert_eq!(kinds.len(), 8, "{kinds:?}");
    let accepted = |(_, seed): &(PathBuf, Vec<u8>)| emulator::answer(seed).starts_with(b"HTTP/1.1 202 ");
    assert!(seeds("emulator").iter().any(accepted));
}

#[test]
fn any_answer_becomes_a_decision() {
    replay("response", 400, response::check);
}

#[test]
fn any_retry_after_is_a_pause_of_an_hour_at_most_or_none() {
    replay("retry_after", 400, retry_after::check);
}

#[test]
fn any_configuration_is_valid_or_refused_with_places_and_without_secrets() {
    replay("configuration", MUTATIONS, configuration::check);
}

#[test]
fn any_cron_expression_moves_forward_or_is_refused() {
    replay("cron", MUTATIONS, cron::check);
}

#[test]
fn any_request_to_the_emulator_is_answered_or_its_connection_closed() {
    replay("emulator", MUTATIONS, emulator::check);
}

#[test]
fn any_damage_of_a_batch_is_an_error() {
    replay("codec", 200, codec::check);
}

#[test]
fn any_command_line_is_a_command_or_an_error() {
    replay("command_line", 10, command_line::check);
}
