//! The pace of requests: how many at once, and how fast. The shop serves its customers with the same processes, so the pace
//! starts low and gets slower when the shop is busy.
//!
//! Live requests go first. History has the other connections, and waits while a live request waits or runs.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// The purpose of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Capture, changed orders, commands.
    Live,
    /// Backfills.
    History,
}

/// Pause after a refusal that names none; doubled with each further one.
const PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(120);
/// An answer that takes longer counts as a sign of load.
const SLOW: Duration = Duration::from_secs(10);
/// Answers without a sign of load after which the pace doubles again.
const CALM: u32 = 20;
/// The slowest pace of history, as a factor of the interval between two requests.
const SLOWEST: u32 = 64;

/// The pace at one moment. Pure: times are monotonic, from any start.
#[derive(Debug)]
struct PaceState {
    /// Shortest time between the starts of two requests.
    interval: Duration,
    next: Duration,
    paused_until: Duration,
    refusals: u32,
    /// Factor of the interval for history.
    factor: u32,
    calm: u32,
}

impl PaceState {
    fn new(per_second: u32) -> Self {
        Self {
            interval: Duration::from_secs(1) / per_second.max(1),
            next: Duration::ZERO,
            paused_until: Duration::ZERO,
            refusals: 0,
            factor: 1,
            calm: 0,
        }
    }

    /// Reserves the next start, and returns the time until it.
    fn admit(&mut self, lane: Lane, now: Duration) -> Duration {
        let start = self.next.max(self.paused_until).max(now);
        let factor = match lane {
            Lane::Live => 1,
            Lane::History => self.factor,
        };
        self.next = start + self.interval * factor;
        start - now
    }

    /// Records an answer with data.
    fn answered(&mut self, took: Duration) {
        self.refusals = 0;
        if took >= SLOW {
            self.slow_down();
            return;
        }
        self.calm += 1;
        if self.calm >= CALM {
            self.calm = 0;
            self.factor = (self.factor / 2).max(1);
        }
    }

    /// Records that the shop is busy, and returns the pause.
    fn refused(&mut self, after: Option<Duration>, now: Duration) -> Duration {
        let own = PAUSE.saturating_mul(1 << self.refusals.min(5));
        let pause = after.unwrap_or(own).min(LONGEST_PAUSE);
        self.refusals += 1;
        self.paused_until = self.paused_until.max(now + pause);
        self.slow_down();
        pause
    }

    /// Records a sign of load.
    fn slow_down(&mut self) {
        self.calm = 0;
        self.factor = (self.factor * 2).min(SLOWEST);
    }
}

/// The pace of all requests of a source.
#[derive(Debug)]
pub(crate) struct Pace {
    started: Instant,
    state: Mutex<PaceState>,
    live: Semaphore,
    history: Semaphore,
    /// Number of live requests that wait or run.
    waiting: AtomicUsize,
    idle: Notify,
}

/// A place among the requests that run. Live requests release history when they end.
pub(crate) struct Place<'a> {
    pace: &'a Pace,
    lane: Lane,
    _permit: Option<SemaphorePermit<'a>>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if self.lane == Lane::Live && self.pace.waiting.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.pace.idle.notify_waiters();
        }
    }
}

impl Pace {
    /// Creates a pace with one connection for live requests and the others for history.
    pub(crate) fn new(per_second: u32, connections: usize) -> Self {
        Self {
            started: Instant::now(),
            state: Mutex::new(PaceState::new(per_second)),
            live: Semaphore::new(1),
            history: Semaphore::new(connections.saturating_sub(1).max(1)),
            waiting: AtomicUsize::new(0),
            idle: Notify::new(),
        }
    }

    /// Waits until a request may start.
    pub(crate) async fn enter(&self, lane: Lane) -> Place<'_> {
        let place = match lane {
            Lane::Live => {
                self.waiting.fetch_add(1, Ordering::SeqCst);
                // Before the wait: dropping the future must also release history.
                let mut place = Place {
                    pace: self,
                    lane,
                    _permit: None,
                };
                place._permit = self.live.acquire().await.ok();
                place
            }
            Lane::History => {
                let permit = self.history.acquire().await.ok();
                self.wait_for_live().await;
                Place {
                    pace: self,
                    lane,
                    _permit: permit,
                }
            }
        };
        let wait = self.with(|state, now| state.admit(lane, now));
        tokio::time::sleep(wait).await;
        place
    }

    pub(crate) fn answered(&self, took: Duration) {
        self.with(|state, _| state.answered(took));
    }

    pub(crate) fn refused(&self, after: Option<Duration>) {
        self.with(|state, now| state.refused(after, now));
    }

    /// Records a request that the shop did not answer in time.
    pub(crate) fn timed_out(&self) {
        self.with(|state, _| state.slow_down());
    }

    async fn wait_for_live(&self) {
        loop {
            // Registered before the check, so that no end of a live request is missed.
            let idle = self.idle.notified();
            if self.waiting.load(Ordering::SeqCst) == 0 {
                return;
            }
            idle.await;
        }
    }

    fn with<T>(&self, apply: impl FnOnce(&mut PaceState, Duration) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        apply(&mut state, self.started.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn requests_start_at_the_configured_rate() {
        let mut state = PaceState::new(4);
        let waits = [0, 1, 2].map(|_| state.admit(Lane::Live, Duration::ZERO));
        assert_eq!(waits, [Duration::ZERO, SECOND / 4, SECOND / 2]);
        assert_eq!(
            state.admit(Lane::Live, SECOND * 9),
            Duration::ZERO,
            "idle time is not saved up"
        );
    }

    #[test]
    fn a_busy_shop_is_left_alone_for_longer_and_longer() {
        let mut state = PaceState::new(10);
        assert_eq!(state.refused(None, Duration::ZERO), SECOND * 5);
        assert_eq!(state.refused(None, SECOND * 5), SECOND * 10);
        assert_eq!(state.admit(Lane::Live, SECOND * 5), SECOND * 10);
        state.answered(SECOND);
        assert_eq!(
            state.refused(None, SECOND * 20),
            SECOND * 5,
            "an answer ends the series"
        );
        assert_eq!(state.refused(Some(SECOND * 7), SECOND * 30), SECOND * 7);
        assert_eq!(state.refused(Some(SECOND * 9_999), SECOND * 90), LONGEST_PAUSE);
    }

    #[test]
    fn history_gets_slower_under_load_and_faster_again() {
        let mut state = PaceState::new(1);
        let gap = |state: &mut PaceState, lane| {
            let now = state.next.max(state.paused_until);
            state.admit(lane, now);
            state.next - now
        };
        state.answered(SLOW);
        state.answered(SLOW);
        assert_eq!(gap(&mut state, Lane::History), SECOND * 4);
        assert_eq!(gap(&mut state, Lane::Live), SECOND);
        (0..CALM).for_each(|_| state.answered(SECOND));
        assert_eq!(gap(&mut state, Lane::History), SECOND * 2);
    }

    #[tokio::test(start_paused = true)]
    async fn history_waits_while_a_live_request_runs() {
        let pace = Pace::new(1_000, 2);
        let live = pace.enter(Lane::Live).await;
        let history = tokio::time::timeout(SECOND, pace.enter(Lane::History)).await;
        assert!(history.is_err());
        drop(live);
        tokio::time::timeout(SECOND, pace.enter(Lane::History))
            .await
            .ok()
            .unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_timeout_is_a_sign_of_load() {
        let pace = Pace::new(1, 2);
        pace.timed_out();
        let gap = pace.with(|state, now| {
            state.admit(Lane::History, now);
            state.next - now
        });
        assert_eq!(gap, SECOND * 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_live_request_that_was_given_up_holds_nothing() {
        let pace = Pace::new(1_000, 2);
        let first = pace.enter(Lane::Live).await;
        assert!(
            tokio::time::timeout(SECOND, pace.enter(Lane::Live))
                .await
                .is_err()
        );
        drop(first);
        assert_eq!(pace.waiting.load(Ordering::SeqCst), 0);
    }
}
