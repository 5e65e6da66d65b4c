//! Reads the frozen bodies of delivered events, which a resend sends again as long as they are kept.

use std::collections::{BTreeSet, HashMap};

use crate::indexer::apply::derive::Prior;
use crate::store::outbox::{BatchBody, BatchId, EventState};
use crate::store::{Reader, Store, StoreError};
use orderfeed_model::order::OrderId;

/// Adds the bodies that the store still holds to `prior`.
pub(crate) async fn add_frozen_bodies(
    store: &Store,
    prior: &mut HashMap<OrderId, Prior>,
) -> Result<(), StoreError> {
    let delivered = prior
        .values()
        .flat_map(|prior| &prior.events)
        .filter(|event| event.state == EventState::Delivered);
    let batches: BTreeSet<BatchId> = delivered.map(|event| event.batch).collect();
    // One at a time: a body is as large as a request.
    for batch in batches {
        let body = store
            .read(move |reader: &Reader<'_>| reader.batch_body(batch))
            .await?;
        add_batch(batch, body.as_ref(), prior);
    }
    Ok(())
}

fn add_batch(batch: BatchId, body: Option<&BatchBody>, prior: &mut HashMap<OrderId, Prior>) {
    for (entry, json) in body.into_iter().flat_map(BatchBody::events) {
        let key = entry.key;
        let Some(prior) = prior.get_mut(&key.order) else {
            continue;
        };
        let mut events = prior.events.iter();
        // An event that was resent before is in several batches; only its last one counts.
        if events.any(|event| event.key == key && event.batch == batch) {
            prior.frozen.insert(key, (json.to_vec(), entry.person));
        }
    }
}
