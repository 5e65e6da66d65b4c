//! The daemon's record of its own work: ticks of the schedules, ends of jobs and reloads. Readiness, the watchdog and the
//! metrics read it. Ages are monotonic, so setting the wall clock does not change them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use orderfeed_model::clock::UtcMillis;

#[derive(Debug)]
pub struct Vitals {
    started: Instant,
    started_at: UtcMillis,
    /// Milliseconds since `started`.
    ticked: AtomicU64,
    scheduled: watch::Sender<bool>,
    reload: Mutex<Reloads>,
    jobs: Mutex<BTreeMap<&'static str, JobRuns>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reloads {
    /// True if the configuration that was read last was valid.
    pub last_ok: bool,
    /// Time at which the configuration in force was read.
    pub in_force_since: UtcMillis,
}

/// Counts of a job's scheduled runs since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobRuns {
    pub succeeded: u64,
    pub failed: u64,
    pub last_success: Option<UtcMillis>,
    pub last_failure: Option<UtcMillis>,
}

impl Vitals {
    pub fn new(now: UtcMillis) -> Arc<Self> {
        let (scheduled, _) = watch::channel(false);
        Arc::new(Self {
            started: Instant::now(),
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

    pub fn started_at(&self) -> UtcMillis {
        self.started_at
    }

    pub(crate) fn scheduled(&self) {
        self.ticked();
        self.scheduled.send_replace(true);
    }

    pub fn is_scheduled(&self) -> bool {
        *self.scheduled.borrow()
    }

    pub(crate) async fn until_scheduled(&self) {
        // Fails only without a sender, and `self` holds it.
        let _ = self.scheduled.subscribe().wait_for(|up| *up).await;
    }

    pub(crate) fn ticked(&self) {
        let millis = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        // Relaxed: nothing else is published with it.
        self.ticked.store(millis, Ordering::Relaxed);
    }

    pub fn since_tick(&self) -> Duration {
        let ticked = Duration::from_millis(self.ticked.load(Ordering::Relaxed));
        self.started.elapsed().saturating_sub(ticked)
    }

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

    /// Returns the counts of every job that ran, by name.
    pub fn jobs(&self) -> BTreeMap<&'static str, JobRuns> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn reloaded(&self, valid: bool, now: UtcMillis) {
        let mut reload = self.reload.lock().unwrap_or_else(PoisonError::into_inner);
        reload.last_ok = valid;
        if valid {
            reload.in_force_since = now;
        }
    }

    pub fn reloads(&self) -> Reloads {
        *self.reload.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_reload_keeps_the_configuration_in_force() {
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
    async fn waiting_for_the_schedules_ends_also_if_they_tick_already() {
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
