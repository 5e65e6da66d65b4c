//! The numbers of requests, for the operator of the shop: what the source costs.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The requests of this process. They are counted by the first segment of their path.
#[derive(Debug)]
pub(crate) struct RequestCounts {
    by_path: Mutex<BTreeMap<String, u64>>,
    recent: Mutex<RecentRequests>,
}

/// The requests of the last two minutes, in full minutes.
#[derive(Debug)]
struct RecentRequests {
    begun: Instant,
    current: u64,
    before: Option<u64>,
}

const MINUTE: Duration = Duration::from_secs(60);

impl Default for RequestCounts {
    fn default() -> Self {
        Self {
            by_path: Mutex::default(),
            recent: Mutex::new(RecentRequests {
                begun: Instant::now(),
                current: 0,
                before: None,
            }),
        }
    }
}

impl RecentRequests {
    /// Ends the current minute if it is over.
    fn turn(&mut self, now: Instant) {
        let passed = now.duration_since(self.begun);
        if passed >= MINUTE {
            self.before = Some(if passed < MINUTE * 2 { self.current } else { 0 });
            (self.begun, self.current) = (now, 0);
        }
    }
}

impl RequestCounts {
    pub(crate) fn count(&self, path: &str) {
        let first = path.split('/').next().unwrap_or_default();
        let mut by_path = self.by_path.lock().unwrap_or_else(PoisonError::into_inner);
        match by_path.get_mut(first) {
            Some(count) => *count += 1,
            None => {
                by_path.insert(first.to_owned(), 1);
            }
        }
        drop(by_path);
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.turn(Instant::now());
        recent.current += 1;
    }

    /// Returns the requests of the last full minute; `None` in the first one.
    pub(crate) fn per_minute(&self) -> Option<u64> {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.turn(Instant::now());
        recent.before
    }

    /// Returns the numbers by the first segment of the path.
    #[cfg(test)]
    pub(crate) fn by_path(&self) -> BTreeMap<String, u64> {
        self.by_path
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_minute_is_reported_once_it_is_over() {
        let counts = RequestCounts::default();
        ["orders", "orders/7", "invoices"]
            .iter()
            .for_each(|path| counts.count(path));
        assert_eq!(counts.per_minute(), None);
        tokio::time::advance(MINUTE).await;
        assert_eq!(counts.per_minute(), Some(3));
        tokio::time::advance(MINUTE * 2).await;
        assert_eq!(counts.per_minute(), Some(0));
        assert_eq!(counts.by_path()["orders"], 2);
    }
}
