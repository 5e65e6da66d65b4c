//! What the parts of the daemon note about themselves while they run: whether the schedules tick, how jobs and reloads
//! ended. Readiness, the watchdog and the metrics read it. Ages are monotonic: a wall clock that is set ages nothing.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use orderfeed_model::clock::UtcMillis;

/// Noted by the parts, read by whoever looks after the daemon.
#[derive(Debug)]
pub struct Vitals {
    begun: Instant,
    started_at: UtcMillis,
    /// Milliseconds since `begun`.
    ticked: AtomicU64,
    scheduled: watch::Sender<bool>,
    reload: Mutex<Reloads>,
    jobs: Mutex<BTreeMap<&'static str, JobRuns>>,
}

/// How the configuration was last read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reloads {
    /// Whether the last one is in force.
    pub last_ok: bool,
    /// When the one in force was read.
    pub in_force_since: UtcMillis,
}

/// How a job's scheduled runs ended since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobRuns {
    /// Runs that did what there was to do.
    pub succeeded: u64,
    /// Runs that did not.
    pub failed: u64,
    /// The end of the last good one.
    pub last_success: Option<UtcMillis>,
    /// The end of the last bad one.
    pub last_failure: Option<UtcMillis>,
}

impl Vitals {
    /// Of a daemon that starts at `now`.
    pub fn new(now: UtcMillis) -> Arc<Self> {
        let (scheduled, _) = watch::channel(false);
        Arc::new(Self {
            begun: Instant::now(),
            started_at: now,
            ticked: AtomicU64::new(0),
            scheduled,
            reload: Mutex::new(Reloads {
                last_ok: true,
                in_force_since: now,
            }),
            jobs: Mutex::default(),
        })
    }

    /// When the daemon started.
    pub fn started_at(&self) -> UtcMillis {
        self.started_at
    }

    /// The schedules are loaded and tick. Said once.
    pub(crate) fn scheduled(&self) {
        self.ticked();
        self.scheduled.send_replace(true);
    }

    /// Whether they do.
    pub fn is_scheduled(&self) -> bool {
        *self.scheduled.borrow()
    }

    /// Returns as soon as they do.
    pub(crate) async fn until_scheduled(&self) {
        // It fails only without a sender, and that is here.
        let _ = self.scheduled.subscribe().wait_for(|up| *up).await;
    }

    /// The schedules were looked at.
    pub(crate) fn ticked(&self) {
        let millis = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.ticked.store(millis, Ordering::Relaxed);
    }

    /// How long that is ago.
    pub fn since_tick(&self) -> Duration {
        let ticked = Duration::from_millis(self.ticked.load(Ordering::Relaxed));
        self.begun.elapsed().saturating_sub(ticked)
    }

    /// A scheduled run of `job` ended.
    pub(crate) fn job_ended(&self, job: &'static str, succeeded: bool, now: UtcMillis) {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let runs = jobs.entry(job).or_default();
        if succeeded {
            runs.succeeded += 1;
            runs.last_success = Some(now);
        } else {
            runs.failed += 1;
            runs.last_failure = Some(now);
        }
    }

    /// Every job that ran, by name.
    pub fn jobs(&self) -> BTreeMap<&'static str, JobRuns> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The configuration was read again.
    pub(crate) fn reloaded(&self, valid: bool, now: UtcMillis) {
        let mut reload = self.reload.lock().unwrap_or_else(PoisonError::into_inner);
        reload.last_ok = valid;
        if valid {
            reload.in_force_since = now;
        }
    }

    /// How the configuration was last read.
    pub fn reloads(&self) -> Reloads {
        *self.reload.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reload_that_fails_leaves_the_configuration_that_is_in_force() {
        let vitals = Vitals::new(UtcMillis(1));
        vitals.reloaded(true, UtcMillis(5));
        vitals.reloaded(false, UtcMillis(9));
        let expected = Reloads {
            last_ok: false,
            in_force_since: UtcMillis(5),
        };
        assert_eq!(vitals.reloads(), expected);
    }

    #[tokio::test]
    async fn whoever_waits_for_the_schedules_is_told_also_if_they_were_first() {
        let vitals = Vitals::new(UtcMillis(1));
        assert!(!vitals.is_scheduled());
        vitals.scheduled();
        vitals.until_scheduled().await;
        vitals.job_ended("a", true, UtcMillis(2));
        vitals.job_ended("a", false, UtcMillis(3));
        let runs = vitals.jobs()["a"];
        assert_eq!(
            (runs.succeeded, runs.failed, runs.last_success),
            (1, 1, Some(UtcMillis(2)))
        );
    }
}
