//! "Still failing", with the backlog.

use crate::clock::UtcMillis;
use crate::delivery::DeliveryError;
use crate::delivery::sender::Sender;
use crate::delivery::sender::speech::ALARMING_MS;

impl Sender {
    /// Says that it still fails, with the backlog, if that is due.
    pub(super) async fn speak(&mut self, now: UtcMillis) -> Result<(), DeliveryError> {
        let Some(still) = self.speech.pending.take() else {
            return Ok(());
        };
        let all = self
            .shared
            .store
            .read(|reader| reader.outbox_by_website())
            .await?;
        let own = all
            .into_iter()
            .find(|outbox| outbox.website == self.website)
            .unwrap_or_default();
        let next_try = self.health.row(self.website).until.unwrap_or(now);
        let pending_events = own.pending_live + own.pending_history;
        let (website, code, since) = (&*self.code, &still.code, still.since);
        let (halted, failures) = (still.halted, still.failures);
        if now.millis_since(since) >= ALARMING_MS {
            tracing::error!(website, code, halted, failures, %since, pending_events, %next_try, "Delivery still fails");
        } else {
            tracing::warn!(website, code, halted, failures, %since, pending_events, %next_try, "Delivery still fails");
        }
        Ok(())
    }
}
