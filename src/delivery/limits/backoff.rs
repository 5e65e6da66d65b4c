//! The pause before a retry. Pure.

use std::time::Duration;

/// Returns a random pause between zero and the [`step`] after `failures` failures. The full range (full jitter) keeps
/// senders that failed together from retrying together.
pub fn full_jitter(initial: Duration, max: Duration, failures: u32, random: u64) -> Duration {
    let step = step(initial, max, failures);
    let nanos = u64::try_from(step.as_nanos()).unwrap_or(u64::MAX);
    Duration::from_nanos(scale(nanos, random))
}

/// Returns the longest pause after `failures` failures in a row: `initial` for the first, doubled each time, at most
/// `max`.
pub fn step(initial: Duration, max: Duration, failures: u32) -> Duration {
    let factor = 1u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
    initial.saturating_mul(factor).min(max)
}

/// Returns a pause in milliseconds, rounded up: a pause that the edge asked for must not be cut short.
pub(crate) fn millis(pause: Duration) -> i64 {
    i64::try_from(pause.as_nanos().div_ceil(1_000_000)).unwrap_or(i64::MAX)
}

/// Maps `random` evenly to `0..=max`.
fn scale(max: u64, random: u64) -> u64 {
    let wide = (u128::from(max) + 1) * u128::from(random);
    u64::try_from(wide >> 64).unwrap_or(max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);
    const MAX: Duration = Duration::from_secs(300);

    #[test]
    fn the_step_doubles_up_to_the_longest_pause() {
        let steps: Vec<_> = (1..=11).map(|n| step(SECOND, MAX, n).as_secs()).collect();
        assert_eq!(steps, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(step(SECOND, MAX, u32::MAX), MAX);
        assert_eq!(step(SECOND, MAX, 0), SECOND);
    }

    proptest! {
        #[test]
        fn a_pause_never_exceeds_its_step_and_reaches_both_ends(failures in 0u32..80, random: u64) {
            prop_assert!(full_jitter(SECOND, MAX, failures, random) <= step(SECOND, MAX, failures));
            prop_assert_eq!(full_jitter(SECOND, MAX, failures, 0), Duration::ZERO);
            prop_assert_eq!(full_jitter(SECOND, MAX, failures, u64::MAX), step(SECOND, MAX, failures));
        }
    }
}
