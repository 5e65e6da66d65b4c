//! What a backfill would send, without storing or sending anything.

use std::sync::Arc;

use crate::indexer::apply::derive::{DeriveContext, Derived};
use crate::indexer::apply::derive_aside;
use crate::indexer::backfill::options::BackfillOptions;
use crate::indexer::report::{Indexed, Progress};
use crate::indexer::{IndexError, Indexer, event_context};
use crate::store::outbox::EventState;
use crate::store::suppression::Person;
use orderfeed_model::order::OrderId;

impl Indexer {
    /// Looks at the orders of a backfill (or at `only` these) and counts what would be queued; also how much of it was
    /// delivered before.
    ///
    /// # Errors
    /// If source or store fail.
    pub async fn preview(
        &self,
        options: &BackfillOptions,
        only: Option<Vec<OrderId>>,
        stop: impl Fn() -> bool,
        mut progress: impl FnMut(Progress) + Send,
    ) -> Result<(Indexed, u64), IndexError> {
        let filter = options.filter();
        let size = options
            .batch_size
            .unwrap_or(self.config().index.batch_size)
            .max(1) as usize;
        let started = self.clock.now();
        let total = match &only {
            Some(orders) => orders.len() as u64,
            None => self.source.count_orders(&filter).await?,
        };
        let (mut below, mut sum) = (None, Indexed::default());
        let mut rest = only;
        while !stop() {
            let ids: Vec<OrderId> = match &mut rest {
                Some(rest) => rest.drain(..rest.len().min(size)).collect(),
                None => self.source.order_ids(&filter, below, size).await?,
            };
            if ids.is_empty() {
                break;
            }
            below = ids.iter().min().copied();
            sum.add(self.preview_page(ids, options).await?);
            let elapsed_ms = self.clock.now().millis_since(started);
            progress(Progress {
                total,
                done: sum.orders,
                events: sum.events,
                elapsed_ms,
            });
        }
        Ok((sum, sum.resent))
    }

    async fn preview_page(
        &self,
        ids: Vec<OrderId>,
        options: &BackfillOptions,
    ) -> Result<Indexed, IndexError> {
        let config = self.config();
        let now = self.clock.now();
        let look = DeriveContext {
            context: event_context(&config),
            floors: self.floors(options.reach, &config, now).await?,
            full: Arc::default(),
            resend: options.resend,
            now,
        };
        let mut indexed = Indexed {
            orders: ids.len() as u64,
            ..Indexed::default()
        };
        let orders = self.source.read_orders(&ids).await?;
        let prior = self.prior(ids).await?;
        let delivered: std::collections::HashSet<_> = prior
            .values()
            .flat_map(|prior| &prior.events)
            .filter(|event| event.state == EventState::Delivered)
            .map(|event| event.key)
            .collect();
        for derived in derive_aside(orders, prior, config, look).await? {
            match derived {
                Derived::Unchanged { .. } => {}
                Derived::Failed { .. } => indexed.failed += 1,
                Derived::Changed {
                    row, person, events, ..
                } => {
                    indexed.changed += 1;
                    if self.is_suppressed(person).await? {
                        continue;
                    }
                    for event in events {
                        let (kind, document) = (event.kind, event.document);
                        let key = crate::store::outbox::EventKey {
                            order: row.order,
                            kind,
                            document,
                        };
                        indexed.resent += u64::from(delivered.contains(&key));
                        match event.body {
                            Ok(_) => indexed.events += 1,
                            Err(_) => indexed.parked += 1,
                        }
                    }
                }
            }
        }
        Ok(indexed)
    }

    async fn is_suppressed(&self, person: Option<Person>) -> Result<bool, IndexError> {
        let Some(person) = person else {
            return Ok(false);
        };
        Ok(self.store.read(move |r| r.is_suppressed(&person)).await?)
    }
}
