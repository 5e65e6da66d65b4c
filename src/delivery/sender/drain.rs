//! The end of a sender: requests in flight may finish within a budget, and their answers are committed.

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::delivery::context::{DeliveryError, Drained};
use crate::delivery::sender::{Sender, Shutdown};

impl Sender {
    /// Waits for requests in flight within `delivery.stop_budget`, and for the commits of their answers.
    pub(super) async fn drain(mut self, shutdown: &Shutdown) -> Result<Drained, DeliveryError> {
        let budget = self.client.config.delivery.stop_budget.get();
        let (before, deadline) = (self.sent_requests, Instant::now() + budget);
        let mut abandoned = 0;
        loop {
            self.ledger.start_commit(&self.shared.store);
            if shutdown.abort.is_cancelled() {
                return Ok(self.drained(before, self.deliveries.len() as u64));
            }
            // Before the end is checked: a pause that the last answer asked for must bind the next start.
            self.report().await?;
            if self.deliveries.is_empty() && self.ledger.commit.is_none() {
                return Ok(self.drained(before, abandoned));
            }
            tokio::select! {
                            biased;
                            () = shutdown.abort.cancelled() => {}
                            () = tokio::time::sleep_until(deadline), if !self.deliveries.is_empty() => {
                                abandoned = self.deliveries.len() as u64;
            // Dropping the tasks cancels their requests; the batches stay pending.
                                self.deliveries = JoinSet::new();
                            }
                            Some(delivery) = self.deliveries.join_next() => self.receive(delivery).await?,
                            effects = self.ledger.committed() => self.apply(effects?),
                        }
        }
    }

    fn drained(&self, before: u64, abandoned: u64) -> Drained {
        self.gauge.end_work(0, 0);
        Drained {
            finished_requests: self.sent_requests - before,
            abandoned_requests: abandoned,
            pending_events: 0,
        }
    }
}
