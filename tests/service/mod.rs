//! The service under systemd: the notification protocol, readiness, reload, exit codes, the admin endpoint, and the
//! sandbox of the unit.

mod daemon;
mod journal;
mod life;
mod reload;
mod shops;
mod unit;
