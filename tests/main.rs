//! Whole-program tests. One file is one promise that the README makes; `support` is what they share.

mod cli;
mod config;
mod delivery;
mod emulator;
mod house;
mod service;
mod shop;
mod source;
mod support;
