//! The sources of the web pages that only the process can name, beside the store and the configuration in force.

use std::path::PathBuf;

use crate::ops::recent::RecentLog;

/// The configuration file and the latest log lines.
#[derive(Clone, Debug, Default)]
pub struct PageSources {
    /// `None` if the configuration was not read from a file.
    pub config_path: Option<PathBuf>,
    pub recent: RecentLog,
}
