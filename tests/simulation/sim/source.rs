//! The shop as a source: it answers with latency, is sometimes unreachable, and removes acknowledged changes from its
//! log for good.
//!
//! In a third of the seeds it is an API instead of a database. It is slower, and has no snapshots: an order is read before
//! its documents, a page of ids is collected from several answers while the shop changes, and changes that were reported
//! before are reported again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use orderfeed::commerce::source::{
    Captured, Change, ChangeOp, Cursors, OrderFilter, ReadOrder, Source, SourceError, SourceFuture,
    SourceInfo,
};
use orderfeed_model::order::OrderId;

use super::shop::ShopOrder;
use super::world::World;

const CURSOR: &str = "log";
/// Longest answer of an API, in milliseconds.
const LONGEST_ANSWER: u64 = 300;

#[derive(Debug)]
pub struct ShopSource(pub Arc<World>);

impl ShopSource {
    /// Waits for the database, which may be unreachable.
    async fn pass(&self, what: &str) -> Result<(), SourceError> {
        let (pause, down, slow) = self.0.with(|state| {
            let down = state.source_down || (!state.calm && state.rng.u8(..50) == 0);
            let longest = if state.has_api { LONGEST_ANSWER } else { 8 };
            let slow = state.has_api && !state.calm && state.rng.u8(..60) == 0;
            (state.rng.u64(0..longest), down, slow)
        });
        tokio::time::sleep(Duration::from_millis(pause)).await;
        if down {
            self.0.note(|| format!("source is down for {what}"));
            let message = "the database went away".to_owned();
            return Err(SourceError::Unavailable { message });
        }
        if slow {
            self.0.note(|| format!("source is too slow for {what}"));
            let message = "the shop took too long".to_owned();
            return Err(SourceError::TooSlow { message });
        }
        Ok(())
    }

    /// Returns the existing orders among these ids.
    fn found(&self, ids: &[OrderId]) -> Vec<ShopOrder> {
        self.0.with(|state| {
            let found = ids.iter().filter_map(|id| state.shop.orders.get(id));
            found.filter(|order| !order.deleted).cloned().collect()
        })
    }

    /// Reads orders, and their documents later. Orders that changed meanwhile are read again, a few times.
    async fn read_apart(&self, ids: &[OrderId]) -> Result<Vec<ReadOrder>, SourceError> {
        let mut orders = self.found(ids);
        for left in (0..4).rev() {
            self.pass("the documents of orders").await?;
            let documents = self.found(ids);
            if left > 0 && !is_same(&orders, &documents) {
                orders = documents;
                continue;
            }
            let with_documents = |order: &ShopOrder| {
                let newer = documents.iter().find(|newer| newer.id == order.id);
                read(order, newer.unwrap_or(order))
            };
            return Ok(orders.iter().map(with_documents).collect());
        }
        Ok(Vec::new())
    }

    /// Collects a page of ids from several answers. Orders that are committed between them are missing.
    async fn collect(
        &self,
        filter: &OrderFilter,
        below: Option<OrderId>,
        limit: usize,
    ) -> Result<Vec<OrderId>, SourceError> {
        let mut ids = Vec::new();
        while ids.len() < limit {
            self.pass("a window of ids").await?;
            let some = self.0.with(|state| state.rng.usize(1..20)).min(limit - ids.len());
            let next = self.matching(filter, ids.last().copied().or(below), some);
            if next.is_empty() {
                break;
            }
            ids.extend(next);
        }
        Ok(ids)
    }

    fn matching(&self, filter: &OrderFilter, below: Option<OrderId>, limit: usize) -> Vec<OrderId> {
        let matches = |order: &&ShopOrder| {
            let created = order.created_at();
            !order.deleted
                && filter.created_from.is_none_or(|from| created >= from)
                && filter.created_before.is_none_or(|before| created < before)
                && filter.updated_from.is_none_or(|from| order.updated_at() >= from)
                && filter.lowest.is_none_or(|lowest| order.id >= lowest)
                && filter
                    .website
                    .as_deref()
                    .is_none_or(|code| order.website == Some(code))
        };
        self.0.with(|state| {
            let below = state.shop.orders.range(..below.unwrap_or(OrderId::MAX));
            let found = below.rev().map(|(_, order)| order).filter(matches);
            found.map(|order| order.id).take(limit).collect()
        })
    }
}

impl Source for ShopSource {
    fn describe(&self) -> SourceFuture<'_, SourceInfo> {
        Box::pin(async move {
            self.pass("describe").await?;
            Ok(SourceInfo {
                product: "a made-up shop".to_owned(),
                fingerprint: "the-shop".to_owned(),
                database_time: self.0.now(),
                notes: Vec::new(),
            })
        })
    }

    fn initial_cursors(&self) -> SourceFuture<'_, Cursors> {
        Box::pin(async move {
            self.pass("a first position").await?;
            Ok(cursor(self.0.with(|state| state.shop.commits)))
        })
    }

    fn changes<'a>(&'a self, cursors: &'a Cursors, limit: usize) -> SourceFuture<'a, Captured> {
        Box::pin(async move {
            self.pass("changes").await?;
            let after = position(cursors)?;
            Ok(self.0.with(|state| {
                let limit = limit.min(state.rng.usize(1..40));
                let newer = || state.shop.log.range(after + 1..);
                let mut taken: Vec<_> = newer().take(limit).map(|(at, order)| (*at, *order)).collect();
                let upto = taken.last().map_or(after, |(at, _)| *at);
                if state.has_api && !state.calm && state.rng.u8(..4) == 0 {
                    let again = state.shop.log.range(after.saturating_sub(5)..=after);
                    taken.extend(again.map(|(at, order)| (*at, *order)));
                }
                let change = |(_, order)| Change {
                    order,
                    table: "sales_order",
                    op: ChangeOp::Upsert,
                };
                Captured {
                    more: newer().count() > limit,
                    changes: taken.into_iter().map(change).collect(),
                    cursors: cursor(upto),
                    late: Vec::new(),
                }
            }))
        })
    }

    fn acknowledge<'a>(&'a self, cursors: &'a Cursors) -> SourceFuture<'a, ()> {
        Box::pin(async move {
            self.pass("an acknowledgement").await?;
            let upto = position(cursors)?;
            self.0.with(|state| {
                // An API keeps its rows.
                if !state.has_api {
                    state.shop.log = state.shop.log.split_off(&(upto + 1));
                }
            });
            Ok(())
        })
    }

    fn read_orders<'a>(&'a self, ids: &'a [OrderId]) -> SourceFuture<'a, Vec<ReadOrder>> {
        Box::pin(async move {
            self.pass("orders").await?;
            if self.0.with(|state| state.has_api) {
                return self.read_apart(ids).await;
            }
            let orders = self.found(ids);
            let orders = orders.iter().map(|order| read(order, order)).collect();
            // The rows may be outdated when they arrive.
            self.pass("the orders' way back").await?;
            Ok(orders)
        })
    }

    fn order_ids<'a>(
        &'a self,
        filter: &'a OrderFilter,
        below: Option<OrderId>,
        limit: usize,
    ) -> SourceFuture<'a, Vec<OrderId>> {
        Box::pin(async move {
            if self.0.with(|state| state.has_api) {
                return self.collect(filter, below, limit).await;
            }
            self.pass("a page").await?;
            Ok(self.matching(filter, below, limit))
        })
    }

    fn id_range<'a>(&'a self, filter: &'a OrderFilter) -> SourceFuture<'a, Option<(OrderId, OrderId)>> {
        Box::pin(async move {
            self.pass("the range of ids").await?;
            let ids = self.matching(filter, None, usize::MAX);
            Ok(ids.last().copied().zip(ids.first().copied()))
        })
    }

    fn count_orders<'a>(&'a self, filter: &'a OrderFilter) -> SourceFuture<'a, u64> {
        Box::pin(async move {
            self.pass("a count").await?;
            Ok(self.matching(filter, None, usize::MAX).len() as u64)
        })
    }

    fn find_by_number<'a>(&'a self, number: &'a str) -> SourceFuture<'a, Vec<OrderId>> {
        Box::pin(async move {
            self.pass("a number").await?;
            Ok(self.0.with(|state| {
                let found = state.shop.orders.values();
                let found = found.filter(|order| !order.deleted && order.number() == number);
                found.map(|order| order.id).collect()
            }))
        })
    }
}

/// Reads an order, with the documents of its newer state.
fn read(order: &ShopOrder, newer: &ShopOrder) -> ReadOrder {
    match order.broken {
        true => ReadOrder::Unreadable {
            id: order.id,
            reason: "sales_order.base_grand_total is no number".to_owned(),
        },
        false => ReadOrder::Whole(Box::new(order.read_with_documents_of(newer))),
    }
}

/// Returns true if no order changed.
fn is_same(orders: &[ShopOrder], newer: &[ShopOrder]) -> bool {
    let state = |order: &ShopOrder| (order.id, order.updated_at(), order.facts.len());
    orders.iter().map(state).eq(newer.iter().map(state))
}

fn cursor(at: u64) -> Cursors {
    Cursors(BTreeMap::from([(CURSOR.to_owned(), at.to_string())]))
}

fn position(cursors: &Cursors) -> Result<u64, SourceError> {
    let value = cursors.0.get(CURSOR).cloned().unwrap_or_default();
    value.parse().map_err(|_| SourceError::BadCursor {
        name: CURSOR.to_owned(),
        value,
    })
}
