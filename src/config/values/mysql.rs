//! The address of a Commerce database, and the prefix of its tables.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use secrecy::SecretString;
use url::{Url, form_urlencoded};

use crate::config::values::InvalidValue;

/// A URL of the form [`MysqlUrl::FORM`], in its parts. Messages about an invalid one never quote it, because it may hold a
/// password.
#[derive(Clone, Debug, Default)]
pub struct MysqlUrl {
    /// Name or address of the host.
    pub host: String,
    /// The TCP port; MySQL's own, 3306, where the URL names none.
    pub port: u16,
    /// A Unix socket to use instead of host and port.
    pub socket: Option<PathBuf>,
    pub user: String,
    /// The account's password, where the URL holds it.
    pub password: Option<SecretString>,
    /// The schema that holds the Commerce tables.
    pub database: String,
}

impl MysqlUrl {
    /// The form of the URL, for messages.
    pub const FORM: &str = "\"mysql://USER@HOST:PORT/DATABASE\"";
}

impl FromStr for MysqlUrl {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let invalid = |what: String| InvalidValue::new(what, Self::FORM);
        let url = Url::parse(text).map_err(|_| invalid("is not a url (the value is not shown)".into()))?;
        if url.scheme() != "mysql" {
            let what = format!("has the scheme {:?}", url.scheme());
            let expected = format!("{} (MariaDB uses the same scheme)", Self::FORM);
            return Err(InvalidValue::new(what, expected));
        }
        let host = url.host_str().unwrap_or_default();
        let database = decoded(url.path().trim_start_matches('/'));
        for (part, name) in [
            (host, "host"),
            (url.username(), "user"),
            (database.as_str(), "database"),
        ] {
            if part.is_empty() {
                return Err(invalid(format!("names no {name}")));
            }
        }
        // A path of two segments is most likely a pasted URL of another tool.
        if database.contains('/') {
            return Err(invalid("names more than a database after the host".into()));
        }
        Ok(Self {
            // URLs write IPv6 addresses in brackets; the driver takes them without.
            host: host.trim_matches(['[', ']']).to_owned(),
            port: url.port().unwrap_or(3306),
            socket: socket(&url)?,
            user: decoded(url.username()),
            password: url.password().map(|password| decoded(password).into()),
            database,
        })
    }
}

/// Returns the path of the parameter `socket`, the only one that the URL may have.
fn socket(url: &Url) -> Result<Option<PathBuf>, InvalidValue> {
    let mut socket = None;
    for (name, value) in url.query_pairs() {
        match (name.as_ref(), PathBuf::from(value.as_ref())) {
            ("socket", path) if path.is_absolute() => socket = Some(path),
            ("socket", _) => {
                let what = "names a socket by a relative path";
                return Err(InvalidValue::new(what, "\"?socket=/absolute/path\""));
            }
            (other, _) => {
                return Err(InvalidValue::new(
                    format!("holds the parameter {other:?}"),
                    "none but \"socket\" (source.mysql.tls, source.mysql.connect_timeout and so on are keys of their own)",
                ));
            }
        }
    }
    Ok(socket)
}

/// Undoes percent-encoding. A plus sign stays as it is, unlike in a form.
pub(super) fn decoded(text: &str) -> String {
    // The crate decodes whole forms only, so the text is passed as the value of one field.
    let pair = format!("x={}", text.replace('+', "%2B").replace('&', "%26"));
    form_urlencoded::parse(pair.as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

/// The start of every table name: letters, digits and underscores only, because it becomes part of SQL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TablePrefix(String);

impl TablePrefix {
    /// Returns the prefix, which is often empty.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TablePrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for TablePrefix {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        match text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        {
            true => Ok(Self(text.to_owned())),
            false => Err(InvalidValue::new(
                "is not a table prefix",
                "letters, digits and underscores",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart_and_its_parts_are_decoded() {
        let url: MysqlUrl = "mysql://a%40b@[::1]:3307/shop?socket=/run/m.sock"
            .parse()
            .unwrap();
        assert_eq!((url.host.as_str(), url.port), ("::1", 3307));
        assert_eq!((url.user.as_str(), url.database.as_str()), ("a@b", "shop"));
        assert_eq!(url.socket, Some("/run/m.sock".into()));
    }

    #[test]
    fn a_wrong_url_is_refused_and_its_password_shown_nowhere() {
        for url in [
            "mysql://feed:s3cret@db",
            "postgres://feed:s3cret@db/shop",
            "mysql://feed:s3cret@db/shop?x=1",
            "s3cret",
        ] {
            let error = url.parse::<MysqlUrl>().unwrap_err().to_string();
            assert!(!error.contains("s3cret"), "{error}");
        }
        let url: MysqlUrl = "mysql://feed:s3cret@db/shop".parse().unwrap();
        assert!(!format!("{url:?}").contains("s3cret"), "{url:?}");
    }

    #[test]
    fn a_prefix_that_would_be_sql_is_refused() {
        assert_eq!("m2_".parse(), Ok(TablePrefix("m2_".into())));
        assert!("x`; --".parse::<TablePrefix>().is_err());
    }
}
