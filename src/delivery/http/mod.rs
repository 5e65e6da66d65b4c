//! HTTP to the edge and to the token service: requests, answers, tokens. Without store and schedules.

pub(crate) mod certificate;
pub(crate) mod client;
pub(crate) mod destination;
pub mod page;
pub(crate) mod problem;
pub(crate) mod proxy;
pub(crate) mod tokens;
pub mod transport;
