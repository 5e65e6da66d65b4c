//! The command line: one file per family of commands.

pub mod config;
//! (being built)

pub mod source;
pub mod emulator;
