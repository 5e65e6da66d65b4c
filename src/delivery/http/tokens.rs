//! Access tokens of Adobe's identity service (IMS), OAuth server-to-server.
//!
//! One token serves all websites. It is fetched before the first request and renewed at 80 % of its life; while an older
//! one is valid, a failure of IMS delays nothing. Only one fetch runs at a time: other callers use the old token, or wait
//! and share the outcome. Adobe throttles integrations that fetch too many: a pause that IMS asks for binds every fetch,
//! of all websites and after a restart.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use secrecy::ExposeSecret;
use serde::Deserialize;
use tokio::sync::Mutex;
use url::form_urlencoded;

use crate::config::{Config, OAuth};
use crate::delivery::http::problem::plain;
use crate::delivery::http::transport::{OutboundRequest, Transport, TransportError, TransportErrorKind};
use crate::delivery::limits::backoff::millis;
use crate::delivery::pauses::Pauses;
use crate::delivery::rules::Halt;
use crate::delivery::stats::DeliveryStats;
use crate::ops::pause;
use crate::store::outbox::{FailureCode, Pause, PauseKey};
use orderfeed_model::clock::{Clock, UtcMillis};

/// Longest life of a token, whatever IMS reports: Adobe's live 24 hours, and the retired JWT flow reported milliseconds,
/// which would be read as years.
const MAX_LIFE_SECS: u64 = 86_400;
/// Pause after a failed renewal of a token that is still valid.
const RENEW_AGAIN_MS: i64 = 30_000;

/// An access token. The header is marked as sensitive, so `Debug` does not show it.
#[derive(Debug)]
pub(crate) struct Token {
    header: HeaderValue,
    expires_at: UtcMillis,
    renew_at: UtcMillis,
}

impl Token {
    /// Returns the value of the `Authorization` header.
    pub(crate) fn header(&self) -> HeaderValue {
        self.header.clone()
    }
}

/// The reason why there is no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TokenError {
    /// IMS does not know the client, or its certificate is not trusted. Retrying does not help.
    Refused(Halt),
    /// IMS is temporarily unable.
    Unavailable {
        code: String,
        /// The cause in words, if there was no answer.
        cause: Option<String>,
        /// The pause that IMS asked for.
        after: Option<Duration>,
    },
}

/// The tokens of one OAuth client.
#[derive(Debug)]
pub(crate) struct TokenSource {
    transport: RwLock<Arc<dyn Transport>>,
    oauth: OAuth,
    pauses: Arc<Pauses>,
    /// The owner of the pauses that IMS asks for.
    owner: PauseKey,
    clock: Clock,
    stats: Arc<DeliveryStats>,
    current: RwLock<Option<Arc<Token>>>,
    /// Locked during a fetch; holds the last failure.
    fetching: Mutex<Option<TokenError>>,
    failures: AtomicU64,
    /// The clock of IMS minus ours in milliseconds, by its last answer.
    skew_ms: RwLock<Option<i64>>,
}

#[derive(Deserialize)]
struct TokenGrant {
    access_token: String,
    expires_in: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TokenDenial {
    error: String,
    error_description: String,
}

impl TokenSource {
    pub(crate) fn new(
        transport: Arc<dyn Transport>,
        config: &Config,
        pauses: Arc<Pauses>,
        clock: Clock,
        stats: Arc<DeliveryStats>,
    ) -> Self {
        Self {
            transport: RwLock::new(transport),
            oauth: config.edge.oauth.clone(),
            pauses,
            owner: pause::token_client(config),
            clock,
            stats,
            current: RwLock::default(),
            fetching: Mutex::default(),
            failures: AtomicU64::new(0),
            skew_ms: RwLock::default(),
        }
    }

    /// Replaces the connection, with the certificates and limits of a new configuration. The token stays.
    pub(crate) fn set_transport(&self, transport: Arc<dyn Transport>) {
        *self.transport.write().unwrap_or_else(PoisonError::into_inner) = transport;
    }

    /// Returns a valid token.
    pub(crate) async fn get(&self) -> Result<Arc<Token>, TokenError> {
        let now = self.clock.now();
        match self.valid(now) {
            Some(token) if now < token.renew_at => Ok(token),
            Some(token) => Ok(self.renew(token, now).await),
            None => self.fetch_first(now).await,
        }
    }

    /// Returns the clock of IMS minus ours in milliseconds, if its last answer had a `Date`.
    pub(crate) fn skew_ms(&self) -> Option<i64> {
        *self.skew_ms.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drops a token that the edge refused. Requests that still hold it do not drop its successor.
    pub(crate) fn reject(&self, token: &Arc<Token>) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref().is_some_and(|held| Arc::ptr_eq(held, token)) {
            *current = None;
        }
    }

    fn valid(&self, now: UtcMillis) -> Option<Arc<Token>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.as_ref().filter(|token| now < token.expires_at).cloned()
    }

    /// Renews a token that is still valid. Returns the old one if another caller renews it, or if that fails.
    async fn renew(&self, old: Arc<Token>, now: UtcMillis) -> Arc<Token> {
        // Not waited for: the old token is valid, and a renewal must not delay requests.
        let Ok(_fetching) = self.fetching.try_lock() else {
            return old;
        };
        // Renewed between the check and the lock.
        if let Some(newer) = self.valid(now).filter(|token| now < token.renew_at) {
            return newer;
        }
        match self.fetch().await {
            Ok(token) => self.keep(token),
            // The same token with a later renewal, or every request would try it.
            Err(_) => self.keep(Token {
                header: old.header.clone(),
                expires_at: old.expires_at,
                renew_at: self.clock.now().plus_millis(RENEW_AGAIN_MS),
            }),
        }
    }

    /// Fetches a token where none is valid.
    async fn fetch_first(&self, now: UtcMillis) -> Result<Arc<Token>, TokenError> {
        let before = self.failures.load(Ordering::SeqCst);
        let mut last = self.fetching.lock().await;
        if let Some(token) = self.valid(now) {
            return Ok(token);
        }
        // A fetch failed while this caller waited for the lock: thirty lanes must not ask a broken IMS thirty times.
        if self.failures.load(Ordering::SeqCst) != before
            && let Some(failure) = last.as_ref()
        {
            return Err(failure.clone());
        }
        match self.fetch().await {
            Ok(token) => Ok(self.keep(token)),
            Err(failure) => {
                self.failures.fetch_add(1, Ordering::SeqCst);
                *last = Some(failure.clone());
                Err(failure)
            }
        }
    }

    fn keep(&self, token: Token) -> Arc<Token> {
        let token = Arc::new(token);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&token));
        token
    }

    /// Returns the pause that holds back fetches at `now`.
    pub(crate) fn pause(&self, now: UtcMillis) -> Option<Pause> {
        self.pauses.longest(std::slice::from_ref(&self.owner), now)
    }

    async fn fetch(&self) -> Result<Token, TokenError> {
        let now = self.clock.now();
        if let Some(pause) = self.pause(now) {
            let left = u64::try_from(pause.until.millis_since(now)).unwrap_or(0);
            return Err(TokenError::Unavailable {
                code: pause.code,
                cause: None,
                after: Some(Duration::from_millis(left)),
            });
        }
        let token = self.request_token().await;
        token.inspect_err(|_| self.stats.token_failures.add(1))
    }

    async fn request_token(&self) -> Result<Token, TokenError> {
        let mut headers = HeaderMap::new();
        let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(CONTENT_TYPE, form_type);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let request = OutboundRequest {
            url: self.oauth.token_url.clone(),
            headers,
            body: Bytes::from(form(&self.oauth)),
        };
        let transport = Arc::clone(&self.transport.read().unwrap_or_else(PoisonError::into_inner));
        let response = transport.exchange(request).await.map_err(unanswered)?;
        let now = self.clock.now();
        let skew_ms = response.date.map(|date| date.millis_since(now));
        *self.skew_ms.write().unwrap_or_else(PoisonError::into_inner) = skew_ms;
        let status = response.status;
        match status {
            200..=299 => self.granted(&response.body),
            408 | 429 | 500..=599 => {
                let code = FailureCode::TokenService(status).to_string();
                let after = response.asked_pause(now).filter(|pause| !pause.is_zero());
                if let Some(after) = after {
                    self.pauses.ask(Pause {
                        key: self.owner.clone(),
                        until: now.plus_millis(millis(after)),
                        asked_at: now,
                        code: code.clone(),
                    });
                }
                Err(TokenError::Unavailable {
                    code,
                    cause: None,
                    after,
                })
            }
            // Any other status is about the client or its configuration.
            _ => Err(TokenError::Refused(refused(status, &response.body, &self.oauth))),
        }
    }

    fn granted(&self, body: &[u8]) -> Result<Token, TokenError> {
        let unusable = || TokenError::Unavailable {
            code: "ims_unusable".to_owned(),
            cause: None,
            after: None,
        };
        let grant: TokenGrant = serde_json::from_slice(body).map_err(|_| unusable())?;
        let header = HeaderValue::try_from(format!("Bearer {}", grant.access_token));
        let mut header = header.map_err(|_| unusable())?;
        // Keeps the token out of `Debug` output.
        header.set_sensitive(true);
        let life = grant.expires_in.unwrap_or(MAX_LIFE_SECS).min(MAX_LIFE_SECS);
        let life_ms = i64::try_from(life * 1000).unwrap_or(i64::MAX);
        let now = self.clock.now();
        self.stats.tokens.add(1);
        tracing::debug!(life_seconds = life, "Access token fetched");
        Ok(Token {
            header,
            expires_at: now.plus_millis(life_ms),
            renew_at: now.plus_millis(life_ms / 5 * 4),
        })
    }
}

fn unanswered(error: TransportError) -> TokenError {
    let message = error.message;
    tracing::debug!(error = message, "No answer from the token service");
    if error.kind == TransportErrorKind::Certificate {
        return TokenError::Refused(Halt {
            code: "tls".to_owned(),
            reason: format!("the token service's certificate is not trusted: {message}"),
            remedy: "check edge.oauth.token_url, edge.ca_file, the system's certificate authorities and the clock",
            inferred: false,
        });
    }
    if error.kind == TransportErrorKind::ProxyLogin {
        return TokenError::Refused(Halt::proxy_login(message));
    }
    let word = match error.kind {
        TransportErrorKind::ProxyRefusal => "proxy",
        _ => "network",
    };
    TokenError::Unavailable {
        code: FailureCode::TokenServiceOther(word).to_string(),
        cause: Some(message),
        after: None,
    }
}

fn form(oauth: &OAuth) -> String {
    form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "client_credentials")
        .append_pair("client_id", &oauth.client_id)
        .append_pair("client_secret", oauth.client_secret.expose_secret())
        .append_pair("scope", &oauth.scopes)
        .finish()
}

fn refused(status: u16, body: &[u8], oauth: &OAuth) -> Halt {
    let denial: TokenDenial = serde_json::from_slice(body).unwrap_or_default();
    let cause = match denial.error.is_empty() {
        true => format!("HTTP {status}"),
        false => plain(&format!("{} {}", denial.error, denial.error_description)),
    };
    let host = oauth.token_url.host_str().unwrap_or_default();
    let (client, place) = (&oauth.client_id, &oauth.client_secret_place);
    let (secret, remedy) = match denial.error.as_str() {
        "invalid_client" | "unauthorized_client" => (
            format!("; its secret in {place} was rotated or has expired"),
            "put the current secret there (edge.oauth.client_secret or client_secret_file), then `systemctl reload \
             orderfeed`; if it is current, check edge.oauth.client_id",
        ),
        _ => (
            String::new(),
            "check edge.oauth (client_id, client_secret, scopes, token_url)",
        ),
    };
    Halt {
        code: "auth".to_owned(),
        reason: format!("the token service {host} refuses the client {client}: {cause}{secret}"),
        remedy,
        inferred: false,
    }
}
