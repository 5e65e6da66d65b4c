//! Commands for trying the daemon without a shop and without Adobe.

pub(crate) mod commerce;
pub mod demo;
pub(crate) mod demo_report;
pub mod emulator;
