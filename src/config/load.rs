//! Finds the layers, merges them, and returns a configuration or everything that is wrong with it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::build;
use crate::config::layer::Layer;
use crate::config::merge::Settings;
use crate::config::model::Config;
use crate::config::problem::{ConfigErrors, Origin, Problem, Warning};
use crate::config::reader::Reader;
use crate::config::secret;
use crate::config::shown::{Shown, list};

/// The shipped file, which is also the first layer: documentation and defaults cannot differ.
pub(crate) const DEFAULTS: &str = include_str!("../../config/orderfeed.toml");

const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";
/// Where systemd keeps the credentials of our unit while it runs (systemd.exec(5)).
const SERVICE_CREDENTIALS: &str = "/run/credentials/orderfeed.service";

/// A configuration that may be used, and how it came about.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The effective configuration.
    pub config: Config,
    /// What an operator should know; to be logged once at start.
    pub warnings: Vec<Warning>,
    /// The files that were read, in the order in which they were laid over each other.
    pub sources: Vec<PathBuf>,
    /// Every value in force with its origin, secrets masked, in the order of the documentation.
    pub settings: Vec<Shown>,
}

/// Reads the file at `path`, `conf.d/*.toml` beside it in lexical order, and the variables of `env`. Relative paths
/// in the configuration start at the directory of `path`. `CREDENTIALS_DIRECTORY` is looked up in `env`.
///
/// # Errors
/// Everything that is wrong, at once; the process ends with 78. No message holds a secret.
pub fn load(path: &Path, env: impl IntoIterator<Item = (String, String)>) -> Result<Loaded, ConfigErrors> {
    let env: Vec<(String, String)> = env.into_iter().collect();
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let (sources, layers) = read_layers(&path, &env)?;
    let settings = merged(&path, &layers)?;
    let spoken_of = layers
        .iter()
        .flat_map(|layer| layer.spoken_of.iter().map(String::as_str))
        .collect();
    let mut reader = Reader::new(&settings, spoken_of);
    let mut config = build::config(&mut reader);
    let credentials = env
        .iter()
        .find(|(name, _)| name == CREDENTIALS)
        .map(|(_, value)| Path::new(value));
    secret::resolve(&mut reader, &mut config, credentials);
    secret::check_files(&mut reader, &sources);
    let Reader {
        mut problems,
        mut warnings,
        ..
    } = reader;
    for layer in &layers {
        problems.extend(layer.problems.iter().cloned());
        warnings.extend(layer.warnings.iter().cloned());
    }
    if problems.is_empty() {
        return Ok(Loaded {
            config,
            warnings,
            sources,
            settings: list(&settings),
        });
    }
    Err(sorted(problems))
}

/// The environment of this process. A value that is not UTF-8 arrives with replacement characters, so that it is
/// refused by name where it sets a key, and ignored where it does not.
///
/// systemd tells only the service itself where its credentials are. A command that an operator runs finds them where
/// systemd puts them, if it may read them: otherwise every secret that is kept this way would seem to be missing.
pub fn process_environment() -> impl Iterator<Item = (String, String)> {
    let of_service = std::env::var_os(CREDENTIALS).is_none() && Path::new(SERVICE_CREDENTIALS).is_dir();
    let found = of_service.then(|| (CREDENTIALS.to_owned(), SERVICE_CREDENTIALS.to_owned()));
    let own = std::env::vars_os().map(|(name, value)| {
        (
            name.to_string_lossy().into_owned(),
            value.to_string_lossy().into_owned(),
        )
    });
    own.chain(found)
}

fn read_layers(path: &Path, env: &[(String, String)]) -> Result<(Vec<PathBuf>, Vec<Layer>), ConfigErrors> {
    let mut sources = vec![path.to_owned()];
    sources.extend(drop_ins(path).map_err(|problem| ConfigErrors(vec![problem]))?);
    let mut layers = vec![Layer::defaults(DEFAULTS)];
    let mut broken = Vec::new();
    for source in &sources {
        match read(source) {
            Ok(text) => layers.push(Layer::file(source, &text)),
            Err(problem) => broken.push(problem),
        }
    }
    layers.push(Layer::env(env));
    // A file without its syntax says nothing about its keys: what is missing would only be noise beside it.
    let syntax = layers
        .iter()
        .flat_map(|layer| &layer.problems)
        .filter(|problem| problem.key.is_empty());
    broken.extend(syntax.cloned());
    if broken.is_empty() {
        Ok((sources, layers))
    } else {
        Err(sorted(broken))
    }
}

fn read(path: &Path) -> Result<String, Problem> {
    let problem = |place: Origin, message: String| Problem {
        place,
        key: String::new(),
        message,
    };
    let file = || Origin::File(path.into());
    let bytes = fs::read(path).map_err(|error| {
        let remedy = match error.kind() {
            io::ErrorKind::NotFound => "create it, or name another with --config or ORDERFEED_CONFIG",
            io::ErrorKind::PermissionDenied => "let the daemon's user read it",
            _ => "expected a readable TOML file",
        };
        problem(file(), format!("cannot be read: {error}; {remedy}"))
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
        problem(
            Origin::Line(path.into(), line),
            "is not UTF-8; expected a TOML file in UTF-8".into(),
        )
    })
}

/// `conf.d/*.toml` beside the file, in lexical order of their names. No such directory means none.
fn drop_ins(path: &Path) -> Result<Vec<PathBuf>, Problem> {
    let directory = path.with_file_name("conf.d");
    let unreadable = |error: io::Error| Problem {
        place: Origin::File(directory.as_path().into()),
        key: String::new(),
        message: format!("cannot be listed: {error}; let the daemon's user read it, or remove it"),
    };
    let entries = match fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let file = entry.map_err(unreadable)?.path();
        let is_hidden = file
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if !is_hidden && file.extension().is_some_and(|extension| extension == "toml") {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

fn merged(path: &Path, layers: &[Layer]) -> Result<Settings, ConfigErrors> {
    Settings::merge(path, layers).map_err(|error| {
        let message = format!("cannot be merged: {error}");
        ConfigErrors(vec![Problem {
            place: Origin::File(Arc::from(path)),
            key: String::new(),
            message,
        }])
    })
}

fn sorted(mut problems: Vec<Problem>) -> ConfigErrors {
    problems.sort_by(|a, b| (&a.place, &a.key).cmp(&(&b.place, &b.key)));
    problems.dedup();
    ConfigErrors(problems)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::schema::KEYS;

    /// The configuration that the shipped file alone describes, without what has no default.
    fn shipped() -> (Config, Vec<Problem>) {
        let layers = [Layer::defaults(DEFAULTS)];
        assert_eq!(layers[0].problems, []);
        let settings = merged(Path::new("/etc/orderfeed/orderfeed.toml"), &layers).unwrap();
        let mut reader = Reader::new(&settings, Vec::new());
        let config = build::config(&mut reader);
        (config, reader.problems)
    }

    #[test]
    fn the_shipped_file_equals_the_defaults() {
        let (config, problems) = shipped();
        let mut expected = Config::default();
        // The one relative path of the defaults starts at the configuration's directory.
        expected.source.sqlite.path = Path::new("/etc/orderfeed").join(expected.source.sqlite.path);
        assert_eq!(format!("{config:#?}"), format!("{expected:#?}"));
        assert!(
            problems
                .iter()
                .all(|problem| problem.message.starts_with("is not set")),
            "{problems:?}"
        );
    }

    #[test]
    fn every_key_is_documented_in_the_shipped_file_and_no_other() {
        let mut table = String::new();
        let mut documented: Vec<String> = Vec::new();
        for line in DEFAULTS.lines() {
            let line = line.strip_prefix("# ").unwrap_or(line);
            if let Some((name, _)) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
                table = name.replace("websites.base", "websites.*");
            } else if let Some((name, _)) = line.split_once(" = ")
                && name.chars().all(|c| c.is_ascii_lowercase() || c == '_')
            {
                documented.push(format!("{table}.{name}"));
            }
        }
        let mut known: Vec<&str> = KEYS.iter().map(|key| key.path).collect();
        known.sort_unstable();
        documented.sort_unstable();
        assert_eq!(documented, known);
    }

    #[test]
    fn a_configuration_can_be_shared_between_threads() {
        fn shared<T: Send + Sync + Clone + 'static>(_: &T) {}
        shared(&Config::default());
    }
}
