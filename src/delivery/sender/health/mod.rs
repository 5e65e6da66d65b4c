//! What a sender may do: run, wait, probe, or rest. Pure; the sender asks before each request and reports after it.

use std::time::Duration;

use crate::config::RetryConfig;
use crate::delivery::limits::backoff;
use crate::delivery::rules::Halt;
use crate::store::meta::WebsiteId;
use crate::store::outbox::{SenderRow, SenderState};
use orderfeed_model::clock::UtcMillis;

const FIRST_PROBE: Duration = Duration::from_secs(60);
const SLOWEST_PROBE: Duration = Duration::from_secs(900);

/// What is permitted now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permit {
    /// Requests, as many as lanes allow.
    Send,
    /// One small request that finds out whether it works again.
    Probe,
    /// Nothing before this.
    WaitUntil(UtcMillis),
    /// Nothing until somebody resumes it.
    Paused,
}

/// The state of one sender.
#[derive(Clone, Debug, Default)]
pub struct Health {
    state: State,
    /// Failures of the edge in a row, counted once for requests that were under way together.
    level: u32,
    since: UtcMillis,
    /// Until when the edge asked to be left alone: holds in every state, and nobody else can end it.
    asked: Option<UtcMillis>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Running,
    Waiting {
        until: UtcMillis,
        code: String,
    },
    Halted {
        halt: Halt,
        probe_at: UtcMillis,
        probes: u32,
    },
    Paused {
        reason: String,
    },
}

impl Health {
    /// As the store remembers it. A halted sender probes at once: a restart often means that something was mended.
    pub fn restore(row: Option<&SenderRow>, asked: Option<UtcMillis>, now: UtcMillis) -> Self {
        let Some(row) = row else {
            return Self {
                asked,
                ..Self::default()
            };
        };
        let state = match row.state {
            SenderState::Running => State::Running,
            SenderState::BackingOff => State::Waiting {
                until: row.until.unwrap_or(now),
                code: row.code.clone(),
            },
            SenderState::Halted => State::Halted {
                halt: Halt {
                    code: row.code.clone(),
                    reason: row.reason.clone(),
                    remedy: "",
                    inferred: false,
                },
                probe_at: now,
                probes: 0,
            },
            SenderState::Paused => State::Paused {
                reason: row.reason.clone(),
            },
        };
        Self {
            state,
            level: row.failures,
            since: row.since,
            asked,
        }
    }

    /// Moments are kept as such, so a clock that was set back would make a pause too long: none is longer than
    /// `longest`, counted from now.
    pub fn clamp_to_clock(&mut self, now: UtcMillis, longest: Duration) {
        let latest = now.plus_millis(millis(longest));
        self.asked = self.asked.map(|until| latest.min(until));
        match &mut self.state {
            State::Waiting { until, .. } => *until = latest.min(*until),
            State::Halted { probe_at, .. } => *probe_at = latest.min(*probe_at),
            State::Running | State::Paused { .. } => {}
        }
    }

    /// What is permitted at `now`.
    pub fn permit(&self, now: UtcMillis) -> Permit {
        match &self.state {
            State::Paused { .. } => Permit::Paused,
            _ if self.asked.is_some_and(|until| now < until) => Permit::WaitUntil(self.asked.unwrap_or(now)),
            State::Running => Permit::Send,
            State::Waiting { until, .. } if now < *until => Permit::WaitUntil(*until),
            State::Waiting { .. } if self.level == 0 => Permit::Send,
            State::Waiting { .. } => Permit::Probe,
            State::Halted { probe_at, .. } if now < *probe_at => Permit::WaitUntil(*probe_at),
            State::Halted { .. } => Permit::Probe,
        }
    }

    /// Until when the edge asked to be left alone.
    pub fn asked(&self) -> Option<UtcMillis> {
        self.asked
    }

    /// Whether it is halted because of what the edge said, not because of what we concluded from refusals.
    pub fn halted_by_edge(&self) -> bool {
        matches!(&self.state, State::Halted { halt, .. } if !halt.inferred)
    }

    /// Whether it is halted.
    pub fn is_halted(&self) -> bool {
        matches!(self.state, State::Halted { .. })
    }

    /// Whether an operator paused it.
    pub fn is_paused(&self) -> bool {
        matches!(self.state, State::Paused { .. })
    }

    /// A request was accepted. Whether that changed the state. An acceptance that was under way when the edge asked
    /// for a pause does not end the pause.
    pub fn accepted(&mut self, now: UtcMillis) -> bool {
        if matches!(&self.state, State::Waiting { until, .. } if now < *until) || self.is_paused() {
            return false;
        }
        self.level = 0;
        self.become_state(State::Running, now)
    }

    /// The edge asked for `pause`: nothing is sent before its end, whoever pauses, resumes or restarts meanwhile.
    pub fn wait_as_asked(&mut self, pause: Duration, code: &str, now: UtcMillis) {
        self.asked = self.asked.max(Some(now.plus_millis(millis(pause))));
        self.wait(pause, code, now);
    }

    /// An answer calls for a `pause`: nothing is sent before its end, and never earlier than was said before.
    pub fn wait(&mut self, pause: Duration, code: &str, now: UtcMillis) {
        let until = now.plus_millis(millis(pause));
        match &mut self.state {
            State::Paused { .. } => {}
            State::Halted { probe_at, .. } => *probe_at = until.max(*probe_at),
            State::Waiting { until: before, .. } if *before >= until => {}
            _ => {
                let code = code.to_owned();
                self.become_state(State::Waiting { until, code }, now);
            }
        }
    }

    /// A failure of the edge, not of a request. The first in a row costs only its own request; from the second on
    /// everything waits.
    pub fn stumbled(&mut self, code: &str, retry: &RetryConfig, random: u64, now: UtcMillis) {
        if self.is_halted() {
            return self.still_halted(retry, now);
        }
        self.level = self.level.saturating_add(1);
        if self.level >= 2 {
            let pause = backoff::full_jitter(retry.initial.get(), retry.max.get(), self.level - 1, random);
            self.wait(pause, code, now);
        }
    }

    /// The same for a failure that is the edge's for certain (429 without `Retry-After`): everything waits at once.
    pub fn overloaded(&mut self, code: &str, retry: &RetryConfig, random: u64, now: UtcMillis) {
        self.level = self.level.max(1);
        self.stumbled(code, retry, random, now);
    }

    /// Nothing gets through until something is mended; a probe finds out by itself.
    pub fn halt(&mut self, halt: Halt, retry: &RetryConfig, now: UtcMillis) {
        match &mut self.state {
            State::Paused { .. } => {}
            State::Halted {
                halt: before,
                probe_at,
                probes,
            } => {
                if now >= *probe_at {
                    *probes += 1;
                    *probe_at = now.plus_millis(millis(probe_pause(retry, *probes)));
                }
                *before = halt;
            }
            _ => {
                let probe_at = now.plus_millis(millis(probe_pause(retry, 0)));
                self.become_state(
                    State::Halted {
                        halt,
                        probe_at,
                        probes: 0,
                    },
                    now,
                );
            }
        }
    }

    /// A probe brought nothing new.
    pub fn still_halted(&mut self, retry: &RetryConfig, now: UtcMillis) {
        if let State::Halted { probe_at, probes, .. } = &mut self.state
            && now >= *probe_at
        {
            *probes += 1;
            *probe_at = now.plus_millis(millis(probe_pause(retry, *probes)));
        }
    }

    /// Something relevant was mended, or an operator says so.
    pub fn resume(&mut self, now: UtcMillis) {
        self.level = 0;
        self.become_state(State::Running, now);
    }

    /// The store says something else than we wrote: an operator was there. Whether it changed the state.
    pub fn apply_operator_state(&mut self, row: &SenderRow, now: UtcMillis) -> bool {
        match (row.state, &self.state) {
            (SenderState::Paused, State::Paused { .. }) => false,
            (SenderState::Paused, _) => {
                let reason = row.reason.clone();
                self.become_state(State::Paused { reason }, now)
            }
            (SenderState::Running, State::Running) => false,
            (SenderState::Running, _) => {
                self.resume(now);
                true
            }
            _ => false,
        }
    }

    /// As the store is to remember it.
    pub fn row(&self, website: WebsiteId) -> SenderRow {
        let (state, code, reason, until) = match &self.state {
            State::Running => (SenderState::Running, String::new(), String::new(), None),
            State::Waiting { until, code } => {
                let reason = match code.starts_with("ims_") {
                    true => "the token service gives no token right now",
                    false => "the edge cannot take events right now",
                }
                .to_owned();
                (SenderState::BackingOff, code.clone(), reason, Some(*until))
            }
            State::Halted { halt, probe_at, .. } => {
                let reason = match halt.remedy.is_empty() {
                    true => halt.reason.clone(),
                    false => format!("{}; {}", halt.reason, halt.remedy),
                };
                (SenderState::Halted, halt.code.clone(), reason, Some(*probe_at))
            }
            State::Paused { reason } => (SenderState::Paused, String::new(), reason.clone(), None),
        };
        SenderRow {
            website,
            state,
            code,
            reason,
            since: self.since,
            until,
            failures: self.level,
        }
    }

    fn become_state(&mut self, state: State, now: UtcMillis) -> bool {
        let changed = std::mem::discriminant(&self.state) != std::mem::discriminant(&state);
        if changed {
            self.since = now;
        }
        self.state = state;
        changed
    }
}

/// One minute at first, a quarter of an hour in the end; less where `delivery.retry.max` is less.
fn probe_pause(retry: &RetryConfig, probes: u32) -> Duration {
    let longest = retry.max.get().saturating_mul(3).min(SLOWEST_PROBE);
    backoff::step(FIRST_PROBE.min(retry.max.get()), longest, probes + 1)
}

pub(crate) fn millis(pause: Duration) -> i64 {
    // Rounded up: a pause that the edge asked for is never cut short.
    i64::try_from(pause.as_nanos().div_ceil(1_000_000)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
