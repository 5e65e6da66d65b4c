//! What commands are given: where the configuration is, the configuration itself once it is needed, and the time.

use std::path::{Path, PathBuf};

use crate::config::{Config, ConfigErrors, load, process_environment};
use crate::store::{StoreError, StoreView};
use orderfeed_model::clock::Clock;

/// Surroundings of a command.
#[derive(Debug)]
pub struct Context {
    config_path: PathBuf,
    /// The time.
    pub clock: Clock,
}

impl Context {
    /// For the configuration at `config_path`.
    pub fn new(config_path: PathBuf) -> Self {
        Self {
            config_path,
            clock: Clock::System,
        }
    }

    /// Where the configuration is.
    pub fn config_path(&self) -> &Path {
        &self.config_path
    }

    /// The configuration. Its warnings are the business of `run` and `config check`.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn config(&self) -> Result<Config, ConfigErrors> {
        load(&self.config_path, process_environment()).map(|loaded| loaded.config)
    }
}

/// The configured store, to look at beside a running daemon.
///
/// # Errors
/// If there is none, or it cannot be read.
pub fn view(config: &Config) -> Result<StoreView, StoreError> {
    StoreView::open(&config.store.path)
}
