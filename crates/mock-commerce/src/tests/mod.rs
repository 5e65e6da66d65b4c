//! The mock over HTTP, with a shop of some hundred orders.

mod access;
mod behaviour;
mod client;
mod description;
