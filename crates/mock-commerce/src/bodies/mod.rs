//! Rows of the shop as the API's JSON.

mod documents;
mod interface;
mod items;
mod options;
mod orders;
pub(crate) mod returns;
mod scalars;
pub(crate) mod scene;
pub(crate) mod stores;

use crate::bodies::scene::Scene;
use crate::json::Json;
use crate::shop::lists::List;
use crate::shop::row::Row;

/// Returns the documents of a page, with all that belongs to them.
pub(crate) fn documents(scene: Scene<'_>, list: List, rows: &[Row]) -> rusqlite::Result<Vec<Json>> {
    match list {
        List::Orders => orders::orders(scene, rows),
        List::Invoices => documents::invoices(scene, rows),
        List::Shipments => documents::shipments(scene, rows),
        List::CreditMemos => documents::credit_memos(scene, rows),
        List::Transactions => documents::transactions(scene, rows),
        List::Returns => returns::returns(scene, rows),
    }
}

/// Returns the history of one order, which is a list of its own.
pub(crate) fn comments(scene: Scene<'_>, order: i64) -> rusqlite::Result<Vec<Json>> {
    orders::histories(scene, order)
}
