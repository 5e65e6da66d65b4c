//! The daemon: start, schedules, wiring, drain and stop, and the control socket for commands.
//!
//! | module | purpose |
//! |---|---|
//! | [`run`] | the daemon from start to stop |
//! | [`tasks`] | the long-running tasks |
//! | [`sources`] | opens the source that the configuration names |
//! | [`page_sources`] | the file and the log lines that web pages show |
//! | [`explain`] | reads an order from the source, for `explain` |
//! | [`lifecycle`] | start, signals, reload, drain and abort, the watchdog |
//! | [`schedule`] | cron jobs, capture in real time, nightly verification |
//! | `first_sync` | the first syncs that are running; websites whose events are enabled again |
//! | [`control`] | the control protocol and the Unix socket beside the store |
//! | [`requests`] | the work that commands request |
//! | `traffic` | records totals once a minute, for charts |
//! | `admin` | the admin endpoint |

pub(crate) mod admin;
pub mod control;
pub mod explain;
mod first_sync;
pub mod lifecycle;
pub mod page_sources;
pub mod requests;
pub mod run;
pub mod schedule;
pub mod sources;
pub mod tasks;
mod traffic;
