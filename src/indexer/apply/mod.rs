//! One batch of orders, from ids to a commit.

pub(crate) mod advance;
pub(crate) mod commit;
pub(crate) mod deleted;
pub(crate) mod derive;
pub(crate) mod feed_hash;
pub(crate) mod resend;
pub(crate) mod routing;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tokio::runtime::{Handle, RuntimeFlavor};

use super::report::Indexed;
use super::{IndexError, Indexer, event_context};
use crate::commerce::source::ReadOrder;
use crate::config::Config;
use crate::first_sync::history;
use crate::indexer::apply::advance::Advance;
use crate::indexer::apply::commit::Commit;
use crate::indexer::apply::derive::{DeriveContext, Derived, Prior, derive};
use crate::indexer::backfill::options::Reach;
use crate::store::outbox::{BatchLimits, Class, EventState};
use crate::store::{Durability, Reader, StoreError, Writer};
use orderfeed_model::clock::UtcMillis;
use orderfeed_model::order::OrderId;

/// Bytes of `{"events":[]}`.
const ENVELOPE: usize = 13;

/// Orders that were read together, and what their commit moves.
pub(super) struct OrderBatch {
    /// What was asked for.
    pub(super) asked: Vec<OrderId>,
    /// What the source answered.
    pub(super) orders: Vec<ReadOrder>,
    /// Feed rows that the backfill found to have no order any more.
    pub(super) vanished: Vec<OrderId>,
    /// Live or history.
    pub(super) class: Class,
    /// When the oldest change was noticed.
    pub(super) changed_at: UtcMillis,
    /// How far back events reach.
    pub(super) reach: Reach,
    /// The website that all orders are of, if they must not be passed over while it is switched off.
    pub(super) only_for: Option<String>,
    /// Send again what was delivered.
    pub(super) resend: bool,
    /// What moves with the commit.
    pub(super) advance: Advance,
}

impl Indexer {
    /// Derives and commits a batch (I2).
    pub(super) async fn apply(&self, batch: OrderBatch) -> Result<Indexed, IndexError> {
        let commit = self.prepare(batch).await?;
        self.commit(commit).await
    }

    /// Derives a batch: all that can be done before its transaction.
    pub(super) async fn prepare(&self, batch: OrderBatch) -> Result<Commit, IndexError> {
        let config = self.config();
        let off = |code: &str| config.sending_website(code).is_none();
        if let Some(website) = batch.only_for.as_ref().filter(|code| off(code)) {
            return Err(IndexError::SwitchedOff(website.clone()));
        }
        let at = self.clock.now();
        let look = DeriveContext {
            context: event_context(&config),
            floors: self.floors(batch.reach, &config, at).await?,
            full: self.intake.full_websites(),
            resend: batch.resend,
            now: at,
        };
        let mut prior = self.prior(batch.asked.clone()).await?;
        if batch.resend {
            resend::add_frozen_bodies(&self.store, &mut prior).await?;
        }
        let OrderBatch {
            asked,
            orders,
            vanished,
            class,
            changed_at,
            advance,
            resend,
            reach,
            ..
        } = batch;
        let limits = batch_limits(&config);
        let derived = derive_aside(orders, prior, config, look).await?;
        Ok(Commit {
            asked,
            vanished,
            derived,
            class,
            changed_at,
            advance,
            resend,
            limited: reach == Reach::History,
            limits,
            at,
        })
    }

    /// Commits what was derived.
    pub(super) async fn commit(&self, commit: Commit) -> Result<Indexed, IndexError> {
        let class = commit.class;
        let work = move |writer: &mut Writer<'_>| commit.write(writer);
        // Beside live changes each batch of history has a transaction of its own, so that they wait for one at most;
        // otherwise it shares one with whatever else there is.
        let indexed = match class {
            Class::History if self.is_live() => {
                self.store.write_low_priority(Durability::Durable, work).await?
            }
            _ => self.store.write(Durability::Durable, work).await?,
        };
        Ok(indexed)
    }

    /// By website, the creation time below which an order that is met for the first time has no events.
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

    pub(super) async fn prior(&self, ids: Vec<OrderId>) -> Result<HashMap<OrderId, Prior>, StoreError> {
        let read = move |reader: &Reader<'_>| {
            let mut prior = HashMap::with_capacity(ids.len());
            for id in ids {
                let feed = reader
                    .feed_row(id)?
                    .filter(|(_, deleted)| !deleted)
                    .map(|(row, _)| row);
                let events = reader.events_of(id)?;
                let unrendered = match events.iter().any(|event| event.state == EventState::Parked) {
                    true => reader.unrendered_of(id)?,
                    false => Vec::new(),
                };
                prior.insert(
                    id,
                    Prior {
                        feed,
                        events,
                        unrendered,
                        ..Prior::default()
                    },
                );
            }
            Ok(prior)
        };
        self.store.read(read).await
    }
}

/// How much travels together, from the configuration.
pub fn batch_limits(config: &Config) -> BatchLimits {
    let delivery = &config.delivery;
    BatchLimits {
        bytes: delivery.max_batch_bytes.saturating_sub(ENVELOPE),
        events: delivery.max_batch_events,
    }
}

/// On a thread where computing for a while disturbs nobody.
pub(super) async fn derive_aside(
    orders: Vec<ReadOrder>,
    prior: HashMap<OrderId, Prior>,
    config: Arc<Config>,
    look: DeriveContext,
) -> Result<Vec<Derived>, IndexError> {
    let work = move || derive(orders, &prior, &config, &look);
    // A runtime of one thread has nobody to disturb but itself, and a simulation wants one step after the other.
    if Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread {
        return Ok(work());
    }
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|cause| IndexError::Derive(cause.to_string()))
}
