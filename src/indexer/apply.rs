//! One batch of orders, from ids to a commit.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::derive::{Derived, Look, Prior, derive};
use super::pause::next_attempt;
use super::report::Indexed;
use super::{IndexError, Indexer, event_context, force};
use crate::clock::UtcMillis;
use crate::commerce::order::OrderId;
use crate::commerce::source::ReadOrder;
use crate::config::Config;
use crate::store::changelog::VersionId;
use crate::store::feed::IndexFailure;
use crate::store::outbox::{BatchLimits, Class, Entry, OrderEvents};
use crate::store::walk::WalkStep;
use crate::store::{Durability, Reader, StoreError, Writer};

/// Bytes of `{"events":[]}`.
const ENVELOPE: usize = 13;

/// Orders that were read together, and what their commit moves.
pub(super) struct Batch {
    /// What was asked for.
    pub(super) asked: Vec<OrderId>,
    /// What the source answered.
    pub(super) orders: Vec<ReadOrder>,
    /// Feed rows that the walk found to have no order any more.
    pub(super) vanished: Vec<OrderId>,
    /// Live or history.
    pub(super) class: Class,
    /// When the oldest change was noticed.
    pub(super) changed_at: UtcMillis,
    /// How old an order may be that is met for the first time.
    pub(super) floor: Option<UtcMillis>,
    /// Send again what was delivered.
    pub(super) force: bool,
    /// What moves with the commit.
    pub(super) advance: Advance,
}

/// What moves in the transaction of a batch.
#[derive(Clone, Copy, Debug)]
pub(super) enum Advance {
    /// The view is indexed up to here.
    View(VersionId),
    /// The walk has come so far.
    Walk(WalkStep),
    /// Nothing: single orders.
    Nothing,
}

impl Indexer {
    /// Derives and commits a batch (I2).
    pub(super) async fn apply(&self, batch: Batch) -> Result<Indexed, IndexError> {
        let config = self.config();
        let at = self.clock.now();
        let look = Look {
            context: event_context(&config),
            floor: batch.floor,
            force: batch.force,
            now: at,
        };
        let mut prior = self.prior(batch.asked.clone()).await?;
        if batch.force {
            force::add_frozen_bodies(&self.store, &mut prior).await?;
        }
        let Batch {
            asked,
            orders,
            vanished,
            class,
            changed_at,
            advance,
            force,
            ..
        } = batch;
        let limits = batch_limits(&config);
        let derived = derive_aside(orders, prior, config, look).await?;
        let commit = Commit {
            asked,
            vanished,
            derived,
            class,
            changed_at,
            advance,
            force,
            limits,
            at,
        };
        let indexed = self
            .store
            .write(Durability::Durable, move |writer| commit.write(writer))
            .await?;
        Ok(indexed)
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
                prior.insert(
                    id,
                    Prior {
                        feed,
                        events,
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
    look: Look,
) -> Result<Vec<Derived>, IndexError> {
    let work = move || derive(orders, &prior, &config, &look);
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|cause| IndexError::Derive(cause.to_string()))
}

/// Everything that one transaction writes.
struct Commit {
    asked: Vec<OrderId>,
    vanished: Vec<OrderId>,
    derived: Vec<Derived>,
    class: Class,
    changed_at: UtcMillis,
    advance: Advance,
    force: bool,
    limits: BatchLimits,
    at: UtcMillis,
}

impl Commit {
    fn write(self, writer: &mut Writer<'_>) -> Result<Indexed, StoreError> {
        let mut indexed = Indexed {
            orders: self.asked.len() as u64,
            ..Indexed::default()
        };
        let (mut rows, mut fresh, mut again, mut missing) =
            (Vec::new(), Vec::new(), Vec::new(), self.missing());
        let mut failed = Vec::new();
        let mut websites = HashMap::new();
        for derived in self.derived {
            match derived {
                Derived::Unchanged(_) => {}
                Derived::Failed { id, reason } => failed.push((id, reason)),
                Derived::Changed {
                    mut row,
                    website,
                    events,
                    rerendered,
                } => {
                    indexed.changed += 1;
                    warn_rerendered(&row.number, rerendered);
                    row.website = website
                        .map(|code| website_id(writer, &mut websites, code))
                        .transpose()?;
                    if let Some(website) = row.website.filter(|_| !events.is_empty()) {
                        let (order, class, changed_at) = (row.order, self.class, self.changed_at);
                        let entering = OrderEvents {
                            order,
                            website,
                            class,
                            changed_at,
                            events,
                        };
                        if self.force {
                            again.push(entering)
                        } else {
                            fresh.push(entering)
                        }
                    }
                    rows.push(row);
                }
            }
        }
        missing.extend(&self.vanished);
        indexed.deleted = missing.len() as u64;
        indexed.failed = failed.len() as u64;
        writer.upsert_feed(&rows)?;
        writer.mark_deleted(&missing, self.at)?;
        record_failures(writer, &self.asked, failed, self.at)?;
        // A forced resend also takes what is new.
        for (events, entry) in [
            (&again, Entry::Again),
            (&again, Entry::IfNew),
            (&fresh, Entry::IfNew),
        ] {
            let entered = writer.enqueue(events, entry, self.limits, self.at)?;
            indexed.events += entered.events;
            indexed.again += if entry == Entry::Again { entered.events } else { 0 };
            indexed.parked += entered.parked;
        }
        match self.advance {
            Advance::View(version) => writer.advance_view(version, self.at)?,
            Advance::Walk(step) => writer.advance_walk(step, indexed.events, self.at)?,
            Advance::Nothing => {}
        }
        Ok(indexed)
    }

    /// Orders that were asked for and do not exist.
    fn missing(&self) -> Vec<OrderId> {
        let id = |derived: &Derived| match derived {
            Derived::Changed { row, .. } => row.order,
            Derived::Failed { id, .. } | Derived::Unchanged(id) => *id,
        };
        let found: HashSet<OrderId> = self.derived.iter().map(id).collect();
        self.asked
            .iter()
            .copied()
            .filter(|id| !found.contains(id))
            .collect()
    }
}

fn website_id(
    writer: &mut Writer<'_>,
    known: &mut HashMap<String, i64>,
    code: String,
) -> Result<i64, StoreError> {
    if let Some(id) = known.get(&code) {
        return Ok(*id);
    }
    let id = writer.website_id(&code)?;
    known.insert(code, id);
    Ok(id)
}

fn record_failures(
    writer: &mut Writer<'_>,
    asked: &[OrderId],
    failed: Vec<(OrderId, String)>,
    at: UtcMillis,
) -> Result<(), StoreError> {
    let mut earlier = HashMap::new();
    for (order, _) in &failed {
        if let Some(failure) = writer.reader().index_failure(*order)? {
            earlier.insert(*order, failure.attempts);
        }
    }
    writer.clear_index_failures(asked)?;
    for (order, reason) in failed {
        let attempts = earlier.get(&order).map_or(1, |attempts| attempts + 1);
        tracing::warn!(
            order,
            attempts,
            error = %reason,
            "An order could not be indexed; it is tried again by itself while the others go on",
        );
        let failure = IndexFailure {
            order,
            attempts,
            due_at: next_attempt(attempts, at),
            reason,
        };
        writer.record_index_failure(&failure, at)?;
    }
    Ok(())
}

fn warn_rerendered(number: &str, events: u64) {
    if events > 0 {
        tracing::warn!(
            order_number = number,
            events,
            "A forced resend renders events anew because their frozen bytes are past store.body_retention; \
             the _ids stay, the bytes may differ",
        );
    }
}
