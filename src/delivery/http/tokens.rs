//! Access tokens of Adobe's identity service (IMS), OAuth server-to-server.
//!
//! One token serves all websites. It is fetched when it is first needed and again at 80 % of its life; while an older one
//! is still valid, trouble at IMS disturbs nobody. Fetching is single-flight: whoever comes meanwhile takes the old token,
//! or waits and shares the outcome. Adobe throttles integrations that fetch too many.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use secrecy::ExposeSecret;
use serde::Deserialize;
use tokio::sync::Mutex;
use url::{Url, form_urlencoded};

use crate::config::OAuth;
use crate::delivery::http::problem::plain;
use crate::delivery::http::transport::{OutboundRequest, Transport, TransportError, TransportErrorKind};
use crate::delivery::limits::retry_after;
use crate::delivery::rules::Halt;
use crate::delivery::stats::DeliveryStats;
use orderfeed_model::clock::{Clock, UtcMillis};

/// No token is trusted for longer, whatever its answer says: Adobe's live 24 hours, and the retired JWT flow counted in
/// milliseconds, which would read as years.
const LONGEST_LIFE_SECS: u64 = 86_400;
/// The next try to renew a token that is still valid.
const RENEW_AGAIN_MS: i64 = 30_000;

/// A token, ready for the `Authorization` header. Its `Debug` shows nothing.
#[derive(Debug)]
pub(crate) struct Token {
    header: HeaderValue,
    expires_at: UtcMillis,
    renew_at: UtcMillis,
}

impl Token {
    /// `Bearer …`, marked as sensitive.
    pub(crate) fn header(&self) -> HeaderValue {
        self.header.clone()
    }
}

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TokenError {
    /// IMS does not know us, or we do not trust it; a person must mend it.
    Refused(Halt),
    /// IMS cannot right now.
    Unavailable {
        /// A stable word for the log and the sender's row.
        code: String,
        /// What the line to it says, if there was no answer.
        cause: Option<String>,
        /// How long it asked to be left alone.
        after: Option<Duration>,
    },
}

/// The source of tokens for one OAuth client.
#[derive(Debug)]
pub(crate) struct TokenSource {
    transport: Arc<dyn Transport>,
    oauth: OAuth,
    clock: Clock,
    stats: Arc<DeliveryStats>,
    current: RwLock<Option<Arc<Token>>>,
    /// Held by whoever fetches; remembers how often fetching failed, and how the last time.
    fetching: Mutex<Failures>,
    failures: std::sync::atomic::AtomicU64,
    /// The token service's clock minus ours in milliseconds, as of its last answer.
    skew_ms: RwLock<Option<i64>>,
}

#[derive(Debug, Default)]
struct Failures {
    last: Option<TokenError>,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    #[serde(default)]
    expires_in: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Denied {
    error: String,
    error_description: String,
}

impl TokenSource {
    pub(crate) fn new(
        transport: Arc<dyn Transport>,
        oauth: OAuth,
        clock: Clock,
        stats: Arc<DeliveryStats>,
    ) -> Self {
        Self {
            transport,
            oauth,
            clock,
            stats,
            current: RwLock::default(),
            fetching: Mutex::default(),
            failures: std::sync::atomic::AtomicU64::new(0),
            skew_ms: RwLock::default(),
        }
    }

    /// A token to send with.
    pub(crate) async fn get(&self) -> Result<Arc<Token>, TokenError> {
        let now = self.clock.now();
        let held = self.held(now);
        match held {
            Some(token) if now < token.renew_at => Ok(token),
            Some(token) => Ok(self.renew(token, now).await),
            None => self.first(now).await,
        }
    }

    /// The token service's clock minus ours in milliseconds, if its last answer said what time it is.
    pub(crate) fn skew_ms(&self) -> Option<i64> {
        *self.skew_ms.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The edge does not take this token any more; the next [`TokenSource::get`] fetches another, once for all who held it.
    pub(crate) fn reject(&self, token: &Arc<Token>) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref().is_some_and(|held| Arc::ptr_eq(held, token)) {
            *current = None;
        }
    }

    fn held(&self, now: UtcMillis) -> Option<Arc<Token>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.as_ref().filter(|token| now < token.expires_at).cloned()
    }

    /// Renews a token that is still valid; if somebody else does so already, or it fails, the old one serves on.
    async fn renew(&self, old: Arc<Token>, now: UtcMillis) -> Arc<Token> {
        let Ok(_fetching) = self.fetching.try_lock() else {
            return old;
        };
        if let Some(newer) = self.held(now).filter(|token| now < token.renew_at) {
            return newer;
        }
        match self.fetch().await {
            Ok(token) => self.keep(token),
            Err(_) => self.keep(Token {
                header: old.header.clone(),
                expires_at: old.expires_at,
                renew_at: self.clock.now().plus_millis(RENEW_AGAIN_MS),
            }),
        }
    }

    /// Fetches where there is nothing to fall back to. Those who waited while it failed share the failure: thirty lanes
    /// do not ask a broken IMS thirty times.
    async fn first(&self, now: UtcMillis) -> Result<Arc<Token>, TokenError> {
        use std::sync::atomic::Ordering;
        let before = self.failures.load(Ordering::SeqCst);
        let mut fetching = self.fetching.lock().await;
        if let Some(token) = self.held(now) {
            return Ok(token);
        }
        if self.failures.load(Ordering::SeqCst) != before
            && let Some(failure) = &fetching.last
        {
            return Err(failure.clone());
        }
        match self.fetch().await {
            Ok(token) => Ok(self.keep(token)),
            Err(failure) => {
                self.failures.fetch_add(1, Ordering::SeqCst);
                fetching.last = Some(failure.clone());
                Err(failure)
            }
        }
    }

    fn keep(&self, token: Token) -> Arc<Token> {
        let token = Arc::new(token);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&token));
        token
    }

    async fn fetch(&self) -> Result<Token, TokenError> {
        let token = self.ask().await;
        if token.is_err() {
            self.stats.token_refused();
        }
        token
    }

    async fn ask(&self) -> Result<Token, TokenError> {
        let mut headers = HeaderMap::new();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let call = OutboundRequest {
            url: self.oauth.token_url.clone(),
            headers,
            body: Bytes::from(form(&self.oauth)),
        };
        let reply = self.transport.exchange(call).await.map_err(unanswered)?;
        let after = reply.retry_after.as_deref().and_then(|header| self.pause(header));
        let skew_ms = reply.date.map(|theirs| theirs.millis_since(self.clock.now()));
        *self.skew_ms.write().unwrap_or_else(PoisonError::into_inner) = skew_ms;
        let (status, body) = (reply.status, reply.body);
        match status {
            200..=299 => self.granted(&body),
            408 | 429 | 500..=599 => Err(unavailable(&format!("ims_{status}"), after)),
            _ => Err(TokenError::Refused(refused(status, &body, &self.oauth.token_url))),
        }
    }

    fn granted(&self, body: &[u8]) -> Result<Token, TokenError> {
        let unusable = || unavailable("ims_unusable", None);
        let granted: Granted = serde_json::from_slice(body).map_err(|_| unusable())?;
        let mut header =
            HeaderValue::try_from(format!("Bearer {}", granted.access_token)).map_err(|_| unusable())?;
        header.set_sensitive(true);
        let life = granted
            .expires_in
            .unwrap_or(LONGEST_LIFE_SECS)
            .min(LONGEST_LIFE_SECS);
        let life_ms = i64::try_from(life * 1000).unwrap_or(i64::MAX);
        let now = self.clock.now();
        self.stats.token_fetched();
        tracing::debug!(life_seconds = life, "Access token fetched");
        Ok(Token {
            header,
            expires_at: now.plus_millis(life_ms),
            renew_at: now.plus_millis(life_ms / 5 * 4),
        })
    }

    fn pause(&self, header: &str) -> Option<Duration> {
        retry_after::parse(header, self.clock.now()).filter(|pause| !pause.is_zero())
    }
}

fn unanswered(nothing: TransportError) -> TokenError {
    tracing::debug!(error = nothing.words, "No answer from the token service");
    if nothing.cause == TransportErrorKind::Certificate {
        return TokenError::Refused(Halt {
            code: "tls".to_owned(),
            reason: format!(
                "the token service's certificate is not trusted: {}",
                nothing.words
            ),
            remedy: "check edge.oauth.token_url, edge.ca_file, the system's certificate authorities and the clock",
            inferred: false,
        });
    }
    TokenError::Unavailable {
        code: "ims_network".to_owned(),
        cause: Some(nothing.words),
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

fn unavailable(code: &str, after: Option<Duration>) -> TokenError {
    TokenError::Unavailable {
        code: code.to_owned(),
        cause: None,
        after,
    }
}

fn refused(status: u16, body: &[u8], url: &Url) -> Halt {
    let denied: Denied = serde_json::from_slice(body).unwrap_or_default();
    let word = match denied.error.is_empty() {
        true => format!("HTTP {status}"),
        false => plain(&format!("{} {}", denied.error, denied.error_description)),
    };
    let host = url.host_str().unwrap_or_default();
    Halt {
        code: "auth".to_owned(),
        reason: format!("the token service {host} refuses the client: {word}"),
        remedy: "check edge.oauth (client_id, client_secret, scopes, token_url)",
        inferred: false,
    }
}
