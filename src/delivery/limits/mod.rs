//! Limits of delivery: how many requests, how fast, and how long to wait after a failure. Pure.

pub mod backoff;
pub mod lanes;
pub mod rate_limit;
pub mod retry_after;
