//! Applies one batch of orders: from what the source returned to a commit.

mod ahead;
mod births;
pub(crate) mod commit;
pub(crate) mod derive;
mod failures;
pub(crate) mod feed_hash;
mod resend;
pub(crate) mod routing;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tokio::runtime::{Handle, RuntimeFlavor};

use super::report::Indexed;
use super::{IndexError, Indexer, event_context};
use crate::commerce::source::ReadOrder;
use crate::config::Config;
use crate::first_sync::history;
use crate::indexer::apply::commit::{Advance, Commit, Origin};
use crate::indexer::apply::derive::{DeriveContext, Derived, Prior, derive};
use crate::indexer::backfill::options::Reach;
use crate::store::outbox::{BatchLimits, Class, EventState};
use crate::store::{Durability, Reader, StoreError, Writer};
use orderfeed_model::birth::{BirthMark, Document, DocumentKind};
use orderfeed_model::clock::UtcMillis;
use orderfeed_model::marks::births;
use orderfeed_model::order::OrderId;

/// Bytes of `{"events":[]}`.
const ENVELOPE: usize = 13;

/// Orders that were read together, and how they are to be indexed.
pub(super) struct OrderBatch {
    /// Orders that were requested.
    pub(super) ids: Vec<OrderId>,
    /// Those of them that exist.
    pub(super) orders: Vec<ReadOrder>,
    /// Other orders of the feed that a backfill found to be deleted.
    pub(super) deleted: Vec<OrderId>,
    /// The website of all these orders, if the batch must fail rather than skip them while it is switched off.
    pub(super) website: Option<String>,
    pub(super) origin: Origin,
}

impl OrderBatch {
    /// Creates a batch of live changes, noticed at `changed_at`.
    pub(super) fn live(ids: Vec<OrderId>, orders: Vec<ReadOrder>, changed_at: UtcMillis) -> Self {
        Self {
            ids,
            orders,
            deleted: Vec::new(),
            website: None,
            origin: Origin {
                class: Class::Live,
                changed_at,
                reach: Reach::Everything,
                resend: false,
                advance: Advance::Nothing,
            },
        }
    }
}

impl Indexer {
    /// Derives and commits a batch (I2).
    pub(super) async fn apply(&self, batch: OrderBatch) -> Result<Indexed, IndexError> {
        let commit = self.prepare(batch).await?;
        self.commit(commit).await
    }

    /// Derives a batch: everything that can be done before its transaction.
    pub(super) async fn prepare(&self, batch: OrderBatch) -> Result<Commit, IndexError> {
        let (config, at, origin) = (self.config(), self.clock.now(), batch.origin);
        let is_off = |code: &&String| config.sending_website(code).is_none();
        if let Some(website) = batch.website.as_ref().filter(is_off) {
            return Err(IndexError::SwitchedOff(website.clone()));
        }
        let context = DeriveContext {
            events: event_context(&config),
            floors: self.floors(origin.reach, &config, at).await?,
            full_websites: self.intake.full_websites(),
            resend: origin.resend,
            now: at,
        };
        let mut prior = self.prior(batch.ids.clone(), &batch.orders).await?;
        if origin.resend {
            resend::add_frozen_bodies(&self.store, &mut prior).await?;
        }
        let limits = batch_limits(&config);
        let partial = batch.orders.iter().filter_map(|order| match order {
            ReadOrder::Partial { order, missing } => Some((order.id, *missing)),
            ReadOrder::Whole(_) | ReadOrder::Unreadable { .. } => None,
        });
        let partial = partial.collect();
        let derived = derive_aside(batch.orders, prior, config, context).await?;
        self.log_far_ahead(&derived, at);
        Ok(Commit {
            limits,
            partial,
            derived,
            ids: batch.ids,
            deleted: batch.deleted,
            origin,
            at,
        })
    }

    /// Commits a derived batch.
    pub(super) async fn commit(&self, commit: Commit) -> Result<Indexed, IndexError> {
        let class = commit.origin.class;
        let work = move |writer: &mut Writer<'_>| commit.write(writer);
        // Beside live changes each batch of history has a transaction of its own, so that they wait for one at most;
        // otherwise it shares one with whatever else there is.
        Ok(match class {
            Class::History if self.is_live() => {
                self.store.write_low_priority(Durability::Durable, work).await?
            }
            _ => self.store.write(Durability::Durable, work).await?,
        })
    }

    /// Returns, by website, the creation time before which an order that was never indexed has no events.
    pub(super) async fn floors(
        &self,
        reach: Reach,
        config: &Arc<Config>,
        at: UtcMillis,
    ) -> Result<BTreeMap<String, UtcMillis>, StoreError> {
        match reach {
            Reach::Everything => Ok(BTreeMap::new()),
            Reach::History => {
                let config = Arc::clone(config);
                let read = move |reader: &Reader<'_>| history::floors(reader, &config, at);
                self.store.read(read).await
            }
        }
    }

    /// Reads the store's rows of these orders; `orders` is what the source has of them.
    pub(super) async fn prior(
        &self,
        ids: Vec<OrderId>,
        orders: &[ReadOrder],
    ) -> Result<HashMap<OrderId, Prior>, StoreError> {
        let mut marks: HashMap<OrderId, _> = orders
            .iter()
            .filter_map(|order| match order {
                ReadOrder::Whole(order) | ReadOrder::Partial { order, .. } => Some((order.id, births(order))),
                ReadOrder::Unreadable { .. } => None,
            })
            .collect();
        let read = move |reader: &Reader<'_>| {
            ids.into_iter()
                .map(|id| {
                    let marks = marks.remove(&id).unwrap_or_default();
                    Ok((id, read_prior(reader, id, marks)?))
                })
                .collect()
        };
        self.store.read(read).await
    }
}

fn read_prior(
    reader: &Reader<'_>,
    id: OrderId,
    marks: Vec<(Document, BirthMark)>,
) -> Result<Prior, StoreError> {
    let feed = reader.feed_row(id)?;
    let first = feed
        .as_ref()
        .map_or_else(BirthMark::default, |(row, _)| row.birth);
    let feed = feed.filter(|(_, deleted)| !deleted);
    let events = reader.events_of(id)?;
    let unrendered = match events.iter().any(|event| event.state == EventState::Parked) {
        true => reader.unrendered_of(id)?,
        false => Vec::new(),
    };
    Ok(Prior {
        feed: feed.map(|(row, _)| row),
        births: marks
            .into_iter()
            .map(|(document, mark)| match document.kind {
                DocumentKind::Order => reader.birth_after(first, document, mark),
                _ => reader.birth(document, mark),
            })
            .collect::<Result<_, _>>()?,
        events,
        unrendered,
        ..Prior::default()
    })
}

/// Returns the configured limits of a batch in the outbox.
pub fn batch_limits(config: &Config) -> BatchLimits {
    let delivery = &config.delivery;
    BatchLimits {
        bytes: delivery.max_batch_bytes.saturating_sub(ENVELOPE),
        events: delivery.max_batch_events,
    }
}

/// Derives on a blocking thread, where computing for a while holds up nothing else.
pub(super) async fn derive_aside(
    orders: Vec<ReadOrder>,
    prior: HashMap<OrderId, Prior>,
    config: Arc<Config>,
    context: DeriveContext,
) -> Result<Vec<Derived>, IndexError> {
    let work = move || derive(orders, &prior, &config, &context);
    // A runtime with one thread has nothing else to hold up, and the simulation needs one step after the other.
    if Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread {
        return Ok(work());
    }
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|cause| IndexError::Derive(cause.to_string()))
}
