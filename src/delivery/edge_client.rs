//! What senders share: the counters, the rate gate, and the transport and tokens that belong to a configuration.

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
use crate::delivery::stats::DeliveryStats;
use crate::store::Store;
use crate::store::outbox::Class;
use orderfeed_model::clock::Clock;

/// For the whole run.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) stats: Arc<DeliveryStats>,
    connector: Connector,
    gate: Mutex<RateLimiter>,
    begun: Instant,
}

impl Shared {
    pub(crate) fn new(
        store: Store,
        clock: Clock,
        stats: Arc<DeliveryStats>,
        connector: Connector,
        units_per_second: u32,
    ) -> Self {
        Self {
            store,
            clock,
            stats,
            connector,
            gate: Mutex::new(RateLimiter::new(units_per_second)),
            begun: Instant::now(),
        }
    }

    /// Takes request units, or says how long to wait.
    pub(crate) fn take_units(&self, units: u32, class: Class) -> Result<(), Duration> {
        let mut gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        gate.try_take(units, class, self.begun.elapsed())
    }

    pub(crate) fn set_rate(&self, units_per_second: u32) {
        self.gate
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .set_rate(units_per_second);
    }
}

/// For as long as a configuration is in force.
#[derive(Debug)]
pub(crate) struct EdgeClient {
    pub(crate) config: Arc<Config>,
    transport: Arc<dyn Transport>,
    tokens: Option<Arc<TokenSource>>,
}

impl EdgeClient {
    /// # Errors
    /// If there can be no client.
    pub(crate) fn new(
        config: Arc<Config>,
        shared: &Shared,
        before: Option<&Self>,
    ) -> Result<Self, ClientError> {
        let transport = shared.connector.connect(&config)?;
        let tokens = match (config.edge.auth, before) {
            (EdgeAuth::None, _) => None,
            (EdgeAuth::Oauth, Some(before))
                if before.tokens.is_some() && same_login(&before.config, &config) =>
            {
                before.tokens.clone()
            }
            (EdgeAuth::Oauth, _) => Some(Arc::new(TokenSource::new(
                Arc::clone(&transport),
                config.edge.oauth.clone(),
                shared.clock.clone(),
                Arc::clone(&shared.stats),
            ))),
        };
        Ok(Self {
            config,
            transport,
            tokens,
        })
    }

    /// Where the events of a website go; `None` without a datastream.
    pub(crate) fn destination(&self, website: &str, clock: &Clock) -> Option<Destination> {
        let datastream = self.config.websites.get(website)?.datastream.as_ref()?;
        let (transport, tokens) = (Arc::clone(&self.transport), self.tokens.clone());
        Some(Destination::new(
            &self.config,
            datastream,
            transport,
            tokens,
            clock.clone(),
        ))
    }
}

/// Whether a token of the one is good for the other.
fn same_login(one: &Config, other: &Config) -> bool {
    let (a, b) = (&one.edge.oauth, &other.edge.oauth);
    one.edge.ca_file == other.edge.ca_file
        && (&a.token_url, &a.client_id, &a.scopes) == (&b.token_url, &b.client_id, &b.scopes)
        && a.client_secret.expose_secret() == b.client_secret.expose_secret()
}

/// Whether requests of a website go to the same place as the same client, so that a halt still holds.
pub(crate) fn same_destination(one: &Config, other: &Config, website: &str) -> bool {
    let datastream = |config: &Config| {
        config
            .websites
            .get(website)
            .and_then(|website| website.datastream.clone())
    };
    same_login(one, other)
        && one.edge.url == other.edge.url
        && one.edge.auth == other.edge.auth
        && one.services_connector.organization_id == other.services_connector.organization_id
        && datastream(one) == datastream(other)
}
