//! The web pages of a running daemon, over HTTP: who may see and do what, and the actions.

mod access;
pub mod actions;
pub mod browser;
pub mod client;
mod demo;
mod fixture;
mod logins;
mod pages;
mod settings;
mod storefront;
