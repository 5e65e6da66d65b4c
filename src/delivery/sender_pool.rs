//! The senders of all websites that have a datastream, started and stopped as the configuration changes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Website};
use crate::delivery::context::{DeliveryContext, DeliveryError, Drained};
use crate::delivery::edge_client::{EdgeClient, Shared};
use crate::delivery::http::transport::Connector;
use crate::delivery::limits::rate_limit::RateLimiter;
use crate::delivery::pauses::Pauses;
use crate::delivery::sender::{Sender, Shutdown};
use crate::store::Durability;
use crate::store::meta::WebsiteId;

/// Delivers over `connector` until `stop` is cancelled, then drains within `delivery.stop_budget`; `abort` ends it at
/// once.
///
/// # Errors
/// If the store fails, or no HTTP client can be built. An edge that is down is no error.
pub async fn run(context: DeliveryContext, connector: Connector) -> Result<Drained, DeliveryError> {
    let mut config = context.config;
    let first = Arc::clone(&config.borrow_and_update());
    let rate = first.delivery.request_units_per_second;
    let pauses = context.store.read(|reader| reader.pauses()).await?;
    let shared = Shared {
        store: context.store,
        clock: context.clock,
        stats: context.stats,
        connector,
        limiter: Mutex::new(RateLimiter::new(rate)),
        pauses: Arc::new(Pauses::restore(pauses)),
        begun: Instant::now(),
    };
    let client = EdgeClient::new(first, &shared, None)?;
    let mut pool = SenderPool {
        shared: Arc::new(shared),
        client: Arc::new(client),
        shutdown: Shutdown {
            stop: context.stop,
            abort: context.abort,
        },
        senders: BTreeMap::new(),
        tasks: JoinSet::new(),
        total: Drained::default(),
    };
    pool.reconcile().await?;
    while !pool.shutdown.stop.is_cancelled() && !pool.shutdown.abort.is_cancelled() {
        tokio::select! {
                    // In this order, so that a simulated run can be repeated. No branch is ready often enough to starve another.
                    biased;
                    () = pool.shutdown.stop.cancelled() => {}
                    () = pool.shutdown.abort.cancelled() => {}
                    Ok(()) = config.changed() => {
                        let new = Arc::clone(&config.borrow_and_update());
                        if pool.reconfigure(new) {
                            pool.reconcile().await?;
                        }
                    }
                    Some(ended) = pool.tasks.join_next() => {
        // A website whose datastream was removed and added again gets its new sender only now.
                        pool.ended(ended)?;
                        pool.reconcile().await?;
                    }
                }
    }
    pool.drain().await
}

type SenderEnd = (String, Result<Drained, DeliveryError>);

struct SenderPool {
    shared: Arc<Shared>,
    client: Arc<EdgeClient>,
    shutdown: Shutdown,
    /// Senders by website code. A stopped one stays until it has ended: two senders of one website would break the order
    /// of its events.
    senders: BTreeMap<String, SenderHandle>,
    tasks: JoinSet<SenderEnd>,
    total: Drained,
}

struct SenderHandle {
    stop: CancellationToken,
    client: watch::Sender<Arc<EdgeClient>>,
}

impl SenderPool {
    /// Gives all senders a client for a new configuration. Returns false and keeps the old one if none can be built.
    fn reconfigure(&mut self, config: Arc<Config>) -> bool {
        let rate = config.delivery.request_units_per_second;
        match EdgeClient::new(config, &self.shared, Some(&self.client)) {
            Ok(client) => {
                self.shared.set_rate(rate);
                self.client = Arc::new(client);
                for handle in self.senders.values() {
                    handle.client.send_replace(Arc::clone(&self.client));
                }
                true
            }
            Err(error) => {
                tracing::error!(
                    log_code = "OF06-07",
                    %error,
                    "The new delivery settings cannot be used, the old ones stay in force",
                );
                false
            }
        }
    }

    /// Starts and stops senders so that each website with a datastream has one.
    async fn reconcile(&mut self) -> Result<(), DeliveryError> {
        let config = Arc::clone(&self.client.config);
        // Also where events are switched off: what is in the outbox already is still sent.
        let has_datastream = |website: &Website| website.datastream.is_some();
        for (code, handle) in &self.senders {
            if !config.websites.get(code).is_some_and(has_datastream) {
                handle.stop.cancel();
            }
        }
        for (code, website) in &config.websites {
            if !has_datastream(website) || self.senders.contains_key(code) {
                continue;
            }
            if let Some(id) = self.website_id(code, website.back_office_events).await? {
                self.start(id, code).await?;
            }
        }
        Ok(())
    }

    /// Returns the id of a website, and assigns one if the website `sends`. One that never sent anything and is switched
    /// off needs none.
    async fn website_id(&self, code: &str, sends: bool) -> Result<Option<WebsiteId>, DeliveryError> {
        let websites = self.shared.store.read(|reader| reader.websites()).await?;
        let found = websites.iter().find(|(_, known)| known == code);
        if found.is_some() || !sends {
            return Ok(found.map(|(id, _)| *id));
        }
        let code = code.to_owned();
        let id = self
            .shared
            .store
            .write(Durability::Durable, move |writer| writer.website_id(&code));
        Ok(Some(id.await?))
    }

    async fn start(&mut self, id: WebsiteId, code: &str) -> Result<(), DeliveryError> {
        let stop = self.shutdown.stop.child_token();
        let (client, clients) = watch::channel(Arc::clone(&self.client));
        let shared = Arc::clone(&self.shared);
        if let Some(sender) = Sender::prepare(id, code, shared, clients, stop.clone()).await? {
            let shutdown = Shutdown {
                stop: stop.clone(),
                abort: self.shutdown.abort.clone(),
            };
            self.senders
                .insert(code.to_owned(), SenderHandle { stop, client });
            let code = code.to_owned();
            self.tasks
                .spawn(Box::pin(async move { (code, sender.run(shutdown).await) }));
        }
        Ok(())
    }

    fn ended(&mut self, ended: Result<SenderEnd, JoinError>) -> Result<(), DeliveryError> {
        let (code, drained) = ended.map_err(|error| DeliveryError::Lane(error.to_string()))?;
        // Only the store makes a sender fail, and no other sender could settle anything without it either.
        let drained = drained?;
        self.senders.remove(&code);
        self.total.finished_requests += drained.finished_requests;
        self.total.abandoned_requests += drained.abandoned_requests;
        Ok(())
    }

    async fn drain(mut self) -> Result<Drained, DeliveryError> {
        while let Some(ended) = self.tasks.join_next().await {
            self.ended(ended)?;
        }
        if !self.shutdown.abort.is_cancelled() {
            self.total.pending_events = self.shared.store.read(|reader| reader.pending_events()).await?;
        }
        Ok(self.total)
    }
}
