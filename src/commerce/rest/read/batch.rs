//! Whole orders by id: six requests for any number of them, and a search for the one that makes a page fail.

use std::collections::{BTreeMap, HashMap, HashSet};

use futures_util::future::try_join_all;
use serde_json::Value;

use crate::commerce::read::assemble::{Assembly, MAX_BYTES};
use crate::commerce::rest::failure::source_error;
use crate::commerce::rest::fields;
use crate::commerce::rest::list::List;
use crate::commerce::rest::map::row::number;
use crate::commerce::rest::map::{ItemNames, add_document, add_order, has_options};
use crate::commerce::rest::read::consistency::may_have_moved;
use crate::commerce::rest::read::missing::{Single, check_number};
use crate::commerce::rest::request::answer::Failure;
use crate::commerce::rest::request::pace::Lane;
use crate::commerce::rest::request::query::{Query, Search};
use crate::commerce::rest::{RestSource, locked};
use crate::commerce::source::{ReadOrder, SourceError};
use orderfeed_model::clock::UtcMillis;
use orderfeed_model::order::OrderId;

/// Ids in one address, which must stay below 4 KB.
const IDS: usize = 100;
/// Ids are a range if it has at most this many times their number.
const SPARSE: i64 = 4;
/// Largest page that is requested. Shops that limit pages allow this many.
const PAGE: usize = 300;
/// Readings of an order that changes meanwhile.
const READINGS: usize = 3;

/// Orders and their documents as they were read.
#[derive(Debug, Default)]
struct Bodies {
    orders: BTreeMap<OrderId, Value>,
    documents: HashMap<OrderId, Vec<(List, Value)>>,
    /// The shop's time at which the reading of each order began.
    started: HashMap<OrderId, UtcMillis>,
}

/// The state of one call.
struct Batch<'a> {
    source: &'a RestSource,
    lane: Lane,
    assembly: Assembly,
    unreadable: Vec<(OrderId, String)>,
    has_read: bool,
}

impl RestSource {
    /// Reads orders whole.
    pub(in crate::commerce::rest) async fn read(
        &self,
        ids: &[OrderId],
        lane: Lane,
    ) -> Result<Vec<ReadOrder>, SourceError> {
        let mut batch = Batch {
            source: self,
            lane,
            assembly: Assembly::new(ids, MAX_BYTES),
            unreadable: Vec::new(),
            has_read: false,
        };
        let mut asked = ids.to_vec();
        asked.sort_unstable();
        asked.dedup();
        // Those that failed before are read alone, so that they do not hold up the others again.
        let known = locked(&self.poisoned).clone();
        let (alone, together): (Vec<_>, Vec<_>) = asked.into_iter().partition(|id| known.contains(id));
        // In windows of the size that the shop answers in time, and with addresses that are short enough.
        let mut left = Vec::new();
        let mut rest = together.as_slice();
        while !rest.is_empty() {
            let most = locked(&self.window)
                .get()
                .min(if is_range(rest) { PAGE } else { IDS });
            let (part, after) = rest.split_at(most.min(rest.len()));
            left.push(part.to_vec());
            rest = after;
        }
        left.extend(alone.into_iter().map(|id| vec![id]));
        left.reverse();
        while let Some(part) = left.pop() {
            if batch.assembly.is_full() {
                break;
            }
            batch.read_part(part, &mut left).await?;
        }
        batch.finish()
    }

    /// Requests these orders. Those that are not in the list are requested one by one.
    async fn orders(
        &self,
        lane: Lane,
        ids: &[OrderId],
        bodies: &mut Bodies,
    ) -> Result<Vec<OrderId>, Failure> {
        let started = self.client.now();
        let search = by_ids(Search::new(PAGE, fields::whole(List::Orders)), List::Orders, ids);
        let begun = tokio::time::Instant::now();
        let rows = self.client.all(lane, List::Orders, &search).await?;
        locked(&self.window).answered(ids.len(), rows.len(), begun.elapsed());
        bodies.add_orders(ids, rows, started);
        Ok(ids
            .iter()
            .copied()
            .filter(|id| !bodies.orders.contains_key(id))
            .collect())
    }

    /// Requests the documents of these orders: one request for each list.
    async fn documents(&self, lane: Lane, ids: &[OrderId], bodies: &mut Bodies) -> Result<(), Failure> {
        let has_returns = *locked(&self.has_returns);
        let lists = List::DOCUMENTS
            .into_iter()
            .filter(|list| *list != List::Returns || has_returns != Some(false));
        let requests = lists.map(|list| async move {
            let search = by_ids(Search::new(PAGE, fields::whole(list)), list, ids);
            match self.client.all(lane, list, &search).await {
                // The edition has no returns.
                Err(Failure::NoRoute { .. }) if list == List::Returns => {
                    *locked(&self.has_returns) = Some(false);
                    Ok((list, Vec::new()))
                }
                // Some versions never answer for an order with a certain transaction.
                Err(failure)
                    if list == List::Transactions && ids.len() == 1 && failure.of_a_part().is_some() =>
                {
                    log_without_transactions(ids, &failure);
                    Ok((list, Vec::new()))
                }
                rows => rows.map(|rows| (list, rows)),
            }
        });
        for (list, rows) in try_join_all(requests).await? {
            for row in rows {
                let row = match list {
                    List::Returns => self.whole_return(lane, row).await?,
                    _ => Some(row),
                };
                let order = row.as_ref().and_then(|row| number(row, list.order_key()));
                // A range may hold documents of other orders.
                if let (Some(order), Some(row)) = (order.filter(|order| ids.contains(order)), row) {
                    bodies.documents.entry(order).or_default().push((list, row));
                }
            }
        }
        Ok(())
    }

    /// Returns a return with its items, which some versions leave out of the list; `None` if they cannot be read at all:
    /// without them the return is not known, and it is not sent.
    async fn whole_return(&self, lane: Lane, row: Value) -> Result<Option<Value>, Failure> {
        let has_items = |row: &Value| row.get("items").is_some_and(|items| !items.is_null());
        let Some(id) = number(&row, "entity_id").filter(|_| !has_items(&row)) else {
            return Ok(Some(row));
        };
        let query = Query::of_fields(&fields::single_return());
        match self.client.get(lane, &format!("returns/{id}"), &query).await {
            Ok(single) if has_items(&single) => Ok(Some(single)),
            Ok(_) | Err(Failure::NoEntity) => {
                tracing::warn!(
                    log_code = "OF03-13",
                    id,
                    "The shop answers for a return without its items; it is not sent",
                );
                Ok(None)
            }
            Err(failure) => Err(failure),
        }
    }

    /// Returns true if the shop answers for another order, so that a failure is that of one order alone.
    async fn answers(&self, lane: Lane, except: OrderId) -> Result<(), SourceError> {
        let search =
            Search::new(1, "items[entity_id],total_count").filter("entity_id", "neq", except.to_string());
        let page = self.client.page(lane, List::Orders, &search).await;
        page.map(drop).map_err(source_error)
    }
}

fn log_without_transactions(ids: &[OrderId], failure: &Failure) {
    tracing::warn!(
        log_code = "OF03-12",
        order = ids.first(),
        error = failure.of_a_part(),
        "The transactions of an order cannot be read; it is indexed without them",
    );
}

impl Batch<'_> {
    /// Reads orders together. If that fails, puts two halves before the others.
    async fn read_part(
        &mut self,
        ids: Vec<OrderId>,
        left: &mut Vec<Vec<OrderId>>,
    ) -> Result<(), SourceError> {
        let failure = match self.try_part(&ids).await {
            Ok(()) => {
                self.has_read = true;
                return Ok(());
            }
            Err(failure) => failure,
        };
        let Some(reason) = failure.of_a_part().map(str::to_owned) else {
            return Err(source_error(failure));
        };
        locked(&self.source.window).failed(ids.len());
        if let [id] = ids[..] {
            // An outage of the shop fails for every order: then none of them is at fault.
            if !self.has_read {
                self.source.answers(self.lane, id).await?;
            }
            locked(&self.source.poisoned).insert(id);
            self.unreadable.push((id, reason));
            return Ok(());
        }
        let (low, high) = ids.split_at(ids.len() / 2);
        left.push(high.to_vec());
        left.push(low.to_vec());
        Ok(())
    }

    async fn try_part(&mut self, ids: &[OrderId]) -> Result<(), Failure> {
        // A part that failed is read again in halves.
        self.unreadable.retain(|(id, _)| !ids.contains(id));
        let mut bodies = Bodies::default();
        if self.lane == Lane::History
            && let Some((started, orders)) = self.source.ahead.take(ids)
        {
            bodies.add_orders(ids, orders, started);
        }
        let unread: Vec<_> = ids
            .iter()
            .copied()
            .filter(|id| !bodies.orders.contains_key(id))
            .collect();
        let mut missing = Vec::new();
        if !unread.is_empty() {
            missing = self.source.orders(self.lane, &unread, &mut bodies).await?;
        }
        self.read_missing(&missing, ids.len(), &mut bodies).await?;
        self.source.documents(self.lane, ids, &mut bodies).await?;
        for _ in 1..READINGS {
            let moved = bodies.take_moved();
            if moved.is_empty() {
                break;
            }
            self.source.orders(self.lane, &moved, &mut bodies).await?;
            self.source.documents(self.lane, &moved, &mut bodies).await?;
        }
        if let [id] = ids[..] {
            locked(&self.source.poisoned).remove(&id);
        }
        self.assemble(bodies).await
    }

    /// Requests the orders that the list left out.
    async fn read_missing(
        &mut self,
        missing: &[OrderId],
        of: usize,
        bodies: &mut Bodies,
    ) -> Result<(), Failure> {
        let refused = |error: SourceError| match error {
            SourceError::Misconfigured { message, remedy } => Failure::Refused { message, remedy },
            error => Failure::Busy {
                reason: error.to_string(),
                after: None,
            },
        };
        check_number(missing.len(), of).map_err(refused)?;
        for &id in missing {
            let started = self.source.client.now();
            match self.source.single(self.lane, id).await.map_err(refused)? {
                Single::Found(order) => bodies.add_orders(&[id], vec![*order], started),
                Single::Deleted => {}
                Single::Suspected => {
                    let reason = "the shop does not have the order; it counts as deleted when a later request confirms it";
                    self.unreadable.push((id, reason.to_owned()));
                }
                Single::Unreadable(reason) => self.unreadable.push((id, reason)),
            }
        }
        Ok(())
    }

    async fn assemble(&mut self, bodies: Bodies) -> Result<(), Failure> {
        let refused = |error: SourceError| Failure::Busy {
            reason: error.to_string(),
            after: None,
        };
        let (source, lane) = (self.source, self.lane);
        let stores: HashSet<i64> = bodies
            .orders
            .values()
            .filter_map(|order| number(order, "store_id"))
            .collect();
        let tree = source
            .lookups
            .tree_of(&source.client, lane, stores)
            .await
            .map_err(refused)?;
        tree.add_to(&mut self.assembly);
        let mut documents = bodies.documents.values().flatten();
        let has_options = documents.any(|(list, document)| *list == List::Returns && has_options(document));
        let labels = match has_options {
            true => source
                .lookups
                .labels(&source.client, lane)
                .await
                .map_err(refused)?,
            false => Default::default(),
        };
        let Bodies {
            orders,
            mut documents,
            ..
        } = bodies;
        for (id, order) in orders {
            let mut names = ItemNames::default();
            names.add(&order);
            add_order(&mut self.assembly, &order);
            for (list, document) in documents.remove(&id).unwrap_or_default() {
                add_document(&mut self.assembly, list, &document, &names, &labels);
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Vec<ReadOrder>, SourceError> {
        let unreadable = self
            .unreadable
            .into_iter()
            .map(|(id, reason)| ReadOrder::Unreadable {
                id,
                reason: format!("the REST API: {reason}"),
            });
        let mut read = self.assembly.finish()?;
        read.extend(unreadable);
        Ok(read)
    }
}

impl Bodies {
    /// Adds the orders that were asked for; a list may hold others.
    fn add_orders(&mut self, asked: &[OrderId], rows: Vec<Value>, started: UtcMillis) {
        for row in rows {
            if let Some(id) = number(&row, "entity_id").filter(|id| asked.contains(id)) {
                self.orders.insert(id, row);
                self.started.insert(id, started);
            }
        }
    }

    /// Removes the orders that may have changed while they were read, and returns their ids.
    fn take_moved(&mut self) -> Vec<OrderId> {
        let documents = |id: &OrderId| self.documents.get(id).map(Vec::as_slice).unwrap_or_default();
        let started = |id: &OrderId| self.started.get(id).copied().unwrap_or_default();
        let moved: Vec<OrderId> = self
            .orders
            .iter()
            .filter(|(id, order)| may_have_moved(order, documents(id), started(id)))
            .map(|(id, _)| *id)
            .collect();
        for id in &moved {
            self.documents.remove(id);
        }
        moved
    }
}

/// Returns true if ascending ids are dense enough to be requested as a range.
fn is_range(ids: &[OrderId]) -> bool {
    let count = i64::try_from(ids.len()).unwrap_or(i64::MAX);
    match (ids.first(), ids.last()) {
        (Some(first), Some(last)) => count > 1 && last - first < count.saturating_mul(SPARSE),
        _ => false,
    }
}

/// Adds the condition that a row belongs to one of these orders, in ascending order.
fn by_ids(search: Search, list: List, ids: &[OrderId]) -> Search {
    let key = list.order_key();
    match (ids.first(), ids.last()) {
        (Some(first), Some(last)) if is_range(ids) => {
            search
                .filter(key, "gteq", first.to_string())
                .filter(key, "lteq", last.to_string())
        }
        _ => search.any_of(key, ids),
    }
}
