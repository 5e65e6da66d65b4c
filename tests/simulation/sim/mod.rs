//! A deterministic simulation: the daemon's real parts on one thread in virtual time, between a simulated shop and a
//! simulated edge. The same seed gives the same run, step for step.
//!
//! Real are capture, the indexer and its backfills, events, the store with its group commit over SQLite, delivery
//! from the queue to the rules, tokens, the schedules, the first sync, the operator's requests, and the lock.
//! Simulated are the source, the connection to the edge and the token service, the clock, the randomness of the
//! jitter, and the writer's thread, which is a task here.

pub mod checks;
pub mod condition;
pub mod edge;
pub mod life;
pub mod operator;
pub mod shop;
pub mod source;
pub mod world;

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Arc;

use fastrand::Rng;
use orderfeed::config::{ByteSize, Config, EdgeAuth, History, HumanDuration, IndexMode, Website};

use edge::Edge;
use life::End;
use shop::Shop;
use world::World;

pub const DATA_SPACE: &str = "2a7d1c34-8f10-4be3-9d2f-0c5b7f6a1e90";
/// Websites with their datastreams. Two share one.
pub const DATASTREAMS: [(&str, &str); 3] = [
    ("base", "ba5e0000-0000-4000-8000-000000000001"),
    ("uk", "ba5e0000-0000-4000-8000-000000000001"),
    ("eu", "e0000000-0000-4000-8000-000000000002"),
];
/// A website without configuration.
pub const GHOST: &str = "ghost";
pub const WEBSITES: [Option<&str>; 11] = [
    Some("uk"),
    Some("uk"),
    Some("uk"),
    Some("base"),
    Some("base"),
    Some("base"),
    Some("eu"),
    Some("eu"),
    Some("eu"),
    Some(GHOST),
    None,
];

/// The result of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Hash of all steps, in order.
    pub hash: u64,
    pub steps: u64,
    pub requests: u64,
    pub events: usize,
    /// Number of events sent more than once.
    pub repeats: u64,
    pub lives: u64,
    pub virtual_ms: i64,
    /// Violations. Empty after a successful run.
    pub failures: Vec<String>,
}

pub fn run(seed: u64, verbose: bool) -> Report {
    // The jitter of delivery uses this thread's random generator.
    fastrand::seed(seed);
    let mut rng = Rng::with_seed(seed);
    let dir = scratch();
    let path = dir.path().join("orderfeed.db");
    let shop = Shop::new(&WEBSITES);
    let edge = Edge::new(seed, &mut rng);
    let mut config = config(&mut rng, &path);
    let world = World::new(rng.fork(), shop, edge, path, verbose);
    let history = rng.usize(..40);
    world.with(|state| {
        state.has_api = seed % 3 == 2;
        for step in 0..history {
            let at = world::BEGIN - 3_600_000 + i64::try_from(step).unwrap() * 20_000;
            state.shop.act(&mut state.rng, at);
        }
    });
    let lives = rng.u64(1..6);
    for _ in 0..lives {
        let end = if rng.u8(..4) == 0 { End::Stop } else { End::Crash };
        let longest = if rng.bool() { 20_000 } else { 120_000 };
        let span = rng.u64(500..longest);
        config = live(life::troubled(Arc::clone(&world), config, span, end));
        if world.has_failed() {
            return report(&world, lives);
        }
    }
    world.with(|state| state.shop.repair());
    for (code, stream) in DATASTREAMS {
        config.websites.insert(code.to_owned(), website(stream));
    }
    live(life::calm(Arc::clone(&world), config));
    report(&world, lives)
}

/// Runs a life on a runtime of its own. Dropping the runtime discards everything uncommitted.
pub fn live<T>(life: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(life)
}

fn report(world: &World, lives: u64) -> Report {
    let virtual_ms = world.elapsed();
    world.with(|state| Report {
        hash: state.hash,
        steps: state.steps,
        requests: state.edge.requests,
        events: state.edge.events.len(),
        repeats: state.edge.repeats,
        lives,
        virtual_ms,
        failures: state.failures.clone(),
    })
}

pub fn config(rng: &mut Rng, path: &std::path::Path) -> Config {
    let mut config = Config::default();
    config.services_connector.organization_id = "53A16ACB5CC1D3760A495C99@AdobeOrg".parse().unwrap();
    config.services_connector.keys_mut().data_space_id = DATA_SPACE.parse().unwrap();
    config.edge.url = "https://edge.example".parse().unwrap();
    config.edge.auth = EdgeAuth::Oauth;
    config.edge.oauth.token_url = "https://ims.example/ims/token/v3".parse().unwrap();
    config.edge.oauth.client_id = "sim".to_owned();
    config.index.mode = if rng.bool() {
        IndexMode::Realtime
    } else {
        IndexMode::Schedule
    };
    config.index.batch_size = rng.u32(1..60);
    config.cron.time_zone = "Europe/Berlin".parse().unwrap();
    config.first_sync.history = History::All;
    config.delivery.lanes = rng.usize(1..12);
    config.delivery.max_batch_events = rng.usize(1..60);
    config.delivery.max_batch_bytes = if rng.bool() { 60_000 } else { 8_000 };
    config.delivery.request_units_per_second = if rng.bool() { 0 } else { rng.u32(20..400) };
    config.delivery.retry.max = HumanDuration::from_secs(rng.u64(2..300));
    config.store.path = path.to_owned();
    config.store.disk_reserve = ByteSize(0);
    for (code, stream) in DATASTREAMS {
        config.websites.insert(code.to_owned(), website(stream));
    }
    config
}

/// Returns a website with this datastream for back-office events.
pub fn website(datastream: &str) -> Website {
    Website::sending_to(datastream.parse().unwrap())
}

/// Returns the datastream of a website.
pub fn datastream_website(code: &str) -> &'static str {
    DATASTREAMS
        .iter()
        .find(|(known, _)| *known == code)
        .map_or(DATASTREAMS[0].1, |(_, stream)| *stream)
}

/// Creates a temporary directory, in memory if possible: power cuts are not simulated.
pub fn scratch() -> tempfile::TempDir {
    let memory = std::path::Path::new("/dev/shm");
    let place = if memory.is_dir() {
        memory.to_owned()
    } else {
        std::env::temp_dir()
    };
    tempfile::Builder::new()
        .prefix("orderfeed-sim-")
        .tempdir_in(place)
        .unwrap()
}

/// Runs the seeds `from..from + count` on two threads. Returns the reports of failures, and a summary.
pub fn run_many(from: u64, count: u64) -> (Vec<(u64, Report)>, String) {
    let begun = std::time::Instant::now();
    let workers = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let work = |worker: u64| {
        let seeds = (from..from + count).filter(|seed| seed % workers == worker);
        seeds.map(|seed| (seed, run(seed, false))).collect::<Vec<_>>()
    };
    let mut all = Vec::new();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers)
            .map(|worker| scope.spawn(move || work(worker)))
            .collect();
        all = threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect();
    });
    let sum = |pick: fn(&Report) -> u64| all.iter().map(|(_, report)| pick(report)).sum::<u64>();
    let mut words = String::new();
    let took = begun.elapsed();
    let _ = write!(
        words,
        "{count} seeds in {:.1} s ({:.0} a minute): {} lives, {} requests, {} events, {} repeats, {} virtual hours",
        took.as_secs_f64(),
        count as f64 * 60.0 / took.as_secs_f64(),
        sum(|r| r.lives),
        sum(|r| r.requests),
        sum(|r| r.events as u64),
        sum(|r| r.repeats),
        sum(|r| r.virtual_ms.unsigned_abs()) / 3_600_000,
    );
    all.retain(|(_, report)| !report.failures.is_empty());
    all.sort_by_key(|(seed, _)| *seed);
    (all, words)
}

pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
