//! Faults on purpose: a script for the next requests, and a seeded mix of random ones.

pub(crate) mod random;
pub(crate) mod script;
