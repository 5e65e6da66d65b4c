//! The health of a website's sender: the state that the store keeps, and the rules by which it changes. Pure.

use std::time::Duration;

use crate::config::RetryConfig;
use crate::delivery::limits::backoff::{self, millis};
use crate::delivery::rules::Halt;
use crate::store::meta::WebsiteId;
use crate::store::outbox::{FailureCode, SenderRow, SenderState};
use orderfeed_model::clock::UtcMillis;

const FIRST_PROBE: Duration = Duration::from_secs(60);
const SLOWEST_PROBE: Duration = Duration::from_secs(900);

/// The requests that are permitted at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permit {
    /// As many requests as the lanes allow.
    Send,
    /// One small request that tests whether the edge accepts events again.
    Probe,
    /// Nothing before this time.
    WaitUntil(UtcMillis),
    /// Nothing until an operator resumes delivery.
    Paused,
}

/// The health of one sender.
#[derive(Clone, Debug)]
pub struct Health {
    /// The state as the store keeps it. `failures` counts consecutive failures of the edge, one for all requests that were in
    /// flight together. `until` is the end of the wait, or the time of the next probe.
    row: SenderRow,
    /// Probes that failed since the halt.
    probes: u32,
    /// True if the halt was inferred from refusals of events.
    is_inferred: bool,
    /// End of the pause that the edge asked for. It applies in every state, and nothing ends it early.
    asked_pause: Option<UtcMillis>,
}

impl Health {
    /// Returns the health of a sender that never failed.
    pub fn new(website: WebsiteId) -> Self {
        let row = SenderRow {
            website,
            state: SenderState::Running,
            code: String::new(),
            reason: String::new(),
            since: UtcMillis::default(),
            until: None,
            failures: 0,
        };
        Self {
            row,
            probes: 0,
            is_inferred: false,
            asked_pause: None,
        }
    }

    /// Returns the health that the store kept, or that of a sender that never failed.
    pub fn restore(website: WebsiteId, row: Option<SenderRow>, now: UtcMillis) -> Self {
        let mut health = Self::new(website);
        let Some(row) = row else {
            return health;
        };
        let until = match row.state {
            SenderState::Running | SenderState::Paused => None,
            SenderState::BackingOff => row.until.or(Some(now)),
            // Probes at once: a restart often means that the cause was fixed.
            SenderState::Halted => Some(now),
        };
        health.row = SenderRow { until, ..row };
        health
    }

    /// Shortens pauses to `longest` from now, and returns the end of such a pause. Pauses are kept by their end, so a
    /// clock that was set back would make them longer.
    pub fn clamp_to_clock(&mut self, now: UtcMillis, longest: Duration) -> UtcMillis {
        let latest = now.plus_millis(millis(longest));
        self.row.until = self.row.until.map(|until| latest.min(until));
        latest
    }

    pub fn permit(&self, now: UtcMillis) -> Permit {
        let state = self.row.state;
        if state == SenderState::Paused {
            return Permit::Paused;
        }
        // The pause of the edge applies to halted senders as well: not even a probe is sent before its end.
        let until = self.asked_pause.max(self.row.until);
        if let Some(until) = until.filter(|until| now < *until) {
            return Permit::WaitUntil(until);
        }
        match state {
            SenderState::Halted => Permit::Probe,
            SenderState::BackingOff if self.row.failures > 0 => Permit::Probe,
            _ => Permit::Send,
        }
    }

    /// The state as the store is to keep it.
    pub fn row(&self) -> &SenderRow {
        &self.row
    }

    pub fn is_halted(&self) -> bool {
        self.row.state == SenderState::Halted
    }

    /// Returns true if the edge itself reported the cause of the halt.
    pub fn is_halted_by_edge(&self) -> bool {
        self.is_halted() && !self.is_inferred
    }

    pub fn is_paused(&self) -> bool {
        self.row.state == SenderState::Paused
    }

    /// Records that the edge accepted a request. Returns true if that changed the state.
    pub fn record_success(&mut self, now: UtcMillis) -> bool {
        // A request that was in flight when the edge asked for a pause does not end the pause.
        let is_waiting =
            self.row.state == SenderState::BackingOff && self.row.until.is_some_and(|until| now < until);
        if is_waiting || self.is_paused() {
            return false;
        }
        // Also ends a halt: an accepted request proves that its cause is fixed.
        let changed = self.row.state != SenderState::Running;
        self.resume(now);
        changed
    }

    /// Replaces the end of the pause that the edge asked for.
    pub fn apply_pause(&mut self, until: Option<UtcMillis>) {
        self.asked_pause = until;
    }

    /// Waits for `pause`, or longer if an earlier answer asked for longer.
    pub fn wait(&mut self, pause: Duration, code: &str, now: UtcMillis) {
        let until = Some(now.plus_millis(millis(pause)));
        match self.row.state {
            SenderState::Paused => {}
            // A halt weighs more than a wait; only its next probe is delayed.
            SenderState::Halted => self.row.until = until.max(self.row.until),
            SenderState::BackingOff if self.row.until >= until => {}
            _ => {
                let reason = match FailureCode::parse(code).is_from_token_service() {
                    true => "the token service gives no token right now",
                    false => "the edge cannot take events right now",
                };
                self.enter(SenderState::BackingOff, code, reason, until, now);
            }
        }
    }

    /// Records a failure of the edge. The first in a row delays only its own request; from the second on everything
    /// waits.
    pub fn record_failure(&mut self, code: &str, retry: &RetryConfig, random: u64, now: UtcMillis) {
        if self.is_halted() {
            return self.postpone_probe(retry, now);
        }
        self.row.failures = self.row.failures.saturating_add(1);
        if self.row.failures >= 2 {
            let failures = self.row.failures - 1;
            let pause = backoff::full_jitter(retry.initial.get(), retry.max.get(), failures, random);
            self.wait(pause, code, now);
        }
    }

    /// Records a failure that is the edge's without doubt (429 without `Retry-After`): everything waits at once.
    pub fn record_overload(&mut self, code: &str, retry: &RetryConfig, random: u64, now: UtcMillis) {
        self.row.failures = self.row.failures.max(1);
        self.record_failure(code, retry, random, now);
    }

    /// Stops sending until the cause is fixed; probes test that.
    pub fn halt(&mut self, halt: &Halt, retry: &RetryConfig, now: UtcMillis) {
        match self.row.state {
            // Found again when the operator resumes delivery.
            SenderState::Paused => return,
            SenderState::Halted => self.postpone_probe(retry, now),
            _ => {
                self.probes = 0;
                self.row.until = Some(now.plus_millis(millis(probe_pause(retry, 0))));
            }
        }
        self.is_inferred = halt.inferred;
        let (until, reason) = (self.row.until, halt.sentence());
        self.enter(SenderState::Halted, &halt.code, &reason, until, now);
    }

    /// Schedules the next probe, if the current one failed.
    pub fn postpone_probe(&mut self, retry: &RetryConfig, now: UtcMillis) {
        if self.is_halted() && self.row.until.is_none_or(|probe_at| now >= probe_at) {
            self.probes += 1;
            self.row.until = Some(now.plus_millis(millis(probe_pause(retry, self.probes))));
        }
    }

    /// Makes a halted sender probe at once. Returns true if it is halted.
    pub fn probe_now(&mut self, now: UtcMillis) -> bool {
        if self.is_halted() {
            self.row.until = Some(now);
        }
        self.is_halted()
    }

    /// Starts to send again.
    pub fn resume(&mut self, now: UtcMillis) {
        self.row.failures = 0;
        self.enter(SenderState::Running, "", "", None, now);
    }

    /// Applies a row that an operator wrote into the store. Returns true if that changed the state.
    pub fn apply_operator_state(&mut self, row: &SenderRow, now: UtcMillis) -> bool {
        if row.state == self.row.state {
            return false;
        }
        match row.state {
            SenderState::Paused => self.enter(SenderState::Paused, "", &row.reason, None, now),
            SenderState::Running => self.resume(now),
            // Operators only pause and resume; these are this sender's own states.
            SenderState::BackingOff | SenderState::Halted => return false,
        }
        true
    }

    fn enter(
        &mut self,
        state: SenderState,
        code: &str,
        reason: &str,
        until: Option<UtcMillis>,
        now: UtcMillis,
    ) {
        if self.row.state != state {
            self.row.since = now;
        }
        self.row.state = state;
        self.row.code = code.to_owned();
        self.row.reason = reason.to_owned();
        self.row.until = until;
    }
}

/// Returns the pause before the next probe: one minute at first, a quarter of an hour in the end; less where
/// `delivery.retry.max` is less.
fn probe_pause(retry: &RetryConfig, probes: u32) -> Duration {
    let longest = retry.max.get().saturating_mul(3).min(SLOWEST_PROBE);
    backoff::step(FIRST_PROBE.min(retry.max.get()), longest, probes + 1)
}

#[cfg(test)]
mod tests;
