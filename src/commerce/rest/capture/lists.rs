//! The rows of a list after a mark, in the order of marks.

use serde_json::Value;

use crate::commerce::changes::window::{Mark, Pass, RowRange, SeenRow, WINDOW_ROWS};
use crate::commerce::read::cells::{MICROS, moment_micros};
use crate::commerce::rest::RestSource;
use crate::commerce::rest::fields;
use crate::commerce::rest::list::List;
use crate::commerce::rest::map::row::{number, text};
use crate::commerce::rest::request::answer::Failure;
use crate::commerce::rest::request::pace::Lane;
use crate::commerce::rest::request::query::{Direction, Search};
use crate::commerce::source::ChangeOp;
use orderfeed_model::clock::UtcMillis;

/// Rows in a page. The shop loads each row whole, so this is no large page.
const PAGE: usize = 100;
/// Rows of a window that are compared at once. With more, late commits are found when they leave the window.
const MOST: usize = 2_000;
/// Above every id of a row.
const ABOVE: i64 = 1 << 33;

/// The rows of a range.
#[derive(Debug, Default)]
pub(super) struct ListRows {
    pub(super) rows: Vec<SeenRow>,
    /// Number of rows that were returned, readable or not; that of the range if there may be more.
    pub(super) returned: usize,
    /// Ids of rows that make every page fail. A row of the orders is reported with its own id.
    pub(super) unreadable: Vec<i64>,
}

impl ListRows {
    /// Adds the rows of a page that follow `after`, and returns the mark of the last one.
    fn add(&mut self, list: List, page: &[Value], after: Mark, pass: Pass) -> Option<Mark> {
        let mut rows: Vec<SeenRow> = page.iter().filter_map(|row| seen(list, row)).collect();
        // Rows that cannot be understood count, so that the window notices them.
        self.returned += page.len() - rows.len();
        rows.retain(|row| row.mark > after && is_within(row.mark, pass));
        // An older version ignores the order that was asked for.
        rows.sort_unstable_by_key(|row| row.mark);
        self.returned += rows.len();
        let newest = rows.last().map(|row| row.mark);
        self.rows.append(&mut rows);
        newest
    }
}

/// Returns true if a list is read by `updated_at`, false if by its key.
pub(super) fn is_timed(list: List) -> bool {
    !matches!(list, List::Transactions | List::Returns)
}

impl RestSource {
    /// Reads the rows of a range. `left_out` are rows that are known to make every page fail, and `now` is the shop's time.
    pub(super) async fn list_rows(
        &self,
        list: List,
        range: RowRange,
        left_out: &[i64],
        now: UtcMillis,
    ) -> Result<ListRows, Failure> {
        let limit = range.limit.min(MOST);
        let mut found = ListRows::default();
        let mut after = range.after;
        loop {
            let size = PAGE.min(limit.saturating_sub(found.rows.len()).max(2));
            let search = selection(list, after, range.pass, now, size, left_out);
            let (is_followed, page) = match self.client.page(Lane::Live, list, &search).await {
                Ok(page) => (page.is_followed(), page.rows),
                Err(failure) if failure.of_a_part().is_some() => {
                    let (rows, unreadable) = self.bisect(list, &search, failure).await?;
                    found.unreadable.extend(unreadable);
                    (false, rows)
                }
                Err(failure) => return Err(failure),
            };
            let newest = found.add(list, &page, after, range.pass);
            match newest {
                _ if !is_followed => return Ok(found),
                Some(newest) => after = newest,
                // Every row was read before: the rest of a second that has more rows than a page.
                None if self.read_second(list, &mut after, &mut found, now).await? => {}
                None => return Ok(found),
            }
            if found.rows.len() >= limit {
                found.returned = found.returned.max(range.limit);
                return Ok(found);
            }
        }
    }

    /// Reads the rest of a second that has more rows than a page: by id, because the page begins with the same rows again and
    /// again. Returns false if there is none.
    async fn read_second(
        &self,
        list: List,
        after: &mut Mark,
        found: &mut ListRows,
        now: UtcMillis,
    ) -> Result<bool, Failure> {
        let Some(at) = after.moment() else {
            return Ok(false);
        };
        let search = Search::new(PAGE, fields::marks(list))
            .filter("updated_at", "eq", at)
            .filter(list.key(), "gt", after.id.to_string());
        let rows = self.client.all(Lane::Live, list, &search).await?;
        found.add(list, &rows, *after, Pass::Window);
        // The next second begins after all rows of this one.
        let next = after.at.unwrap_or_default() + MICROS;
        *after = Mark {
            at: Some(next),
            id: i64::MIN,
        };
        Ok(next <= now.0 * 1000)
    }

    /// Reads the rows of a search in ranges of ids, so that only a row that fails is left out. Returns the others, and the ids
    /// of those that fail.
    async fn bisect(
        &self,
        list: List,
        search: &Search,
        failure: Failure,
    ) -> Result<(Vec<Value>, Vec<i64>), Failure> {
        let (mut rows, mut unreadable) = (Vec::new(), Vec::new());
        let mut ranges = vec![(0, ABOVE)];
        let mut has_read = false;
        while let Some((low, high)) = ranges.pop() {
            let part = search
                .clone()
                .unsorted()
                .filter(list.key(), "gteq", low.to_string())
                .filter(list.key(), "lt", high.to_string());
            match self.client.all(Lane::Live, list, &part).await {
                Ok(found) => {
                    has_read = true;
                    rows.extend(found);
                }
                // An outage fails everywhere.
                Err(next) if next.of_a_part().is_some() && high - low == 1 => {
                    if !has_read {
                        return Err(failure);
                    }
                    unreadable.push(low);
                }
                Err(next) if next.of_a_part().is_some() => {
                    let middle = low + (high - low) / 2;
                    // The upper half is the usual one to be empty, and shows that the shop answers.
                    ranges.extend([(low, middle), (middle, high)]);
                }
                Err(next) => return Err(next),
            }
        }
        Ok((rows, unreadable))
    }

    /// Returns the newest key of a list without these rows.
    pub(super) async fn newest_key(&self, list: List, left_out: &[i64]) -> Result<i64, Failure> {
        let search = Search::new(1, fields::marks(list))
            .none_of(list.key(), left_out)
            .sort(list.key(), Direction::Descending);
        let page = self.client.page(Lane::Live, list, &search).await?;
        Ok(page
            .rows
            .first()
            .and_then(|row| number(row, list.key()))
            .unwrap_or_default())
    }
}

/// Returns the search for the rows after a mark. A second may hold several rows, so it is included.
fn selection(list: List, after: Mark, pass: Pass, now: UtcMillis, size: usize, left_out: &[i64]) -> Search {
    let mut search = Search::new(size, fields::marks(list));
    match after.moment() {
        Some(_) => {
            let seconds = after.at.unwrap_or_default().div_euclid(MICROS);
            search = search
                .filter("updated_at", "gteq", UtcMillis::from_secs(seconds).sql())
                .sort("updated_at", Direction::Ascending)
                .sort(list.key(), Direction::Ascending);
        }
        None => {
            search = search
                .filter(list.key(), "gt", after.id.to_string())
                .sort(list.key(), Direction::Ascending);
        }
    }
    let until = match pass {
        Pass::Window => None,
        Pass::Front => after.at.map(|_| now.sql()),
        Pass::Tail(horizon) => horizon.moment(),
    };
    if let Some(until) = until {
        search = search.filter("updated_at", "lteq", until);
    }
    search.none_of(list.key(), left_out)
}

fn is_within(mark: Mark, pass: Pass) -> bool {
    match pass {
        Pass::Tail(horizon) => mark <= horizon,
        Pass::Window | Pass::Front => true,
    }
}

fn seen(list: List, row: &Value) -> Option<SeenRow> {
    let at = match is_timed(list) {
        true => Some(moment_micros(text(row, "updated_at")?.as_bytes())?),
        false => None,
    };
    Some(SeenRow {
        mark: Mark {
            at,
            id: number(row, list.key())?,
        },
        order: number(row, list.order_key()),
        table: list.table().spec().table,
        op: match is_timed(list) {
            true => ChangeOp::Upsert,
            false => ChangeOp::Insert,
        },
    })
}

/// Fewer rows than the window keeps, so that a full range is recognized by the window as one.
const _: () = assert!(MOST < WINDOW_ROWS);

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn query(pass: Pass, after: Mark) -> String {
        let list = if after.at.is_some() {
            List::Invoices
        } else {
            List::Transactions
        };
        let now = UtcMillis::parse_sql("2026-01-02 04:00:00").unwrap();
        let search = selection(list, after, pass, now, 100, &[4]);
        let pairs: Vec<String> = search
            .query()
            .pairs()
            .iter()
            .map(|(_, value)| value.clone())
            .collect();
        pairs.join(" ")
    }

    #[test]
    fn a_second_is_read_whole_and_a_key_is_read_after() {
        let after = Mark {
            at: moment_micros(b"2026-01-02 03:04:05"),
            id: 7,
        };
        assert_eq!(
            query(Pass::Front, after),
            "updated_at gteq 2026-01-02 03:04:05 updated_at lteq 2026-01-02 04:00:00 entity_id nin 4 updated_at ASC \
             entity_id ASC 100 1 items[entity_id,order_id,updated_at],total_count,search_criteria"
        );
        assert_eq!(
            query(Pass::Window, Mark::of_key(7)),
            "transaction_id gt 7 transaction_id nin 4 transaction_id ASC 100 1 \
             items[transaction_id,order_id],total_count,search_criteria"
        );
    }

    #[test]
    fn a_row_has_its_mark_and_its_order() {
        let row = json!({"entity_id": 3, "order_id": 9, "updated_at": "2026-01-02 03:04:05"});
        let row = seen(List::Shipments, &row).unwrap();
        assert_eq!(
            (row.mark.id, row.order, row.table),
            (3, Some(9), "sales_shipment")
        );
        assert_eq!(seen(List::Shipments, &json!({"entity_id": 3})), None);
    }
}
