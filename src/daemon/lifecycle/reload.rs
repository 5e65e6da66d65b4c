//! The reload: on SIGHUP, and after settings were saved on the web pages. An invalid configuration changes nothing; keys that
//! only a start can change are logged and keep their values.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::config::{Config, ConfigErrors};
use crate::daemon::lifecycle::vitals::Vitals;
use crate::ops::systemd::Notifier;
use orderfeed_model::clock::Clock;

pub type ReadConfig = Box<dyn Fn() -> Result<Config, ConfigErrors> + Send + Sync>;

/// Reads the configuration again and publishes it.
pub(crate) struct Reloader {
    /// `None` if this process cannot read its configuration again.
    pub(crate) read: Option<ReadConfig>,
    // Kept also without `read`: once it is dropped, tasks that wait for a reload end.
    pub(crate) config: watch::Sender<Arc<Config>>,
    pub(crate) vitals: Arc<Vitals>,
    pub(crate) notifier: Notifier,
    pub(crate) clock: Clock,
    /// One reload at a time, so that the file that was read last is in force.
    pub(crate) turn: Mutex<()>,
}

impl Reloader {
    /// Returns true if this process can read its configuration again.
    pub(crate) fn is_possible(&self) -> bool {
        self.read.is_some()
    }

    /// Reads the configuration and publishes it if it is valid. Returns true if it was. Blocks while it reads.
    pub(crate) fn reload(&self) -> bool {
        let Some(read) = &self.read else {
            return false;
        };
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.notifier.reloading();
        let valid = reload(read.as_ref(), &self.config);
        self.vitals.reloaded(valid, self.clock.now());
        // READY=1 ends the reload for systemd, but during the start it would end the start as well.
        if self.vitals.is_scheduled() {
            self.notifier.ready();
        }
        valid
    }
}

/// Reads the configuration again and publishes it if it is valid. Returns true if it was.
fn reload(
    read: &(dyn Fn() -> Result<Config, ConfigErrors> + Send + Sync),
    config: &watch::Sender<Arc<Config>>,
) -> bool {
    let mut new = match read() {
        Ok(new) => new,
        Err(errors) => {
            tracing::error!(
                log_code = "OF01-02",
                error = %errors,
                "The new configuration is invalid; the daemon continues with the old one",
            );
            return false;
        }
    };
    let old = config.borrow().clone();
    // The other keys take effect; refusing the whole reload would delay them as well.
    let kept = keep_fixed(&old, &mut new);
    if !kept.is_empty() {
        tracing::warn!(
            log_code = "OF01-04",
            keys = ?kept,
            "These settings take effect at the next start; the daemon continues with the old ones",
        );
    }
    config.send_replace(Arc::new(new));
    tracing::info!("The configuration was read again and is in force");
    true
}

/// Restores the keys that open files and connections depend on, and returns those that differed.
fn keep_fixed(old: &Config, new: &mut Config) -> Vec<&'static str> {
    let mut kept = Vec::new();
    // In the order of `config::FIXED`, which the documentation lists.
    if new.store.path != old.store.path {
        new.store.path.clone_from(&old.store.path);
        kept.push("store.path");
    }
    if new.data_space_id() != old.data_space_id() {
        new.services_connector.keys_mut().data_space_id = old.data_space_id();
        kept.push("services_connector.*.data_space_id");
    }
    // By debug output, because secrets cannot be compared; a change of the password alone is not noticed.
    if format!("{:?}", new.source) != format!("{:?}", old.source) {
        new.source = old.source.clone();
        kept.push("source");
    }
    if new.admin.listen != old.admin.listen {
        new.admin.listen = old.admin.listen.clone();
        kept.push("admin.listen");
    }
    if new.log.format != old.log.format {
        new.log.format = old.log.format;
        kept.push("log.format");
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_bound_to_the_process_keeps_its_value_and_is_named() {
        let old = Config::default();
        let mut new = Config::default();
        new.store.path = "/elsewhere.db".into();
        new.delivery.lanes = 3;
        assert_eq!(keep_fixed(&old, &mut new), ["store.path"]);
        assert_eq!((new.store.path, new.delivery.lanes), (old.store.path, 3));
    }

    #[test]
    fn the_documentation_lists_the_keys_that_need_a_restart() {
        let old = Config::default();
        let mut new = Config::default();
        new.store.path = "/elsewhere.db".into();
        new.services_connector.keys_mut().data_space_id = uuid::Uuid::from_u128(7);
        new.source.mysql.table_prefix = "x_".parse().unwrap();
        new.admin.listen = crate::config::AdminListen::Off;
        new.log.format = crate::config::LogFormat::Json;
        assert_eq!(keep_fixed(&old, &mut new), crate::config::FIXED);
    }
}
