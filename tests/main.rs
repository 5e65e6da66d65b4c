//! Whole-program tests. One file is one promise that the README makes; `support` is what they share.

mod delivery;
mod emulator;
