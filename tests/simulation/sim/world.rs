//! Everything outside the daemon: the shop, the edge, the wall clock, and the random generator. Everything runs on
//! one thread in a deterministic order and is written to the trace.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use orderfeed_model::clock::{Clock, UtcMillis};
use tokio::time::Instant;

use super::edge::Edge;
use super::shop::Shop;

/// 2026-03-29T00:30:00Z: half an hour before Central Europe's clocks go forward.
pub const BEGIN: i64 = 1_774_744_200_000;

pub struct World {
    state: Mutex<State>,
    /// Virtual milliseconds of earlier lives.
    before: AtomicI64,
    /// Offset of the wall clock, in milliseconds.
    offset: AtomicI64,
    /// Largest offset so far.
    furthest: AtomicI64,
    origin: Mutex<Option<Instant>>,
    verbose: bool,
    pub path: PathBuf,
}

pub struct State {
    pub rng: Rng,
    pub shop: Shop,
    pub edge: Edge,
    pub source_down: bool,
    /// True if the source is an API, which has no snapshots.
    pub has_api: bool,
    /// True if the last life ended with a crash.
    pub crashed: bool,
    pub calm: bool,
    /// Events discarded by an operator.
    pub given_up: BTreeSet<String>,
    /// Highest version of the view seen.
    pub version: i64,
    pub failures: Vec<String>,
    pub hash: u64,
    pub steps: u64,
}

impl World {
    pub fn new(rng: Rng, shop: Shop, edge: Edge, path: PathBuf, verbose: bool) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                rng,
                shop,
                edge,
                source_down: false,
                has_api: false,
                crashed: false,
                calm: false,
                given_up: BTreeSet::new(),
                version: 0,
                failures: Vec::new(),
                hash: 0xcbf2_9ce4_8422_2325,
                steps: 0,
            }),
            before: AtomicI64::new(0),
            offset: AtomicI64::new(0),
            furthest: AtomicI64::new(0),
            origin: Mutex::new(None),
            verbose,
            path,
        })
    }

    pub fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Starts a life. Virtual time runs from here on.
    pub fn wake(&self) {
        *self.origin.lock().unwrap() = Some(Instant::now());
    }

    pub fn sleep(&self) {
        let elapsed = self.elapsed();
        self.before.store(elapsed, Ordering::SeqCst);
        *self.origin.lock().unwrap() = None;
    }

    /// Returns the virtual milliseconds since the beginning. This clock is never set.
    pub fn elapsed(&self) -> i64 {
        let origin = *self.origin.lock().unwrap();
        let life = origin.map_or(0, |origin| origin.elapsed().as_millis());
        self.before.load(Ordering::SeqCst) + i64::try_from(life).unwrap()
    }

    /// Returns the time of the wall clock.
    pub fn now(&self) -> UtcMillis {
        UtcMillis(BEGIN + self.elapsed() + self.offset.load(Ordering::SeqCst))
    }

    pub fn clock(self: &Arc<Self>) -> Clock {
        let world = Arc::clone(self);
        Clock::virtual_time(move || world.now())
    }

    /// Sets the wall clock forward or back.
    pub fn jump(&self, by: i64) {
        let before = self.offset.fetch_add(by, Ordering::SeqCst);
        self.furthest.fetch_max(before + by, Ordering::SeqCst);
        self.with(|state| state.edge.pauses.shorten(by.max(0)));
        self.note(|| format!("the wall clock jumps by {by} ms"));
    }

    /// Returns the distance of the wall clock from its furthest time: documents may have timestamps that far in the
    /// future.
    pub fn behind(&self) -> Duration {
        let behind = self.furthest.load(Ordering::SeqCst) - self.offset.load(Ordering::SeqCst);
        Duration::from_millis(behind.unsigned_abs())
    }

    pub fn note(&self, what: impl FnOnce() -> String) {
        let line = format!("{:>9} {}", self.elapsed(), what());
        self.with(|state| {
            state.steps += 1;
            for byte in line.bytes() {
                state.hash = (state.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        });
        if self.verbose {
            super::say(&line);
        }
    }

    pub fn fail(&self, what: impl Into<String>) {
        let what = what.into();
        self.note(|| format!("FAILED: {what}"));
        self.with(|state| state.failures.push(what));
    }

    pub fn has_failed(&self) -> bool {
        self.with(|state| !state.failures.is_empty())
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("World")
    }
}
