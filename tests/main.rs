//! Whole-program tests. One file is one promise that the README makes; `support` is what they share.

mod answers;
mod backup;
mod cli;
mod commerce_commands;
mod config;
mod connection;
mod delivery;
mod doctor;
mod emulator;
mod explain;
mod first_sync;
mod fuzz;
mod golden;
mod house;
mod idempotence;
mod invariants;
mod main_job;
mod observed;
mod outages;
mod privacy;
mod service;
mod shop;
mod source;
mod storm;
mod support;
mod verify;
