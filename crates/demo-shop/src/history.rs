//! The history of a shop: orders spread over a period, each as advanced as its age suggests, written in bulk.
//!
//! The actions on an order run in memory, and only the final rows are written: updates are folded into the inserts.
//! [`batches`] groups the rows of many orders into multi-row `INSERT`s, parents first, which loads twenty thousand
//! orders into MariaDB in seconds. Unfinished orders stay open in the shop, so that live actions continue from there.

use std::collections::BTreeMap;

use crate::orders::recorder::Change;
use crate::shop::Shop;
use crate::sql::{Row, Statement, Transaction, Value, insert_sql};
use crate::tables::TABLES;
use orderfeed_model::clock::UtcMillis;

/// Orders in one batch.
const ORDERS_PER_BATCH: usize = 250;

/// Parameters in one statement. SQLite allows 32,766, MySQL 65,535.
const MAX_PARAMS: usize = 16_000;

/// The size and the period of a history.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub orders: usize,
    /// Earliest time of the first order.
    pub from: UtcMillis,
    /// End of the period: no action happens later.
    pub to: UtcMillis,
}

/// Returns one transaction per order, with its rows as of the end of the span.
pub fn orders(shop: &mut Shop, span: Span) -> impl Iterator<Item = Transaction> {
    let prefix = shop.options().table_prefix.clone();
    lives(shop, span).map(move |life| Transaction {
        at: life.placed,
        action: "history",
        order_id: life.order_id,
        statements: life.rows.into_iter().map(|row| row.insert(&prefix)).collect(),
    })
}

/// Returns the same rows as multi-row statements. Each batch of orders fits into one transaction.
pub fn batches(shop: &mut Shop, span: Span) -> impl Iterator<Item = Vec<Statement>> {
    let prefix = shop.options().table_prefix.clone();
    let mut lives = lives(shop, span);
    std::iter::from_fn(move || {
        let rows: Vec<Row> = lives
            .by_ref()
            .take(ORDERS_PER_BATCH)
            .flat_map(|life| life.rows)
            .collect();
        (!rows.is_empty()).then(|| multi_row(&prefix, rows))
    })
}

struct Life {
    placed: UtcMillis,
    order_id: i64,
    rows: Vec<Row>,
}

fn lives(shop: &mut Shop, span: Span) -> impl Iterator<Item = Life> {
    let period = span.to.millis_since(span.from).max(0);
    let count = i64::try_from(span.orders).unwrap_or(i64::MAX).max(1);
    (0..span.orders).map(move |n| {
        let n = i64::try_from(n).unwrap_or(0);
        let offset = i128::from(period) * i128::from(n) / i128::from(count);
        let placed = span.from.plus_millis(i64::try_from(offset).unwrap_or(0));
        live(shop, placed, span.to)
    })
}

/// Simulates one order from its placement to the end of the span, or until it is stuck.
fn live(shop: &mut Shop, placed: UtcMillis, end: UtcMillis) -> Life {
    let (mut order, mut changes) = shop.new_order(placed);
    let mut at = placed;
    // As in every shop, a few orders are abandoned early. Most are completed.
    for _ in 0..24 {
        let minutes = shop.rng().i64(1..20) << shop.rng().u32(..10);
        at = at.plus_millis(minutes * 60_000);
        let stop = if order.is_done() { 60 } else { 4 };
        if at > end || shop.rng().u32(..100) < stop {
            break;
        }
        let Some(action) = shop.choose_action(&order) else {
            break;
        };
        changes.extend(shop.perform(action, &mut order, at));
    }
    let order_id = order.id;
    shop.keep(order);
    Life {
        placed,
        order_id,
        rows: fold(changes),
    }
}

/// Applies all updates to the inserts before them.
fn fold(changes: Vec<Change>) -> Vec<Row> {
    let mut rows: Vec<Row> = vec![];
    for change in changes {
        match change {
            Change::Insert(row) => rows.push(row),
            Change::Update {
                table,
                key,
                id,
                cells,
            } => {
                if let Some(row) = rows
                    .iter_mut()
                    .find(|row| row.table == table && row.get(key) == Some(&Value::Int(id)))
                {
                    cells
                        .into_iter()
                        .for_each(|(column, value)| row.set(column, value));
                }
            }
        }
    }
    rows
}

fn multi_row(prefix: &str, rows: Vec<Row>) -> Vec<Statement> {
    let mut groups: BTreeMap<(usize, Vec<&'static str>), Vec<Vec<Value>>> = BTreeMap::new();
    for row in rows {
        let rank = TABLES
            .iter()
            .position(|table| table.name == row.table)
            .unwrap_or(TABLES.len());
        groups.entry((rank, row.columns)).or_default().push(row.values);
    }
    let mut statements = vec![];
    for ((rank, columns), rows) in groups {
        let at_once = (MAX_PARAMS / columns.len()).max(1);
        for chunk in rows.chunks(at_once) {
            statements.push(Statement {
                sql: insert_sql(prefix, TABLES[rank].name, &columns, chunk.len()),
                params: chunk.iter().flatten().cloned().collect(),
            });
        }
    }
    statements
}
