//! HTTP: connections, routes and replies.

pub(crate) mod listener;
mod reply;
mod route;
mod service;
