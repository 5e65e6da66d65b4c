//! The limit on wrong passwords: growing pauses for the whole process, because behind loopback and proxies clients cannot be
//! distinguished. A pause refuses the right password as well, or guessing would not be limited. Pure.

use std::time::Duration;

use tokio::time::Instant;

/// Wrong passwords before the first pause.
const FREE: u32 = 5;
/// The first pause; each further failure doubles it.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(300);
/// Time without a failure after which the count starts again.
const FORGOTTEN: Duration = Duration::from_secs(1800);

#[derive(Debug, Default)]
pub(crate) struct Attempts {
    failures: u32,
    last: Option<Instant>,
}

impl Attempts {
    /// Returns the time until the next attempt is allowed, if it is not now.
    pub(crate) fn pause(&self, now: Instant) -> Option<Duration> {
        let since = now.duration_since(self.last?);
        let left = pause_after(self.failures).saturating_sub(since);
        (!left.is_zero()).then_some(left)
    }

    /// Counts a failure, and returns the number of failures in a row.
    pub(crate) fn failed(&mut self, now: Instant) -> u32 {
        if self
            .last
            .is_some_and(|last| now.duration_since(last) >= FORGOTTEN)
        {
            self.failures = 0;
        }
        self.failures = self.failures.saturating_add(1);
        self.last = Some(now);
        self.failures
    }

    pub(crate) fn succeeded(&mut self) {
        *self = Self::default();
    }
}

fn pause_after(failures: u32) -> Duration {
    match failures.checked_sub(FREE) {
        None => Duration::ZERO,
        Some(more) => FIRST.saturating_mul(1 << more.min(16)).min(LONGEST),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_after_a_few_failures_and_end() {
        let (mut attempts, mut now) = (Attempts::default(), Instant::now());
        for _ in 1..FREE {
            attempts.failed(now);
            assert_eq!(attempts.pause(now), None);
        }
        let mut pauses = Vec::new();
        for _ in 0..12 {
            attempts.failed(now);
            let pause = attempts.pause(now).unwrap();
            pauses.push(pause.as_secs());
            now += pause;
            assert_eq!(attempts.pause(now), None);
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
        now += FORGOTTEN;
        assert_eq!(attempts.failed(now), 1);
    }

    #[test]
    fn the_right_password_starts_the_count_again() {
        let (mut attempts, now) = (Attempts::default(), Instant::now());
        for _ in 0..20 {
            attempts.failed(now);
        }
        attempts.succeeded();
        assert_eq!((attempts.pause(now), attempts.failed(now)), (None, 1));
    }
}
