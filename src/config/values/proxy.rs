//! The proxy between this machine and the edge.

use std::fmt;
use std::str::FromStr;

use secrecy::SecretString;
use url::Url;

use crate::config::values::InvalidValue;
use crate::config::values::mysql::decoded;

/// A proxy that opens connections by CONNECT. `Display` shows its host and port.
#[derive(Clone, Debug)]
pub struct HttpProxy {
    /// Scheme, host and port, without the login.
    pub url: Url,
    /// User and password, if the URL holds them.
    pub login: Option<(String, SecretString)>,
}

impl HttpProxy {
    /// The form of the URL, for messages, which never quote it because it may hold a password.
    const FORM: &str =
        "\"http://USER:PASSWORD@HOST:PORT\", \"http://HOST:PORT\" or \"none\" (the value is not shown)";

    /// Parses the value of a key, which may also be `none`.
    pub(crate) fn parse(text: &str) -> Result<Option<Self>, InvalidValue> {
        match text {
            "none" => Ok(None),
            text => text.parse().map(Some),
        }
    }

    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    pub fn port(&self) -> u16 {
        self.url.port_or_known_default().unwrap_or(80)
    }
}

impl FromStr for HttpProxy {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let invalid = |what: &str| InvalidValue::new(what, Self::FORM);
        // The variables of the environment often hold HOST:PORT alone.
        let text = match text.contains("://") {
            true => text.to_owned(),
            false => format!("http://{text}"),
        };
        let mut url = Url::parse(&text).map_err(|_| invalid("is not the url of a proxy"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(invalid("has a scheme that is not supported"));
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(invalid("holds more than a host and a port"));
        }
        let login = (!url.username().is_empty()).then(|| {
            let password = decoded(url.password().unwrap_or_default());
            (decoded(url.username()), SecretString::from(password))
        });
        if url
            .set_username("")
            .and_then(|()| url.set_password(None))
            .is_err()
        {
            return Err(invalid("names no host"));
        }
        Ok(Self { url, login })
    }
}

impl fmt::Display for HttpProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host(), self.port())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    #[test]
    fn the_login_is_taken_out_of_the_url_and_never_shown() {
        let proxy = HttpProxy::parse("http://feed:p%40ss@proxy.example:3128")
            .unwrap()
            .unwrap();
        let (user, password) = proxy.login.as_ref().unwrap();
        assert_eq!((user.as_str(), password.expose_secret()), ("feed", "p@ss"));
        assert_eq!(
            (proxy.url.as_str(), proxy.to_string().as_str()),
            ("http://proxy.example:3128/", "proxy.example:3128")
        );
        assert!(!format!("{proxy:?}").contains("p@ss"));
        let bare = HttpProxy::parse("proxy.example:8080").unwrap().unwrap();
        assert_eq!(bare.to_string(), "proxy.example:8080");
        assert!(HttpProxy::parse("none").unwrap().is_none());
    }

    #[test]
    fn what_is_no_http_proxy_is_refused_without_quoting_it() {
        for wrong in [
            "socks5://u:s3cret@h:1080",
            "http://",
            "http://h:1/s3cret",
            "http://h:99999/s3cret",
        ] {
            let message = HttpProxy::parse(wrong).unwrap_err().to_string();
            assert!(
                !message.contains("s3cret") && message.contains("HOST:PORT"),
                "{message}"
            );
        }
    }
}
