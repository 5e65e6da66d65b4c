//! (being built)

pub mod emulator;
