//! Records the totals of each website once a minute, for the charts of the web pages.

use std::time::Duration;

use crate::store::{Durability, Store, StoreError};
use orderfeed_model::clock::Clock;

const INTERVAL: Duration = Duration::from_secs(60);

/// Records until it is dropped. A failure leaves a gap in the charts and nothing else.
pub(crate) async fn record(store: Store, clock: Clock) {
    loop {
        if let Err(error) = record_once(&store, &clock).await {
            tracing::debug!(%error, "The totals of this minute were not recorded");
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

async fn record_once(store: &Store, clock: &Clock) -> Result<(), StoreError> {
    // Read beside the writer, which other work needs more.
    let outboxes = store.read(|reader| reader.outbox_by_website()).await?;
    let at = clock.now();
    let record = move |writer: &mut crate::store::Writer<'_>| writer.record_traffic(at, &outboxes);
    store.write_low_priority(Durability::Relaxed, record).await
}
