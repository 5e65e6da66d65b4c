//! Commands of set-up and maintenance.

pub mod admin;
pub mod backup;
pub mod config;
pub mod manual;
pub mod source;
pub mod storefront;
