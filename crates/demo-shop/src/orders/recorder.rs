//! The recorder of an action: its time, random numbers, next free ids, and the changes it makes.

use std::collections::BTreeMap;

use fastrand::Rng;

use crate::amount::Amount;
use crate::orders::model::{Money, Order};
use crate::shop::stores::Store;
use crate::sql::{Cells, Row, Statement, cells, update};
use crate::tables::OPTIONAL_TABLES;
use crate::tables::schema::Edition;
use orderfeed_model::clock::UtcMillis;

/// A change to the database.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Insert(Row),
    Update {
        table: &'static str,
        key: &'static str,
        id: i64,
        cells: Cells,
    },
}

impl Change {
    pub(crate) fn statement(self, table_prefix: &str) -> Statement {
        match self {
            Self::Insert(row) => row.insert(table_prefix),
            Self::Update {
                table,
                key,
                id,
                cells,
            } => update(table_prefix, table, (key, id), cells),
        }
    }
}

/// The next free ids and document numbers.
#[derive(Clone, Debug)]
pub(crate) struct Ids {
    first: i64,
    step: i64,
    rows: BTreeMap<&'static str, i64>,
    numbers: BTreeMap<(&'static str, i64), i64>,
}

impl Ids {
    pub(crate) fn from(first: i64, step: i64) -> Self {
        Self {
            first,
            step,
            rows: BTreeMap::new(),
            numbers: BTreeMap::new(),
        }
    }

    fn row(&mut self, table: &'static str) -> i64 {
        let next = self.rows.entry(table).or_insert(self.first);
        *next += self.step;
        *next - self.step
    }

    fn number(&mut self, table: &'static str, store: i64) -> i64 {
        let next = self.numbers.entry((table, store)).or_insert(self.first);
        *next += 1;
        *next - 1
    }
}

/// Records the changes of one action.
pub(crate) struct Recorder<'a> {
    pub at: UtcMillis,
    pub rng: &'a mut Rng,
    pub ids: &'a mut Ids,
    pub edition: Edition,
    pub changes: Vec<Change>,
}

impl Recorder<'_> {
    /// Returns true with a probability of `percent`.
    pub(crate) fn chance(&mut self, percent: u32) -> bool {
        self.rng.u32(..100) < percent
    }

    /// Picks one of `choices`, which must not be empty.
    pub(crate) fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.rng.usize(..choices.len())]
    }

    /// Returns the next id of a table.
    pub(crate) fn id(&mut self, table: &'static str) -> i64 {
        self.ids.row(table)
    }

    /// Returns the next document number in the order's store view, such as `000000012` or `4000000012`.
    pub(crate) fn number(&mut self, table: &'static str, store: &Store) -> String {
        format!("{}{:09}", store.number_prefix, self.ids.number(table, store.id))
    }

    /// Records a new row, unless the edition lacks its table.
    pub(crate) fn insert(&mut self, table: &'static str, cells: Cells) {
        if self.edition == Edition::Full || !OPTIONAL_TABLES.contains(&table) {
            self.changes.push(Change::Insert(Row::new(table, cells)));
        }
    }

    /// Records new values of a row.
    pub(crate) fn update(&mut self, table: &'static str, key: &'static str, id: i64, cells: Cells) {
        self.changes.push(Change::Update {
            table,
            key,
            id,
            cells,
        });
    }

    /// Records an entry in the order's history.
    pub(crate) fn history(&mut self, order: &Order, comment: Option<&'static str>, about: &'static str) {
        let id = self.id("sales_order_status_history");
        let cells = cells! {
            "entity_id": id,
            "parent_id": order.id,
            "is_customer_notified": 0,
            "comment": comment,
            "status": order.status,
            "created_at": self.at,
            "entity_name": about,
        };
        self.insert("sales_order_status_history", cells);
    }

    /// Records a change of status in the table that the newest Commerce versions have for it.
    pub(crate) fn status_change(&mut self, order: &Order) {
        let id = self.id("sales_order_status_change_history");
        let cells = cells! {
            "entity_id": id,
            "order_id": order.id,
            "status": order.status,
            "created_at": self.at,
        };
        self.insert("sales_order_status_change_history", cells);
    }
}

/// Adds an amount in the columns of base currency (`base`) and of order currency (the same name without `base_`). Zero
/// stays NULL, as in Commerce.
pub(crate) fn or_null(cells: &mut Cells, base: &'static str, money: Money) {
    let value = |amount: Amount| (amount != Amount::ZERO).then_some(amount).into();
    cells.push((base, value(money.base)));
    cells.push((base.trim_start_matches("base_"), value(money.shown)));
}

/// Adds an amount in the columns of both currencies, including zeros.
pub(crate) fn both(cells: &mut Cells, base: &'static str, money: Money) {
    cells.push((base, money.base.into()));
    cells.push((base.trim_start_matches("base_"), money.shown.into()));
}
