//! A failure is told in three lines, however often it is tried again: that it began, that it goes on (now and then),
//! that it is over. Pure: the caller logs what it is told.

use crate::clock::UtcMillis;

/// After the first line, the next ones come after these pauses; then the last one repeats.
const REMINDERS_MS: [i64; 3] = [60_000, 300_000, 600_000];

/// One thing that can be out: the source, a datastream.
#[derive(Clone, Debug, Default)]
pub struct Outage {
    began: Option<UtcMillis>,
    failures: u64,
    next_reminder: Option<UtcMillis>,
    reminders: usize,
}

/// What to say about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The first: say what failed, with its cause and what happens next.
    First,
    /// Nothing new; say nothing.
    Quiet,
    /// It still fails.
    Still {
        /// Failures so far.
        failures: u64,
        /// For how long, in milliseconds.
        for_ms: i64,
    },
}

/// What to say about a success after failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// Failures that there were.
    pub failures: u64,
    /// How long it was out, in milliseconds.
    pub after_ms: i64,
}

impl Outage {
    /// It failed.
    pub fn failed(&mut self, now: UtcMillis) -> Failure {
        self.failures += 1;
        let Some(began) = self.began else {
            self.began = Some(now);
            self.next_reminder = Some(now.plus_millis(REMINDERS_MS[0]));
            return Failure::First;
        };
        if self.next_reminder.is_some_and(|due| now < due) {
            return Failure::Quiet;
        }
        self.reminders += 1;
        let pause = REMINDERS_MS[self.reminders.min(REMINDERS_MS.len() - 1)];
        self.next_reminder = Some(now.plus_millis(pause));
        Failure::Still {
            failures: self.failures,
            for_ms: now.millis_since(began),
        }
    }

    /// It worked. `Some` if it had failed before.
    pub fn worked(&mut self, now: UtcMillis) -> Option<Recovery> {
        let began = self.began?;
        let recovery = Recovery {
            failures: self.failures,
            after_ms: now.millis_since(began),
        };
        *self = Self::default();
        Some(recovery)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_of_an_hour_is_a_handful_of_lines() {
        let mut outage = Outage::default();
        let at = |second: i64| UtcMillis(second * 1000);
        let said: Vec<_> = (0..3600)
            .map(|second| (second, outage.failed(at(second))))
            .filter(|(_, failure)| *failure != Failure::Quiet)
            .collect();
        assert_eq!(said[0], (0, Failure::First));
        assert_eq!(
            said[1],
            (
                60,
                Failure::Still {
                    failures: 61,
                    for_ms: 60_000
                }
            )
        );
        assert_eq!(
            said.iter().map(|(second, _)| *second).collect::<Vec<_>>(),
            [0, 60, 360, 960, 1560, 2160, 2760, 3360]
        );
        assert_eq!(
            outage.worked(at(3600)),
            Some(Recovery {
                failures: 3600,
                after_ms: 3_600_000
            })
        );
        assert_eq!(outage.worked(at(3601)), None);
    }
}
