//! The ids of a range of the history, newest first. A page begins below the last id, never at an offset.

use std::collections::HashMap;

use serde_json::Value;
use tokio::time::Instant;

use crate::commerce::rest::failure::source_error;
use crate::commerce::rest::fields;
use crate::commerce::rest::list::List;
use crate::commerce::rest::map::row::number;
use crate::commerce::rest::request::answer::Failure;
use crate::commerce::rest::request::pace::Lane;
use crate::commerce::rest::request::query::{Direction, Search};
use crate::commerce::rest::request::search::Page;
use crate::commerce::rest::{RestSource, locked};
use crate::commerce::source::{OrderFilter, SourceError};
use orderfeed_model::order::OrderId;

/// Above every id of an order.
const ABOVE: OrderId = 1 << 40;
/// Requests for a page whose answer is not complete.
const REQUESTS: usize = 3;

impl RestSource {
    /// Returns a page of ids, and holds the orders themselves for the reading that follows.
    pub(in crate::commerce::rest) async fn ids(
        &self,
        filter: &OrderFilter,
        below: Option<OrderId>,
        limit: usize,
    ) -> Result<Vec<OrderId>, SourceError> {
        let below = below.unwrap_or(ABOVE);
        loop {
            let size = locked(&self.window).get().min(limit.max(1));
            let Some(search) = self
                .filtered(filter, Search::new(size, fields::whole(List::Orders)))
                .await?
            else {
                return Ok(Vec::new());
            };
            let search = self
                .without_poisoned(search)
                .filter("entity_id", "lt", below.to_string())
                .sort("entity_id", Direction::Descending);
            let (started, begun) = (self.client.now(), Instant::now());
            match self.complete_page(&search).await {
                Ok(page) => {
                    locked(&self.window).answered(size, page.rows.len(), begun.elapsed());
                    let is_last = page.rows.len() < page.size;
                    let keyed = page
                        .rows
                        .into_iter()
                        .filter_map(|row| Some((number(&row, "entity_id")?, row)));
                    let orders: HashMap<OrderId, Value> = keyed.collect();
                    let mut ids: Vec<OrderId> = orders.keys().copied().collect();
                    let lowest = match is_last {
                        // The last page: what is left are those that cannot be read.
                        true => filter.lowest.unwrap_or(OrderId::MIN),
                        false => ids.iter().min().copied().unwrap_or(OrderId::MIN),
                    };
                    self.ahead.hold(orders, started);
                    let poisoned = locked(&self.poisoned).clone();
                    ids.extend(poisoned.range(lowest..below));
                    ids.sort_unstable_by(|one, other| other.cmp(one));
                    return Ok(ids);
                }
                Err(failure) if failure.of_a_part().is_some() => {
                    locked(&self.window).failed(size);
                    if size == 1 {
                        self.find_poisoned(below, failure).await?;
                    }
                }
                Err(failure) => return Err(source_error(failure)),
            }
        }
    }

    /// Requests a page until it has as many rows as the shop counts. A page with fewer would hide orders.
    async fn complete_page(&self, search: &Search) -> Result<Page, Failure> {
        let mut most = 0;
        for _ in 0..REQUESTS {
            let page = self.client.page(Lane::History, List::Orders, search).await?;
            let expected = page.total.unwrap_or_default().min(page.size);
            if page.rows.len() >= expected {
                return Ok(page);
            }
            most = most.max(expected);
        }
        Err(Failure::Busy {
            reason: format!("the shop counts {most} orders in a page and returns fewer"),
            after: None,
        })
    }

    /// Finds the newest order below `below`, which makes every page fail that begins there, and records it.
    async fn find_poisoned(&self, below: OrderId, failure: Failure) -> Result<(), SourceError> {
        // An outage fails for other orders as well.
        self.has_empty_page(below).await?;
        let (mut full, mut empty, mut step) = (None, below, 1);
        while full.is_none() {
            let low = (below - step).max(0);
            match self.is_empty(low, below).await? {
                true if low == 0 => return Err(source_error(failure)),
                true => empty = low,
                false => full = Some(low),
            }
            step *= 2;
        }
        let mut full = full.unwrap_or_default();
        while empty - full > 1 {
            let middle = full + (empty - full) / 2;
            match self.is_empty(middle, below).await? {
                true => empty = middle,
                false => full = middle,
            }
        }
        locked(&self.poisoned).insert(full);
        Ok(())
    }

    /// Checks that the shop answers when no order is concerned.
    async fn has_empty_page(&self, below: OrderId) -> Result<(), SourceError> {
        match self.is_empty(below.max(ABOVE), below.max(ABOVE)).await? {
            true => Ok(()),
            false => Err(SourceError::Unavailable {
                message: "the shop fails for every request of orders".to_owned(),
            }),
        }
    }

    /// Returns true if there is no order from `low` to `below` (exclusive). A failure is one of an order that is there.
    async fn is_empty(&self, low: OrderId, below: OrderId) -> Result<bool, SourceError> {
        let search = self
            .without_poisoned(Search::new(1, fields::marks(List::Orders)))
            .filter("entity_id", "gteq", low.to_string())
            .filter("entity_id", "lt", below.to_string());
        match self.client.page(Lane::History, List::Orders, &search).await {
            Ok(page) => Ok(page.rows.is_empty()),
            Err(failure) if failure.of_a_part().is_some() => Ok(false),
            Err(failure) => Err(source_error(failure)),
        }
    }

    pub(in crate::commerce::rest) async fn range(
        &self,
        filter: &OrderFilter,
    ) -> Result<Option<(OrderId, OrderId)>, SourceError> {
        let mut ends = Vec::new();
        for direction in [Direction::Ascending, Direction::Descending] {
            let Some(search) = self
                .filtered(filter, Search::new(1, fields::marks(List::Orders)))
                .await?
            else {
                return Ok(None);
            };
            let search = self.without_poisoned(search).sort("entity_id", direction);
            let page = self
                .client
                .page(Lane::Live, List::Orders, &search)
                .await
                .map_err(source_error)?;
            ends.extend(page.rows.first().and_then(|row| number(row, "entity_id")));
        }
        Ok(ends.first().copied().zip(ends.last().copied()))
    }

    pub(in crate::commerce::rest) async fn count(&self, filter: &OrderFilter) -> Result<u64, SourceError> {
        let Some(search) = self
            .filtered(filter, Search::new(1, fields::marks(List::Orders)))
            .await?
        else {
            return Ok(0);
        };
        // The oldest one: the newest are the ones that change and fail.
        let search = self
            .without_poisoned(search)
            .sort("entity_id", Direction::Ascending);
        match self.client.page(Lane::History, List::Orders, &search).await {
            Ok(page) => Ok(page.total.unwrap_or(page.rows.len()) as u64),
            // For progress only, and the backfill itself isolates the order that fails.
            Err(failure) if failure.of_a_part().is_some() => Ok(0),
            Err(failure) => Err(source_error(failure)),
        }
    }

    pub(in crate::commerce::rest) async fn find(
        &self,
        number_of_order: &str,
    ) -> Result<Vec<OrderId>, SourceError> {
        let search =
            Search::new(100, fields::marks(List::Orders)).filter("increment_id", "eq", number_of_order);
        let rows = self
            .client
            .all(Lane::Live, List::Orders, &search)
            .await
            .map_err(source_error)?;
        Ok(rows.iter().filter_map(|row| number(row, "entity_id")).collect())
    }

    /// Adds the conditions of a filter; `None` if it matches no order.
    async fn filtered(&self, filter: &OrderFilter, search: Search) -> Result<Option<Search>, SourceError> {
        let mut search = search;
        if let Some(website) = &filter.website {
            let tree = self.lookups.tree_of(&self.client, Lane::Live, []).await?;
            let mut views = tree.views_of(website);
            // A website that was created since.
            if views.is_empty() {
                views = self
                    .lookups
                    .read_tree(&self.client, Lane::Live)
                    .await?
                    .views_of(website);
            }
            if views.is_empty() {
                return Ok(None);
            }
            search = search.any_of("store_id", &views);
        }
        let times = [
            ("created_at", "gteq", filter.created_from),
            ("created_at", "lt", filter.created_before),
            ("updated_at", "gteq", filter.updated_from),
        ];
        for (field, condition, at) in times {
            if let Some(at) = at {
                search = search.filter(field, condition, at.sql());
            }
        }
        if let Some(lowest) = filter.lowest {
            search = search.filter("entity_id", "gteq", lowest.to_string());
        }
        Ok(Some(search))
    }

    /// Leaves out the orders that make every page fail.
    pub(in crate::commerce::rest) fn without_poisoned(&self, search: Search) -> Search {
        let poisoned: Vec<OrderId> = locked(&self.poisoned).iter().copied().collect();
        match poisoned.is_empty() {
            true => search,
            false => search.none_of("entity_id", &poisoned),
        }
    }
}
