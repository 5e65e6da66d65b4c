//! One life of the daemon: its real tasks with the world's source, connection and clock, from a start to a stop or a
//! crash.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use orderfeed::config::Config;
use orderfeed::daemon::control::selection::Selection;
use orderfeed::daemon::control::{Request, Status};
use orderfeed::daemon::lifecycle::Lifecycle;
use orderfeed::daemon::lifecycle::start::{DataSpace, take_over};
use orderfeed::daemon::lifecycle::vitals::Vitals;
use orderfeed::daemon::requests::Requests;
use orderfeed::daemon::schedule::jobs::Jobs;
use orderfeed::daemon::tasks;
use orderfeed::daemon::tasks::{TaskContext, TaskEnd};
use orderfeed::delivery::DeliveryContext;
use orderfeed::delivery::http::transport::Connector;
use orderfeed::indexer::Indexer;
use orderfeed::store::{SimulatedLatency, Store, StoreError, StoreLock};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use super::condition::Condition;
use super::edge::EdgeConnection;
use super::edge::pauses::drop_uncommitted;
use super::source::ShopSource;
use super::world::World;
use super::{DATASTREAMS, checks, operator};

/// Longest time until the daemon is idle once the faults have ended, in seconds. The longest pause is an hour, for an
/// order that could not be indexed; a clock set back makes it longer.
const PATIENCE_S: u64 = 4 * 3600;

/// Interval between two polls for changes.
const POLL_INTERVAL: Duration = Duration::from_secs(2);
/// Interval during virtual hours without new changes, where polls would otherwise take most of a run's real time.
const CALM_POLL_INTERVAL: Duration = Duration::from_secs(20);

struct RunningDaemon {
    world: Arc<World>,
    store: Store,
    handler: Arc<Requests>,
    config: watch::Sender<Arc<Config>>,
    /// A channel for delivery alone: two receivers of one channel would wake in random order.
    delivery: watch::Sender<Arc<Config>>,
    lifecycle: Lifecycle,
    tasks: JoinSet<TaskEnd>,
    _lock: StoreLock,
}

/// The end of a life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Everything in memory is lost at once.
    Crash,
    Stop,
}

/// Runs the daemon for `span_ms` with faults. Returns the final configuration.
pub async fn troubled(world: Arc<World>, config: Config, span_ms: u64, end: End) -> Config {
    world.wake();
    let mut rng = world.with(|state| state.rng.fork());
    let Some(mut daemon) = RunningDaemon::open(&world, config, &mut rng).await else {
        return Config::default();
    };
    let mut left = span_ms;
    while left > 0 && !world.has_failed() {
        let pause = rng.u64(1..2_500).min(left);
        left -= pause;
        daemon.pass(Duration::from_millis(pause)).await;
        daemon.change_world(&mut rng);
    }
    if !world.has_failed() {
        checks::check_store(&world, &daemon.store).await;
    }
    if end == End::Stop && !world.has_failed() {
        daemon.stop().await;
    }
    world.note(|| format!("{end:?}"));
    world.with(|state| state.crashed = end == End::Crash);
    let config = (**daemon.config.borrow()).clone();
    world.sleep();
    config
}

/// Runs the daemon without faults until nothing is left to do, and checks the result.
pub async fn calm(world: Arc<World>, config: Config) {
    world.wake();
    let mut rng = world.with(|state| {
        state.calm = true;
        state.source_down = false;
        state.edge.limit = 65_536;
        state.rng.fork()
    });
    let Some(mut daemon) = RunningDaemon::open(&world, config, &mut rng).await else {
        return;
    };
    for request in [
        Request::ResumeDelivery { website: None },
        Request::SetStatus {
            status: Status::Valid,
            by: None,
        },
        Request::Reset,
    ] {
        daemon.ask(request).await;
    }
    daemon.settle().await;
    if world.has_failed() {
        return world.sleep();
    }
    checks::check_store(&world, &daemon.store).await;
    daemon.ask(Request::RetryParked(Selection::default())).await;
    daemon.settle().await;
    checks::check_store(&world, &daemon.store).await;
    checks::check_edge(&world);
    daemon.stop().await;
    world.sleep();
}

impl RunningDaemon {
    async fn open(world: &Arc<World>, config: Config, rng: &mut Rng) -> Option<Self> {
        match Self::try_open(world, config, rng).await {
            Ok(daemon) => Some(daemon),
            Err(words) => {
                world.fail(format!("the start was refused: {words}"));
                None
            }
        }
    }

    async fn try_open(world: &Arc<World>, config: Config, rng: &mut Rng) -> Result<Self, String> {
        let lock = StoreLock::acquire(&world.path, "a life").map_err(|error| error.to_string())?;
        if !is_refused_to_others(world) {
            return Err("a second daemon could start".to_owned());
        }
        let store = Store::open_simulated(&world.path, Some(pace(rng))).map_err(|error| error.to_string())?;
        let clock = world.clock();
        checks::check_store(world, &store).await;
        drop_uncommitted(world, &store).await;
        take_over(&store, &config, &clock, DataSpace::MustMatch)
            .await
            .map_err(|error| error.to_string())?;
        let config = Arc::new(config);
        let (delivery, delivery_config) = watch::channel(Arc::clone(&config));
        let (config, jobs_config) = watch::channel(config);
        let lifecycle = Lifecycle::default();
        let source = Arc::new(ShopSource(Arc::clone(world)));
        let indexer = Indexer::new(store.clone(), source, clock.clone(), jobs_config.clone());
        let jobs = Jobs {
            indexer: Arc::new(indexer),
            clock: clock.clone(),
            config: jobs_config,
            stop: lifecycle.stop.clone(),
        };
        let handler = Arc::new(Requests::new(jobs.clone()));
        let line = Arc::clone(world);
        let context = TaskContext {
            jobs,
            interval: world.with(|state| {
                if state.calm {
                    CALM_POLL_INTERVAL
                } else {
                    POLL_INTERVAL
                }
            }),
            vitals: Vitals::new(clock.now()),
            delivery: DeliveryContext {
                store: store.clone(),
                clock,
                config: delivery_config,
                stop: lifecycle.stop.clone(),
                abort: lifecycle.abort.clone(),
                stats: Arc::default(),
            },
            connector: Connector::new(move |_| Ok(Arc::new(EdgeConnection(Arc::clone(&line))))),
            tick: Some(second_ticks()),
        };
        world.note(|| "a life begins".to_owned());
        Ok(Self {
            world: Arc::clone(world),
            store,
            handler,
            config,
            delivery,
            lifecycle,
            tasks: tasks::start(context),
            _lock: lock,
        })
    }

    /// Lets time pass. A task that ends before the stop is a failure.
    async fn pass(&mut self, time: Duration) {
        tokio::select! {
            biased;
            Some(ended) = self.tasks.join_next() => self.world.fail(format!("a task ended: {ended:?}")),
            () = tokio::time::sleep(time) => {}
        }
    }

    fn change_world(&self, rng: &mut Rng) {
        let world = &self.world;
        let now = world.now().0;
        match rng.u8(..100) {
            0..=59 => {
                let reported = world.with(|state| {
                    state.shop.act(&mut state.rng, now);
                    state.shop.last()
                });
                world.note(|| reported);
            }
            60..=69 => {
                let code = DATASTREAMS[rng.usize(..DATASTREAMS.len())].1;
                let condition = Condition::next(rng);
                world.note(|| format!("{} becomes {condition:?}", &code[..4]));
                world.with(|state| state.edge.condition.insert(code.to_owned(), condition));
            }
            70..=74 => world.with(|state| state.source_down = rng.u8(..4) == 0),
            75..=78 => self.edit(rng),
            79..=80 => world.jump(rng.i64(-3_600_000..3_600_000)),
            81..=82 => world.jump(rng.i64(-5_000..5_000)),
            83 => {
                let discarding =
                    operator::discard(Arc::clone(world), Arc::clone(&self.handler), self.store.clone());
                tokio::spawn(discarding);
            }
            84..=89 => {
                let request = operator::request(rng, world);
                tokio::spawn(operator::ask(
                    Arc::clone(world),
                    Arc::clone(&self.handler),
                    request,
                ));
            }
            _ => {}
        }
    }

    fn edit(&self, rng: &mut Rng) {
        let mut config = (**self.config.borrow()).clone();
        operator::edit(&mut config, rng);
        self.world.note(|| {
            let websites = config
                .websites
                .iter()
                .map(|(code, site)| format!("{code} {}", site.back_office_events));
            format!(
                "the configuration is read again: {:?}",
                websites.collect::<Vec<_>>()
            )
        });
        let config = Arc::new(config);
        self.config.send_replace(Arc::clone(&config));
        self.delivery.send_replace(config);
    }

    async fn ask(&self, request: Request) {
        operator::ask(Arc::clone(&self.world), Arc::clone(&self.handler), request).await;
    }

    /// Waits until the daemon has nothing left to do.
    async fn settle(&mut self) {
        let mut left = Err(String::new());
        let mut step = 1;
        let mut waited = 0;
        // An event with a future timestamp is held until it is due.
        let patience = PATIENCE_S + self.world.behind().as_secs();
        while waited < patience && !self.world.has_failed() {
            left = checks::settled(&self.world, &self.store).await;
            if left.is_ok() {
                return;
            }
            self.pass(Duration::from_secs(step)).await;
            waited += step;
            step = (step * 3 / 2 + 1).min(120);
        }
        if let Err(left) = left {
            let senders = self.store.read(|reader| reader.senders()).await;
            self.world
                .fail(format!("after {waited} s without trouble: {left}; {senders:?}"));
        }
    }

    async fn stop(&mut self) {
        self.lifecycle.stop.cancel();
        let world = Arc::clone(&self.world);
        let draining = async {
            while let Some(ended) = self.tasks.join_next().await {
                if !matches!(ended, Ok((_, Ok(())))) {
                    world.fail(format!("a part did not stop in order: {ended:?}"));
                }
            }
        };
        if tokio::time::timeout(Duration::from_secs(60), draining)
            .await
            .is_err()
        {
            self.world.fail("the daemon does not stop");
        }
    }
}

/// Returns true if the store is locked against a second daemon. An attempt to start one costs 40 ms of real time, so
/// most lives only check the lock.
fn is_refused_to_others(world: &World) -> bool {
    if world.with(|state| state.steps % 16 == 1) {
        let another = StoreLock::acquire(&world.path, "another");
        return matches!(another, Err(StoreError::Locked { .. }));
    }
    StoreLock::holder(&world.path).is_some()
}

/// Returns a notifier for the schedules that fires every virtual second.
fn second_ticks() -> Arc<Notify> {
    let tick = Arc::new(Notify::new());
    let hand = Arc::clone(&tick);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            hand.notify_one();
        }
    });
    tick
}

/// Draws the latency of transactions: none, short, or far too long.
fn pace(rng: &mut Rng) -> SimulatedLatency {
    let dice = std::sync::Mutex::new(rng.fork());
    SimulatedLatency::new(move || {
        let mut dice = dice.lock().unwrap();
        Duration::from_millis(match dice.u8(..40) {
            0..=27 => 0,
            28..=38 => dice.u64(1..6),
            _ => dice.u64(10..400),
        })
    })
}
