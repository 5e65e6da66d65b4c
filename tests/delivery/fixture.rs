//! A test fixture: a store, the emulator, and delivery between them.

use std::sync::Arc;
use std::time::Duration;

use orderfeed::config::{Config, EdgeAuth, HumanDuration, Website};
use orderfeed::delivery::{self, DeliveryContext, DeliveryError, DeliveryStats, Drained};
use orderfeed::store::outbox::{
    BatchLimits, Class, EnqueueMode, EventState, KnownEvent, NewEvent, OrderEvents, ParkedEvent,
    ParkedFilter, SenderRow, SenderState,
};
use orderfeed::store::{Durability, Store, Writer};
use orderfeed_emulator::{
    DEFAULT_CLIENT, DEFAULT_DATASTREAM, DEFAULT_ORG, DEFAULT_SECRET, Emulator, EmulatorConfig,
    EmulatorHandle, RequestRow,
};
use orderfeed_model::clock::{Clock, UtcMillis};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::delivery::line::Connection;

const PATIENCE: Duration = Duration::from_secs(60);

/// The edge, the outbox, and a configuration with short pauses.
pub(crate) struct Fixture {
    pub(crate) emulator: EmulatorHandle,
    pub(crate) store: Store,
    pub(crate) config: watch::Sender<Arc<Config>>,
    pub(crate) stats: Arc<DeliveryStats>,
    /// The clock of delivery. The emulator uses the machine's.
    pub(crate) clock: Clock,
    pub(crate) line: Connection,
    stop: CancellationToken,
    pub(crate) abort: CancellationToken,
    dir: tempfile::TempDir,
}

pub(crate) struct Running(JoinHandle<Result<Drained, DeliveryError>>);

impl Fixture {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}, |_| {}).await
    }

    pub(crate) async fn with(
        emulator: impl FnOnce(&mut EmulatorConfig),
        config: impl FnOnce(&mut Config),
    ) -> Self {
        let mut edge = EmulatorConfig {
            keep_bodies: true,
            ..EmulatorConfig::default()
        };
        emulator(&mut edge);
        let emulator = Emulator::start(edge).await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let mut configured = config_for(&emulator, dir.path());
        config(&mut configured);
        Self {
            emulator,
            store: Store::open(&dir.path().join("orderfeed.db")).unwrap(),
            config: watch::channel(Arc::new(configured)).0,
            stats: Arc::default(),
            clock: Clock::System,
            line: Connection::default(),
            stop: CancellationToken::new(),
            abort: CancellationToken::new(),
            dir,
        }
    }

    pub(crate) fn run(&self) -> Running {
        let parts = DeliveryContext {
            store: self.store.clone(),
            clock: self.clock.clone(),
            config: self.config.subscribe(),
            stop: self.stop.clone(),
            abort: self.abort.clone(),
            stats: Arc::clone(&self.stats),
        };
        Running(tokio::spawn(delivery::run(parts, self.line.connector())))
    }

    pub(crate) async fn stop(&self, running: Running) -> Drained {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, running.0)
            .await
            .expect("it stops")
            .unwrap()
            .unwrap()
    }

    pub(crate) async fn wait(&self, running: Running) -> Drained {
        tokio::time::timeout(PATIENCE, running.0)
            .await
            .expect("it ends")
            .unwrap()
            .unwrap()
    }

    pub(crate) fn request_stop(&self) {
        self.stop.cancel();
    }

    /// Prepares another run after a stop.
    pub(crate) fn revive(&mut self) {
        self.stop = CancellationToken::new();
    }

    /// Returns the path of the store, to open it again after a kill.
    pub(crate) fn store_path(&self) -> std::path::PathBuf {
        self.dir.path().join("orderfeed.db")
    }

    pub(crate) fn script(&self, steps: Value) {
        self.emulator.script_json(steps).unwrap();
    }

    pub(crate) fn change_config(&self, change: impl FnOnce(&mut Config)) {
        self.config.send_modify(|config| change(Arc::make_mut(config)));
    }

    /// Enqueues one event for each kind of each order, each order in a transaction (and so a batch) of its own.
    pub(crate) async fn enqueue_apart(&self, website: &str, orders: &[i64], kinds: &[u8]) {
        for order in orders {
            self.enqueue(website, &[*order], kinds).await;
        }
    }

    /// Enqueues one event for each kind of each order, all in one transaction.
    pub(crate) async fn enqueue(&self, website: &str, orders: &[i64], kinds: &[u8]) {
        self.enqueue_as(website, orders, kinds, Class::Live).await;
    }

    pub(crate) async fn enqueue_as(&self, website: &str, orders: &[i64], kinds: &[u8], class: Class) {
        let (website, orders, kinds) = (website.to_owned(), orders.to_vec(), kinds.to_vec());
        let now = self.clock.now();
        self.write(move |writer| {
            let website = writer.website_id(&website)?;
            let events = |order: i64| {
                let new = |kind: &u8| NewEvent {
                    kind: *kind,
                    document: order,
                    generation: 0,
                    not_before: UtcMillis(0),
                    person: None,
                    body: Ok(event(order, *kind)),
                };
                OrderEvents {
                    order,
                    website,
                    class,
                    changed_at: now,
                    backfill: None,
                    events: kinds.iter().map(new).collect(),
                }
            };
            let all: Vec<_> = orders.into_iter().map(events).collect();
            let limits = BatchLimits {
                bytes: 60_000 - 13,
                events: 100,
            };
            writer.enqueue(&all, EnqueueMode::Insert, limits, now).map(drop)
        })
        .await;
    }

    pub(crate) async fn write<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Writer<'_>) -> Result<T, orderfeed::store::StoreError> + Send + 'static,
    ) -> T {
        self.store.write(Durability::Durable, job).await.unwrap()
    }

    pub(crate) async fn states(&self, order: i64) -> Vec<EventState> {
        let known: Vec<KnownEvent> = self
            .store
            .read(move |reader| reader.events_of(order))
            .await
            .unwrap();
        known.into_iter().map(|event| event.state).collect()
    }

    /// Waits until all events of these orders are in `state`.
    pub(crate) async fn until(&self, orders: &[i64], state: EventState) {
        let orders = orders.to_vec();
        let what = format!("{state:?}");
        self.eventually(&what, async || {
            for order in &orders {
                if !self.states(*order).await.iter().all(|found| *found == state) {
                    return false;
                }
            }
            true
        })
        .await;
    }

    pub(crate) async fn pending(&self) -> u64 {
        self.store.read(|reader| reader.pending_events()).await.unwrap()
    }

    pub(crate) async fn until_nothing_is_pending(&self) {
        self.eventually("an empty outbox", async || self.pending().await == 0)
            .await;
    }

    pub(crate) async fn sender(&self, website: &str) -> Option<SenderRow> {
        let website = website.to_owned();
        self.store
            .read(move |reader| {
                let id = reader
                    .websites()?
                    .into_iter()
                    .find(|(_, code)| *code == website)
                    .map(|(id, _)| id);
                Ok(reader.senders()?.into_iter().find(|row| Some(row.website) == id))
            })
            .await
            .unwrap()
    }

    pub(crate) async fn until_sender(&self, website: &str, state: SenderState) -> SenderRow {
        self.eventually(state.as_str(), async || {
            self.sender(website).await.is_some_and(|row| row.state == state)
        })
        .await;
        self.sender(website).await.unwrap()
    }

    pub(crate) async fn parked(&self) -> Vec<ParkedEvent> {
        self.store
            .read(|reader| reader.parked(&ParkedFilter::default(), 1000))
            .await
            .unwrap()
    }

    /// Returns the data requests in order of arrival.
    pub(crate) fn requests(&self) -> Vec<RequestRow> {
        let mut rows = self.emulator.requests();
        rows.retain(|row| row.path.ends_with("/collect"));
        rows
    }

    /// Polls until `holds` returns true. The time is only an upper bound.
    pub(crate) async fn eventually(&self, what: &str, holds: impl AsyncFn() -> bool) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !holds().await {
            if tokio::time::Instant::now() > deadline {
                panic!(
                    "never: {what}; sender {:?}; requests {:#?}",
                    self.sender("base").await,
                    self.requests()
                );
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Asserts the invariants of any run.
    pub(crate) fn assert_promises(&self) {
        assert_eq!(self.emulator.bytes_changed(), Vec::<String>::new());
        assert_eq!(self.emulator.order_violations(), []);
        let totals = self.emulator.totals();
        assert_eq!((totals.requests_without_events, totals.silent_requests), (0, 0));
        assert!(totals.largest_request <= 65_536);
    }
}

fn config_for(emulator: &EmulatorHandle, dir: &std::path::Path) -> Config {
    let mut config = Config::default();
    config.services_connector.organization_id = DEFAULT_ORG.parse().unwrap();
    config.edge.url = emulator.server_url().parse().unwrap();
    config.edge.auth = EdgeAuth::Oauth;
    config.edge.oauth.token_url = emulator.ims_url().parse().unwrap();
    config.edge.oauth.client_id = DEFAULT_CLIENT.to_owned();
    config.edge.oauth.client_secret = DEFAULT_SECRET.to_owned().into();
    if let Some(pem) = emulator.ca_pem() {
        let path = dir.join("ca.pem");
        std::fs::write(&path, pem).unwrap();
        config.edge.ca_file = Some(path);
    }
    config.websites.insert(
        "base".to_owned(),
        Website::sending_to(DEFAULT_DATASTREAM.parse().unwrap()),
    );
    config.delivery.retry.initial = HumanDuration::from_millis(5);
    config.delivery.retry.max = HumanDuration::from_millis(40);
    config.delivery.request_units_per_second = 0;
    config
}

/// Returns a valid event. Higher kinds have later timestamps.
pub(crate) fn event(order: i64, kind: u8) -> Vec<u8> {
    let json = json!({"xdm": {
        "_id": id(order, kind),
        "eventType": "commerce.backofficeOrderPlaced",
        "timestamp": UtcMillis::from_secs(1_700_000_000 + order * 100 + i64::from(kind)).rfc3339(),
        "identityMap": {"Email_LC_SHA256": [
            {"id": "a".repeat(64), "authenticatedState": "ambiguous", "primary": true}]},
        "commerce": {"order": {"purchaseID": format!("{order:09}")}},
    }});
    serde_json::to_vec(&json).unwrap()
}

pub(crate) fn id(order: i64, kind: u8) -> String {
    format!("00000000-0000-5000-8000-{order:08x}{kind:04x}")
}
