//! The rows of a search, page by page along a key, so that new and moved rows shift no page.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::commerce::rest::list::List;
use crate::commerce::rest::map::row::number;
use crate::commerce::rest::request::answer::Failure;
use crate::commerce::rest::request::client::RestClient;
use crate::commerce::rest::request::pace::Lane;
use crate::commerce::rest::request::query::{Direction, Search};

/// A page of rows, each once.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) rows: Vec<Value>,
    /// Number of rows in the answer; more than `rows` if some are there twice.
    pub(crate) received: usize,
    /// Number of all rows that match, which the shop counts by itself.
    pub(crate) total: Option<usize>,
    /// Largest number of rows that the page could have.
    pub(crate) size: usize,
}

impl Page {
    /// Returns true if more rows follow this page, as far as it shows.
    pub(crate) fn is_followed(&self) -> bool {
        self.received >= self.size || self.total.is_some_and(|total| total > self.rows.len())
    }

    /// Reads the body of a list.
    ///
    /// # Errors
    /// `Busy` if it is no list: a repetition decides.
    fn read(json: Value, list: List, size: usize) -> Result<Self, Failure> {
        let no_list = || Failure::Busy {
            reason: format!("the list {} was answered without its rows", list.path()),
            after: None,
        };
        let Value::Object(mut body) = json else {
            return Err(no_list());
        };
        let items = match body.remove("items") {
            Some(Value::Array(items)) => items,
            Some(Value::Object(items)) => items.into_iter().map(|(_, item)| item).collect(),
            // A filter of the fields of rows makes an empty list null. Without both it is some other answer, not an empty list.
            None if !body.contains_key("total_count") => return Err(no_list()),
            _ => Vec::new(),
        };
        let echoed = body
            .get("search_criteria")
            .and_then(|echo| number(echo, "page_size"));
        let echoed = echoed
            .and_then(|size| usize::try_from(size).ok())
            .filter(|size| *size > 0);
        let received = items.len();
        let mut seen = std::collections::HashSet::new();
        // A row without its key belongs to nothing.
        let is_new = |row: &Value| number(row, list.key()).is_some_and(|key| seen.insert(key));
        let mut is_new = is_new;
        let rows = items.into_iter().filter(|row| is_new(row)).collect();
        let total = number(&Value::Object(body), "total_count");
        Ok(Self {
            rows,
            received,
            total: total.and_then(|total| usize::try_from(total).ok()),
            size: echoed.map_or(size, |echoed| echoed.min(size)),
        })
    }
}

impl RestClient {
    /// Returns the first page of a search. A limit of the shop for the size of pages is adopted.
    pub(crate) async fn page(&self, lane: Lane, list: List, search: &Search) -> Result<Page, Failure> {
        let mut search = search.clone();
        loop {
            let most = self.server().most_rows.unwrap_or(usize::MAX);
            search.page_size = search.page_size.min(most);
            let size = search.page_size;
            match self.get(lane, list.path(), &search.query()).await {
                Ok(json) => {
                    let page = Page::read(json, list, size)?;
                    if page.size < size {
                        self.limit_page(page.size);
                    }
                    return Ok(page);
                }
                Err(Failure::PageTooLarge { most }) if most < size => self.limit_page(most),
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Returns every row of a search, by ascending key. `search` has no order of its own.
    pub(crate) async fn all(&self, lane: Lane, list: List, search: &Search) -> Result<Vec<Value>, Failure> {
        let mut found: BTreeMap<i64, Value> = BTreeMap::new();
        // A second pass finds the rows that a shifted page left out.
        for _ in 0..2 {
            let (mut after, mut total) = (None, None);
            loop {
                let mut next = search.clone().sort(list.key(), Direction::Ascending);
                if let Some(after) = after {
                    next = next.filter(list.key(), "gt", i64::to_string(&after));
                }
                let page = self.page(lane, list, &next).await?;
                total = total.or(page.total);
                let is_followed = page.is_followed();
                let keyed = page
                    .rows
                    .into_iter()
                    .filter_map(|row| Some((number(&row, list.key())?, row)));
                let keyed: Vec<_> = keyed.collect();
                let highest = keyed.iter().map(|(key, _)| *key).max();
                found.extend(keyed);
                // A page that repeats what was read ends the pass.
                if !is_followed || highest.is_none() || highest <= after {
                    break;
                }
                after = highest;
            }
            if total.is_none_or(|total| total <= found.len()) {
                break;
            }
        }
        Ok(found.into_values().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_page_has_each_row_once_and_shows_whether_more_follow() {
        let body = json!({"items": [{"entity_id": 1}, {"entity_id": 1}, {"entity_id": "2"}, {"x": 1}],
            "total_count": "2", "search_criteria": {"page_size": 20}});
        let page = Page::read(body, List::Orders, 300).unwrap();
        assert_eq!((page.rows.len(), page.received, page.size), (2, 4, 20));
        assert!(!page.is_followed());
        let short = Page::read(
            json!({"items": [{"entity_id": 1}], "total_count": 9}),
            List::Orders,
            300,
        )
        .unwrap();
        assert!(short.is_followed());
        let none = Page::read(json!({"items": null, "total_count": 0}), List::Orders, 300).unwrap();
        assert!(none.rows.is_empty() && !none.is_followed());
    }

    #[test]
    fn a_body_without_rows_is_a_fault() {
        for body in [json!([]), json!({}), json!({"status": "ok"})] {
            let read = Page::read(body.clone(), List::Orders, 300);
            assert!(matches!(read, Err(Failure::Busy { .. })), "{body}");
        }
    }
}
