//! Everything outside the daemon: the shop, the edge, the clock on the wall, and the dice. One thread, one order of
//! events; whatever happens is noted in the trace.

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
    /// Virtual milliseconds of the lives before.
    before: AtomicI64,
    /// How far the wall clock is off, in milliseconds.
    offset: AtomicI64,
    /// The furthest that it was ahead.
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
    /// The last life ended by a crash.
    pub crashed: bool,
    /// No more trouble.
    pub calm: bool,
    /// Events that an operator gave up.
    pub given_up: BTreeSet<String>,
    /// The view's highest version seen.
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

    /// A life begins: from here on virtual time runs.
    pub fn wake(&self) {
        *self.origin.lock().unwrap() = Some(Instant::now());
    }

    /// A life ends.
    pub fn sleep(&self) {
        let elapsed = self.elapsed();
        self.before.store(elapsed, Ordering::SeqCst);
        *self.origin.lock().unwrap() = None;
    }

    /// Virtual milliseconds since the beginning; nobody sets this clock.
    pub fn elapsed(&self) -> i64 {
        let origin = *self.origin.lock().unwrap();
        let life = origin.map_or(0, |origin| origin.elapsed().as_millis());
        self.before.load(Ordering::SeqCst) + i64::try_from(life).unwrap()
    }

    /// What the wall clock shows.
    pub fn now(&self) -> UtcMillis {
        UtcMillis(BEGIN + self.elapsed() + self.offset.load(Ordering::SeqCst))
    }

    pub fn clock(self: &Arc<Self>) -> Clock {
        let world = Arc::clone(self);
        Clock::virtual_time(move || world.now())
    }

    /// Somebody sets the wall clock.
    pub fn jump(&self, by: i64) {
        let before = self.offset.fetch_add(by, Ordering::SeqCst);
        self.furthest.fetch_max(before + by, Ordering::SeqCst);
        self.with(|state| state.edge.pauses.come_earlier(by.max(0)));
        self.note(|| format!("the wall clock jumps by {by} ms"));
    }

    /// How far the wall clock is behind what it showed when it was furthest ahead: documents may be of so far in the future.
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

    /// Something that must never be.
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
