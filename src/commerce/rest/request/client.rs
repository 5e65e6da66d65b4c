//! Requests to the shop: signed, paced, repeated where that helps. Every attempt has one time limit and a signature of its
//! own.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::ACCEPT;
use reqwest::{Certificate, Client};
use secrecy::SecretString;
use serde_json::Value;
use tokio::time::Instant;
use url::Url;

use crate::commerce::rest::request::answer::{self, Answer, Failure};
use crate::commerce::rest::request::body;
use crate::commerce::rest::request::counts::RequestCounts;
use crate::commerce::rest::request::credentials::Credentials;
use crate::commerce::rest::request::ims::ImsTokens;
use crate::commerce::rest::request::pace::{Lane, Pace};
use crate::commerce::rest::request::query::Query;
use crate::commerce::rest::request::sign::OauthKeys;
use crate::commerce::source::SourceError;
use crate::config::{Config, RestAuth, RestConfig};
use crate::http::client_builder;
use orderfeed_model::clock::{Clock, UtcMillis};

/// Attempts of a request with a refused nonce.
const NONCES: u32 = 4;
/// Most characters of a version.
const VERSION: usize = 60;

/// A connection to the REST API of a shop.
#[derive(Debug)]
pub(crate) struct RestClient {
    http: Client,
    /// The client for Adobe's identity service.
    adobe: Client,
    base: Url,
    credentials: Credentials,
    pace: Pace,
    clock: Clock,
    timeout: Duration,
    server: Mutex<ServerFacts>,
    pub(crate) counts: RequestCounts,
}

/// Facts about the server that its answers have shown.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ServerFacts {
    /// The server's clock minus ours, in milliseconds.
    pub(crate) skew_ms: Option<i64>,
    /// Largest page that it allows.
    pub(crate) most_rows: Option<usize>,
    /// True once a request was answered with data.
    pub(crate) has_answered: bool,
}

/// A failed attempt, with the token that it used.
struct Attempted {
    failure: Failure,
    token: Option<SecretString>,
    /// True if the answer showed another clock than the one that the signature was made by.
    clock_moved: bool,
}

impl RestClient {
    /// Creates a client, without connecting.
    ///
    /// # Errors
    /// `Misconfigured` if the CA file cannot be read.
    pub(crate) fn new(config: &Config) -> Result<Self, SourceError> {
        let rest = &config.source.rest;
        let base = rest.url.clone().ok_or_else(|| SourceError::Misconfigured {
            message: "source.rest.url is not set".to_owned(),
            remedy: "set it to the address of the REST API".to_owned(),
        })?;
        let adobe: Vec<&Url> = match rest.auth {
            RestAuth::Ims => vec![&rest.ims.token_url],
            RestAuth::Oauth | RestAuth::Bearer => Vec::new(),
        };
        Ok(Self {
            http: http_client(rest, rest.ca_file.as_ref(), &[&base])?,
            // The authority of a shop's own certificate does not sign Adobe's.
            adobe: http_client(rest, None, &adobe)?,
            base,
            credentials: credentials(config),
            pace: Pace::new(rest.requests_per_second, rest.max_connections),
            clock: Clock::System,
            timeout: rest.timeout.get(),
            server: Mutex::default(),
            counts: RequestCounts::default(),
        })
    }

    pub(crate) fn base(&self) -> &Url {
        &self.base
    }

    pub(crate) fn server(&self) -> ServerFacts {
        *self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the server's clock.
    pub(crate) fn now(&self) -> UtcMillis {
        let skew = self.server().skew_ms.unwrap_or_default();
        self.clock.now().plus_millis(skew)
    }

    /// Adopts a smaller page.
    pub(crate) fn limit_page(&self, most: usize) {
        self.update(|server| {
            server.most_rows = Some(server.most_rows.map_or(most, |known| known.min(most)).max(1));
        });
    }

    /// Requests a path below the base address. A failure that another attempt may cure is tried again, a few times.
    pub(crate) async fn get(&self, lane: Lane, path: &str, query: &Query) -> Result<Value, Failure> {
        let url = self.address(path, query);
        let mut tries = Tries::default();
        loop {
            let place = self.pace.enter(lane).await;
            let failed = match self.attempt(&url, path, query).await {
                Ok(json) => return Ok(json),
                Err(failed) => failed,
            };
            drop(place);
            match &failed.failure {
                Failure::Busy { after, .. } => self.pace.refused(*after),
                Failure::TooSlow { .. } => self.pace.timed_out(),
                _ => {}
            }
            if !self.may_repeat(&mut tries, lane, &failed).await {
                return Err(failed.failure);
            }
        }
    }

    /// Returns the version that the shop publishes beside its API, such as `Magento/2.4 (Enterprise)`. The cloud service
    /// publishes none, and some shops hide it.
    pub(crate) async fn version(&self) -> Option<String> {
        let (before, _) = self.base.path().split_once("/rest/")?;
        let mut url = self.base.clone();
        url.set_path(&format!("{before}/magento_version"));
        let _place = self.pace.enter(Lane::Live).await;
        self.counts.count("magento_version");
        let answer = body::send(self.http.get(url).timeout(self.timeout)).await.ok()?;
        let text = std::str::from_utf8(&answer.body).ok()?.trim();
        let is_plain = text.len() <= VERSION && !text.chars().any(char::is_control);
        let is_version = answer.status == 200 && text.starts_with("Magento/") && is_plain;
        is_version.then(|| text.to_owned())
    }

    fn address(&self, path: &str, query: &Query) -> Url {
        let mut url = self.base.clone();
        // Appended to the path itself: joining would replace its last segment.
        url.set_path(&format!("{}/{path}", self.base.path().trim_end_matches('/')));
        url.set_query(
            match query.pairs() {
                [] => None,
                _ => Some(query.encoded()),
            }
            .as_deref(),
        );
        url
    }

    async fn attempt(&self, url: &Url, path: &str, query: &Query) -> Result<Value, Attempted> {
        let failed = |failure, token, clock_moved| Attempted {
            failure,
            token,
            clock_moved,
        };
        let before = self.server().skew_ms;
        let headers = self
            .credentials
            .headers(&self.adobe, url, query, self.now().0)
            .await;
        let (headers, token) = headers.map_err(|failure| failed(failure, None, false))?;
        let request = self
            .http
            .get(url.clone())
            .headers(headers)
            // Other forms made some versions fail.
            .header(ACCEPT, "application/json")
            .timeout(self.timeout);
        let begun = Instant::now();
        self.counts.count(path);
        let sent = body::send(request).await;
        let raw = sent.map_err(|error| failed(error.into_failure("the shop"), token.clone(), false))?;
        if let Some(date) = raw.date {
            let skew = date.millis_since(self.clock.now());
            // `Date` has whole seconds, so a smaller difference is none.
            self.update(|server| server.skew_ms = Some(if skew.abs() < 2_000 { 0 } else { skew }));
        }
        let answer = Answer {
            status: raw.status,
            retry_after: raw.retry_after,
            body: &raw.body,
            is_complete: raw.is_complete,
        };
        match answer::read(answer) {
            Ok(json) => {
                self.pace.answered(begun.elapsed());
                self.update(|server| server.has_answered = true);
                Ok(json)
            }
            Err(failure) => {
                let now = self.server().skew_ms;
                Err(failed(self.explain(failure, query), token, before != now))
            }
        }
    }

    /// Names a fault of some versions: they cannot verify the signature of a value with a blank, as a date has.
    fn explain(&self, failure: Failure, query: &Query) -> Failure {
        let has_blank = query.pairs().iter().any(|(_, value)| value.contains(' '));
        match failure {
            Failure::Refused { message, .. }
                if message.contains("signature") && has_blank && self.server().has_answered =>
            {
                Failure::Refused {
                    message: format!("{message} (only requests with a date are refused)"),
                    remedy: "update Commerce: some builds of 2.4.6 and 2.4.7 refuse every signature of a value with a blank; \
                             or set source.rest.auth = \"bearer\""
                        .to_owned(),
                }
            }
            failure => failure,
        }
    }

    /// Decides whether the request is sent once more.
    async fn may_repeat(&self, tries: &mut Tries, lane: Lane, failed: &Attempted) -> bool {
        match &failed.failure {
            Failure::Nonce => tries.count(NONCES, |tries| &mut tries.nonce),
            Failure::Token { .. } => {
                self.credentials.reject(failed.token.as_ref()).await
                    && tries.count(2, |tries| &mut tries.token)
            }
            // The clock is known now, by the answer's `Date`.
            Failure::Refused { .. } if failed.clock_moved => tries.count(2, |tries| &mut tries.clock),
            // A masked exception may be one of a moment: of the database, for example.
            Failure::Poisoned { .. } => tries.count(2, |tries| &mut tries.poisoned),
            Failure::Busy { .. } => {
                let most = match lane {
                    Lane::Live => 2,
                    Lane::History => 6,
                };
                tries.count(most, |tries| &mut tries.busy)
            }
            _ => false,
        }
    }

    fn update(&self, apply: impl FnOnce(&mut ServerFacts)) {
        apply(&mut self.server.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Numbers of attempts that failed, by cause.
#[derive(Debug, Default)]
struct Tries {
    nonce: u32,
    token: u32,
    clock: u32,
    busy: u32,
    poisoned: u32,
}

impl Tries {
    /// Counts a failure, and returns true if fewer than `most` attempts failed this way.
    fn count(&mut self, most: u32, of: impl FnOnce(&mut Self) -> &mut u32) -> bool {
        let count = of(self);
        *count += 1;
        *count < most
    }
}

fn credentials(config: &Config) -> Credentials {
    let rest = &config.source.rest;
    match rest.auth {
        RestAuth::Oauth => Credentials::Oauth(OauthKeys {
            consumer_key: rest.consumer_key.clone(),
            consumer_secret: rest.consumer_secret.clone(),
            token: rest.access_token.clone(),
            token_secret: rest.access_token_secret.clone(),
        }),
        RestAuth::Bearer => Credentials::Bearer(rest.access_token.clone()),
        RestAuth::Ims => Credentials::Ims {
            tokens: ImsTokens::new(
                rest.ims.token_url.clone(),
                rest.ims.client_id.clone(),
                rest.ims.client_secret.clone(),
                rest.ims.scopes.clone(),
            ),
            organization: config.services_connector.organization_id.as_str().to_owned(),
        },
    }
}

pub(crate) fn http_client(
    rest: &RestConfig,
    ca_file: Option<&PathBuf>,
    addresses: &[&Url],
) -> Result<Client, SourceError> {
    // A signature is valid for one address only, and for one attempt.
    let mut builder = client_builder(rest.connect_timeout.get(), rest.timeout.get());
    if let Some(path) = ca_file {
        builder = builder.tls_certs_only(authorities(path)?);
    } else if addresses.iter().all(|url| url.scheme() == "http") {
        // None at all without https, so that a machine without authorities can use a local shop.
        builder = builder.tls_certs_only(Vec::new());
    }
    builder.build().map_err(|error| SourceError::Misconfigured {
        message: format!("no HTTP client: {}", error.without_url()),
        remedy: "install the system's certificate authorities (ca-certificates) or set source.rest.ca_file"
            .to_owned(),
    })
}

/// Returns the certificate authorities to trust instead of the system's.
fn authorities(path: &PathBuf) -> Result<Vec<Certificate>, SourceError> {
    let unusable = |cause: String| SourceError::Misconfigured {
        message: format!("source.rest.ca_file {}: {cause}", path.display()),
        remedy: "give a PEM file with certificates that the daemon's user can read".to_owned(),
    };
    let pem = std::fs::read(path).map_err(|cause| unusable(cause.to_string()))?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(unusable("holds no certificate".to_owned())),
    }
}
