//! `[source.rest]`: the REST API of a shop.

use std::path::PathBuf;

use secrecy::SecretString;
use url::{Host, Url};

use crate::config::fields::{
    Below, DurationIn, FilePath, Int, OrEmpty, Parse, Secret, SecretUrl, any_text, table,
};
use crate::config::reader::ConfigReader;
use crate::config::values::{HumanDuration, InvalidValue, choices};

table! {
    /// `[source.rest]`: the REST API of a shop whose database cannot be reached.
    #[derive(Clone, Debug)]
    pub struct RestConfig {
        /// The address below which the lists are, up to and including `/V1`. `None` only where the source is another one.
        pub url: Option<Url> = SecretUrl(parse_api_url),
        pub auth: RestAuth = Parse(str::parse),
        /// The four strings of an integration; empty where `auth` needs them not.
        pub consumer_key: String = OrEmpty(any_text),
        pub consumer_secret: SecretString = Secret,
        pub access_token: SecretString = Secret,
        pub access_token_secret: SecretString = Secret,
        pub poll_interval: HumanDuration = DurationIn("100ms", "1h"),
        /// The longest time that a transaction may take to commit and still be noticed by polling.
        pub poll_overlap: HumanDuration = DurationIn("10s", "1d"),
        pub returns_interval: HumanDuration = DurationIn("100ms", "1d"),
        pub tracks_interval: HumanDuration = DurationIn("100ms", "7d"),
        /// Age of the shipments whose tracks are compared.
        pub tracks_lookback: HumanDuration = DurationIn("1h", "1y"),
        /// Most orders in one request.
        pub page_size: usize = Int(1, 300),
        pub requests_per_second: u32 = Int(1, 1000),
        pub max_connections: usize = Int(2, 16),
        pub connect_timeout: HumanDuration = DurationIn("100ms", "5m"),
        pub timeout: HumanDuration = DurationIn("1s", "10m"),
        /// Certificate authorities to trust instead of the built-in ones.
        pub ca_file: Option<PathBuf> = FilePath,
        pub ims: RestIms = Below,
        pub journal: RestJournal = Below,
    }
}

choices! {
    /// Authentication of requests to the shop.
    pub enum RestAuth {
        /// The four strings of an integration; each request is signed.
        Oauth = "oauth",
        /// The access token of an integration alone, which Commerce must be configured to accept.
        Bearer = "bearer",
        /// Adobe's identity service, for Adobe Commerce as a Cloud Service.
        Ims = "ims",
    }
}

table! {
    /// `[source.rest.ims]`: the OAuth server-to-server client for the cloud service.
    #[derive(Clone, Debug)]
    pub struct RestIms {
        pub token_url: Url = Parse(parse_web_url),
        pub client_id: String = OrEmpty(any_text),
        pub client_secret: SecretString = Secret,
        pub scopes: String = Parse(any_text),
    }
}

table! {
    /// `[source.rest.journal]`: the journal of a registration for I/O Events, which only hints at changes.
    #[derive(Clone, Debug)]
    pub struct RestJournal {
        /// `None` means that no journal is read.
        pub url: Option<Url> = SecretUrl(parse_journal_url),
        pub token_url: Url = Parse(parse_web_url),
        pub client_id: String = OrEmpty(any_text),
        pub client_secret: SecretString = Secret,
        pub scopes: String = Parse(any_text),
        pub interval: HumanDuration = DurationIn("100ms", "1h"),
    }
}

impl RestConfig {
    pub(super) fn check(&self, reader: &mut ConfigReader<'_>) {
        if self.url.is_none()
            && !reader.is_refused("source.rest.url")
            && reader.text("source.rest.url").is_none()
        {
            reader.missing(
                "source.rest.url",
                "the address of the REST API, such as https://shop.example.com/rest/all/V1",
            );
        }
        let key = "source.rest.consumer_key";
        if self.auth == RestAuth::Oauth && reader.text(key).is_none() {
            reader.missing(key, "the consumer key of the integration (System > Integrations)");
        }
        let key = "source.rest.ims.client_id";
        if self.auth == RestAuth::Ims && reader.text(key).is_none() {
            reader.missing(key, "the client id of the OAuth server-to-server credential");
        }
        let key = "source.rest.journal.client_id";
        if self.journal.url.is_some() && reader.text(key).is_none() {
            reader.missing(key, "the client id of a credential with the I/O Management API, because source.rest.journal.url is set");
        }
        if self.timeout < self.connect_timeout {
            reader.problem(
                "source.rest.timeout",
                "is shorter than source.rest.connect_timeout",
            );
        }
    }

    /// Returns the keys of the secrets that are in force.
    pub(crate) fn secrets_in_force(&self) -> Vec<&'static str> {
        let mut keys = match self.auth {
            RestAuth::Oauth => vec![
                "source.rest.consumer_secret",
                "source.rest.access_token",
                "source.rest.access_token_secret",
            ],
            RestAuth::Bearer => vec!["source.rest.access_token"],
            RestAuth::Ims => vec!["source.rest.ims.client_secret"],
        };
        if self.journal.url.is_some() {
            keys.push("source.rest.journal.client_secret");
        }
        keys
    }

    /// Returns the place of a secret of [`RestConfig::secrets_in_force`].
    pub(crate) fn secret_mut(&mut self, key: &str) -> Option<&mut SecretString> {
        match key {
            "source.rest.consumer_secret" => Some(&mut self.consumer_secret),
            "source.rest.access_token" => Some(&mut self.access_token),
            "source.rest.access_token_secret" => Some(&mut self.access_token_secret),
            "source.rest.ims.client_secret" => Some(&mut self.ims.client_secret),
            "source.rest.journal.client_secret" => Some(&mut self.journal.client_secret),
            _ => None,
        }
    }
}

const FORM: &str = "https://HOST/rest/all/V1, or https://REGION.api.commerce.adobe.com/TENANT/V1 for the cloud service; http only to \
                    loopback";

fn parse_api_url(text: &str) -> Result<Option<Url>, InvalidValue> {
    let mut url = parse_with(text, FORM)?;
    let path = url.path().trim_end_matches('/').to_owned();
    if url.query().is_some() || url.fragment().is_some() || !path.ends_with("/V1") {
        return Err(InvalidValue::new("does not end in /V1", FORM));
    }
    url.set_path(&path);
    Ok(Some(url))
}

fn parse_journal_url(text: &str) -> Result<Option<Url>, InvalidValue> {
    parse_with(
        text,
        "the journaling address that the Developer Console shows for the registration",
    )
    .map(Some)
}

fn parse_web_url(text: &str) -> Result<Url, InvalidValue> {
    parse_with(text, "an https address; http only to loopback")
}

fn parse_with(text: &str, expected: &str) -> Result<Url, InvalidValue> {
    let url = Url::parse(text).map_err(|_| InvalidValue::new("is not a url", expected))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(InvalidValue::new(
            "holds credentials, which no request may carry beside its own",
            expected,
        ));
    }
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" if url.has_host() => Ok(url),
        "http" if is_loopback => Ok(url),
        "http" => Err(InvalidValue::new(
            "would send orders and credentials unencrypted",
            expected,
        )),
        _ => Err(InvalidValue::new("is not an https url", expected)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_ends_in_v1_and_is_encrypted() {
        let parsed = |text| parse_api_url(text).map(|url| url.unwrap().to_string());
        assert_eq!(
            parsed("https://shop.example.com/rest/all/V1/").unwrap(),
            "https://shop.example.com/rest/all/V1"
        );
        assert!(parsed("http://127.0.0.1:9/index.php/rest/all/V1").is_ok());
        for bad in [
            "https://shop.example.com",
            "https://shop.example.com/rest/all/V1/orders",
            "http://shop.example.com/rest/all/V1",
            "https://user:pw@shop.example.com/rest/all/V1",
            "ftp://shop/V1",
        ] {
            assert!(parsed(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn each_secret_that_is_in_force_has_a_place() {
        let mut config = crate::config::Config::default().source.rest;
        config.journal.url = Url::parse("https://events.example.com/x").ok();
        for auth in [RestAuth::Oauth, RestAuth::Bearer, RestAuth::Ims] {
            config.auth = auth;
            for key in config.secrets_in_force() {
                assert!(config.secret_mut(key).is_some(), "{key}");
            }
        }
    }
}
