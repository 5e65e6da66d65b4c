//! How long an order that could not be indexed waits for its next turn. Pure.

use orderfeed_model::clock::UtcMillis;

const FIRST_PAUSE_MS: i64 = 60_000;
const LONGEST_PAUSE_MS: i64 = 3_600_000;

/// When an order that failed `attempts` times is tried again: after 1, 2, 4, … minutes, at most an hour.
pub fn next_attempt(attempts: u32, now: UtcMillis) -> UtcMillis {
    let doubled = FIRST_PAUSE_MS.saturating_mul(1 << attempts.saturating_sub(1).min(10));
    now.plus_millis(doubled.min(LONGEST_PAUSE_MS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_an_hour() {
        let pause = |attempts| next_attempt(attempts, UtcMillis(0)).0 / 60_000;
        assert_eq!([1, 2, 3, 6, 7, 40].map(pause), [1, 2, 4, 32, 60, 60]);
    }
}
