//! Rows of many tables, joined in memory into whole orders.
//!
//! Used like this: for each [`Part`] in order, read the rows of [`Assembly::owners`] and give them to
//! [`Assembly::add`]; then [`Assembly::finish`]. A row that cannot be understood makes its order unreadable, with the
//! first reason; a row whose owner is not among those asked for is passed over.

use std::collections::HashMap;

use crate::commerce::read::cells;
use crate::commerce::read::cells::{BadCell, Cells, Row};
use crate::commerce::read::decode;
use crate::commerce::read::tables::Part;
use crate::commerce::source::ReadOrder;
use orderfeed_model::order::{Order, OrderId, Return, ReturnItem, Scope};

/// Orders being put together.
#[derive(Debug, Default)]
pub(crate) struct Assembly {
    asked: Vec<OrderId>,
    scopes: HashMap<i64, Scope>,
    slots: Vec<Slot>,
    orders: HashMap<OrderId, usize>,
    invoices: Places,
    shipments: Places,
    credit_memos: Places,
    returns: Places,
    return_items: HashMap<i64, (usize, usize, usize)>,
}

/// Where a document is: the slot of its order, and its index there.
type Places = HashMap<i64, (usize, usize)>;

#[derive(Debug)]
struct Slot {
    order: Box<Order>,
    bad: Option<BadCell>,
}

impl Assembly {
    /// Starts with the orders that are asked for.
    pub(crate) fn new(ids: &[OrderId]) -> Self {
        let mut asked = ids.to_vec();
        asked.sort_unstable();
        asked.dedup();
        Self {
            asked,
            ..Self::default()
        }
    }

    /// The ids for whose sake the rows of a part are read.
    pub(crate) fn owners(&self, part: Part) -> Vec<i64> {
        match part {
            Part::Orders => self.asked.clone(),
            Part::InvoiceItems => sorted(&self.invoices),
            Part::ShipmentItems | Part::Tracks => sorted(&self.shipments),
            Part::CreditMemoItems | Part::CreditMemoComments => sorted(&self.credit_memos),
            Part::ReturnItems | Part::ReturnHistory => sorted(&self.returns),
            _ => self.slots.iter().map(|slot| slot.order.id).collect(),
        }
    }

    /// The return items whose labels are wanted.
    pub(crate) fn return_items(&self) -> Vec<i64> {
        let mut ids: Vec<_> = self.return_items.keys().copied().collect();
        ids.sort_unstable();
        ids
    }

    /// Takes a row of the scopes: store id, website, store, store view.
    pub(crate) fn add_scope(&mut self, mut row: impl Row) {
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

    /// Takes a label of a return item: item id, attribute code, label.
    pub(crate) fn add_label(&mut self, mut row: impl Row) {
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

    /// Takes a row of a part.
    pub(crate) fn add(&mut self, part: Part, mut row: impl Row) {
        let mut cells = Cells::new(&mut row, part.spec());
        if part == Part::Orders {
            return self.add_order(&mut cells);
        }
        let Some(owner) = cells.owner() else { return };
        match part {
            Part::Orders => {}
            Part::InvoiceItems => self.add_invoice_item(owner, &mut cells),
            Part::ShipmentItems | Part::Tracks => self.add_to_shipment(part, owner, &mut cells),
            Part::CreditMemoItems | Part::CreditMemoComments => {
                self.add_to_credit_memo(part, owner, &mut cells)
            }
            Part::ReturnItems | Part::ReturnHistory => self.add_to_return(part, owner, &mut cells),
            _ => self.add_to_order(part, owner, &mut cells),
        }
    }

    /// The orders, by id. Those that do not exist are absent.
    pub(crate) fn finish(self) -> Vec<ReadOrder> {
        let whole = |slot: Slot| match slot.bad {
            None => ReadOrder::Whole(slot.order),
            Some(bad) => ReadOrder::Unreadable {
                id: slot.order.id,
                reason: bad.to_string(),
            },
        };
        self.slots.into_iter().map(whole).collect()
    }

    fn add_order<R: Row>(&mut self, cells: &mut Cells<'_, R>) {
        let (mut order, bad) = match decode::order(cells) {
            Ok(order) => (order, None),
            Err(bad) => (
                Order {
                    id: cells.key(),
                    ..Order::default()
                },
                Some(bad),
            ),
        };
        order.scope = order.store_id.and_then(|store| self.scopes.get(&store).cloned());
        self.orders.insert(order.id, self.slots.len());
        self.slots.push(Slot {
            order: Box::new(order),
            bad,
        });
    }

    fn add_to_order<R: Row>(&mut self, part: Part, owner: i64, cells: &mut Cells<'_, R>) {
        let Some(&at) = self.orders.get(&owner) else {
            return;
        };
        let Some(slot) = self.slots.get_mut(at) else {
            return;
        };
        let order = &mut *slot.order;
        let id = cells.key();
        let done = match part {
            Part::Items => decode::item(cells).map(|item| order.items.push(item)),
            Part::Addresses => decode::address(cells).map(|(kind, address)| match kind.as_deref() {
                Some("billing") => order.billing_address = Some(address),
                Some("shipping") => order.shipping_address = Some(address),
                _ => {}
            }),
            Part::Payments => decode::payment(cells).map(|payment| {
                order.payment.get_or_insert(payment);
            }),
            Part::Transactions => {
                decode::transaction(cells).map(|transaction| order.transactions.push(transaction))
            }
            Part::Invoices => {
                self.invoices.insert(id, (at, order.invoices.len()));
                decode::invoice(cells).map(|invoice| order.invoices.push(invoice))
            }
            Part::Shipments => {
                self.shipments.insert(id, (at, order.shipments.len()));
                decode::shipment(cells).map(|shipment| order.shipments.push(shipment))
            }
            Part::CreditMemos => {
                self.credit_memos.insert(id, (at, order.credit_memos.len()));
                decode::credit_memo(cells).map(|memo| order.credit_memos.push(memo))
            }
            Part::Returns => {
                self.returns.insert(id, (at, order.returns.len()));
                decode::returned(cells).map(|returned| order.returns.push(returned))
            }
            Part::Taxes => decode::tax(cells).map(|tax| order.taxes.push(tax)),
            _ => decode::status_change(cells).map(|change| order.history.push(change)),
        };
        slot.note(done);
    }

    fn add_invoice_item<R: Row>(&mut self, owner: i64, cells: &mut Cells<'_, R>) {
        let Some((slot, index)) = place(&self.invoices, &mut self.slots, owner) else {
            return;
        };
        let done = decode::priced_item(cells).map(|item| {
            if let Some(invoice) = slot.order.invoices.get_mut(index) {
                invoice.items.push(item);
            }
        });
        slot.note(done);
    }

    fn add_to_shipment<R: Row>(&mut self, part: Part, owner: i64, cells: &mut Cells<'_, R>) {
        let Some((slot, index)) = place(&self.shipments, &mut self.slots, owner) else {
            return;
        };
        let Some(shipment) = slot.order.shipments.get_mut(index) else {
            return;
        };
        let done = match part {
            Part::Tracks => {
                shipment.tracks.push(decode::track(cells));
                Ok(())
            }
            _ => decode::shipped_item(cells).map(|item| shipment.items.push(item)),
        };
        slot.note(done);
    }

    fn add_to_credit_memo<R: Row>(&mut self, part: Part, owner: i64, cells: &mut Cells<'_, R>) {
        let Some((slot, index)) = place(&self.credit_memos, &mut self.slots, owner) else {
            return;
        };
        let Some(memo) = slot.order.credit_memos.get_mut(index) else {
            return;
        };
        let done = match part {
            Part::CreditMemoComments => {
                memo.comments = memo.comments.saturating_add(1);
                Ok(())
            }
            _ => decode::priced_item(cells).map(|item| memo.items.push(item)),
        };
        slot.note(done);
    }

    fn add_to_return<R: Row>(&mut self, part: Part, owner: i64, cells: &mut Cells<'_, R>) {
        let id = cells.key();
        let Some(&(at, index)) = self.returns.get(&owner) else {
            return;
        };
        let Some(slot) = self.slots.get_mut(at) else {
            return;
        };
        let Some(returned) = slot.order.returns.get_mut(index) else {
            return;
        };
        let done = match part {
            Part::ReturnItems => {
                self.return_items.insert(id, (at, index, returned.items.len()));
                decode::return_item(cells).map(|item| returned.items.push(item))
            }
            _ => decode::status_change(cells).map(|change| returned.history.push(change)),
        };
        slot.note(done);
    }

    fn return_item(&mut self, (at, index, item): (usize, usize, usize)) -> Option<&mut ReturnItem> {
        let returned: &mut Return = self.slots.get_mut(at)?.order.returns.get_mut(index)?;
        returned.items.get_mut(item)
    }
}

impl Slot {
    /// Keeps the first reason why the order cannot be read.
    fn note(&mut self, done: Result<(), BadCell>) {
        if let Err(bad) = done {
            self.bad.get_or_insert(bad);
        }
    }
}

fn place<'a>(places: &Places, slots: &'a mut [Slot], owner: i64) -> Option<(&'a mut Slot, usize)> {
    let &(at, index) = places.get(&owner)?;
    Some((slots.get_mut(at)?, index))
}

fn sorted(places: &Places) -> Vec<i64> {
    let mut ids: Vec<_> = places.keys().copied().collect();
    ids.sort_unstable();
    ids
}
