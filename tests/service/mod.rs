//! What systemd and those who watch the service rely on: the notification protocol, readiness, reload, exit codes, the
//! admin endpoint, and a unit that is confined.

mod daemon;
mod journal;
mod life;
mod reload;
mod unit;
