//! Suppression of customers who opted out, and erasure on request: with the real binary, in both profiles, beside a
//! running daemon, without one, and across a kill.

mod erase;
mod fixture;
mod suppress;
