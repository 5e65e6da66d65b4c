//! Rows of many tables, joined in memory into whole orders.
//!
//! For each [`SourceTable`] in order, read the rows of [`Assembly::owners`] and pass them to [`Assembly::add`]; then call
//! [`Assembly::finish`]. A row that cannot be understood makes its order unreadable, with the first reason.
//!
//! Several orders together take at most about [`MAX_BYTES`]: then rows are dropped, and `finish` returns how many orders to
//! read at once instead.

use std::collections::HashMap;

use crate::commerce::read::cells;
use crate::commerce::read::cells::SourceRow;
use crate::commerce::read::decode::{BadCell, RowDecoder};
use crate::commerce::read::tables::{self, SourceTable, TypedAddress};
use crate::commerce::source::{ReadOrder, SourceError};
use orderfeed_model::order::{Order, OrderId, Return, ReturnItem, Scope};

/// Bytes of the orders that are read together. Several pages are in memory at once while history is read.
pub(crate) const MAX_BYTES: usize = 8 << 20;
/// Bytes of a row without its texts, roughly.
const ROW: usize = 300;

/// Orders under construction.
#[derive(Debug, Default)]
pub(crate) struct Assembly {
    asked: Vec<OrderId>,
    scopes: HashMap<i64, Scope>,
    slots: Vec<OrderSlot>,
    orders: DocumentIndex,
    invoices: DocumentIndex,
    shipments: DocumentIndex,
    credit_memos: DocumentIndex,
    returns: DocumentIndex,
    return_items: HashMap<i64, (usize, usize, usize)>,
    bytes: usize,
    budget: usize,
    /// Number of orders with which the budget was used up.
    fit: Option<usize>,
}

/// The position of each document, by its id: the slot of its order, and its index there (0 for the order itself).
type DocumentIndex = HashMap<i64, (usize, usize)>;

#[derive(Debug)]
struct OrderSlot {
    order: Box<Order>,
    bad: Option<BadCell>,
}

impl Assembly {
    /// Starts with the ids to read, and the bytes that they may take. A single order may take more.
    pub(crate) fn new(ids: &[OrderId], budget: usize) -> Self {
        let mut asked = ids.to_vec();
        asked.sort_unstable();
        // Ascending and distinct ids make the shortest conditions: see `push_condition`.
        asked.dedup();
        Self {
            budget: if asked.len() > 1 { budget } else { usize::MAX },
            asked,
            ..Self::default()
        }
    }

    /// Returns the ids of the orders or documents whose rows in `table` are read next.
    pub(crate) fn owners(&self, table: SourceTable) -> Vec<i64> {
        match table {
            SourceTable::Orders => self.asked.clone(),
            SourceTable::InvoiceItems => sorted(&self.invoices),
            SourceTable::ShipmentItems | SourceTable::Tracks => sorted(&self.shipments),
            SourceTable::CreditMemoItems | SourceTable::CreditMemoComments => sorted(&self.credit_memos),
            SourceTable::ReturnItems | SourceTable::ReturnHistory => sorted(&self.returns),
            _ => self.slots.iter().map(|slot| slot.order.id).collect(),
        }
    }

    /// Returns the ids of the return items, whose labels are read last.
    pub(crate) fn return_items(&self) -> Vec<i64> {
        let mut ids: Vec<_> = self.return_items.keys().copied().collect();
        ids.sort_unstable();
        ids
    }

    /// Adds a row of the scopes: store id, website, store, store view.
    pub(crate) fn add_scope(&mut self, mut row: impl SourceRow) {
        // A store view without website or group is half deleted; its orders have no scope.
        let Some(store) = cells::integer(row.cell(0)) else {
            return;
        };
        if let (Some(website), Some(group), Some(store_view)) =
            (row.take_text(1), row.take_text(2), row.take_text(3))
        {
            self.scopes.insert(
                store,
                Scope {
                    website,
                    store: group,
                    store_view,
                },
            );
        }
    }

    /// Adds a label of a return item: item id, attribute code, label.
    pub(crate) fn add_label(&mut self, mut row: impl SourceRow) {
        let place = cells::integer(row.cell(0)).and_then(|id| self.return_items.get(&id).copied());
        let (Some(place), Some(attribute)) = (place, row.take_text(1)) else {
            return;
        };
        let Some(item) = self.return_item(place) else {
            return;
        };
        match attribute.as_str() {
            "reason" => item.reason = row.take_text(2),
            "condition" => item.condition = row.take_text(2),
            "resolution" => item.resolution = row.take_text(2),
            _ => {}
        }
    }

    /// Adds a row of a table. A row whose order or document was not asked for is ignored.
    pub(crate) fn add(&mut self, table: SourceTable, mut row: impl SourceRow) {
        if self.fit.is_some() {
            return;
        }
        let row = &mut RowDecoder::new(&mut row, table.spec());
        match table {
            SourceTable::Orders => self.add_order(row),
            _ => self.add_part(table, row),
        }
        self.bytes += row.bytes() + ROW;
        if self.bytes > self.budget {
            self.fit = Some(self.fitting(table, row.owner()));
            // At once: the rest of the rows may be large as well.
            self.slots = Vec::new();
        }
    }

    /// Estimates how many orders fit, at a row of `owner` in `table` that does not.
    fn fitting(&self, table: SourceTable, owner: Option<i64>) -> usize {
        let half = self.asked.len() / 2;
        let read = match (table, owner.and_then(|owner| self.orders.get(&owner))) {
            // Lines take most of the space, and are read in the order of their orders.
            (SourceTable::Items, Some((at, _))) => at * 3 / 4,
            _ => half,
        };
        read.min(half).max(1)
    }

    /// Returns true if the orders take too many bytes, so that nothing more need be read.
    pub(crate) fn is_full(&self) -> bool {
        self.fit.is_some()
    }

    fn add_part<R: SourceRow>(&mut self, table: SourceTable, row: &mut RowDecoder<'_, R>) {
        let Some(owner) = row.owner() else { return };
        let owners = match table {
            SourceTable::InvoiceItems => &self.invoices,
            SourceTable::ShipmentItems | SourceTable::Tracks => &self.shipments,
            SourceTable::CreditMemoItems | SourceTable::CreditMemoComments => &self.credit_memos,
            SourceTable::ReturnItems | SourceTable::ReturnHistory => &self.returns,
            _ => &self.orders,
        };
        let Some(&(at, index)) = owners.get(&owner) else {
            return;
        };
        let Some(slot) = self.slots.get_mut(at) else {
            return;
        };
        let order = &mut *slot.order;
        let id = row.key();
        let added = match table {
            // Added above.
            SourceTable::Orders => Ok(()),
            SourceTable::Items => push(&mut order.items, tables::item(row)),
            SourceTable::Addresses => {
                tables::address(row).map(|TypedAddress { kind, address }| match kind.as_deref() {
                    Some("billing") => order.billing_address = Some(address),
                    Some("shipping") => order.shipping_address = Some(address),
                    _ => {}
                })
            }
            SourceTable::Payments => tables::payment(row).map(|payment| {
                // An order has one payment; should there be more rows, the oldest counts.
                order.payment.get_or_insert(payment);
            }),
            SourceTable::Transactions => push(&mut order.transactions, tables::transaction(row)),
            SourceTable::Invoices => {
                self.invoices.insert(id, (at, order.invoices.len()));
                push(&mut order.invoices, tables::invoice(row))
            }
            SourceTable::InvoiceItems => {
                let invoice = order.invoices.get_mut(index);
                push_to(invoice.map(|it| &mut it.items), tables::invoice_item(row))
            }
            SourceTable::Shipments => {
                self.shipments.insert(id, (at, order.shipments.len()));
                push(&mut order.shipments, tables::shipment(row))
            }
            SourceTable::ShipmentItems => {
                let shipment = order.shipments.get_mut(index);
                push_to(shipment.map(|it| &mut it.items), tables::shipment_item(row))
            }
            SourceTable::Tracks => {
                let shipment = order.shipments.get_mut(index);
                push_to(shipment.map(|it| &mut it.tracks), tables::track(row))
            }
            SourceTable::CreditMemos => {
                self.credit_memos.insert(id, (at, order.credit_memos.len()));
                push(&mut order.credit_memos, tables::credit_memo(row))
            }
            SourceTable::CreditMemoItems => {
                let memo = order.credit_memos.get_mut(index);
                push_to(memo.map(|it| &mut it.items), tables::credit_memo_item(row))
            }
            SourceTable::CreditMemoComments => tables::credit_memo_comment(row).map(|()| {
                if let Some(memo) = order.credit_memos.get_mut(index) {
                    memo.comments = memo.comments.saturating_add(1);
                }
            }),
            SourceTable::Taxes => push(&mut order.taxes, tables::tax(row)),
            SourceTable::History => push(&mut order.history, tables::status_change(row)),
            SourceTable::Returns => {
                self.returns.insert(id, (at, order.returns.len()));
                push(&mut order.returns, tables::returned(row))
            }
            SourceTable::ReturnItems => {
                let items = order.returns.get_mut(index).map(|it| &mut it.items);
                let position = items.as_ref().map_or(0, |items| items.len());
                // The labels come last, from other tables, and are assigned by the id of the item.
                self.return_items.insert(id, (at, index, position));
                push_to(items, tables::return_item(row))
            }
            SourceTable::ReturnHistory => {
                let returned = order.returns.get_mut(index);
                push_to(
                    returned.map(|it| &mut it.history),
                    tables::return_status_change(row),
                )
            }
        };
        if let Err(bad) = added {
            // The first reason stays: later ones are often its consequences.
            slot.bad.get_or_insert(bad);
        }
    }

    /// Returns the orders by id. Those that do not exist are absent.
    ///
    /// # Errors
    /// `TooLarge` if they take more than the budget.
    pub(crate) fn finish(self) -> Result<Vec<ReadOrder>, SourceError> {
        if let Some(fit) = self.fit {
            return Err(SourceError::TooLarge { fit });
        }
        let whole = |slot: OrderSlot| match slot.bad {
            None => ReadOrder::Whole(slot.order),
            Some(bad) => ReadOrder::Unreadable {
                id: slot.order.id,
                reason: bad.to_string(),
            },
        };
        Ok(self.slots.into_iter().map(whole).collect())
    }

    /// Returns the orders without their returns, because `missing`, a table of these, could not be read.
    ///
    /// # Errors
    /// As [`Assembly::finish`].
    pub(crate) fn finish_without_returns(
        mut self,
        missing: &'static str,
    ) -> Result<Vec<ReadOrder>, SourceError> {
        for slot in &mut self.slots {
            slot.order.returns.clear();
        }
        let partial = |read| match read {
            ReadOrder::Whole(order) => ReadOrder::Partial { order, missing },
            other => other,
        };
        Ok(self.finish()?.into_iter().map(partial).collect())
    }

    fn add_order<R: SourceRow>(&mut self, row: &mut RowDecoder<'_, R>) {
        let id = row.key();
        let (mut order, bad) = match tables::order(row) {
            Ok(order) => (order, None),
            // Kept with its id alone, so that the caller learns that the order exists but is unreadable.
            Err(bad) => {
                let order = Order {
                    id,
                    ..Order::default()
                };
                (order, Some(bad))
            }
        };
        // `None` if the store view was deleted since: the order then belongs to no website.
        order.scope = order.store_id.and_then(|store| self.scopes.get(&store).cloned());
        self.orders.insert(id, (self.slots.len(), 0));
        self.slots.push(OrderSlot {
            order: Box::new(order),
            bad,
        });
    }

    fn return_item(&mut self, (at, index, item): (usize, usize, usize)) -> Option<&mut ReturnItem> {
        let returned: &mut Return = self.slots.get_mut(at)?.order.returns.get_mut(index)?;
        returned.items.get_mut(item)
    }
}

fn push<T>(list: &mut Vec<T>, value: Result<T, BadCell>) -> Result<(), BadCell> {
    push_to(Some(list), value)
}

/// Appends a decoded value to the list of its document. Without the document the order is unreadable anyway.
fn push_to<T>(list: Option<&mut Vec<T>>, value: Result<T, BadCell>) -> Result<(), BadCell> {
    let value = value?;
    if let Some(list) = list {
        list.push(value);
    }
    Ok(())
}

fn sorted(places: &DocumentIndex) -> Vec<i64> {
    let mut ids: Vec<_> = places.keys().copied().collect();
    ids.sort_unstable();
    ids
}
