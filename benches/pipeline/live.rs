//! Latency of a live change, from its commit in the shop to its acceptance at the edge: alone, and beside the first
//! sync of a history, with a kill -9 in between.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use orderfeed::first_sync::report::{SyncReport, reports};
use orderfeed::store::StoreView;
use orderfeed::store::first_sync::SyncState;
use orderfeed_emulator::{DatastreamConfig, Emulator, EmulatorConfig, EmulatorHandle};
use orderfeed_model::clock::{Clock, UtcMillis};

use crate::fixture::{Fixture, LiveShop, ORGANIZATION, datastream, websites};
use crate::process::Process;
use crate::{Args, say};

const PATIENCE: Duration = Duration::from_secs(1800);
/// Longest wait for the last live orders.
const TAIL: Duration = Duration::from_secs(60);
/// Poll interval of the daemon. The delay it adds is part of the figures.
const POLL: &str = "10ms";

/// Number of changes reported separately: the first ones during a backfill, before it has adapted to live changes.
const FIRST: usize = 20;

/// Runs all parts and prints a table.
pub fn live(args: &Args) -> anyhow::Result<()> {
    let idle = [
        ("idle, realtime", idle(args, "realtime")?, "p99 250 ms"),
        (
            "idle, schedule every second",
            idle(args, "schedule")?,
            "p99 1250 ms",
        ),
    ];
    let alone = idle[0].1.p99;
    let beside = beside_first_sync(args)?;
    say(&format!(
        "live, {} changes a second, from commit in the shop to accepted at the edge (a look for changes every {POLL}):",
        args.per_second
    ))?;
    say("  part                          changes    p50    p99  p99.9    max   budget       p99 to idle")?;
    let beside = beside
        .into_iter()
        .map(|(name, figures)| (name, figures, "twice idle"));
    for (name, figures, budget) in idle.into_iter().chain(beside) {
        let Figures {
            count,
            p50,
            p99,
            p999,
            max,
        } = figures;
        let ratio = p99 as f64 / alone.max(1) as f64;
        say(&format!(
            "  {name:<28} {count:>8} {p50:>6} {p99:>6} {p999:>6} {max:>6}   {budget:<12} {ratio:.2}"
        ))?;
    }
    Ok(())
}

/// Percentiles of the latency, in milliseconds.
#[derive(Clone, Copy, Debug, Default)]
struct Figures {
    count: usize,
    p50: i64,
    p99: i64,
    p999: i64,
    max: i64,
}

/// A shop that sells at a steady rate, and the edge of its events, in this process.
struct Scene {
    fixture: Fixture,
    shop: LiveShop,
    edge: EmulatorHandle,
    /// Each order with the time of its commit.
    placed: Vec<(i64, UtcMillis)>,
    _runtime: tokio::runtime::Runtime,
}

impl Scene {
    fn new(args: &Args, orders: usize) -> anyhow::Result<Self> {
        let fixture = Fixture::new(orders, args.batch_events)?;
        let shop = fixture.open_shop()?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let ours = || DatastreamConfig {
            org: ORGANIZATION.to_owned(),
            ..DatastreamConfig::default()
        };
        let config = EmulatorConfig {
            datastreams: (0..websites().len())
                .map(|index| (datastream(index), ours()))
                .collect(),
            ru_per_s: 0,
            latency_ms: args.latency_ms,
            ..EmulatorConfig::default()
        };
        let edge = runtime.block_on(Emulator::start(config))?;
        Ok(Self {
            fixture,
            shop,
            edge,
            placed: Vec::new(),
            _runtime: runtime,
        })
    }

    /// Sells one order and waits until the next is due.
    fn sell(&mut self, per_second: u32, began: Instant, sold: &mut u32) -> anyhow::Result<()> {
        let order = self.shop.place()?;
        self.placed.push(order);
        *sold += 1;
        let due = began + Duration::from_secs(1) * *sold / per_second;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        Ok(())
    }

    fn sell_while(&mut self, per_second: u32, mut go_on: impl FnMut(&Self) -> bool) -> anyhow::Result<()> {
        let (began, mut sold) = (Instant::now(), 0);
        while go_on(self) {
            self.sell(per_second, began, &mut sold)?;
        }
        Ok(())
    }

    fn syncs(&self) -> anyhow::Result<Vec<SyncReport>> {
        let now = Clock::System.now();
        Ok(StoreView::open(&self.fixture.store())?.read(|reader| reports(reader, now))?)
    }

    fn done(&self) -> (u64, u64, bool) {
        let syncs = self.syncs().unwrap_or_default();
        let done = syncs.iter().map(|sync| sync.done_orders).sum();
        let total = syncs.iter().map(|sync| sync.total_orders).sum();
        let complete = !syncs.is_empty() && syncs.iter().all(|sync| sync.state == SyncState::Complete);
        (done, total, complete)
    }

    /// Waits until the edge has received all orders, and computes the figures.
    fn figures(&self, from: usize, to: usize) -> anyhow::Result<Figures> {
        let numbers = self.shop.numbers()?;
        let expected: Vec<(&String, UtcMillis)> = self.placed[from..to]
            .iter()
            .filter_map(|(order, at)| Some((numbers.get(order)?, *at)))
            .collect();
        let deadline = Instant::now() + TAIL;
        loop {
            let arrived = self.arrivals();
            let mut millis: Vec<i64> = expected
                .iter()
                .filter_map(|(number, at)| Some(arrived.get(*number)?.millis_since(*at)))
                .collect();
            if millis.len() < expected.len() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(200));
                continue;
            }
            if millis.len() < expected.len() {
                let missing = expected.len() - millis.len();
                bail!("{missing} of {} live orders never came", expected.len());
            }
            millis.sort_unstable();
            return Ok(Figures {
                count: millis.len(),
                p50: part(&millis, 0.5),
                p99: part(&millis, 0.99),
                p999: part(&millis, 0.999),
                max: part(&millis, 1.0),
            });
        }
    }

    /// Describes the time these orders spent in each stage: median and slowest hundredth.
    fn stages(&self, from: usize, to: usize) -> anyhow::Result<String> {
        let (numbers, arrived, kept) = (self.shop.numbers()?, self.arrivals(), self.fixture.stage_times()?);
        let mut waited = [const { Vec::new() }; 4];
        for (order, committed) in &self.placed[from..to] {
            let (Some(at), Some(arrived)) = (
                kept.get(order),
                numbers.get(order).and_then(|number| arrived.get(number)),
            ) else {
                continue;
            };
            let ends = [at.captured, at.indexed, at.sent, *arrived];
            let begins = [*committed, at.captured, at.indexed, at.sent];
            for (stage, (end, begin)) in waited.iter_mut().zip(ends.iter().zip(begins)) {
                stage.push(end.millis_since(begin));
            }
        }
        let words = ["captured", "indexed", "sent", "accepted"];
        let stages = words.iter().zip(&mut waited).map(|(word, millis)| {
            millis.sort_unstable();
            format!("{word} {}/{}", part(millis, 0.5), part(millis, 0.99))
        });
        Ok(stages.collect::<Vec<_>>().join(", "))
    }

    /// Returns the arrival of the first event of each order number.
    fn arrivals(&self) -> HashMap<String, UtcMillis> {
        let mut first = HashMap::new();
        for event in self.edge.events() {
            let placed = event.event_type.as_deref() == Some("commerce.backofficeOrderPlaced");
            if let Some(number) = event.purchase_id.filter(|_| placed) {
                first.entry(number).or_insert(event.received_at);
            }
        }
        first
    }
}

/// Returns the quantile `part` of the sorted values.
fn part(sorted: &[i64], part: f64) -> i64 {
    let index = (sorted.len() as f64 * part) as usize;
    let last = sorted.len().saturating_sub(1);
    sorted.get(index.min(last)).copied().unwrap_or_default()
}

fn settings(mode: &str, history: &str) -> String {
    format!(
        "[index]\nmode = \"{mode}\"\n[cron]\nindexer_update_all_views = \"* * * * * *\"\n\
         indexer_reindex_all_invalid = \"* * * * * *\"\n[first_sync]\nhistory = \"{history}\"\n"
    )
}

fn idle(args: &Args, mode: &str) -> anyhow::Result<Figures> {
    let mut scene = Scene::new(args, args.orders.min(2_000))?;
    let url = scene.edge.edge_url();
    let daemon = scene.fixture.start_live(&url, &settings(mode, "none"), POLL)?;
    wait(&scene, &daemon, || {
        scene.fixture.read_store().is_ok_and(|seen| seen.valid)
    })?;
    let until = Instant::now() + Duration::from_secs(u64::from(args.seconds));
    scene.sell_while(args.per_second, |_| Instant::now() < until)?;
    // The first second warms the caches.
    let warm = (args.per_second as usize).min(scene.placed.len() / 2);
    scene.figures(warm, scene.placed.len())
}

fn beside_first_sync(args: &Args) -> anyhow::Result<Vec<(&'static str, Figures)>> {
    let mut scene = Scene::new(args, args.orders)?;
    let (url, config) = (scene.edge.edge_url(), settings("realtime", "all"));
    let began = Instant::now();
    let daemon = scene.fixture.start_live(&url, &config, POLL)?;
    wait(&scene, &daemon, || scene.done().0 > 0)?;
    scene.sell_while(args.per_second, |scene| {
        let (done, total, complete) = scene.done();
        !complete && done * 2 < total
    })?;
    let (before, total, _) = scene.done();
    let first = scene.placed.len();
    let shown: u64 = scene.syncs()?.iter().map(|sync| sync.sent_events).sum();
    let held = scene.edge.unique_ids();
    daemon.kill()?;
    let daemon = scene.fixture.start_live(&url, &config, POLL)?;
    wait(&scene, &daemon, || {
        scene.fixture.read_store().is_ok() && scene.done().0 >= before
    })?;
    let (after, _, _) = scene.done();
    let second = scene.placed.len();
    scene.sell_while(args.per_second, |scene| !scene.done().2)?;
    let took = began.elapsed();
    let third = scene.placed.len();
    let until = Instant::now() + Duration::from_secs(u64::from(args.seconds.min(10)));
    scene.sell_while(args.per_second, |_| Instant::now() < until)?;
    let figures = vec![
        // The backfill has not yet adapted to live changes.
        ("first sync, first changes", scene.figures(0, first.min(FIRST))?),
        ("first sync, until the kill", scene.figures(0, first)?),
        ("first sync, after it", scene.figures(second, third)?),
        ("afterwards", scene.figures(third, scene.placed.len())?),
    ];
    let usage = daemon.usage()?;
    say(&format!(
        "  median/p99 of the stages until the kill: {}; after it: {}; afterwards: {}",
        scene.stages(0, first)?,
        scene.stages(second, third)?,
        scene.stages(third, scene.placed.len())?
    ))?;
    say(&format!(
        "first sync of {total} orders beside {} changes a second: {:.1} s with a kill -9 at {before} orders, after which it \
         went on at {after}; peak {} MiB",
        args.per_second,
        took.as_secs_f64(),
        usage.peak_kib / 1024,
    ))?;
    say(&format!(
        "  at the kill, status said {shown} events sent, the edge held {held} (history and live); in the end {} events, \
         {} came twice, {} with other bytes",
        scene.edge.unique_ids(),
        scene.edge.totals().duplicates,
        scene.edge.bytes_changed().len(),
    ))?;
    Ok(figures)
}

fn wait(scene: &Scene, daemon: &Process, mut done: impl FnMut() -> bool) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        scene.fixture.must_run(daemon)?;
        if Instant::now() > deadline {
            return Err(anyhow::anyhow!("not done after half an hour")).context("live");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}
