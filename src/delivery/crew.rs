//! One sender for each website that has a datastream, started and stopped as the configuration changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::delivery::parts::{DeliveryError, DeliveryParts, Drained};
use crate::delivery::sender::{Sender, Signals};
use crate::delivery::wiring::{Shared, Wiring};
use crate::store::Durability;
use crate::store::meta::WebsiteId;

/// Runs until `stop` is cancelled, then drains within `delivery.stop_budget`; `abort` ends at once.
///
/// # Errors
/// If the store fails, or there can be no HTTP client. An edge that is down is no error.
pub async fn run(parts: DeliveryParts) -> Result<Drained, DeliveryError> {
    let DeliveryParts {
        store,
        clock,
        mut config,
        stop,
        abort,
        observer,
    } = parts;
    let first = Arc::clone(&config.borrow_and_update());
    let rate = first.delivery.request_units_per_second;
    let shared = Arc::new(Shared::new(store, clock, observer, rate));
    let wiring = Wiring::new(first, &shared, None)?;
    let (publish, wirings) = watch::channel(Arc::new(wiring));
    let mut crew = Crew {
        shared,
        wirings,
        signals: Signals { stop, abort },
        senders: BTreeMap::new(),
        tasks: JoinSet::new(),
        total: Drained::default(),
    };
    crew.reconcile().await?;
    while !crew.signals.stop.is_cancelled() && !crew.signals.abort.is_cancelled() {
        tokio::select! {
            () = crew.signals.stop.cancelled() => {}
            () = crew.signals.abort.cancelled() => {}
            Ok(()) = config.changed() => {
                let new = Arc::clone(&config.borrow_and_update());
                if crew.rewire(new, &publish) {
                    crew.reconcile().await?;
                }
            }
            Some(ended) = crew.tasks.join_next() => {
                crew.ended(ended)?;
                crew.reconcile().await?;
            }
        }
    }
    crew.drain().await
}

/// All senders.
struct Crew {
    shared: Arc<Shared>,
    wirings: watch::Receiver<Arc<Wiring>>,
    signals: Signals,
    /// Senders by website code, with what stops each alone. One that was stopped stays until it has ended: two senders
    /// of one website would break the order of its events.
    senders: BTreeMap<String, CancellationToken>,
    tasks: JoinSet<(String, Result<Drained, DeliveryError>)>,
    total: Drained,
}

impl Crew {
    /// Publishes the wiring of a new configuration; the old one stays if there can be no client.
    fn rewire(&self, config: Arc<Config>, publish: &watch::Sender<Arc<Wiring>>) -> bool {
        let before = Arc::clone(&publish.borrow());
        let rate = config.delivery.request_units_per_second;
        match Wiring::new(config, &self.shared, Some(&before)) {
            Ok(wiring) => {
                self.shared.set_rate(rate);
                publish.send_replace(Arc::new(wiring));
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
        let config = Arc::clone(&self.wirings.borrow().config);
        let wanted = |code: &String| {
            config
                .websites
                .get(code)
                .is_some_and(|website| website.datastream.is_some())
        };
        for (_, stop) in self.senders.iter().filter(|(code, _)| !wanted(code)) {
            stop.cancel();
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
        let (shared, wirings) = (Arc::clone(&self.shared), self.wirings.clone());
        if let Some(sender) = Sender::prepare(id, code, shared, wirings, stop.clone()).await? {
            let signals = Signals {
                stop: stop.clone(),
                abort: self.signals.abort.clone(),
            };
            self.senders.insert(code.to_owned(), stop);
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
