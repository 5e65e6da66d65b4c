//! A forced resend sends the frozen bytes again, as long as they are kept.

use std::collections::HashMap;

use crate::indexer::apply::derive::Prior;
use crate::store::outbox::{BatchBody, BatchId, EventState};
use crate::store::{Reader, Store, StoreError};
use orderfeed_model::order::OrderId;

/// Adds the bodies of delivered events to `prior`, where they are still there.
pub(crate) async fn add_frozen_bodies(
    store: &Store,
    prior: &mut HashMap<OrderId, Prior>,
) -> Result<(), StoreError> {
    let delivered = prior
        .values()
        .flat_map(|prior| &prior.events)
        .filter(|event| event.state == EventState::Delivered);
    let mut batches: Vec<BatchId> = delivered.map(|event| event.batch).collect();
    batches.sort_unstable();
    batches.dedup();
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
        if prior
            .events
            .iter()
            .any(|event| event.key == key && event.batch == batch)
        {
            prior.frozen.insert(key, (json.to_vec(), entry.person));
        }
    }
}
