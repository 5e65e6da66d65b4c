//! The end of a sender: what is in flight is given its time, and what was answered is written down.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::delivery::context::{DeliveryError, Drained};
use crate::delivery::sender::{Sender, Signals, committed};

impl Sender {
    /// Waits for requests in flight within the budget, and for the commits of what they brought.
    pub(super) async fn drain(mut self, signals: &Signals) -> Result<Drained, DeliveryError> {
        let (before, deadline) = (self.finished, Instant::now() + self.budget());
        let mut abandoned = 0;
        loop {
            self.settle();
            if signals.abort.is_cancelled() {
                return Ok(self.drained(before, self.deliveries.len() as u64));
            }
            // A pause that an answer asks for even now binds the next start.
            self.report().await?;
            if self.deliveries.is_empty() && self.settling.is_none() {
                return Ok(self.drained(before, abandoned));
            }
            tokio::select! {
                biased;
                () = signals.abort.cancelled() => {}
                () = tokio::time::sleep_until(deadline), if !self.deliveries.is_empty() => {
                    abandoned = self.deliveries.len() as u64;
                    self.deliveries = JoinSet::new();
                }
                Some(delivery) = self.deliveries.join_next() => self.arrived(delivery).await?,
                effects = committed(&mut self.settling) => self.committed(effects?),
            }
        }
    }

    fn drained(&self, before: u64, abandoned: u64) -> Drained {
        self.gauge.set(0, 0);
        Drained {
            finished_requests: self.finished - before,
            abandoned_requests: abandoned,
            pending_events: 0,
        }
    }

    fn budget(&self) -> Duration {
        self.client.config.delivery.stop_budget.get()
    }
}
