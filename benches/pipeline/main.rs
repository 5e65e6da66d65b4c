//! Measures the real daemon between a shop and an edge in a process of its own, and prints each figure with its
//! budget. Nothing is asserted: machines differ, and the figures need interpretation.
//!
//! ```text
//! cargo bench --bench pipeline -- first-sync --orders 200000
//! cargo bench --bench pipeline -- first-sync-mariadb --orders 100000
//! cargo bench --bench pipeline -- dump       --orders 100000
//! cargo bench --bench pipeline -- delivery   --orders 100000 --latency-ms 20
//! cargo bench --bench pipeline -- live       --orders 200000 --per-second 50
//! cargo bench --bench pipeline -- standing   --orders 1000000
//! cargo bench --bench pipeline -- rest       --orders 20000
//! cargo bench --bench pipeline -- page       --orders 230000
//! cargo bench --bench pipeline -- baseline
//! ```

mod baseline;
mod fixture;
mod live;
mod mariadb;
mod page;
mod process;
mod rest;
mod standing;

use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::{Parser, ValueEnum as _};

use fixture::Fixture;
use process::{Process, Usage};

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Scenario {
    /// History from the embedded store to the edge.
    FirstSync,
    /// The same from a MariaDB on this machine, with read-only rights.
    FirstSyncMariadb,
    /// The same beside a dump of the same tables, in turns, with fresh and with stale statistics.
    Dump,
    /// Only from the durable outbox to the edge.
    Delivery,
    /// A live change, alone and beside a first sync.
    Live,
    /// Beside a delivered history: start, idle, memory, a change, `status`.
    Standing,
    /// History over Commerce's REST API, at 0, 20 and 100 ms a request.
    Rest,
    /// The overview of the web pages while the edge is down and everything is pending.
    Page,
    /// SQLite and HTTP on this machine without the daemon.
    Baseline,
}

#[derive(Debug, Parser)]
struct Args {
    /// Scenarios to run (all by default)
    scenario: Vec<Scenario>,
    /// Orders in the shop
    #[arg(long, default_value_t = 50_000)]
    orders: usize,
    /// Round trip of the edge
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
    /// Events in a request
    #[arg(long, default_value_t = 100)]
    batch_events: usize,
    /// Live changes a second
    #[arg(long, default_value_t = 50)]
    per_second: u32,
    /// Duration of the measurement of live changes alone
    #[arg(long, default_value_t = 20)]
    seconds: u32,
    /// Set by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> anyhow::Result<()> {
    let mut args = Args::parse();
    if args.scenario.is_empty() {
        args.scenario = Scenario::value_variants().to_vec();
    }
    for scenario in &args.scenario {
        match scenario {
            Scenario::FirstSync => {
                let fixture = Fixture::new(args.orders, args.batch_events)?;
                drop(first_sync(&args, &fixture, "embedded store", "15,000 orders/s")?);
            }
            Scenario::FirstSyncMariadb => {
                let shop = mariadb::MariaShop::new(args.orders)?;
                let fixture = Fixture::beside(&shop.source, args.batch_events)?;
                let sync = first_sync(&args, &fixture, "MariaDB beside it", "10,000 orders/s")?;
                let share = standing::idle_share(&sync.daemon)?;
                let idle = sync.daemon.usage()?.now_kib >> 10;
                say(&format!(
                    "  idle then: {share:.2} % of a core (budget 0.2), {idle} MiB (budget 32)"
                ))?;
            }
            Scenario::Dump => dump(&args)?,
            Scenario::Delivery => delivery(&args)?,
            Scenario::Live => live::live(&args)?,
            Scenario::Standing => standing::standing(&args)?,
            Scenario::Rest => rest::rest(&args)?,
            Scenario::Page => page::page(&args)?,
            Scenario::Baseline => baseline::baseline()?,
        }
    }
    Ok(())
}

/// A daemon whose first sync has ended.
struct FirstSync {
    took: Duration,
    daemon: Process,
    _edge: fixture::Edge,
}

fn first_sync(args: &Args, fixture: &Fixture, source: &str, budget: &str) -> anyhow::Result<FirstSync> {
    let edge = fixture.start_edge(args.latency_ms)?;
    let began = Instant::now();
    let daemon = fixture.start_daemon(&edge)?;
    let events = wait(fixture, &daemon, |seen| seen.valid && seen.pending == 0)?;
    let took = began.elapsed();
    let usage = daemon.usage()?;
    report(
        &format!("first sync, {source}"),
        args.orders as u64,
        "orders/s",
        took,
        usage,
        budget,
    )?;
    say(&format!(
        "  {events} events, {:.0} events/s, {:.2} CPU-s per 100,000 events, the edge {:.2}, store {} bytes an event",
        events as f64 / took.as_secs_f64(),
        usage.cpu_s * 100_000.0 / events as f64,
        edge.process.usage()?.cpu_s * 100_000.0 / events as f64,
        fixture.store_bytes() / events.max(1),
    ))?;
    Ok(FirstSync {
        took,
        daemon,
        _edge: edge,
    })
}

/// Rounds of a dump and two first syncs.
const ROUNDS: usize = 3;

fn dump(args: &Args) -> anyhow::Result<()> {
    let shop = mariadb::MariaShop::realistic(args.orders)?;
    // The first dump fills the server's cache.
    shop.dump()?;
    let sync = |statistics: &str| -> anyhow::Result<Duration> {
        let fixture = Fixture::beside(&shop.source, args.batch_events)?;
        Ok(first_sync(args, &fixture, statistics, "the dump's time")?.took)
    };
    for round in 1..=ROUNDS {
        let dumped = shop.dump()?;
        shop.refresh_statistics();
        let fresh = sync("fresh statistics")?;
        shop.empty_statistics();
        let stale = sync("stale statistics")?;
        say(&format!(
            "round {round}: mariadb-dump {:.2} s; first sync {:.2} x that (budget 1.0); with stale statistics {:.2} x fresh \
             (budget 1.1)",
            dumped.as_secs_f64(),
            fresh.as_secs_f64() / dumped.as_secs_f64(),
            stale.as_secs_f64() / fresh.as_secs_f64(),
        ))?;
    }
    Ok(())
}

fn delivery(args: &Args) -> anyhow::Result<()> {
    let fixture = Fixture::new(args.orders, args.batch_events)?;
    let filling = fixture.start_daemon_without_edge()?;
    wait(&fixture, &filling, |seen| seen.valid)?;
    drop(filling);
    let full = fixture.read_store()?;
    say(&format!(
        "  outbox filled: {} events, {} bytes each",
        full.pending,
        fixture.store_bytes() / full.pending.max(1)
    ))?;
    let edge = fixture.start_edge(args.latency_ms)?;
    let began = Instant::now();
    let daemon = fixture.start_daemon(&edge)?;
    wait(&fixture, &daemon, |seen| seen.pending == 0)?;
    let took = began.elapsed();
    let usage = daemon.usage()?;
    let what = format!("delivery alone, {} ms edge", args.latency_ms);
    report(
        &what,
        full.pending,
        "events/s",
        took,
        usage,
        "150,000 events/s at 0 ms, 55,000 at 20 ms; 64 MiB",
    )?;
    say(&format!(
        "  {:.2} CPU-s per 100,000 events (budget 0.7), the edge {:.2}",
        usage.cpu_s * 100_000.0 / full.pending as f64,
        edge.process.usage()?.cpu_s * 100_000.0 / full.pending as f64,
    ))
}

/// Polls the store until `done` returns true. Returns the number of delivered events.
fn wait(
    fixture: &Fixture,
    daemon: &Process,
    done: impl Fn(&fixture::StoreState) -> bool,
) -> anyhow::Result<u64> {
    let deadline = Instant::now() + Duration::from_secs(1800);
    loop {
        fixture.must_run(daemon)?;
        match fixture.read_store() {
            Ok(seen) if done(&seen) => return Ok(seen.delivered),
            _ if Instant::now() > deadline => bail!("not done after half an hour"),
            _ => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

fn report(
    what: &str,
    count: u64,
    unit: &str,
    took: Duration,
    usage: Usage,
    budget: &str,
) -> anyhow::Result<()> {
    say(&format!(
        "{what}: {:.0} {unit} ({count} in {:.2} s), {:.2} CPU-s, peak {} MiB; budget {budget}",
        count as f64 / took.as_secs_f64(),
        took.as_secs_f64(),
        usage.cpu_s,
        usage.peak_kib / 1024,
    ))
}

fn say(text: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout().lock(), "{text}").context("stdout")
}
