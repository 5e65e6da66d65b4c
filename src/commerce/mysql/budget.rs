//! The number of connections that may be open at once: `source.mysql.max_connections`, or fewer while the server allows this
//! account fewer.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// Time after the last refusal at which the full number is tried again.
const RESTORED_AFTER: Duration = Duration::from_secs(600);

/// Permits for connections.
#[derive(Debug)]
pub(crate) struct ConnectionBudget {
    permits: Semaphore,
    most: usize,
    lowered: Mutex<Lowered>,
}

/// The number of permits that were taken away, and the time of the last refusal.
#[derive(Debug)]
struct Lowered {
    by: usize,
    at: Instant,
}

impl ConnectionBudget {
    pub(crate) fn new(most: usize) -> Self {
        let most = most.max(1);
        Self {
            permits: Semaphore::new(most),
            most,
            lowered: Mutex::new(Lowered {
                by: 0,
                at: Instant::now(),
            }),
        }
    }

    /// Waits for a permit, which is returned when it is dropped.
    pub(crate) async fn permit(&self) -> Option<SemaphorePermit<'_>> {
        self.restore();
        // Fails only if the semaphore is closed, which it never is.
        self.permits.acquire().await.ok()
    }

    /// Returns the number of connections that may be open at once.
    pub(crate) fn size(&self) -> usize {
        self.most - self.lowered().by
    }

    /// Lowers the budget to the connections that are open without the one refused, at least one. Returns true if it was not
    /// lowered before.
    pub(crate) fn lower(&self, refused: SemaphorePermit<'_>) -> bool {
        let mut lowered = self.lowered();
        let is_first = lowered.by == 0;
        let unused = self.permits.forget_permits(self.most);
        lowered.by += unused;
        if lowered.by + 1 < self.most {
            refused.forget();
            lowered.by += 1;
        }
        lowered.at = Instant::now();
        is_first && lowered.by > 0
    }

    fn restore(&self) {
        let mut lowered = self.lowered();
        if lowered.by > 0 && lowered.at.elapsed() >= RESTORED_AFTER {
            self.permits.add_permits(std::mem::take(&mut lowered.by));
        }
    }

    fn lowered(&self) -> MutexGuard<'_, Lowered> {
        self.lowered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_refusal_lowers_the_budget_to_what_is_open_until_it_is_tried_again() {
        let budget = ConnectionBudget::new(8);
        let open = [budget.permit().await.unwrap(), budget.permit().await.unwrap()];
        assert!(budget.lower(budget.permit().await.unwrap()), "the first refusal");
        assert_eq!((budget.size(), budget.permits.available_permits()), (2, 0));
        drop(open);
        assert!(!budget.lower(budget.permit().await.unwrap()), "known already");
        assert_eq!(
            (budget.size(), budget.permits.available_permits()),
            (1, 1),
            "one stays"
        );
        tokio::time::advance(RESTORED_AFTER).await;
        drop(budget.permit().await.unwrap());
        assert_eq!((budget.size(), budget.permits.available_permits()), (8, 8));
    }
}
