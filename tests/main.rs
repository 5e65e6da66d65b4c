//! Whole-program tests. One file is one promise that the README makes; `support` is what they share.

mod answers;
mod cli;
mod commerce_commands;
mod config;
mod connection;
mod delivery;
mod emulator;
mod explain;
mod first_sync;
mod house;
mod idempotence;
mod invariants;
mod iofaults;
mod main_job;
mod outages;
mod powerloss;
mod service;
mod shop;
mod simulation;
mod source;
mod storm;
mod support;
