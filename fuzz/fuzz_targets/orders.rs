//! The check is in `tests/fuzz/orders.rs`, which ordinary tests use as well.
#![no_main]

#[path = "../../tests/fuzz/orders.rs"]
mod check;
#[path = "../../tests/fuzz/feed.rs"]
mod feed;
#[path = "../../tests/fuzz/order_rows.rs"]
mod order_rows;
#[path = "../../crates/events/src/tests/schema.rs"]
mod xdm_schema;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::check(data));
