//! A daemon beside a delivered history: costs that must not grow with it.

use std::thread::sleep;
use std::time::Duration;

use crate::fixture::Fixture;
use crate::process::Process;
use crate::{Args, say, wait};

/// Duration of the idle measurement.
const WATCHED: Duration = Duration::from_secs(20);
/// Number of orders placed to measure the cost of one.
const PLACED: u32 = 500;

/// Measures start, idle load, memory, the cost of a change, and `status`.
pub fn standing(args: &Args) -> anyhow::Result<()> {
    let fixture = Fixture::new(args.orders, args.batch_events)?;
    let edge = fixture.start_edge(0)?;
    let first = fixture.start_daemon(&edge)?;
    let events = wait(&fixture, &first, |seen| seen.valid && seen.pending == 0)?;
    drop(first);
    let mut shop = fixture.open_shop()?;
    let (daemon, ready) = fixture.start_until_ready(&edge)?;
    let share = idle_share(&daemon)?;
    let idle = daemon.usage()?;
    for _ in 0..PLACED {
        shop.place()?;
    }
    wait(&fixture, &daemon, |seen| {
        seen.pending == 0 && seen.delivered >= events + u64::from(PLACED)
    })?;
    let changed = daemon.usage()?;
    let status = fixture.time_command(&["status"])?;
    drop(daemon);
    let held = fixture.used_bytes()? / events.max(1);
    fixture.remove_bodies()?;
    say(&format!(
        "beside {} orders, {events} events delivered, {held} bytes of the store for each, and {} once past body retention \
         (budget 60):",
        args.orders,
        fixture.used_bytes()? / events.max(1),
    ))?;
    say(&format!(
        "  ready after {} ms (budget 200), idle {share:.2} % of a core (budget 0.2) and {} MiB (budget 32)",
        ready.as_millis(),
        idle.now_kib >> 10,
    ))?;
    say(&format!(
        "  a placed order costs {:.2} CPU-ms, {} MiB at most; `status` takes {} ms",
        (changed.cpu_s - idle.cpu_s) * 1000.0 / f64::from(PLACED),
        changed.peak_kib >> 10,
        status.as_millis(),
    ))
}

/// Returns the share of a core that an idle daemon uses, in per cent.
pub fn idle_share(daemon: &Process) -> anyhow::Result<f64> {
    // Work caused by the start or a sync has ended by then.
    sleep(Duration::from_secs(5));
    let begun = daemon.threads_ns()?;
    sleep(WATCHED);
    // A thread that ended meanwhile was not idle.
    let ended = daemon.threads_ns()?;
    let spent = |(thread, spent): (&_, &u64)| spent - begun.get(thread).unwrap_or(&0);
    let watched: u64 = ended.iter().map(spent).sum();
    Ok(watched as f64 * 100.0 / WATCHED.as_nanos() as f64)
}
