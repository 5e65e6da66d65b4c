//! Commands for trying the daemon without a shop and without Adobe.

pub(crate) mod commerce;
pub mod demo;
pub(crate) mod demo_report;
pub(crate) mod demo_shoppers;
pub(crate) mod demo_source;
pub(crate) mod demo_storefront;
pub mod emulator;
