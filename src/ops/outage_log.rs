//! Failure in three lines: it fails (with cause and next step), it still fails (now and then, with numbers), it
//! recovered. Never a line a retry. Pure: decides when to speak; whoever asks knows the words.

use orderfeed_model::clock::UtcMillis;

const FIRST_GAP_MS: i64 = 60_000;
const LONGEST_GAP_MS: i64 = 900_000;

/// What to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutageLine {
    /// It began.
    Start,
    /// It goes on.
    Reminder {
        /// Failures so far.
        failures: u64,
        /// Since when.
        since: UtcMillis,
    },
    /// It is over.
    Recovery {
        /// Failures in all.
        failures: u64,
        /// How long it lasted, in milliseconds.
        lasted_ms: i64,
    },
}

/// The memory of one subject.
#[derive(Clone, Debug, Default)]
pub struct OutageLog {
    outage: Option<Outage>,
    /// Short troubles that follow each other closely are not announced one by one.
    quiet_until: Option<UtcMillis>,
}

#[derive(Clone, Debug)]
struct Outage {
    since: UtcMillis,
    failures: u64,
    announced: bool,
    next_at: UtcMillis,
    gap_ms: i64,
}

impl OutageLog {
    /// It failed at `now`.
    pub fn failed(&mut self, now: UtcMillis) -> Option<OutageLine> {
        let quiet = self.quiet_until.filter(|until| *until > now);
        let outage = self.outage.get_or_insert_with(|| Outage {
            since: now,
            failures: 0,
            announced: false,
            next_at: quiet.unwrap_or(now),
            gap_ms: FIRST_GAP_MS,
        });
        outage.failures += 1;
        if now < outage.next_at {
            return None;
        }
        outage.next_at = now.plus_millis(outage.gap_ms);
        self.quiet_until = Some(now.plus_millis(FIRST_GAP_MS));
        if !outage.announced {
            outage.announced = true;
            return Some(OutageLine::Start);
        }
        outage.gap_ms = (outage.gap_ms * 2).min(LONGEST_GAP_MS);
        Some(OutageLine::Reminder {
            failures: outage.failures,
            since: outage.since,
        })
    }

    /// It worked at `now`. An outage that was never announced ends in silence.
    pub fn recovered(&mut self, now: UtcMillis) -> Option<OutageLine> {
        let outage = self.outage.take()?;
        outage.announced.then_some(OutageLine::Recovery {
            failures: outage.failures,
            lasted_ms: now.millis_since(outage.since),
        })
    }
}

/// So many lines a minute, and then a count of those that were left out.
#[derive(Clone, Debug)]
pub struct LogRateLimit {
    per_minute: u32,
    minute: Option<UtcMillis>,
    logged: u32,
    suppressed: u64,
}

impl LogRateLimit {
    /// At most `per_minute` lines.
    pub fn new(per_minute: u32) -> Self {
        Self {
            per_minute,
            minute: None,
            logged: 0,
            suppressed: 0,
        }
    }

    /// Whether to speak at `now`; and how many were left out since the last line.
    pub fn admit(&mut self, now: UtcMillis) -> Option<u64> {
        if self.minute.is_none_or(|start| now.millis_since(start) >= 60_000) {
            self.minute = Some(now);
            self.logged = 0;
        }
        if self.logged >= self.per_minute {
            self.suppressed += 1;
            return None;
        }
        self.logged += 1;
        Some(std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_outage_is_a_first_line_rare_repeats_and_an_end() {
        let mut log = OutageLog::default();
        let mut lines = Vec::new();
        for second in 0..3600 {
            lines.extend(log.failed(UtcMillis::from_secs(second)));
        }
        assert_eq!(lines[0], OutageLine::Start);
        assert!(lines.len() <= 8, "{lines:?}");
        assert_eq!(
            lines[1],
            OutageLine::Reminder {
                failures: 61,
                since: UtcMillis(0)
            }
        );
        let end = OutageLine::Recovery {
            failures: 3600,
            lasted_ms: 3_600_000,
        };
        assert_eq!(log.recovered(UtcMillis::from_secs(3600)), Some(end));
        assert_eq!(log.recovered(UtcMillis::from_secs(3601)), None);
    }

    #[test]
    fn short_failures_among_successes_do_not_flood() {
        let mut log = OutageLog::default();
        let mut lines = 0;
        for second in 0..600 {
            let now = UtcMillis::from_secs(second);
            lines += usize::from(log.failed(now).is_some()) + usize::from(log.recovered(now).is_some());
        }
        assert!(lines <= 20, "{lines}");
    }

    #[test]
    fn a_limit_counts_what_it_suppressed() {
        let mut limit = LogRateLimit::new(2);
        let logged: Vec<_> = (0..5).map(|_| limit.admit(UtcMillis(0))).collect();
        assert_eq!(logged, [Some(0), Some(0), None, None, None]);
        assert_eq!(limit.admit(UtcMillis(60_000)), Some(3));
    }
}
