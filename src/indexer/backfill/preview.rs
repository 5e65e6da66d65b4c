//! Counts what a backfill would send, without storing or sending anything.

use std::collections::HashSet;
use std::sync::Arc;

use crate::commerce::source::ReadOrder;
use crate::indexer::apply::derive::{DeriveContext, Derived};
use crate::indexer::apply::derive_aside;
use crate::indexer::backfill::options::BackfillOptions;
use crate::indexer::reading::Lane;
use crate::indexer::report::{Indexed, Progress};
use crate::indexer::{IndexError, Indexer, event_context};
use crate::store::outbox::EventState;
use crate::store::suppression::Person;
use orderfeed_model::order::OrderId;

impl Indexer {
    /// Derives the orders of a backfill, or those with these `ids`, and counts the events that it would queue.
    pub async fn preview(
        &self,
        options: &BackfillOptions,
        mut ids: Option<Vec<OrderId>>,
        stop: impl Fn() -> bool,
        mut progress: impl FnMut(Progress) + Send,
    ) -> Result<Indexed, IndexError> {
        let filter = options.filter();
        let size = self.batch_size(options) as usize;
        let started = self.clock.now();
        let total = match &ids {
            Some(ids) => ids.len() as u64,
            None => self.source.count_orders(&filter).await?,
        };
        let (mut below, mut sum) = (None, Indexed::default());
        while !stop() {
            let page: Vec<OrderId> = match &mut ids {
                Some(rest) => rest.drain(..rest.len().min(size)).collect(),
                None => self.source.order_ids(&filter, below, size).await?,
            };
            if page.is_empty() {
                break;
            }
            below = page.iter().min().copied();
            let mut left = page.as_slice();
            while !left.is_empty() {
                let (page, orders, rest) = self.read_page(left, Lane::Live).await?;
                sum.add(self.preview_page(page.to_vec(), orders, options).await?);
                left = rest;
            }
            let elapsed_ms = self.clock.now().millis_since(started);
            progress(Progress {
                total,
                done: sum.orders,
                events: sum.events,
                elapsed_ms,
            });
        }
        Ok(sum)
    }

    async fn preview_page(
        &self,
        ids: Vec<OrderId>,
        orders: Vec<ReadOrder>,
        options: &BackfillOptions,
    ) -> Result<Indexed, IndexError> {
        let (config, now) = (self.config(), self.clock.now());
        let context = DeriveContext {
            events: event_context(&config),
            floors: self.floors(options.reach, &config, now).await?,
            // A preview counts the whole range, even while the outbox is full.
            full_websites: Arc::default(),
            resend: options.resend,
            now,
        };
        let mut indexed = Indexed {
            orders: ids.len() as u64,
            ..Indexed::default()
        };
        let prior = self.prior(ids, &orders).await?;
        let delivered: HashSet<_> = prior
            .values()
            .flat_map(|prior| &prior.events)
            .filter(|event| event.state == EventState::Delivered)
            .map(|event| event.key)
            .collect();
        for derived in derive_aside(orders, prior, config, context).await? {
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
                        indexed.resent += u64::from(delivered.contains(&event.key(row.order)));
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
