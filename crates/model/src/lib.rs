//! The plain data that every other crate shares: orders, exact amounts, birth marks, and time.
//!
//! No I/O, no SQL, no async runtime. [`clock`] is the only module in the project that reads the wall clock.
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used))]

pub mod amount;
pub mod birth;
pub mod clock;
pub mod marks;
pub mod order;
mod words;
