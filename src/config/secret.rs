//! The part of validation that reads files: secrets, keys, certificates, and the permissions of each. It runs after
//! everything else was built from text, and uses no network.
//!
//! A secret `x` may be given as `x` itself (in a file or the environment), as `x_file`, or as a systemd credential named by
//! the full key (`edge.oauth.client_secret`) or by its last segment (`client_secret`). Two at once are an error, because
//! after a rotation one of them would silently be the old secret.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use crate::config::problem::{CLIENT_SECRET, ConfigProblem, Origin};
use crate::config::reader::ConfigReader;
use crate::config::schema::KeyKind;
use crate::config::sections::{Config, EdgeAuth, SCHEMA, SourceKind, TlsMode};

/// The longest secret, in bytes. A longer file is a wrong path; it is refused rather than read to its end.
const LONGEST_SECRET: u64 = 64 * 1024;

/// The longest certificate file, in bytes; the largest bundles of authorities hold about 250 KiB.
const LONGEST_PEM: u64 = 4 * 1024 * 1024;

/// Fills in the secrets that are in force and checks every file that a key names.
pub(crate) fn resolve(reader: &mut ConfigReader<'_>, config: &mut Config, credentials: Option<&Path>) {
    let secrets = Secrets { credentials };
    // Without OAuth the secret is not used, so it need not be there.
    if config.edge.auth == EdgeAuth::Oauth {
        let key = CLIENT_SECRET;
        match secrets.find(reader, key, None) {
            SecretLookup::Secret(secret) => {
                config.edge.oauth.client_secret = secret;
                config.edge.oauth.client_secret_place = secrets.place(reader, key);
            }
            SecretLookup::Nothing => reader.missing(
                key,
                "the secret of the OAuth client: set client_secret_file, or a systemd credential of this name",
            ),
            SecretLookup::Unusable => {}
        }
    }
    check_pem(reader, "edge.ca_file", "CERTIFICATE");
    if config.source.kind == SourceKind::Mysql {
        // The URL is a fourth way to give this one secret.
        let in_url = config.source.mysql.url.password.take();
        if let SecretLookup::Secret(secret) = secrets.find(reader, "source.mysql.password", in_url) {
            config.source.mysql.password = Some(secret);
        }
        // With TLS disabled the file is reported as unused instead.
        if config.source.mysql.tls.mode != TlsMode::Disabled {
            check_pem(reader, "source.mysql.tls.ca_file", "CERTIFICATE");
        }
    }
    if config.source.kind == SourceKind::Rest {
        resolve_rest_secrets(reader, config, &secrets);
        check_pem(reader, "source.rest.ca_file", "CERTIFICATE");
    }
    resolve_environment_keys(reader, config, &secrets);
    find_admin_password(reader, config, credentials);
}

/// Finds the hash of the password for the web pages, which the daemon reads when it is needed: a command may write it at any
/// time, so a missing file is no problem.
fn find_admin_password(reader: &mut ConfigReader<'_>, config: &mut Config, credentials: Option<&Path>) {
    let key = "admin.password_file";
    // A name of its own: `password` is that of the database's.
    let credential = credentials.map(|directory| directory.join("admin_password"));
    let credential = credential.filter(|path| path.exists());
    let file = match (config.admin.password_file.clone(), credential) {
        (Some(_), Some(credential)) => {
            let message = format!(
                "is set, and there is the systemd credential {}; keep one of them",
                credential.display()
            );
            return reader.problem(key, message);
        }
        (None, Some(credential)) => {
            config.admin.password_file = Some(credential);
            return;
        }
        (Some(file), None) => file,
        (None, None) => config.admin_password_file(),
    };
    warn_of_readers(reader, key, &file);
    warn_of_writers(reader, key, &file);
}

fn resolve_rest_secrets(reader: &mut ConfigReader<'_>, config: &mut Config, secrets: &Secrets<'_>) {
    for key in config.source.rest.secrets_in_force() {
        match secrets.find(reader, key, None) {
            SecretLookup::Secret(secret) => {
                if let Some(place) = config.source.rest.secret_mut(key) {
                    *place = secret;
                }
            }
            SecretLookup::Nothing => reader.missing(
                key,
                "a secret that source.rest.auth or the journal needs: set the key that ends in _file, or a systemd credential \
                 of this name",
            ),
            SecretLookup::Unusable => {}
        }
    }
}

fn resolve_environment_keys(reader: &mut ConfigReader<'_>, config: &mut Config, secrets: &Secrets<'_>) {
    let environment = config.services_connector.environment;
    let key = |name: &str| format!("services_connector.{environment}.{name}");
    if let SecretLookup::Secret(secret) = secrets.find(reader, &key("api_key"), None) {
        config.services_connector.keys_mut().api_key = Some(secret);
    }
    check_pem(reader, &key("private_key_file"), "PRIVATE KEY");
    if let Some(path) = reader.path(&key("private_key_file")) {
        warn_of_readers(reader, &key("private_key_file"), &path);
    }
}

/// The outcome of the search for a secret.
enum SecretLookup {
    Secret(SecretString),
    Nothing,
    /// A secret is given but cannot be used; the problem was reported.
    Unusable,
}

struct Secrets<'a> {
    /// The directory of systemd credentials.
    credentials: Option<&'a Path>,
}

impl Secrets<'_> {
    fn find(&self, reader: &mut ConfigReader<'_>, key: &str, in_url: Option<SecretString>) -> SecretLookup {
        let file_key = format!("{key}_file");
        let inline = reader.text(key).map(SecretString::from);
        let file = reader.path(&file_key);
        let credential = self.credential(key);
        let given: Vec<String> = [
            in_url
                .is_some()
                .then(|| format!("in source.mysql.url ({})", reader.place("source.mysql.url"))),
            inline
                .is_some()
                .then(|| format!("as {key} ({})", reader.place(key))),
            file.is_some()
                .then(|| format!("as {file_key} ({})", reader.place(&file_key))),
            credential
                .as_ref()
                .map(|path| format!("as the systemd credential {}", path.display())),
        ]
        .into_iter()
        .flatten()
        .collect();
        if given.len() > 1 {
            reader.problem(
                key,
                format!("is given more than once: {}; keep one", given.join(", and ")),
            );
            return SecretLookup::Unusable;
        }
        match (in_url.or(inline), file, credential) {
            (Some(secret), ..) => SecretLookup::Secret(secret),
            (None, Some(path), _) => read_into(reader, &file_key, &path),
            (None, None, Some(path)) => read_into(reader, key, &path),
            (None, None, None) => SecretLookup::Nothing,
        }
    }

    /// Returns the file that holds the secret of a key, or the origin of the key itself.
    fn place(&self, reader: &ConfigReader<'_>, key: &str) -> String {
        let file = reader
            .path(&format!("{key}_file"))
            .or_else(|| self.credential(key));
        file.map_or_else(
            || reader.place(key).to_string(),
            |file| file.display().to_string(),
        )
    }

    /// Returns the path of the credential for a key, named in full or by its last segment.
    fn credential(&self, key: &str) -> Option<PathBuf> {
        let directory = self.credentials?;
        // The last segment of several keys is `client_secret`, which alone is that of the edge's.
        let is_shared = key.ends_with(".client_secret") && key != CLIENT_SECRET;
        let last = if is_shared {
            key
        } else {
            key.rsplit('.').next().unwrap_or(key)
        };
        [key, last]
            .iter()
            .map(|name| directory.join(name))
            .find(|path| path.exists())
    }
}

fn read_into(reader: &mut ConfigReader<'_>, key: &str, path: &Path) -> SecretLookup {
    warn_of_readers(reader, key, path);
    warn_of_writers(reader, key, path);
    match read_secret(path) {
        Ok(secret) => SecretLookup::Secret(secret),
        Err(message) => {
            reader.problem(key, message);
            SecretLookup::Unusable
        }
    }
}

fn read_secret(path: &Path) -> Result<SecretString, String> {
    let shown = path.display();
    let text = read_bounded(path, LONGEST_SECRET).map_err(|error| unreadable(path, &error))?;
    // Editors and `echo` end the file with a line break.
    let secret = text.trim_end_matches(['\n', '\r']);
    if secret.is_empty() {
        return Err(format!("{shown} is empty; expected the secret on one line"));
    }
    if secret.contains(['\n', '\r', '\0']) {
        return Err(format!(
            "{shown} holds more than one line; expected the secret alone"
        ));
    }
    Ok(secret.into())
}

/// Reads a regular file of at most `longest` bytes.
fn read_bounded(path: &Path, longest: u64) -> io::Result<String> {
    // A pipe without a writer would block the start forever, and a device would never end.
    let kind = fs::metadata(path)?.file_type();
    // A directory passes here, because reading it gives the better message.
    if !kind.is_file() && !kind.is_dir() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(longest + 1).read_to_end(&mut bytes)?;
    // One byte more than allowed was read, to find out.
    if bytes.len() as u64 > longest {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("more than {longest} bytes"),
        ));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "not UTF-8 text"))
}

fn unreadable(path: &Path, error: &io::Error) -> String {
    let remedy = match error.kind() {
        io::ErrorKind::NotFound => "create it, or correct the path",
        io::ErrorKind::PermissionDenied => "let the daemon's user read it",
        io::ErrorKind::IsADirectory => "name a file in it",
        _ => "expected a readable text file",
    };
    format!("{} cannot be read: {error}; {remedy}", path.display())
}

fn check_pem(reader: &mut ConfigReader<'_>, key: &str, label: &str) {
    let Some(path) = reader.path(key) else { return };
    match read_bounded(&path, LONGEST_PEM) {
        Err(error) => reader.problem(key, unreadable(&path, &error)),
        Ok(text) => {
            warn_of_writers(reader, key, &path);
            // A PEM file may hold text around its blocks; the label may have more words ("RSA PRIVATE KEY").
            let begins = |line: &str| line.starts_with("-----BEGIN ") && line.contains(label);
            if !text.lines().any(begins) {
                let message = format!("{} holds no {label}; expected a PEM file", path.display());
                reader.problem(key, message);
            }
        }
    }
}

fn warn_of_readers(reader: &mut ConfigReader<'_>, key: &str, path: &Path) {
    if fs::metadata(path).is_ok_and(|found| found.mode() & 0o004 != 0) {
        let message = format!("{} is readable by every user; chmod 0600 it", path.display());
        reader.warn(key, message);
    }
}

/// Warns of a file named by `key` that others than root and the daemon's user can change.
fn warn_of_writers(reader: &mut ConfigReader<'_>, key: &str, path: &Path) {
    if let Some(message) = writers(reader, path) {
        reader.warn(key, format!("{} {message}", path.display()));
    }
}

/// Returns the reason for which others than root and the daemon's user can change a file or directory.
fn writers(reader: &ConfigReader<'_>, path: &Path) -> Option<String> {
    let found = fs::metadata(path).ok()?;
    // The user who runs this command need not be the daemon's, who owns the store's directory.
    let store = reader.path("store.path");
    let service = store.and_then(|store| Some(fs::metadata(store.parent()?).ok()?.uid()));
    let trusted = [Some(0), Some(rustix::process::geteuid().as_raw()), service];
    if !trusted.contains(&Some(found.uid())) {
        return Some(format!(
            "belongs to user {}, who can change it; chown it to root or to the daemon's user",
            found.uid()
        ));
    }
    (found.mode() & 0o022 != 0).then(|| "can be written by other users; chmod go-w it".to_owned())
}

/// Warns of configuration files, and of the directory of the drop-ins, that other users can write, and of files that hold
/// a secret and that other users can read.
pub(crate) fn check_files(reader: &mut ConfigReader<'_>, files: &[PathBuf]) {
    let drop_ins = files.first().map(|file| file.with_file_name("conf.d"));
    for path in files.iter().chain(&drop_ins) {
        if let Some(message) = writers(reader, path) {
            warn_file(reader, path, &message);
        }
    }
    for path in files {
        let is_public = fs::metadata(path).is_ok_and(|found| found.mode() & 0o004 != 0);
        if is_public && holds_secret(reader, path) {
            let message =
                "holds a secret and is readable by every user; use the …_file key, or chmod 0640 it";
            warn_file(reader, path, message);
        }
    }
}

fn warn_file(reader: &mut ConfigReader<'_>, path: &Path, message: &str) {
    let warning = ConfigProblem::without_key(Origin::File(path.into()), message);
    reader.warnings.push(warning);
}

fn holds_secret(reader: &ConfigReader<'_>, file: &Path) -> bool {
    let of_file = |origin: &Origin| matches!(origin, Origin::Line(path, _) if path.as_ref() == file);
    SCHEMA
        .keys
        .iter()
        .filter(|key| key.kind == KeyKind::Secret)
        .filter_map(|key| reader.settings.values.get(&key.path))
        .any(|setting| of_file(&setting.origin))
}
