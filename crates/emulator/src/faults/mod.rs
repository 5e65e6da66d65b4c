//! Fault injection: a script for the next requests, and a seeded mix of random faults.

pub(crate) mod random;
pub(crate) mod script;
