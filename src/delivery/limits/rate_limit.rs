//! The rate limit: a token bucket in the edge's request units, one for all websites because the edge counts by
//! organization. Pure; time is passed in.

use std::time::Duration;

use crate::store::outbox::Class;

/// The edge counts each started block of this size as one request unit (Edge Network guardrails).
const UNIT_BYTES: usize = 8192;
/// The bucket holds the units of this many seconds, and at least those of the largest request.
const BURST_SECONDS: f64 = 0.25;
const LARGEST_REQUEST: f64 = 8.0;
/// Share of the bucket that history leaves to live changes of any website, if the rest holds the largest request.
const KEPT_FOR_LIVE: f64 = 0.1;

/// Returns the request units of a body, with one upstream service behind the datastream.
pub fn request_units(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT_BYTES).max(1)).unwrap_or(u32::MAX)
}

/// A token bucket of request units.
#[derive(Clone, Debug)]
pub struct RateLimiter {
    per_second: u32,
    level: f64,
    at: Duration,
}

impl RateLimiter {
    /// Creates a full bucket; 0 units a second means no limit.
    pub fn new(per_second: u32) -> Self {
        let mut limiter = Self {
            per_second,
            level: 0.0,
            at: Duration::ZERO,
        };
        limiter.level = limiter.capacity();
        limiter
    }

    /// Changes the rate. Units in the bucket stay, up to its new capacity.
    pub fn set_rate(&mut self, per_second: u32) {
        self.per_second = per_second;
        self.level = self.level.min(self.capacity());
    }

    /// Takes `units` for a request of `class` at `now` (since any fixed moment).
    ///
    /// # Errors
    /// Returns the time to wait before the next try; nothing was taken.
    pub fn try_take(&mut self, units: u32, class: Class, now: Duration) -> Result<(), Duration> {
        if self.per_second == 0 {
            return Ok(());
        }
        let rate = f64::from(self.per_second);
        let elapsed = now.saturating_sub(self.at).as_secs_f64();
        // Senders measure `now` before they get the lock, so it may be out of order.
        self.at = self.at.max(now);
        self.level = (self.level + elapsed * rate).min(self.capacity());
        // A request larger than the bucket takes all of it, or it could never be sent.
        let wanted = f64::from(units).min(self.capacity());
        let needed = match class {
            Class::Live => wanted,
            Class::History => wanted + self.kept_for_live(),
        };
        // Tolerates rounding: after the returned wait the request must pass.
        if self.level + 1e-6 >= needed {
            self.level -= wanted;
            return Ok(());
        }
        let wait = Duration::from_secs_f64((needed - self.level) / rate);
        Err(wait.max(Duration::from_micros(100)))
    }

    fn kept_for_live(&self) -> f64 {
        let capacity = self.capacity();
        (capacity * KEPT_FOR_LIVE).min(capacity - LARGEST_REQUEST)
    }

    fn capacity(&self) -> f64 {
        (f64::from(self.per_second) * BURST_SECONDS).max(LARGEST_REQUEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_request_costs_its_begun_blocks_of_8_kib() {
        let cases = [(0, 1), (1, 1), (8192, 1), (8193, 2), (60_013, 8), (65_536, 8)];
        for (bytes, units) in cases {
            assert_eq!(request_units(bytes), units, "{bytes}");
        }
    }

    #[test]
    fn without_a_rate_nothing_waits() {
        let mut limiter = RateLimiter::new(0);
        assert!((0..100_000).all(|_| limiter.try_take(8, Class::History, Duration::ZERO).is_ok()));
    }

    #[test]
    fn history_leaves_something_to_live_changes() {
        let mut limiter = RateLimiter::new(3000);
        let history = (0..).take_while(|_| limiter.try_take(8, Class::History, Duration::ZERO).is_ok());
        assert_eq!(history.count(), 84, "750 units, a tenth of them kept");
        assert!(limiter.try_take(8, Class::Live, Duration::ZERO).is_ok());
        let mut small = RateLimiter::new(10);
        assert!(
            small.try_take(8, Class::History, Duration::ZERO).is_ok(),
            "or it would never be sent"
        );
    }

    proptest! {
        #[test]
        fn no_second_lets_through_more_than_its_rate_and_one_burst(
            rate in 1u32..5000, steps in prop::collection::vec((1u32..9, any::<bool>(), 0u64..5000), 1..400)
        ) {
            let mut limiter = RateLimiter::new(rate);
            let (mut now, mut taken) = (Duration::ZERO, 0.0);
            for (units, live, micros) in steps {
                let class = if live { Class::Live } else { Class::History };
                now += Duration::from_micros(micros);
                match limiter.try_take(units, class, now) {
                    Ok(()) => taken += f64::from(units),
                    Err(wait) => {
                        now += wait;
                        prop_assert!(limiter.try_take(units, class, now).is_ok(), "the promised wait was too short");
                        taken += f64::from(units);
                    }
                }
            }
            let most = limiter.capacity() + f64::from(rate) * now.as_secs_f64();
            prop_assert!(taken <= most + 1.0, "{taken} > {most}");
        }
    }
}
