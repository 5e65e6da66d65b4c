//! Orders that could not be indexed are tried again, alone, with growing pauses, for ever: they are few, and giving one
//! up would lose its events.

use super::apply::{Advance, Batch};
use super::report::Indexed;
use super::{IndexError, Indexer};
use crate::clock::UtcMillis;
use crate::store::Reader;
use crate::store::outbox::Class;

const FIRST_PAUSE_MS: i64 = 60_000;
const LONGEST_PAUSE_MS: i64 = 3_600_000;
/// Retried together; each is still judged alone.
const AT_ONCE: usize = 100;

/// When an order that failed `attempts` times is tried again: after 1, 2, 4, … minutes, at most an hour.
pub fn next_attempt(attempts: u32, now: UtcMillis) -> UtcMillis {
    let doubled = FIRST_PAUSE_MS.saturating_mul(1 << attempts.saturating_sub(1).min(10));
    now.plus_millis(doubled.min(LONGEST_PAUSE_MS))
}

impl Indexer {
    /// Tries the orders again that are due.
    ///
    /// # Errors
    /// If source or store fail; the orders stay noted.
    pub async fn retry_failures(&self) -> Result<Indexed, IndexError> {
        let now = self.clock.now();
        let due = self
            .store
            .read(move |reader: &Reader<'_>| reader.index_failures_due(now, AT_ONCE))
            .await?;
        let asked: Vec<_> = due.into_iter().map(|failure| failure.order).collect();
        if asked.is_empty() {
            return Ok(Indexed::default());
        }
        let orders = self.source.read_orders(&asked).await?;
        let batch = Batch {
            asked,
            orders,
            vanished: Vec::new(),
            class: Class::Live,
            changed_at: now,
            floor: None,
            force: false,
            advance: Advance::Nothing,
        };
        self.apply(batch).await
    }
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
