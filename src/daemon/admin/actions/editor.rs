//! Saves settings: checked, written as a whole, then in force. A value that is refused leaves everything as it was.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::Mutex;

use crate::config::{Config, ConfigErrors, EditedSettings, edit_settings, process_environment};
use crate::daemon::lifecycle::reload::Reloader;
use crate::ops::replace_file::replace_file;

/// Mode of the file: the daemon's user writes it, and its group may read it.
const MODE: u32 = 0o640;

pub(crate) struct Editor {
    /// The main configuration file.
    path: PathBuf,
    reloader: Arc<Reloader>,
    /// One change at a time, so that none is lost.
    turn: Mutex<()>,
}

/// The reason for which settings were not saved, as sentences.
pub(crate) type Refused = Vec<String>;

impl Editor {
    pub(crate) fn new(path: PathBuf, reloader: Arc<Reloader>) -> Self {
        Self {
            path,
            reloader,
            turn: Mutex::new(()),
        }
    }

    /// Checks changes without saving them.
    pub(crate) async fn check(
        &self,
        wanted: Vec<(String, String)>,
        in_force: &Config,
    ) -> Result<EditedSettings, Refused> {
        let path = self.path.clone();
        let checking =
            tokio::task::spawn_blocking(move || edit_settings(&path, process_environment(&path), &wanted));
        let checked = checking.await.map_err(|crash| vec![crash.to_string()])?;
        let edited = checked.map_err(sentences)?;
        // The next start would refuse the store.
        if edited.loaded.config.data_space_id() != in_force.data_space_id() {
            let environment = edited.loaded.config.services_connector.environment;
            return Err(vec![format!(
                "services_connector.{environment}.data_space_id: the events in the store were made for {}; with another \
                 data space each would arrive twice. `orderfeed run --accept-new-data-space` is for that",
                in_force.data_space_id()
            )]);
        }
        Ok(edited)
    }

    /// Saves changes and puts them in force.
    pub(crate) async fn save(
        &self,
        wanted: Vec<(String, String)>,
        in_force: &Config,
    ) -> Result<EditedSettings, Refused> {
        let _turn = self.turn.lock().await;
        let edited = self.check(wanted, in_force).await?;
        if edited.changes.is_empty() {
            return Ok(edited);
        }
        let (path, text) = (edited.path.clone(), edited.text.clone());
        let reloader = Arc::clone(&self.reloader);
        let saving = tokio::task::spawn_blocking(move || save(&path, text.as_deref(), &reloader));
        saving.await.map_err(|crash| vec![crash.to_string()])??;
        Ok(edited)
    }
}

fn save(path: &Path, text: Option<&str>, reloader: &Reloader) -> Result<(), Refused> {
    let before = std::fs::read_to_string(path).ok();
    put(path, text)?;
    if reloader.reload() {
        return Ok(());
    }
    // Another file changed since the check. The daemon continues with the old settings, and so must its next start.
    put(path, before.as_deref())?;
    Err(vec![
        "the configuration files became invalid meanwhile; see the log, correct them, and save again"
            .to_owned(),
    ])
}

fn put(path: &Path, text: Option<&str>) -> Result<(), Refused> {
    let done = match text {
        Some(text) => replace_file(path, text, MODE, |_| Ok(())),
        None => match std::fs::remove_file(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        },
    };
    done.map_err(|error| vec![format!("{} cannot be written: {error}", path.display())])
}

fn sentences(errors: ConfigErrors) -> Refused {
    let sentence = |problem: crate::config::ConfigProblem| match problem.key.is_empty() {
        true => problem.to_string(),
        // Without the place: it is a line of a file that was not written.
        false => format!("{}: {}", problem.key, problem.message),
    };
    errors.0.into_iter().map(sentence).collect()
}
