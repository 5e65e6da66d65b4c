//! The environment of a command: the configuration, loaded when a command needs it, the clock, and files.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::{Builder, TempDir};

use crate::config::{Config, ConfigErrors, Website, load, process_environment};
use crate::daemon::requests::error::RequestError;
use crate::store::{StoreError, StoreView};
use orderfeed_model::clock::Clock;

#[derive(Debug)]
pub struct Context {
    config_path: PathBuf,
    pub clock: Clock,
}

impl Context {
    pub fn new(config_path: PathBuf) -> Self {
        Self {
            config_path,
            clock: Clock::System,
        }
    }

    pub fn config_path(&self) -> &Path {
        &self.config_path
    }

    /// Loads the configuration. Its warnings are dropped here: only `run` and `config check` show them.
    pub fn config(&self) -> Result<Config, ConfigErrors> {
        load(&self.config_path, process_environment()).map(|loaded| loaded.config)
    }
}

pub fn configured_website<'a>(
    config: &'a Config,
    code: &str,
) -> Result<(&'a String, &'a Website), RequestError> {
    let found = config.websites.get_key_value(code);
    found.ok_or_else(|| RequestError::unknown_website(code, config.websites.keys()))
}

/// Opens the configured store for reading, also beside a running daemon.
pub fn view(config: &Config) -> Result<StoreView, StoreError> {
    StoreView::open(&config.store.path)
}

/// Creates a directory for a store that is needed while the command runs. It is removed on drop.
pub fn temporary_directory() -> io::Result<TempDir> {
    // Not readable by other users, like the directory of every store.
    let mode = Permissions::from_mode(0o700);
    Builder::new().prefix("orderfeed-").permissions(mode).tempdir()
}
