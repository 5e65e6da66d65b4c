//! One sender for each website that has a datastream, started and stopped as the configuration changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::delivery::context::{DeliveryContext, DeliveryError, Drained};
use crate::delivery::edge_client::{EdgeClient, Shared};
use crate::delivery::http::transport::Connector;
use crate::delivery::sender::{Sender, Signals};
use crate::store::Durability;
use crate::store::meta::WebsiteId;

/// Runs until `stop` is cancelled, then drains within `delivery.stop_budget`; `abort` ends at once.
///
/// # Errors
/// If the store fails, or there can be no HTTP client. An edge that is down is no error.
pub async fn run(parts: DeliveryContext) -> Result<Drained, DeliveryError> {
    run_over(parts, Connector::http()).await
}

/// [`run`] over another line than HTTP.
///
/// # Errors
/// As there.
pub async fn run_over(parts: DeliveryContext, connector: Connector) -> Result<Drained, DeliveryError> {
    let DeliveryContext {
        store,
        clock,
        mut config,
        stop,
        abort,
        observer,
    } = parts;
    let first = Arc::clone(&config.borrow_and_update());
    let rate = first.delivery.request_units_per_second;
    let shared = Arc::new(Shared::new(store, clock, observer, connector, rate));
    let client = EdgeClient::new(first, &shared, None)?;
    let mut pool = SenderPool {
        shared,
        client: Arc::new(client),
        signals: Signals { stop, abort },
        senders: BTreeMap::new(),
        tasks: JoinSet::new(),
        total: Drained::default(),
    };
    pool.reconcile().await?;
    while !pool.signals.stop.is_cancelled() && !pool.signals.abort.is_cancelled() {
        tokio::select! {
            // In this order, so that a run can be repeated; nothing here comes often enough to starve the rest.
            biased;
            () = pool.signals.stop.cancelled() => {}
            () = pool.signals.abort.cancelled() => {}
            Ok(()) = config.changed() => {
                let new = Arc::clone(&config.borrow_and_update());
                if pool.rewire(new) {
                    pool.reconcile().await?;
                }
            }
            Some(ended) = pool.tasks.join_next() => {
                pool.ended(ended)?;
                pool.reconcile().await?;
            }
        }
    }
    pool.drain().await
}

/// All senders.
struct SenderPool {
    shared: Arc<Shared>,
    client: Arc<EdgeClient>,
    signals: Signals,
    /// Senders by website code. One that was stopped stays until it has ended: two senders of one website would break the
    /// order of its events.
    senders: BTreeMap<String, SenderHandle>,
    tasks: JoinSet<(String, Result<Drained, DeliveryError>)>,
    total: Drained,
}

/// What one sender is led by.
struct SenderHandle {
    stop: CancellationToken,
    client: watch::Sender<Arc<EdgeClient>>,
}

impl SenderPool {
    /// Publishes the client of a new configuration; the old one stays if there can be no transport.
    fn rewire(&mut self, config: Arc<Config>) -> bool {
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
                    "New delivery settings cannot be used, the old ones stay in force",
                );
                false
            }
        }
    }

    /// Starts and stops senders so that each website with a datastream has one. A website that was switched off keeps
    /// its sender: what is already in its outbox still goes.
    async fn reconcile(&mut self) -> Result<(), DeliveryError> {
        let config = Arc::clone(&self.client.config);
        let wanted = |code: &String| {
            config
                .websites
                .get(code)
                .is_some_and(|website| website.datastream.is_some())
        };
        for (_, handle) in self.senders.iter().filter(|(code, _)| !wanted(code)) {
            handle.stop.cancel();
        }
        for (code, website) in &config.websites {
            if !wanted(code) || self.senders.contains_key(code) {
                continue;
            }
            if let Some(id) = self.website(code, website.back_office_events).await? {
                self.start(id, code).await?;
            }
        }
        Ok(())
    }

    /// The number of a website; one that never sent anything and is switched off needs none.
    async fn website(&self, code: &str, sends: bool) -> Result<Option<WebsiteId>, DeliveryError> {
        let known = self.shared.store.read(|reader| reader.websites()).await?;
        if let Some((id, _)) = known.iter().find(|(_, known)| known == code) {
            return Ok(Some(*id));
        }
        if !sends {
            return Ok(None);
        }
        let code = code.to_owned();
        let id = self
            .shared
            .store
            .write(Durability::Durable, move |writer| writer.website_id(&code));
        Ok(Some(id.await?))
    }

    async fn start(&mut self, id: WebsiteId, code: &str) -> Result<(), DeliveryError> {
        let stop = self.signals.stop.child_token();
        let (client, clients) = watch::channel(Arc::clone(&self.client));
        let shared = Arc::clone(&self.shared);
        if let Some(sender) = Sender::prepare(id, code, shared, clients, stop.clone()).await? {
            let signals = Signals {
                stop: stop.clone(),
                abort: self.signals.abort.clone(),
            };
            self.senders
                .insert(code.to_owned(), SenderHandle { stop, client });
            let code = code.to_owned();
            self.tasks
                .spawn(Box::pin(async move { (code, sender.run(signals).await) }));
        }
        Ok(())
    }

    fn ended(
        &mut self,
        ended: Result<(String, Result<Drained, DeliveryError>), JoinError>,
    ) -> Result<(), DeliveryError> {
        let (code, drained) = ended.map_err(|error| DeliveryError::Lane(error.to_string()))?;
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
        if !self.signals.abort.is_cancelled() {
            self.total.pending_events = self.shared.store.read(|reader| reader.pending_events()).await?;
        }
        Ok(self.total)
    }
}
