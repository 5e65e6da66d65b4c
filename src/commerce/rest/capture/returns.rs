//! Comparison of the open returns: the API has no time of a change of a return, and no list of its history.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;
use tokio::time::Instant;

use crate::commerce::rest::capture::open_returns::{OpenReturn, change};
use crate::commerce::rest::capture::round::CaptureRound;
use crate::commerce::rest::failure::source_error;
use crate::commerce::rest::fields;
use crate::commerce::rest::list::List;
use crate::commerce::rest::locked;
use crate::commerce::rest::map::row::{number, objects, text};
use crate::commerce::rest::request::answer::Failure;
use crate::commerce::rest::request::pace::Lane;
use crate::commerce::rest::request::query::Search;
use crate::commerce::source::{ChangeOp, SourceError};

/// The cursor with the ids of the returns that were open, so that one that is closed while no daemon runs is noticed.
const OPEN: &str = "open_returns";
/// Returns in a page.
const PAGE: usize = 100;
/// Ids in the cursor: the newest ones.
const KEPT: usize = 1_000;

impl CaptureRound<'_> {
    /// Compares the open returns, if that is due.
    pub(super) async fn compare_returns(&mut self) -> Result<(), SourceError> {
        let now = Instant::now();
        let is_due = self.memory.returns.due.is_none_or(|due| due <= now);
        if !is_due || *locked(&self.source.has_returns) == Some(false) {
            return Ok(());
        }
        self.memory.returns.due = Some(now + self.settings().returns_interval.get());
        let filter = "items[entity_id,order_id,status,items[entity_id,status,qty_authorized,qty_returned,qty_approved],\
                      comments[entity_id,status]],total_count,search_criteria";
        let search = Search::new(PAGE, filter).filter("status", "nin", "closed,processed_closed");
        let rows = match self.source.client.all(Lane::Live, List::Returns, &search).await {
            Ok(rows) => rows,
            Err(failure) => return self.failed_comparison(List::Returns, failure),
        };
        let open: HashMap<i64, OpenReturn> = rows.iter().filter_map(open_return).collect();
        let mut ids: Vec<i64> = open.keys().copied().collect();
        let before = self
            .cursors
            .0
            .get(OPEN)
            .map(|text| numbers(text))
            .unwrap_or_default();
        let (changes, closed) = self.memory.returns.compare(open, &before);
        self.changes.extend(changes);
        self.report_closed(&closed).await?;
        ids.sort_unstable_by(|one, other| other.cmp(one));
        ids.truncate(KEPT);
        let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
        self.cursors.0.insert(OPEN.to_owned(), ids.join(","));
        Ok(())
    }

    /// Reports the orders of returns that were closed while no daemon ran.
    async fn report_closed(&mut self, closed: &[i64]) -> Result<(), SourceError> {
        for part in closed.chunks(PAGE) {
            let search = Search::new(PAGE, fields::marks(List::Returns)).any_of("entity_id", part);
            let rows = match self.source.client.all(Lane::Live, List::Returns, &search).await {
                Ok(rows) => rows,
                Err(Failure::TooSlow { .. } | Failure::Poisoned { .. }) => continue,
                Err(failure) => return Err(source_error(failure)),
            };
            let orders = rows.iter().filter_map(|row| number(row, "order_id"));
            self.changes
                .extend(orders.map(|order| change(order, ChangeOp::Recheck)));
        }
        Ok(())
    }
}

fn open_return(row: &Value) -> Option<(i64, OpenReturn)> {
    let mut content = DefaultHasher::new();
    text(row, "status").hash(&mut content);
    for part in ["items", "comments"] {
        for row in objects(row.get(part)) {
            for field in [
                "entity_id",
                "status",
                "qty_authorized",
                "qty_returned",
                "qty_approved",
            ] {
                text(row, field).hash(&mut content);
            }
        }
    }
    let open = OpenReturn {
        order: number(row, "order_id")?,
        content: content.finish(),
    };
    Some((number(row, "entity_id")?, open))
}

fn numbers(text: &str) -> Vec<i64> {
    text.split(',').filter_map(|number| number.parse().ok()).collect()
}
