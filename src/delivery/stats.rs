//! What delivery has done since the start: counters that metrics, the watchdog and the demo read.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use orderfeed_model::clock::UtcMillis;

/// Upper bounds of the latency histogram, in milliseconds; one more bucket holds the rest.
pub const LATENCY_BOUNDS_MS: [u64; 15] = [
    5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 3_600_000,
];

/// Cheap to count, cheap to read; see the module.
#[derive(Debug, Default)]
pub struct DeliveryStats {
    /// Answers by status class, 1xx to 5xx.
    statuses: [AtomicU64; 5],
    no_answer: AtomicU64,
    delivered: AtomicU64,
    suppressed: AtomicU64,
    parked: AtomicU64,
    retries: AtomicU64,
    tokens: AtomicU64,
    token_failures: AtomicU64,
    units: AtomicU64,
    rate_limit_waits: AtomicU64,
    body_bytes: AtomicU64,
    progress: AtomicI64,
    begun: Begun,
    moved: AtomicU64,
    round_trips: Histogram,
    lanes: Mutex<BTreeMap<String, Arc<LaneGauge>>>,
}

/// Times in buckets.
#[derive(Debug, Default)]
struct Histogram {
    counts: [AtomicU64; LATENCY_BOUNDS_MS.len() + 1],
    sum_ms: AtomicU64,
}

/// Times by bucket, at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// How many took at most the bound of the same index in [`LATENCY_BOUNDS_MS`] and longer than the one before; the
    /// last one counts what is beyond all bounds.
    pub counts: [u64; LATENCY_BOUNDS_MS.len() + 1],
    /// All of them together, in milliseconds.
    pub sum_ms: u64,
}

/// Lanes of one website.
#[derive(Debug, Default)]
pub struct LaneGauge {
    in_use: AtomicUsize,
    limit: AtomicUsize,
    /// Live events, from change noticed to accepted.
    latency: Histogram,
    begun: Begun,
    /// When its sender began to decide what is next, in milliseconds since `begun`, and one; 0 while it waits.
    working: AtomicU64,
}

/// The start of monotonic time, for ages that a wall clock that is set does not change.
#[derive(Clone, Copy, Debug)]
struct Begun(Instant);

impl Default for Begun {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Begun {
    fn millis(self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// All numbers at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatsSnapshot {
    /// Answers by status class: 1xx, 2xx, 3xx, 4xx, 5xx.
    pub answers: [u64; 5],
    /// Requests that got no answer.
    pub no_answer: u64,
    /// Events that the edge accepted.
    pub delivered: u64,
    /// Events that it accepted and ignored.
    pub suppressed: u64,
    /// Events given up.
    pub parked: u64,
    /// Requests that will be repeated with the same bytes.
    pub retries: u64,
    /// Access tokens fetched.
    pub tokens: u64,
    /// Access tokens that were asked for in vain.
    pub token_failures: u64,
    /// Request units used.
    pub request_units: u64,
    /// How often the rate gate held a request back.
    pub rate_limit_waits: u64,
    /// Bytes of bodies sent.
    pub body_bytes: u64,
    /// When something was last sent, answered, written down, or found to be empty. Old while nothing is in flight: idle.
    pub progress_at: UtcMillis,
    /// How long that is ago, whatever was done to the wall clock meanwhile.
    pub since_progress: Duration,
    /// For how long the slowest sender has been deciding what is next; much more than nothing means that it hangs.
    pub longest_work: Duration,
    /// Requests by the time until they were answered.
    pub round_trips: Times,
    /// Live events of each website by time from change noticed to accepted.
    pub latency: Vec<(String, Times)>,
    /// Website, requests in flight, and how many may be.
    pub lanes: Vec<(String, usize, usize)>,
}

impl DeliveryStats {
    /// All numbers now.
    pub fn snapshot(&self) -> StatsSnapshot {
        let lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let gauge = |(website, gauge): (&String, &Arc<LaneGauge>)| {
            let (in_use, limit) = (&gauge.in_use, &gauge.limit);
            (
                website.clone(),
                in_use.load(Ordering::Relaxed),
                limit.load(Ordering::Relaxed),
            )
        };
        let longest_work = lanes.values().map(|gauge| gauge.working_for()).max();
        StatsSnapshot {
            answers: std::array::from_fn(|class| load(&self.statuses[class])),
            no_answer: load(&self.no_answer),
            delivered: load(&self.delivered),
            suppressed: load(&self.suppressed),
            parked: load(&self.parked),
            retries: load(&self.retries),
            tokens: load(&self.tokens),
            token_failures: load(&self.token_failures),
            request_units: load(&self.units),
            rate_limit_waits: load(&self.rate_limit_waits),
            body_bytes: load(&self.body_bytes),
            progress_at: UtcMillis(self.progress.load(Ordering::Relaxed)),
            since_progress: Duration::from_millis(self.begun.millis().saturating_sub(load(&self.moved))),
            longest_work: longest_work.unwrap_or_default(),
            round_trips: self.round_trips.read(),
            latency: lanes
                .iter()
                .map(|(website, gauge)| (website.clone(), gauge.latency.read()))
                .collect(),
            lanes: lanes.iter().map(gauge).collect(),
        }
    }

    pub(crate) fn sent(&self, units: u32, bytes: usize) {
        add(&self.units, u64::from(units));
        add(&self.body_bytes, bytes as u64);
    }

    pub(crate) fn held_back(&self) {
        add(&self.rate_limit_waits, 1);
    }

    /// A request ended after `took`, with an answer if there is a `status`.
    pub(crate) fn answered(&self, status: Option<u16>, took: Duration) {
        if status.is_some() {
            self.round_trips
                .note(u64::try_from(took.as_millis()).unwrap_or(u64::MAX), 1);
        }
        let class = status.and_then(|status| self.statuses.get(usize::from(status / 100).checked_sub(1)?));
        add(class.unwrap_or(&self.no_answer), 1);
    }

    pub(crate) fn delivered(&self, events: u64) {
        add(&self.delivered, events);
    }

    pub(crate) fn suppressed(&self, events: u64) {
        add(&self.suppressed, events);
    }

    pub(crate) fn parked(&self) {
        add(&self.parked, 1);
    }

    pub(crate) fn retried(&self) {
        add(&self.retries, 1);
    }

    pub(crate) fn token_fetched(&self) {
        add(&self.tokens, 1);
    }

    pub(crate) fn token_refused(&self) {
        add(&self.token_failures, 1);
    }

    pub(crate) fn progressed(&self, now: UtcMillis) {
        self.progress.fetch_max(now.0, Ordering::Relaxed);
        self.moved.fetch_max(self.begun.millis(), Ordering::Relaxed);
    }

    pub(crate) fn gauge(&self, website: &str) -> Arc<LaneGauge> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(lanes.entry(website.to_owned()).or_default())
    }
}

impl Histogram {
    fn note(&self, millis: u64, times: u64) {
        let bucket = LATENCY_BOUNDS_MS.partition_point(|bound| *bound < millis);
        add(&self.counts[bucket], times);
        add(&self.sum_ms, millis.saturating_mul(times));
    }

    fn read(&self) -> Times {
        Times {
            counts: std::array::from_fn(|bucket| load(&self.counts[bucket])),
            sum_ms: load(&self.sum_ms),
        }
    }
}

impl LaneGauge {
    /// Counts events that took `millis` from change noticed to accepted.
    pub(crate) fn took(&self, millis: i64, events: u64) {
        self.latency.note(u64::try_from(millis).unwrap_or(0), events);
    }

    /// The sender begins to decide what is next.
    pub(crate) fn begin(&self) {
        self.working.store(self.begun.millis() + 1, Ordering::Relaxed);
    }

    fn working_for(&self) -> Duration {
        match self.working.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            since => Duration::from_millis((self.begun.millis() + 1).saturating_sub(since)),
        }
    }

    /// It decided, and waits for what happens.
    pub(crate) fn set(&self, in_use: usize, limit: usize) {
        self.in_use.store(in_use, Ordering::Relaxed);
        self.limit.store(limit, Ordering::Relaxed);
        self.working.store(0, Ordering::Relaxed);
    }
}

fn add(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

fn load(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_and_latencies_land_in_their_buckets() {
        let stats = DeliveryStats::default();
        for status in [Some(202), Some(207), Some(429), Some(503), None, Some(99)] {
            stats.answered(status, Duration::from_millis(7));
        }
        for millis in [0, 5, 6, 4_000_000, -3] {
            stats.gauge("base").took(millis, 2);
        }
        let seen = stats.snapshot();
        assert_eq!((seen.answers, seen.no_answer), ([0, 2, 0, 1, 1], 2));
        assert_eq!((seen.round_trips.counts[1], seen.round_trips.sum_ms), (5, 35));
        let (website, latency) = &seen.latency[0];
        assert_eq!(
            (
                website.as_str(),
                latency.counts[0],
                latency.counts[1],
                latency.counts[15]
            ),
            ("base", 6, 2, 2)
        );
    }
}
