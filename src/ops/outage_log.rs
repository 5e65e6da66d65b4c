//! Limits how often failures are logged: an outage logs one line when it starts, occasional reminders while it lasts, and
//! one when it ends, but never one per retry. Decides when a line is due; the caller has the words.

use orderfeed_model::clock::UtcMillis;

const FIRST_GAP_MS: i64 = 60_000;
const LONGEST_GAP_MS: i64 = 900_000;

/// A line about a failure that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutageLine {
    Start,
    Reminder {
        /// Number of failures so far.
        failures: u64,
        since: UtcMillis,
    },
}

/// The line about the end of an outage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// Number of failures of the whole outage.
    pub failures: u64,
    pub lasted_ms: i64,
}

/// The outages of one subject, such as the source or a website's delivery.
#[derive(Clone, Debug, Default)]
pub struct OutageLog {
    outage: Option<Outage>,
    /// No outage that starts before this time is logged, so that short ones in a row do not flood the log.
    quiet_until: Option<UtcMillis>,
}

#[derive(Clone, Debug)]
struct Outage {
    since: UtcMillis,
    failures: u64,
    logged: bool,
    next_at: UtcMillis,
    gap_ms: i64,
}

impl OutageLog {
    /// Records a failure, and returns the line that is due.
    pub fn failed(&mut self, now: UtcMillis) -> Option<OutageLine> {
        let quiet = self.quiet_until.filter(|until| *until > now);
        let outage = self.outage.get_or_insert_with(|| Outage {
            since: now,
            failures: 0,
            logged: false,
            next_at: quiet.unwrap_or(now),
            gap_ms: FIRST_GAP_MS,
        });
        outage.failures += 1;
        if now < outage.next_at {
            return None;
        }
        outage.next_at = now.plus_millis(outage.gap_ms);
        // Also after a reminder: the next outage may follow this one at once.
        self.quiet_until = Some(now.plus_millis(FIRST_GAP_MS));
        if !outage.logged {
            outage.logged = true;
            return Some(OutageLine::Start);
        }
        outage.gap_ms = (outage.gap_ms * 2).min(LONGEST_GAP_MS);
        Some(OutageLine::Reminder {
            failures: outage.failures,
            since: outage.since,
        })
    }

    /// Records a success. An outage whose start was not logged ends without a line.
    pub fn recovered(&mut self, now: UtcMillis) -> Option<Recovery> {
        let outage = self.outage.take()?;
        outage.logged.then_some(Recovery {
            failures: outage.failures,
            lasted_ms: now.millis_since(outage.since),
        })
    }
}

/// A limit of lines per minute, which counts the lines that it suppresses.
#[derive(Clone, Debug)]
pub struct LogRateLimit {
    per_minute: u32,
    minute: Option<UtcMillis>,
    logged: u32,
    suppressed: u64,
}

impl LogRateLimit {
    pub fn new(per_minute: u32) -> Self {
        Self {
            per_minute,
            minute: None,
            logged: 0,
            suppressed: 0,
        }
    }

    /// Admits a line, and returns the number of lines suppressed since the last one. Returns `None` if the limit is reached.
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
    fn a_long_outage_logs_its_start_a_few_reminders_and_its_end() {
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
        let end = Recovery {
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
