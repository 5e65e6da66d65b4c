//! Finds the layers, merges them, and returns a configuration or everything that is wrong with it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::config::layer::Layer;
use crate::config::merge::Settings;
use crate::config::overlay::{self, Saved};
use crate::config::problem::{ConfigErrors, ConfigProblem, Origin};
use crate::config::reader::ConfigReader;
use crate::config::secret;
use crate::config::sections::{self, Config, Log, RetryConfig, SCHEMA};
use crate::config::shop::ShopName;
use crate::config::shown::{EffectiveSetting, list};

/// The commented configuration file, which is also the first layer: documentation and defaults cannot differ.
pub(crate) const DEFAULTS: &str = include_str!("../../config/orderfeed.toml");

const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";
/// The directory in which systemd keeps the credentials of each service while it runs (systemd.exec(5)).
const SERVICE_CREDENTIALS: &str = "/run/credentials";

/// A valid configuration and its sources.
#[derive(Clone, Debug)]
pub struct LoadedConfig {
    pub config: Config,
    /// Findings that do not prevent a start; to be logged once at start.
    pub warnings: Vec<ConfigProblem>,
    /// The files that were read, from the first layer to the last.
    pub sources: Vec<PathBuf>,
    /// Every value in force with its origin, secrets masked, in the order of the documentation.
    pub settings: Vec<EffectiveSetting>,
}

impl LoadedConfig {
    /// Returns the paths of the files that were read, for messages.
    pub fn files(&self) -> String {
        let paths: Vec<_> = self
            .sources
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        paths.join(", ")
    }
}

/// Reads the file at `path`, `conf.d/*.toml` beside it in lexical order, the settings saved on the web pages, and the
/// variables of `env`, which may name systemd's `CREDENTIALS_DIRECTORY`. Relative paths in the configuration start at the directory of `path`.
///
/// Shops share the `conf.d` beside their files, so there the file of the shop is read after it and wins.
///
/// # Errors
/// Everything that is wrong, at once; the process exits with 78. No message holds a secret.
pub fn load(
    path: &Path,
    env: impl IntoIterator<Item = (String, String)>,
) -> Result<LoadedConfig, ConfigErrors> {
    load_with(path, env.into_iter().collect(), Saved::File)
}

/// Reads the configuration as [`load`] does, for a command that sends nothing: a required secret may be missing. Those of systemd
/// exist only while the service runs.
///
/// # Errors
/// As those of [`load`].
pub fn load_without_secrets(
    path: &Path,
    env: impl IntoIterator<Item = (String, String)>,
) -> Result<LoadedConfig, ConfigErrors> {
    let is_error = |problem: &ConfigProblem| !problem.is_missing_secret();
    load_checked(path, &env.into_iter().collect::<Vec<_>>(), Saved::File, is_error)
}

/// Reads the configuration as [`load`] does, with the given text as the settings saved on the web pages.
pub(crate) fn load_with(
    path: &Path,
    env: Vec<(String, String)>,
    saved: Saved<'_>,
) -> Result<LoadedConfig, ConfigErrors> {
    load_checked(path, &env, saved, |_| true)
}

fn load_checked(
    path: &Path,
    env: &[(String, String)],
    saved: Saved<'_>,
    is_error: impl Fn(&ConfigProblem) -> bool,
) -> Result<LoadedConfig, ConfigErrors> {
    // Relative paths in the file start at its directory, wherever the process runs.
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let (sources, layers) = read_layers(&path, env, saved)?;
    let settings = Settings::merge(&path, &layers);
    let mentioned = layers
        .iter()
        .flat_map(|layer| layer.mentioned.iter().map(String::as_str))
        .collect();
    let mut reader = ConfigReader::new(&settings, mentioned);
    let mut config = sections::build(&mut reader);
    let credentials = env
        .iter()
        .find(|(name, _)| name == CREDENTIALS)
        .map(|(_, value)| Path::new(value));
    // After everything else: which secrets are needed depends on other keys.
    secret::resolve(&mut reader, &mut config, credentials);
    secret::check_files(&mut reader, &sources);
    let ConfigReader {
        mut problems,
        mut warnings,
        ..
    } = reader;
    for layer in &layers {
        problems.extend(layer.problems.iter().cloned());
        warnings.extend(layer.warnings.iter().cloned());
    }
    problems.retain(is_error);
    if problems.is_empty() {
        return Ok(LoadedConfig {
            config,
            warnings,
            sources,
            settings: list(&settings),
        });
    }
    Err(sorted(problems))
}

/// Reads the compiled-in defaults alone, as if the file at `path` were empty. What has no default is reported.
fn defaults(path: &Path) -> (Config, Vec<ConfigProblem>) {
    let settings = Settings::merge(path, &[Layer::defaults(&SCHEMA, DEFAULTS)]);
    let mut reader = ConfigReader::new(&settings, Vec::new());
    let config = sections::build(&mut reader);
    (config, reader.problems)
}

impl Default for Config {
    fn default() -> Self {
        defaults(Path::new("")).0
    }
}

impl Default for Log {
    fn default() -> Self {
        Config::default().log
    }
}

impl Default for RetryConfig {
    fn default() -> Self {
        Config::default().delivery.retry
    }
}

/// Returns the environment of this process, for the configuration file `config`. A value that is not UTF-8 arrives with
/// replacement characters, so that it is refused by name where it sets a key, and ignored where it does not.
pub fn process_environment(config: &Path) -> impl Iterator<Item = (String, String)> {
    // systemd sets the variable for the service only. A command that an operator runs must find the credentials too:
    // otherwise every secret that is given this way would be reported as missing.
    let directory = credentials_of_service(config);
    let of_service = std::env::var_os(CREDENTIALS).is_none() && directory.is_dir();
    let found = of_service.then(|| (CREDENTIALS.to_owned(), directory.to_string_lossy().into_owned()));
    let own = std::env::vars_os().map(|(name, value)| {
        (
            name.to_string_lossy().into_owned(),
            value.to_string_lossy().into_owned(),
        )
    });
    own.chain(found)
}

/// Returns the directory with the credentials of the service that runs with this configuration file.
fn credentials_of_service(config: &Path) -> PathBuf {
    let shop = std::path::absolute(config).ok();
    let shop = shop.and_then(|path| ShopName::of_file(&path).ok().flatten());
    let unit = shop.map_or_else(|| "orderfeed.service".to_owned(), |shop| shop.unit());
    Path::new(SERVICE_CREDENTIALS).join(unit)
}

fn read_layers(
    path: &Path,
    env: &[(String, String)],
    saved: Saved<'_>,
) -> Result<(Vec<PathBuf>, Vec<Layer>), ConfigErrors> {
    let refused = |problem| ConfigErrors(vec![problem]);
    let shop = ShopName::of_file(path).map_err(|error| {
        let place = Origin::File(path.into());
        refused(ConfigProblem::without_key(place, error.to_string()))
    })?;
    let mut sources = drop_ins(path).map_err(refused)?;
    // The drop-ins of one shop win over its file. Those of all shops do not win over the file of one.
    let position = if shop.is_some() { sources.len() } else { 0 };
    sources.insert(position, path.to_owned());
    let mut defaults = Layer::defaults(&SCHEMA, DEFAULTS);
    defaults.entries.extend(shop.iter().flat_map(ShopName::defaults));
    let mut layers = vec![defaults, Layer::proxy_variables(env)];
    let mut broken = Vec::new();
    for source in &sources {
        match read(source) {
            Ok(text) => layers.push(Layer::file(&SCHEMA, source, &text)),
            Err(problem) => broken.push(problem),
        }
    }
    // Last: the environment wins over every file.
    layers.push(Layer::env(&SCHEMA, env));
    // Below it: the environment belongs to the administrator, the saved settings to the daemon's user.
    match overlay::read(path, &layers, saved) {
        Ok(None) => {}
        Ok(Some(found)) => {
            layers.insert(layers.len() - 1, found.layer);
            sources.extend(found.source);
        }
        Err(problem) => broken.push(problem),
    }
    // A syntax error leaves a file without any keys; reporting them all as missing would hide the one cause.
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

fn read(path: &Path) -> Result<String, ConfigProblem> {
    let bytes = fs::read(path).map_err(|error| {
        let remedy = match error.kind() {
            io::ErrorKind::NotFound => "create it, or name another with --config or ORDERFEED_CONFIG",
            io::ErrorKind::PermissionDenied => "let the daemon's user read it",
            _ => "expected a readable TOML file",
        };
        ConfigProblem::without_key(
            Origin::File(path.into()),
            format!("cannot be read: {error}; {remedy}"),
        )
    })?;
    String::from_utf8(bytes).map_err(|error| {
        // The text up to the invalid byte is UTF-8, so its line can be counted.
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
        ConfigProblem::without_key(
            Origin::Line(path.into(), line),
            "is not UTF-8; expected a TOML file in UTF-8",
        )
    })
}

/// Returns `conf.d/*.toml` beside the file, in lexical order of their names; none if there is no such directory.
fn drop_ins(path: &Path) -> Result<Vec<PathBuf>, ConfigProblem> {
    let directory = path.with_file_name("conf.d");
    let unreadable = |error: io::Error| {
        let message = format!("cannot be listed: {error}; let the daemon's user read it, or remove it");
        ConfigProblem::without_key(Origin::File(directory.as_path().into()), message)
    };
    let entries = match fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let file = entry.map_err(unreadable)?.path();
        // Editors and package managers leave hidden copies behind.
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

fn sorted(mut problems: Vec<ConfigProblem>) -> ConfigErrors {
    problems.sort_by(|a, b| (&a.place, &a.key).cmp(&(&b.place, &b.key)));
    // A website's table may be reported by several rules.
    problems.dedup();
    ConfigErrors(problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_required_has_no_default() {
        let path = Path::new("/etc/orderfeed/orderfeed.toml");
        assert_eq!(Layer::defaults(&SCHEMA, DEFAULTS).problems, []);
        let (config, problems) = defaults(path);
        let missing: Vec<&str> = problems.iter().map(|problem| problem.key.as_str()).collect();
        assert_eq!(
            missing,
            [
                "websites",
                "services_connector.organization_id",
                "services_connector.production.data_space_id",
                "edge.oauth.client_id",
                "source.mysql.url",
            ]
        );
        assert!(
            problems
                .iter()
                .all(|problem| problem.message.starts_with("is not set"))
        );
        assert_eq!(config.source.sqlite.path, Path::new("/etc/orderfeed/commerce.db"));
    }

    #[test]
    fn every_key_is_documented_in_the_shipped_file_and_no_other() {
        let mut table = String::new();
        let mut documented: Vec<String> = Vec::new();
        for line in DEFAULTS.lines() {
            let line = line.strip_prefix("# ").unwrap_or(line);
            if let Some((name, _)) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
                table = name
                    .replace("websites.base", "websites.*")
                    .replace("store_views.default", "store_views.*");
            } else if let Some((name, _)) = line.split_once(" = ")
                && name.chars().all(|c| c.is_ascii_lowercase() || c == '_')
            {
                documented.push(format!("{table}.{name}"));
            }
        }
        let mut known: Vec<&str> = SCHEMA.keys.iter().map(|key| key.path.as_str()).collect();
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
