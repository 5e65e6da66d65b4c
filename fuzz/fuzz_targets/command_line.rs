//! The check is in `tests/fuzz/command_line.rs`, which ordinary tests use as well.
#![no_main]

#[path = "../../tests/fuzz/command_line.rs"]
mod check;
#[path = "../../tests/fuzz/feed.rs"]
mod feed;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::check(data));
