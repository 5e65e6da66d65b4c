//! `[source]`: which one, and for MySQL its url taken apart.

use std::path::PathBuf;

use secrecy::SecretString;
use url::{Url, form_urlencoded};

use crate::config::model::{MysqlSource, MysqlTls, Source, SourceKind, SqliteSource, TlsMode};
use crate::config::problem::quoted;
use crate::config::reader::Reader;
use crate::config::values::Choice;

const URL: &str = "source.mysql.url";
const URL_FORM: &str = "\"mysql://USER@HOST:PORT/DATABASE\"";

pub(crate) fn source(reader: &mut Reader<'_>) -> Source {
    let kind = reader.read("source.kind", |text| {
        SourceKind::choose(text).map_err(|mut unfit| {
            if text == "rest" {
                unfit.what = "is reserved and not yet supported".into();
            }
            unfit
        })
    });
    let kind_is_known = kind.is_some();
    let kind = kind.unwrap_or_default();
    let mysql = mysql(reader);
    if kind == SourceKind::Mysql && kind_is_known && reader.text(URL).is_none() {
        reader.missing(URL, &format!("the address of the Commerce database, {URL_FORM}"));
    }
    Source {
        kind,
        mysql,
        sqlite: sqlite(reader),
    }
}

fn mysql(reader: &mut Reader<'_>) -> MysqlSource {
    let defaults = MysqlSource::default();
    let address = match reader.text(URL).map(parse_address) {
        Some(Ok(address)) => address,
        Some(Err(message)) => {
            reader.problem(URL, message);
            Address::default()
        }
        None => Address::default(),
    };
    MysqlSource {
        host: address.host,
        port: address.port.unwrap_or(defaults.port),
        socket: address.socket,
        user: address.user,
        password: address.password,
        database: address.database,
        table_prefix: table_prefix(reader),
        capture: reader.choice("source.mysql.capture", defaults.capture),
        poll_interval: reader.duration("source.mysql.poll_interval", defaults.poll_interval),
        poll_overlap: reader.duration("source.mysql.poll_overlap", defaults.poll_overlap),
        returns_interval: reader.duration("source.mysql.returns_interval", defaults.returns_interval),
        connect_timeout: reader.duration("source.mysql.connect_timeout", defaults.connect_timeout),
        max_connections: reader.int("source.mysql.max_connections", defaults.max_connections),
        tls: tls(reader),
    }
}

/// The table prefix goes into SQL between backticks, so its form is held to what Commerce itself allows.
fn table_prefix(reader: &mut Reader<'_>) -> String {
    let key = "source.mysql.table_prefix";
    let prefix = reader.text_or(key, String::new());
    if !prefix.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        let shown = quoted(&prefix);
        reader.problem(
            key,
            format!("{shown} is not a table prefix; expected letters, digits and underscores"),
        );
        return String::new();
    }
    prefix
}

fn tls(reader: &mut Reader<'_>) -> MysqlTls {
    let mode = reader.choice("source.mysql.tls.mode", TlsMode::default());
    let ca_file = reader.path("source.mysql.tls.ca_file");
    if mode == TlsMode::Disabled && ca_file.is_some() {
        let message =
            "is given although source.mysql.tls.mode = \"disabled\"; remove it, or set \"required\"";
        reader.problem("source.mysql.tls.ca_file", message.into());
    }
    MysqlTls { mode, ca_file }
}

fn sqlite(reader: &mut Reader<'_>) -> SqliteSource {
    let defaults = SqliteSource::default();
    SqliteSource {
        path: reader.path("source.sqlite.path").unwrap_or(defaults.path),
        poll_interval: reader.duration("source.sqlite.poll_interval", defaults.poll_interval),
    }
}

/// What a MySQL url says.
#[derive(Default)]
struct Address {
    host: String,
    port: Option<u16>,
    socket: Option<PathBuf>,
    user: String,
    password: Option<SecretString>,
    database: String,
}

/// Takes a MySQL url apart. The message never quotes the url, which may hold a password.
fn parse_address(text: &str) -> Result<Address, String> {
    let url = Url::parse(text)
        .map_err(|_| format!("is not a url (the value is not shown); expected {URL_FORM}"))?;
    if url.scheme() != "mysql" {
        let hint = "MariaDB uses the same scheme";
        return Err(format!(
            "has the scheme {:?}; expected {URL_FORM} ({hint})",
            url.scheme()
        ));
    }
    let host = url.host_str().unwrap_or_default();
    let database = decoded(url.path().trim_start_matches('/'));
    for (part, name) in [
        (host, "host"),
        (url.username(), "user"),
        (database.as_str(), "database"),
    ] {
        if part.is_empty() {
            return Err(format!("names no {name}; expected {URL_FORM}"));
        }
    }
    if database.contains('/') {
        return Err(format!(
            "names more than a database after the host; expected {URL_FORM}"
        ));
    }
    Ok(Address {
        host: host.trim_matches(['[', ']']).to_owned(),
        port: url.port(),
        socket: socket(&url)?,
        user: decoded(url.username()),
        password: url.password().map(|password| decoded(password).into()),
        database,
    })
}

fn socket(url: &Url) -> Result<Option<PathBuf>, String> {
    let mut socket = None;
    for (name, value) in url.query_pairs() {
        match (name.as_ref(), PathBuf::from(value.as_ref())) {
            ("socket", path) if path.is_absolute() => socket = Some(path),
            ("socket", _) => {
                return Err("names a socket by a relative path; expected \"?socket=/absolute/path\"".into());
            }
            (other, _) => {
                let keys = "source.mysql.tls, source.mysql.connect_timeout and so on are keys of their own";
                return Err(format!(
                    "holds the parameter {other:?}; expected none but \"socket\" ({keys})"
                ));
            }
        }
    }
    Ok(socket)
}

/// Undoes percent-encoding; a plus sign stays one, as in any url outside of forms.
fn decoded(text: &str) -> String {
    let pair = format!("x={}", text.replace('+', "%2B").replace('&', "%26"));
    form_urlencoded::parse(pair.as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}
