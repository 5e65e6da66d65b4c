//! The HTTP side of the data listeners: connections, TLS, requests, replies, routing.

pub(crate) mod conn;
pub(crate) mod cors;
pub(crate) mod listener;
pub(crate) mod reply;
pub(crate) mod request;
pub(crate) mod route;
pub(crate) mod service;
pub(crate) mod tls;
