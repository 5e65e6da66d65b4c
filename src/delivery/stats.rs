//! Statistics of delivery since the start, for metrics, the watchdog and the demo.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use orderfeed_model::clock::UtcMillis;

/// Upper bounds of the latency buckets, in milliseconds; one more bucket counts the rest.
pub const LATENCY_BOUNDS_MS: [u64; 15] = [
    5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 3_600_000,
];

/// Counters that senders and lanes update. [`DeliveryStats::snapshot`] reads them.
#[derive(Debug, Default)]
pub struct DeliveryStats {
    /// Answers by status class, 1xx to 5xx.
    answers: [Counter; 5],
    no_answer: Counter,
    pub(crate) delivered: Counter,
    pub(crate) suppressed: Counter,
    pub(crate) parked: Counter,
    pub(crate) retries: Counter,
    pub(crate) tokens: Counter,
    pub(crate) token_failures: Counter,
    pub(crate) request_units: Counter,
    pub(crate) rate_limit_waits: Counter,
    pub(crate) body_bytes: Counter,
    /// Time of the last progress, by the wall clock and in milliseconds since `begun`.
    progress_at: AtomicI64,
    progress_ms: AtomicU64,
    begun: MonotonicStart,
    round_trips: Histogram,
    lanes: Mutex<BTreeMap<String, Arc<LaneGauge>>>,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, number: u64) {
        self.0.fetch_add(number, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug, Default)]
struct Histogram {
    counts: [Counter; LATENCY_BOUNDS_MS.len() + 1],
    sum_ms: Counter,
}

/// Durations by bucket at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LatencyCounts {
    /// Number of durations up to the bound of the same index in [`LATENCY_BOUNDS_MS`] and above the previous one. The last
    /// bucket counts those above all bounds.
    pub counts: [u64; LATENCY_BOUNDS_MS.len() + 1],
    /// Sum of all durations, in milliseconds.
    pub sum_ms: u64,
}

/// The lanes of one website.
#[derive(Debug, Default)]
pub struct LaneGauge {
    in_use: AtomicUsize,
    limit: AtomicUsize,
    /// Live events, from capture to acceptance.
    latency: Histogram,
    begun: MonotonicStart,
    /// One more than the milliseconds from `begun` to the start of the sender's current work; 0 while it waits.
    working: AtomicU64,
}

/// Start of a monotonic time scale, for durations that must not change with the wall clock.
#[derive(Clone, Copy, Debug)]
struct MonotonicStart(Instant);

impl Default for MonotonicStart {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl MonotonicStart {
    fn millis(self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// The statistics at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatsSnapshot {
    /// Answers by status class: 1xx, 2xx, 3xx, 4xx, 5xx.
    pub answers: [u64; 5],
    /// Requests without an answer.
    pub no_answer: u64,
    /// Events that the edge accepted.
    pub delivered: u64,
    /// Events that were suppressed, by the edge or by orderfeed.
    pub suppressed: u64,
    pub parked: u64,
    /// Requests that are sent again with the same bytes.
    pub retries: u64,
    /// Access tokens fetched.
    pub tokens: u64,
    /// Failed fetches of an access token.
    pub token_failures: u64,
    pub request_units: u64,
    /// Number of times that the rate limit held a request back.
    pub rate_limit_waits: u64,
    /// Bytes of bodies sent.
    pub body_bytes: u64,
    /// Time of the last request sent, answer, commit, or read of an empty outbox. Old while nothing is in flight: idle.
    pub progress_at: UtcMillis,
    /// Time since then, by the monotonic clock.
    pub since_progress: Duration,
    /// Duration of the current work of the slowest sender, without waiting. Much more than zero means that it hangs.
    pub longest_work: Duration,
    /// Requests by the time until their answer.
    pub round_trips: LatencyCounts,
    /// Live events of each website by the time from capture to acceptance.
    pub latency: Vec<(String, LatencyCounts)>,
    /// Website, number of requests in flight, and their limit.
    pub lanes: Vec<(String, usize, usize)>,
}

impl DeliveryStats {
    /// Reads all statistics.
    pub fn snapshot(&self) -> StatsSnapshot {
        let lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let in_use = |(website, gauge): (&String, &Arc<LaneGauge>)| {
            let load = |number: &AtomicUsize| number.load(Ordering::Relaxed);
            (website.clone(), load(&gauge.in_use), load(&gauge.limit))
        };
        let latency = |(website, gauge): (&String, &Arc<LaneGauge>)| (website.clone(), gauge.latency.read());
        let longest_work = lanes.values().map(|gauge| gauge.working_for()).max();
        let since_progress = self
            .begun
            .millis()
            .saturating_sub(self.progress_ms.load(Ordering::Relaxed));
        StatsSnapshot {
            answers: std::array::from_fn(|class| self.answers[class].get()),
            no_answer: self.no_answer.get(),
            delivered: self.delivered.get(),
            suppressed: self.suppressed.get(),
            parked: self.parked.get(),
            retries: self.retries.get(),
            tokens: self.tokens.get(),
            token_failures: self.token_failures.get(),
            request_units: self.request_units.get(),
            rate_limit_waits: self.rate_limit_waits.get(),
            body_bytes: self.body_bytes.get(),
            progress_at: UtcMillis(self.progress_at.load(Ordering::Relaxed)),
            since_progress: Duration::from_millis(since_progress),
            longest_work: longest_work.unwrap_or_default(),
            round_trips: self.round_trips.read(),
            latency: lanes.iter().map(latency).collect(),
            lanes: lanes.iter().map(in_use).collect(),
        }
    }

    /// Counts a request that ended after `latency`, with an answer if it has a `status`.
    pub(crate) fn answered(&self, status: Option<u16>, latency: Duration) {
        if status.is_some() {
            let millis = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
            self.round_trips.record(millis, 1);
        }
        let class = status.and_then(|status| self.answers.get(usize::from(status / 100).checked_sub(1)?));
        class.unwrap_or(&self.no_answer).add(1);
    }

    pub(crate) fn progressed(&self, now: UtcMillis) {
        // Senders report at the same time: progress must not move backwards.
        self.progress_at.fetch_max(now.0, Ordering::Relaxed);
        self.progress_ms.fetch_max(self.begun.millis(), Ordering::Relaxed);
    }

    pub(crate) fn gauge(&self, website: &str) -> Arc<LaneGauge> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(lanes.entry(website.to_owned()).or_default())
    }
}

impl Histogram {
    fn record(&self, millis: u64, times: u64) {
        let bucket = LATENCY_BOUNDS_MS.partition_point(|bound| *bound < millis);
        self.counts[bucket].add(times);
        self.sum_ms.add(millis.saturating_mul(times));
    }

    fn read(&self) -> LatencyCounts {
        LatencyCounts {
            counts: std::array::from_fn(|bucket| self.counts[bucket].get()),
            sum_ms: self.sum_ms.get(),
        }
    }
}

impl LaneGauge {
    /// Counts live events that were accepted `millis` after their capture.
    pub(crate) fn record_latency(&self, millis: i64, events: u64) {
        self.latency.record(u64::try_from(millis).unwrap_or(0), events);
    }

    /// Records that the sender has begun to decide what is next.
    pub(crate) fn begin_work(&self) {
        self.working.store(self.begun.millis() + 1, Ordering::Relaxed);
    }

    /// Records that the sender has decided and waits for the next thing to happen.
    pub(crate) fn end_work(&self, in_use: usize, limit: usize) {
        self.in_use.store(in_use, Ordering::Relaxed);
        self.limit.store(limit, Ordering::Relaxed);
        self.working.store(0, Ordering::Relaxed);
    }

    fn working_for(&self) -> Duration {
        match self.working.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            since => Duration::from_millis((self.begun.millis() + 1).saturating_sub(since)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_and_latencies_are_counted_in_their_buckets() {
        let stats = DeliveryStats::default();
        for status in [Some(202), Some(207), Some(429), Some(503), None, Some(99)] {
            stats.answered(status, Duration::from_millis(7));
        }
        for millis in [0, 5, 6, 4_000_000, -3] {
            stats.gauge("base").record_latency(millis, 2);
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
