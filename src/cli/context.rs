//! The environment of a command: the configuration, loaded when a command needs it, the clock, and files.
//!
//! A configuration that a command receives names files that the store's owner controls. So root becomes that user between
//! reading the file and running the command ([`StoreOwner`]): no command can touch the store before. The configuration and its secrets
//! are read with root's rights, because root may run `orderfeed` before the daemon's user can read them.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::{Builder, TempDir};

use crate::cli::output::address::Addressee;
use crate::config::{
    Config, ConfigErrors, LoadedConfig, Website, load, load_without_secrets, process_environment,
};
use crate::daemon::requests::error::RequestError;
use crate::store::file::identity::StoreOwner;
use crate::store::{StoreError, StoreView};
use orderfeed_model::clock::Clock;

/// The configuration file if the command line names none.
pub const CONFIG_FILE: &str = "/etc/orderfeed/orderfeed.toml";

#[derive(Debug)]
pub struct Context {
    config_path: PathBuf,
    pub clock: Clock,
}

/// The reason for which a command has no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// Root cannot take the identity of the store's owner.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Context {
    pub fn new(config_path: PathBuf) -> Self {
        Self {
            config_path,
            clock: Clock::System,
        }
    }

    /// Returns how messages address the shop of this configuration; `None` for a single shop.
    pub fn addressee(&self) -> Option<Addressee> {
        Addressee::of_file(&self.config_path, CONFIG_FILE.as_ref())
    }

    pub fn config_path(&self) -> &Path {
        &self.config_path
    }

    /// Loads the configuration. From here on this process has no more rights than the owner of the store.
    pub fn load(&self) -> Result<LoadedConfig, ContextError> {
        self.load_and(|_| None, |_, _, _| ()).map(|(loaded, ())| loaded)
    }

    /// Loads the configuration as [`Self::load`] does. Its warnings are dropped here: only `run` and `config check` show them.
    pub fn config(&self) -> Result<Config, ContextError> {
        self.load().map(|loaded| loaded.config)
    }

    /// Loads the configuration as [`Self::config`] does, for a command that only reads the store: its secrets may be missing.
    pub fn config_without_secrets(&self) -> Result<Config, ContextError> {
        let loaded = load_without_secrets(&self.config_path, process_environment(&self.config_path))?;
        as_owner(loaded, |_| None, |_, _, _| ()).map(|(loaded, ())| loaded.config)
    }

    /// Loads the configuration, and runs `work` on `file`, which the command line names: with the rights of root if only root
    /// controls its path, otherwise with those of the store's owner.
    pub fn config_and<T>(
        &self,
        file: &Path,
        work: impl FnOnce(&Config) -> T,
    ) -> Result<(Config, T), ContextError> {
        let named = |_: &Config| Some(file.to_owned());
        let (loaded, result) = self.load_and(named, |config, _, _| work(config))?;
        Ok((loaded.config, result))
    }

    /// Runs `work` on the file that `file` chooses, with rights as in [`Self::config_and`]. While `work` has those of root, it
    /// gets the owner of the store, who must be able to read what it writes.
    pub fn with_file<T>(
        &self,
        file: impl FnOnce(&Config) -> PathBuf,
        work: impl FnOnce(&Config, &Path, Option<StoreOwner>) -> T,
    ) -> Result<T, ContextError> {
        let work =
            |config: &Config, path: Option<&Path>, owner| work(config, path.unwrap_or("".as_ref()), owner);
        self.load_and(|config| Some(file(config)), work)
            .map(|(_, result)| result)
    }

    fn load_and<T>(
        &self,
        file: impl FnOnce(&Config) -> Option<PathBuf>,
        work: impl FnOnce(&Config, Option<&Path>, Option<StoreOwner>) -> T,
    ) -> Result<(LoadedConfig, T), ContextError> {
        let loaded = load(&self.config_path, process_environment(&self.config_path))?;
        as_owner(loaded, file, work)
    }
}

/// Takes the identity of the store's owner, before or after `work` on the chosen file.
fn as_owner<T>(
    loaded: LoadedConfig,
    file: impl FnOnce(&Config) -> Option<PathBuf>,
    work: impl FnOnce(&Config, Option<&Path>, Option<StoreOwner>) -> T,
) -> Result<(LoadedConfig, T), ContextError> {
    let store = &loaded.config.store.path;
    let owner = StoreOwner::to_become(store)?;
    let become_owner = || owner.map_or(Ok(()), |owner| owner.become_for_good(store));
    let file = file(&loaded.config);
    let as_root = owner.filter(|owner| file.as_deref().is_some_and(|file| !owner.controls(file)));
    if as_root.is_none() {
        become_owner()?;
    }
    let result = work(&loaded.config, file.as_deref(), as_root);
    if as_root.is_some() {
        become_owner()?;
    }
    Ok((loaded, result))
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
