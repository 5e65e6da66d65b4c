//! The command line: one file per family of commands.

pub mod config;
