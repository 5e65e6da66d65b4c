//! Changelog, indexer and outbox compared with a pure model: any sequence of captures, updates, backfills, requests,
//! answers, decisions about parked events and crashes leaves exactly the states of the model, and no event is ready
//! before its predecessors. A failing sequence is shrunk.

mod states;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use fastrand::Rng;
use orderfeed::config::Config;
use orderfeed::indexer::{BackfillOptions, Indexer, batch_limits, capture};
use orderfeed::store::outbox::{
    BatchId, EdgeAnswer, EventKey, EventState, EventVerdict, ParkedFilter, PendingBatch, Refusal, Settled,
};
use orderfeed::store::views::ViewMode;
use orderfeed::store::{Durability, Reader, SimulatedLatency, Store, StoreError, Writer};
use proptest::prelude::*;
use proptest::test_runner::{Config as Cases, TestCaseError};
use tokio::sync::watch;

use states::{Model, Step, step};

use super::sim::edge::Edge;
use super::sim::shop::Shop;
use super::sim::source::ShopSource;
use super::sim::world::World;
use super::sim::{self, DATASTREAMS, GHOST, WEBSITES};

/// Virtual duration of each step. Events dated slightly in the future are due by the next one.
const STEP: std::time::Duration = std::time::Duration::from_secs(40);

struct Fixture {
    world: Arc<World>,
    config: Arc<Config>,
    /// `None` between a crash and the next start.
    opened: Option<Opened>,
    model: Model,
    on_the_way: Vec<PendingBatch>,
    requests: u64,
}

type Outcome = Result<(), TestCaseError>;

fn wrong(error: impl std::fmt::Display) -> TestCaseError {
    TestCaseError::fail(error.to_string())
}

impl Fixture {
    async fn new(world: Arc<World>, config: Config) -> Result<Self, TestCaseError> {
        let opened = Some(open(&world, &config).await?);
        Ok(Self {
            world,
            config: Arc::new(config),
            opened,
            model: Model::default(),
            on_the_way: Vec::new(),
            requests: 0,
        })
    }

    async fn take(&mut self, step: &Step) -> Outcome {
        tokio::time::sleep(STEP).await;
        let now = self.world.now();
        match step {
            Step::Act(seed) => self
                .world
                .with(|state| state.shop.act(&mut Rng::with_seed(*seed), now.0)),
            Step::Capture(limit) => self.capture(*limit).await?,
            Step::Index => self.index().await?,
            Step::Reindex | Step::Force => self.backfill(matches!(step, Step::Force)).await?,
            Step::Send(website, count) => self.send(*website, *count).await?,
            Step::Accept(which) => {
                let Some(batch) = self.pick(*which) else {
                    return Ok(());
                };
                let keys = self.keys(batch.id).await?;
                let settled = Settled {
                    id: batch.id,
                    website: batch.website,
                    kinds: keys.iter().map(|key| (key.kind, 1)).collect(),
                };
                let answer = self.answer(202);
                self.write(move |w| w.settle_delivered(&[settled], &answer))
                    .await?;
                self.model.becomes(keys, EventState::Delivered);
            }
            Step::Fail(which) => {
                let Some(batch) = self.pick(*which) else {
                    return Ok(());
                };
                let answer = self.answer(503);
                self.write(move |w| w.record_failure(&[batch.id], now, &answer))
                    .await?;
            }
            Step::Split(which) => {
                let Some(batch) = self.pick(*which) else {
                    return Ok(());
                };
                if batch.events > 1 {
                    let left = batch.events / 2;
                    self.write(move |w| w.split_batch(batch.id, left).map(drop))
                        .await?;
                }
            }
            Step::Single(which, event, park) => self.single(*which, *event, *park).await?,
            Step::RetryParked | Step::DiscardParked => self.decide(matches!(step, Step::RetryParked)).await?,
            Step::CleanChangelog => {
                self.write(|w| {
                    let version = w.reader().view_version()?;
                    w.clean_changelog(version, 1000).map(drop)
                })
                .await?;
            }
            Step::Crash => {
                self.on_the_way.clear();
                // One process has one store: the old one must be closed.
                self.opened = None;
                self.opened = Some(open(&self.world, &self.config).await?);
            }
        }
        self.check().await
    }

    async fn capture(&mut self, limit: usize) -> Outcome {
        let source = self.indexer().source().clone();
        let cursors = self.read(|r| r.source_cursors()).await?.unwrap_or_default();
        let captured = source.changes(&cursors, limit).await.map_err(wrong)?;
        let (upto, now) = (captured.cursors.clone(), self.world.now());
        self.write(move |w| w.append_captured(&captured, now).map(drop))
            .await?;
        source.acknowledge(&upto).await.map_err(wrong)
    }

    async fn index(&mut self) -> Outcome {
        let version = self.read(|r| r.view_version()).await?;
        let window = self
            .read(move |r| r.changelog_slice(version, 10_000, 10_000))
            .await?;
        self.indexer().update_view(|| false).await.map_err(wrong)?;
        for order in window.orders {
            self.looked_at(order, false);
        }
        Ok(())
    }

    async fn backfill(&mut self, force: bool) -> Outcome {
        let options = BackfillOptions {
            resend: force,
            ..BackfillOptions::default()
        };
        let backfilled = match force {
            true => self.indexer().resync(options, || false, |_| {}).await,
            false => self.indexer().reindex(options, || false, |_| {}).await,
        };
        backfilled.map_err(wrong)?;
        let orders: Vec<i64> = self
            .world
            .with(|state| state.shop.orders.keys().copied().collect());
        for order in orders {
            self.looked_at(order, force);
        }
        Ok(())
    }

    fn looked_at(&mut self, order: i64, force: bool) {
        let facts = self.world.with(|state| {
            let order = &state.shop.orders[&order];
            let goes = !order.deleted && !order.broken && !matches!(order.website, None | Some(GHOST));
            if goes { order.facts.clone() } else { Vec::new() }
        });
        self.model.indexed(&facts, force);
    }

    async fn send(&mut self, website: usize, count: usize) -> Outcome {
        let (code, now) = (DATASTREAMS[website].0, self.world.now());
        let under_way: HashSet<BatchId> = self.on_the_way.iter().map(|batch| batch.id).collect();
        let read = move |r: &Reader<'_>| {
            let websites = r.websites()?;
            let Some((id, _)) = websites.iter().find(|(_, known)| known == code) else {
                return Ok(Vec::new());
            };
            r.ready_batches(*id, now, &under_way, 100)
        };
        let ready = self.read(read).await?;
        for batch in &ready {
            let keys = self.keys(batch.id).await?;
            for (place, key) in keys.iter().enumerate() {
                let before = self.model.sequence[&key.order]
                    .iter()
                    .take_while(|other| *other != key);
                for earlier in before.filter(|other| self.model.states[*other] == EventState::Pending) {
                    prop_assert!(
                        keys[..place].contains(earlier),
                        "{key:?} is ready before {earlier:?}"
                    );
                }
            }
        }
        self.on_the_way.extend(ready.into_iter().take(count));
        Ok(())
    }

    async fn single(&mut self, which: usize, event: usize, park: bool) -> Outcome {
        let Some(batch) = self.pick(which) else {
            return Ok(());
        };
        let keys = self.keys(batch.id).await?;
        let index = event % keys.len();
        let refusal = Refusal {
            code: "EXEG-0104-422".to_owned(),
            detail: "made up".to_owned(),
        };
        let (verdict, state) = match park {
            true => (EventVerdict::Parked(refusal), EventState::Parked),
            false => (
                EventVerdict::Suppressed("consent".to_owned()),
                EventState::Suppressed,
            ),
        };
        let answer = self.answer(207);
        self.write(move |w| w.settle_each(batch.id, &[(index, verdict)], &answer))
            .await?;
        self.model.becomes(keys.iter().copied(), EventState::Delivered);
        self.model.becomes([keys[index]], state);
        Ok(())
    }

    async fn decide(&mut self, retry: bool) -> Outcome {
        let parked = self.read(|r| r.parked(&ParkedFilter::default(), 3)).await?;
        let (limits, now) = (batch_limits(&self.config), self.world.now());
        for key in parked.into_iter().map(|event| event.key) {
            if retry {
                self.write(move |w| w.retry_parked(key, limits, now).map(drop))
                    .await?;
                self.model.enters(key);
            } else {
                self.write(move |w| w.discard_parked(key, "nobody needs it", now).map(drop))
                    .await?;
                self.model.becomes([key], EventState::Suppressed);
            }
        }
        Ok(())
    }

    /// Asserts that the store matches the model, and that no byte has changed.
    async fn check(&mut self) -> Outcome {
        let orders: Vec<i64> = self
            .world
            .with(|state| state.shop.orders.keys().copied().collect());
        let read = move |r: &Reader<'_>| {
            let (mut states, mut bodies) = (BTreeMap::new(), Vec::new());
            for event in orders
                .iter()
                .map(|order| r.events_of(*order))
                .collect::<Result<Vec<_>, _>>()?
                .concat()
            {
                states.insert(event.key, event.state);
                let body = r.batch_body(event.batch)?;
                let json = body
                    .as_ref()
                    .and_then(|body| body.events().find(|(entry, _)| entry.key == event.key));
                bodies.extend(json.map(|(entry, json)| (entry.key, json.to_vec())));
            }
            Ok((states, bodies, r.view_version()?, r.changelog_head()?))
        };
        let (states, bodies, version, head) = self.read(read).await?;
        prop_assert_eq!(&states, &self.model.states);
        prop_assert!(version <= head);
        for (key, json) in bodies {
            let first = self.model.bytes.entry(key).or_insert_with(|| json.clone());
            prop_assert_eq!(&*first, &json, "the bytes of {:?} changed", key);
        }
        Ok(())
    }

    fn pick(&mut self, which: usize) -> Option<PendingBatch> {
        let count = self.on_the_way.len();
        (count > 0).then(|| self.on_the_way.remove(which % count))
    }

    async fn keys(&self, batch: BatchId) -> Result<Vec<EventKey>, TestCaseError> {
        let body = self.read(move |r| r.batch_body(batch)).await?;
        Ok(body.unwrap().entries.iter().map(|entry| entry.key).collect())
    }

    fn answer(&mut self, status: u16) -> EdgeAnswer {
        self.requests += 1;
        EdgeAnswer {
            at: self.world.now(),
            status: Some(status),
            request_id: Some(format!("request {}", self.requests)),
            ..EdgeAnswer::default()
        }
    }

    fn store(&self) -> &Store {
        &self.opened.as_ref().unwrap().0
    }

    fn indexer(&self) -> &Indexer {
        &self.opened.as_ref().unwrap().1
    }

    async fn read<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Reader<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, TestCaseError> {
        self.store().read(job).await.map_err(wrong)
    }

    async fn write(
        &self,
        job: impl FnOnce(&mut Writer<'_>) -> Result<(), StoreError> + Send + 'static,
    ) -> Outcome {
        self.store().write(Durability::Durable, job).await.map_err(wrong)
    }
}

type Opened = (Store, Indexer, watch::Sender<Arc<Config>>);

async fn open(world: &Arc<World>, config: &Config) -> Result<Opened, TestCaseError> {
    let pace = SimulatedLatency::new(|| std::time::Duration::ZERO);
    let store = Store::open_simulated(&world.path, Some(pace)).map_err(wrong)?;
    let now = world.now();
    store
        .write(Durability::Durable, move |w| {
            w.init_view(ViewMode::Schedule, now)?;
            w.void_leases(now).map(drop)
        })
        .await
        .map_err(wrong)?;
    let (sender, receiver) = watch::channel(Arc::new(config.clone()));
    let source = Arc::new(ShopSource(Arc::clone(world)));
    capture::ensure_cursors(&store, source.as_ref())
        .await
        .map_err(wrong)?;
    let indexer = Indexer::new(store.clone(), source, world.clock(), receiver);
    Ok((store, indexer, sender))
}

fn run(seed: u64, steps: &[Step]) -> Outcome {
    let mut rng = Rng::with_seed(seed);
    let dir = sim::scratch();
    let path = dir.path().join("orderfeed.db");
    let mut config = sim::config(&mut rng, &path);
    config.delivery.max_batch_events = rng.usize(1..12);
    let mut shop = Shop::new(&WEBSITES);
    shop.has_huge = false;
    let edge = Edge::new(seed, &mut rng);
    let world = World::new(rng, shop, edge, path, false);
    world.with(|state| state.calm = true);
    sim::live(async {
        world.wake();
        let mut fixture = Fixture::new(Arc::clone(&world), config).await?;
        for step in steps {
            fixture.take(step).await?;
        }
        Ok(())
    })
}

proptest! {
    #![proptest_config(Cases { cases: 60, max_shrink_iters: 2_000, failure_persistence: None, ..Cases::default() })]

    #[test]
    fn any_sequence_of_steps_leaves_the_states_of_the_model(
        seed in 0u64..1000,
        steps in prop::collection::vec(step(), 1..80),
    ) {
        run(seed, &steps)?;
    }
}
