//! The emulator keeps the rules of the Edge Network that it stands for, misbehaves exactly as told, and its ledger
//! tells the truth.

mod control;
mod docs;
mod faults;
mod ledger;
mod others;
mod rig;
mod rules;
