//! The storefront's files in a real browser: Adobe's own scripts, as `orderfeed storefront build` publishes them, on pages
//! of a shop, against the emulator.

mod browser;
mod consent;
mod demo;
mod docs;
mod modes;
mod network;
mod pages;
mod site;
mod stage;
