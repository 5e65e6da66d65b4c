//! The emulator follows the rules of the Edge Network, injects exactly the scripted faults, and its ledger is
//! correct.

mod control;
mod docs;
mod faults;
mod fixture;
mod ledger;
mod others;
mod pages;
mod rules;
