//! The check is in `tests/fuzz/configuration.rs`, which ordinary tests use as well.
#![no_main]

#[path = "../../tests/fuzz/configuration.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::check(data));
