//! The operator's view of the daemon: log, status, metrics, and the service manager's view.
//!
//! | module | purpose |
//! |---|---|
//! | [`logging`] | sets the log up: its form, its destination, its level |
//! | [`line`], [`journal`] | one event as a line of text, as JSON, or as an entry of the journal |
//! | [`stderr`], [`screen`] | what stderr is; log lines above a progress bar |
//! | [`recent`] | the latest log lines, for the web page of the log |
//! | [`outage_log`] | limits how often failures are logged |
//! | [`pause`] | the pauses that peers asked for: whom they hold back, and the sentence about one |
//! | [`sentence`] | errors, durations and sizes as text |
//! | [`command_line`] | command lines for a shell |
//! | [`status`], [`explain`] | the snapshots behind `status` and `explain` |
//! | [`replace_file`] | replaces a file as a whole |
//! | [`openmetrics`] | the text format of `/metrics` |
//! | [`systemd`] | notifications to the service manager |

pub(crate) mod command_line;
pub mod explain;
mod journal;
mod line;
pub mod logging;
pub mod openmetrics;
pub mod outage_log;
pub mod pause;
pub mod recent;
pub mod replace_file;
pub mod screen;
pub mod sentence;
pub mod status;
pub mod stderr;
pub mod systemd;
