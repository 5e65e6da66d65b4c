//! Failure in three lines: it fails (with cause and next step), it still fails (now and then, with numbers), it
//! recovered. Never a line a retry. Pure: decides when to speak; whoever asks knows the words.

use orderfeed_model::clock::UtcMillis;

const FIRST_GAP_MS: i64 = 60_000;
const LONGEST_GAP_MS: i64 = 900_000;

/// What to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// It began.
    First,
    /// It goes on.
    Still {
        /// Failures so far.
        failures: u64,
        /// Since when.
        since: UtcMillis,
    },
    /// It is over.
    Recovered {
        /// Failures in all.
        failures: u64,
        /// How long it lasted, in milliseconds.
        lasted_ms: i64,
    },
}

/// The memory of one subject.
#[derive(Clone, Debug, Default)]
pub struct Voice {
    trouble: Option<Trouble>,
    /// Short troubles that follow each other closely are not announced one by one.
    quiet_until: Option<UtcMillis>,
}

#[derive(Clone, Debug)]
struct Trouble {
    since: UtcMillis,
    failures: u64,
    announced: bool,
    next_at: UtcMillis,
    gap_ms: i64,
}

impl Voice {
    /// It failed at `now`.
    pub fn failed(&mut self, now: UtcMillis) -> Option<Line> {
        let quiet = self.quiet_until.filter(|until| *until > now);
        let trouble = self.trouble.get_or_insert_with(|| Trouble {
            since: now,
            failures: 0,
            announced: false,
            next_at: quiet.unwrap_or(now),
            gap_ms: FIRST_GAP_MS,
        });
        trouble.failures += 1;
        if now < trouble.next_at {
            return None;
        }
        trouble.next_at = now.plus_millis(trouble.gap_ms);
        self.quiet_until = Some(now.plus_millis(FIRST_GAP_MS));
        if !trouble.announced {
            trouble.announced = true;
            return Some(Line::First);
        }
        trouble.gap_ms = (trouble.gap_ms * 2).min(LONGEST_GAP_MS);
        Some(Line::Still {
            failures: trouble.failures,
            since: trouble.since,
        })
    }

    /// It worked at `now`. A trouble that was never announced ends in silence.
    pub fn recovered(&mut self, now: UtcMillis) -> Option<Line> {
        let trouble = self.trouble.take()?;
        trouble.announced.then_some(Line::Recovered {
            failures: trouble.failures,
            lasted_ms: now.millis_since(trouble.since),
        })
    }
}

/// So many lines a minute, and then a count of those that were left out.
#[derive(Clone, Debug)]
pub struct Ration {
    per_minute: u32,
    minute: Option<UtcMillis>,
    said: u32,
    left_out: u64,
}

impl Ration {
    /// At most `per_minute` lines.
    pub fn new(per_minute: u32) -> Self {
        Self {
            per_minute,
            minute: None,
            said: 0,
            left_out: 0,
        }
    }

    /// Whether to speak at `now`; and how many were left out since the last line.
    pub fn speak(&mut self, now: UtcMillis) -> Option<u64> {
        if self.minute.is_none_or(|start| now.millis_since(start) >= 60_000) {
            self.minute = Some(now);
            self.said = 0;
        }
        if self.said >= self.per_minute {
            self.left_out += 1;
            return None;
        }
        self.said += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_outage_is_a_first_line_rare_repeats_and_an_end() {
        let mut voice = Voice::default();
        let mut lines = Vec::new();
        for second in 0..3600 {
            lines.extend(voice.failed(UtcMillis::from_secs(second)));
        }
        assert_eq!(lines[0], Line::First);
        assert!(lines.len() <= 8, "{lines:?}");
        assert_eq!(
            lines[1],
            Line::Still {
                failures: 61,
                since: UtcMillis(0)
            }
        );
        let end = Line::Recovered {
            failures: 3600,
            lasted_ms: 3_600_000,
        };
        assert_eq!(voice.recovered(UtcMillis::from_secs(3600)), Some(end));
        assert_eq!(voice.recovered(UtcMillis::from_secs(3601)), None);
    }

    #[test]
    fn short_failures_among_successes_do_not_flood() {
        let mut voice = Voice::default();
        let mut lines = 0;
        for second in 0..600 {
            let now = UtcMillis::from_secs(second);
            lines += usize::from(voice.failed(now).is_some()) + usize::from(voice.recovered(now).is_some());
        }
        assert!(lines <= 20, "{lines}");
    }

    #[test]
    fn a_ration_counts_what_it_left_out() {
        let mut ration = Ration::new(2);
        let said: Vec<_> = (0..5).map(|_| ration.speak(UtcMillis(0))).collect();
        assert_eq!(said, [Some(0), Some(0), None, None, None]);
        assert_eq!(ration.speak(UtcMillis(60_000)), Some(3));
    }
}
