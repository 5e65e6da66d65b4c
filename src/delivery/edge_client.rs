//! The part of delivery that all senders share: rate limit and statistics for the whole run, transport and tokens for a
//! configuration.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::ExposeSecret;
use tokio::time::Instant;

use crate::config::{Config, EdgeAuth};
use crate::delivery::http::client::ClientError;
use crate::delivery::http::destination::Destination;
use crate::delivery::http::tokens::TokenSource;
use crate::delivery::http::transport::{Connector, Transport};
use crate::delivery::limits::rate_limit::RateLimiter;
use crate::delivery::pauses::Pauses;
use crate::delivery::stats::DeliveryStats;
use crate::store::Store;
use crate::store::outbox::Class;
use orderfeed_model::clock::Clock;

/// The part that stays for the whole run.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) stats: Arc<DeliveryStats>,
    pub(crate) connector: Connector,
    pub(crate) limiter: Mutex<RateLimiter>,
    pub(crate) pauses: Arc<Pauses>,
    pub(crate) begun: Instant,
}

impl Shared {
    /// Takes request units, or returns the time to wait.
    pub(crate) fn take_units(&self, units: u32, class: Class) -> Result<(), Duration> {
        let mut limiter = self.limiter.lock().unwrap_or_else(PoisonError::into_inner);
        // Monotonic time: setting the wall clock must neither fill nor empty the bucket.
        limiter.try_take(units, class, self.begun.elapsed())
    }

    pub(crate) fn set_rate(&self, units_per_second: u32) {
        let mut limiter = self.limiter.lock().unwrap_or_else(PoisonError::into_inner);
        limiter.set_rate(units_per_second);
    }
}

/// A client for the edge as one configuration describes it.
#[derive(Debug)]
pub(crate) struct EdgeClient {
    pub(crate) config: Arc<Config>,
    transport: Arc<dyn Transport>,
    tokens: Option<Arc<TokenSource>>,
}

impl EdgeClient {
    /// Creates the client for `config`. Keeps the token of the client `before`, if it is valid for this one.
    pub(crate) fn new(
        config: Arc<Config>,
        shared: &Shared,
        before: Option<&Self>,
    ) -> Result<Self, ClientError> {
        let transport = shared.connector.connect(&config)?;
        let before = before.filter(|before| same_login(&before.config, &config));
        let new_tokens = || {
            Arc::new(TokenSource::new(
                Arc::clone(&transport),
                &config,
                Arc::clone(&shared.pauses),
                shared.clock.clone(),
                Arc::clone(&shared.stats),
            ))
        };
        let tokens = match config.edge.auth {
            EdgeAuth::None => None,
            EdgeAuth::Oauth => {
                // A new source would fetch a new token, and Adobe throttles clients that fetch too many.
                let kept = before.and_then(|before| before.tokens.clone());
                let kept = kept.inspect(|tokens| tokens.set_transport(Arc::clone(&transport)));
                Some(kept.unwrap_or_else(new_tokens))
            }
        };
        Ok(Self {
            config,
            transport,
            tokens,
        })
    }

    /// Returns the destination of a website's events; `None` without a datastream.
    pub(crate) fn destination(&self, website: &str, shared: &Shared) -> Option<Destination> {
        let (transport, tokens) = (Arc::clone(&self.transport), self.tokens.clone());
        let (pauses, clock) = (Arc::clone(&shared.pauses), shared.clock.clone());
        Destination::new(&self.config, website, transport, tokens, pauses, clock)
    }
}

/// Returns true if a token of one configuration is valid for the other.
fn same_login(one: &Config, other: &Config) -> bool {
    let (a, b) = (&one.edge.oauth, &other.edge.oauth);
    one.edge.ca_file == other.edge.ca_file
        && (&a.token_url, &a.client_id, &a.scopes) == (&b.token_url, &b.client_id, &b.scopes)
        && a.client_secret.expose_secret() == b.client_secret.expose_secret()
}

/// Returns true if requests of a website have the same address and sender in both, so that a halt still applies.
pub(crate) fn same_destination(one: &Config, other: &Config, website: &str) -> bool {
    let datastream = |config: &Config| config.websites.get(website)?.datastream.clone();
    same_login(one, other)
        && one.edge.url == other.edge.url
        && one.edge.auth == other.edge.auth
        && one.services_connector.organization_id == other.services_connector.organization_id
        && datastream(one) == datastream(other)
}
