//! The check is in `tests/fuzz/retry_after.rs`, which ordinary tests use as well.
#![no_main]

#[path = "../../tests/fuzz/retry_after.rs"]
mod check;
#[path = "../../tests/fuzz/feed.rs"]
mod feed;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::check(data));
