//! The environment of a command: the configuration, loaded when a command needs it, and the clock.

use std::path::{Path, PathBuf};

use crate::config::{Config, ConfigErrors, load, process_environment};
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
    ///
    /// # Errors
    /// Every problem found in it.
    pub fn config(&self) -> Result<Config, ConfigErrors> {
        load(&self.config_path, process_environment()).map(|loaded| loaded.config)
    }
}

/// Opens the configured store for reading, also beside a running daemon.
///
/// # Errors
/// If it does not exist or cannot be read.
pub fn view(config: &Config) -> Result<StoreView, StoreError> {
    StoreView::open(&config.store.path)
}
