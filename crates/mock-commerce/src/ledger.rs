//! The ledger: the requests that arrived, and how many at once.

use std::collections::{BTreeMap, VecDeque};

use orderfeed_model::clock::UtcMillis;

/// A request and its answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestRow {
    pub received_at: UtcMillis,
    /// Path without the prefix of the installation, such as `/V1/orders`.
    pub path: String,
    /// The decoded query.
    pub query: String,
    /// Status of the answer; 0 if none was sent.
    pub status: u16,
    /// Value of `pageSize`.
    pub page_size: Option<u64>,
    /// Value of `currentPage`.
    pub current_page: Option<u64>,
    /// Rows in the answer.
    pub rows: usize,
    /// Bytes of the body.
    pub bytes: usize,
    /// The fault that the answer met.
    pub fault: Option<&'static str>,
    /// Requests in flight when this one arrived, including it.
    pub in_flight: usize,
}

/// The requests since the last reset.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    rows: VecDeque<RequestRow>,
    keep: usize,
    total: u64,
    by_path: BTreeMap<String, u64>,
    in_flight: usize,
    most_in_flight: usize,
}

impl Ledger {
    pub(crate) fn new(keep: usize) -> Self {
        Self {
            keep,
            ..Self::default()
        }
    }

    /// Counts a request as in flight. Returns the number of those.
    pub(crate) fn arrived(&mut self) -> usize {
        self.in_flight += 1;
        self.most_in_flight = self.most_in_flight.max(self.in_flight);
        self.in_flight
    }

    /// Records the end of a request, whether or not it was answered.
    pub(crate) fn ended(&mut self, row: RequestRow) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.total += 1;
        *self.by_path.entry(pattern(&row.path)).or_default() += 1;
        self.rows.push_back(row);
        if self.rows.len() > self.keep {
            self.rows.pop_front();
        }
    }

    pub(crate) fn reset(&mut self) {
        *self = Self {
            in_flight: self.in_flight,
            ..Self::new(self.keep)
        };
    }

    /// Returns the kept requests, oldest first.
    pub fn requests(&self) -> impl Iterator<Item = &RequestRow> {
        self.rows.iter()
    }

    /// Returns the number of all requests.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Returns the number of requests by path, with `{id}` in place of ids.
    pub fn by_path(&self) -> &BTreeMap<String, u64> {
        &self.by_path
    }

    /// Returns the largest number of requests in flight at once.
    pub fn most_in_flight(&self) -> usize {
        self.most_in_flight
    }

    /// Returns the largest `pageSize` that was asked for.
    pub fn largest_page(&self) -> Option<u64> {
        self.rows.iter().filter_map(|row| row.page_size).max()
    }

    /// Returns the highest `currentPage` that was asked for.
    pub fn highest_page(&self) -> Option<u64> {
        self.rows.iter().filter_map(|row| row.current_page).max()
    }
}

/// Replaces ids by `{id}`.
fn pattern(path: &str) -> String {
    let is_id = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = path
        .split('/')
        .map(|part| if is_id(part) { "{id}" } else { part })
        .collect();
    parts.join("/")
}
