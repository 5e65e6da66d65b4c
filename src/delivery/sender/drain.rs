//! The end of a sender: what is in flight is given its time, and what was answered is written down.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::delivery::parts::{DeliveryError, Drained};
use crate::delivery::sender::{Sender, Signals, committed};

impl Sender {
    /// Waits for requests in flight within the budget, and for the commits of what they brought.
    pub(super) async fn drain(mut self, signals: &Signals) -> Result<Drained, DeliveryError> {
        let (before, deadline) = (self.finished, Instant::now() + self.budget());
        loop {
            self.settle();
            if self.trips.is_empty() && self.settling.is_none() {
                break;
            }
            tokio::select! {
                biased;
                () = signals.abort.cancelled() => break,
                () = tokio::time::sleep_until(deadline), if !self.trips.is_empty() => {
                    let abandoned = self.trips.len() as u64;
                    self.trips.abort_all();
                    self.trips = JoinSet::new();
                    self.settle_rest().await?;
                    return Ok(self.drained(before, abandoned));
                }
                Some(trip) = self.trips.join_next() => self.arrived(trip).await?,
                effects = committed(&mut self.settling) => self.committed(effects?),
            }
        }
        let abandoned = self.trips.len() as u64;
        self.trips.abort_all();
        if !signals.abort.is_cancelled() {
            self.report().await?;
        }
        Ok(self.drained(before, abandoned))
    }

    async fn settle_rest(&mut self) -> Result<(), DeliveryError> {
        loop {
            self.settle();
            if self.settling.is_none() {
                return Ok(());
            }
            let effects = committed(&mut self.settling).await?;
            self.committed(effects);
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
        self.wiring.config.delivery.stop_budget.get()
    }
}
