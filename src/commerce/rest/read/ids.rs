//! The ids of a range of the history, newest first. A page begins below the last id, never at an offset.

use std::collections::HashMap;
use std::ops::Range;

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
pub(in crate::commerce::rest) const ABOVE: OrderId = 1 << 40;
/// Requests for a page whose answer is not complete.
const REQUESTS: usize = 3;
/// Bad orders that one request leaves out. More would make its address too long.
pub(in crate::commerce::rest) const LEFT_OUT: usize = 50;

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
                .without_poisoned(search, 0..below, Direction::Descending)
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
                    ids.extend(locked(&self.poisoned).range(lowest.min(below)..below));
                    ids.sort_unstable_by(|one, other| other.cmp(one));
                    return Ok(ids);
                }
                Err(failure) if failure.of_a_part().is_some() => {
                    locked(&self.window).failed(size);
                    if size == 1 {
                        // It begins the page, so all above it are bad orders that are known.
                        let bad = self
                            .find_poisoned(filter, 0..below, Direction::Descending, failure)
                            .await?;
                        let poisoned = locked(&self.poisoned);
                        return Ok(poisoned.range(bad..below).rev().copied().collect());
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

    /// Finds the order that makes a page fail which begins with it, the first of a filter in a span of ids, and records it.
    /// `failure` is that of the page.
    pub(in crate::commerce::rest) async fn find_poisoned(
        &self,
        filter: &OrderFilter,
        span: Range<OrderId>,
        from: Direction,
        failure: Failure,
    ) -> Result<OrderId, SourceError> {
        // An outage fails for requests without orders as well.
        if !self.is_empty(filter, ABOVE..ABOVE, from).await? {
            return Err(SourceError::Unavailable {
                message: "the shop fails for every request of orders".to_owned(),
            });
        }
        let part = |length: OrderId| match from {
            Direction::Ascending => span.start..span.end.min(span.start + length),
            Direction::Descending => span.start.max(span.end - length)..span.end,
        };
        let (mut empty, mut full) = (0, 1);
        while self.is_empty(filter, part(full), from).await? {
            if full >= span.end - span.start {
                return Err(source_error(failure));
            }
            (empty, full) = (full, full * 2);
        }
        while full - empty > 1 {
            let middle = empty + (full - empty) / 2;
            match self.is_empty(filter, part(middle), from).await? {
                true => empty = middle,
                false => full = middle,
            }
        }
        let bad = match from {
            Direction::Ascending => span.start + full - 1,
            Direction::Descending => span.end - full,
        };
        locked(&self.poisoned).insert(bad);
        Ok(bad)
    }

    /// Returns true if a span of ids holds no order of a filter but those that are known to be bad. A failure is one of an order
    /// that is there.
    async fn is_empty(
        &self,
        filter: &OrderFilter,
        span: Range<OrderId>,
        from: Direction,
    ) -> Result<bool, SourceError> {
        let search = Search::new(1, fields::marks(List::Orders));
        let Some(search) = self.filtered(filter, search).await? else {
            return Ok(true);
        };
        let search = self
            .without_poisoned(search, span.clone(), from)
            .filter("entity_id", "gteq", span.start.to_string())
            .filter("entity_id", "lt", span.end.to_string());
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
        for from in [Direction::Ascending, Direction::Descending] {
            let search = Search::new(1, fields::marks(List::Orders)).sort("entity_id", from);
            let Some(search) = self.filtered(filter, search).await? else {
                return Ok(None);
            };
            let search = self.without_poisoned(search, 0..ABOVE, from);
            match self.client.page(Lane::Live, List::Orders, &search).await {
                Ok(page) => ends.extend(page.rows.first().and_then(|row| number(row, "entity_id"))),
                // A bad order is an end of the range as well.
                Err(failure) if failure.of_a_part().is_some() => {
                    ends.push(self.find_poisoned(filter, 0..ABOVE, from, failure).await?);
                }
                Err(failure) => return Err(source_error(failure)),
            }
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
            .without_poisoned(search, 0..ABOVE, Direction::Ascending)
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

    /// Leaves out orders of a span that make every page fail: the first ones in this direction.
    pub(in crate::commerce::rest) fn without_poisoned(
        &self,
        search: Search,
        span: Range<OrderId>,
        from: Direction,
    ) -> Search {
        let poisoned = locked(&self.poisoned);
        let in_span = poisoned.range(span).copied();
        let ids: Vec<OrderId> = match from {
            Direction::Ascending => in_span.take(LEFT_OUT).collect(),
            Direction::Descending => in_span.rev().take(LEFT_OUT).collect(),
        };
        search.none_of("entity_id", &ids)
    }
}
