//! The web pages of a running daemon, over HTTP: who may see and do what, and the actions.

mod access;
mod actions;
mod client;
mod fixture;
mod logins;
mod settings;
