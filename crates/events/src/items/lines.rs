//! Item lines: one per product the shopper bought, for the part a document covers.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::context::Profile;
use crate::items::families::{Families, family_amount};
use crate::items::options::{selected_options, ships_separately};
use crate::items::shares::share;
use crate::text::{clean, clean_column, currency};
use crate::xdm::{IdText, Line, SelectedOption};
use orderfeed_model::amount::Amount;
use orderfeed_model::order::{DocumentItem, Item, Order};

/// Builds the lines of one order's events.
#[derive(Debug)]
pub(crate) struct Lines<'a> {
    order: &'a Order,
    profile: Profile,
    families: Families<'a>,
}

/// A row of a document about one order item. `item` is `None` if the order no longer holds it.
#[derive(Clone, Copy, Debug)]
struct ItemRow<'a> {
    item_id: i64,
    item: Option<&'a Item>,
    qty: Amount,
    row_total: Option<Amount>,
    discount: Option<Amount>,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(order: &'a Order, profile: Profile) -> Self {
        Self {
            order,
            profile,
            families: Families::of(order),
        }
    }

    /// Returns the lines of the order itself.
    pub(crate) fn ordered(&self) -> Vec<Line<'a>> {
        let item_rows = self.families.items().map(|item| ItemRow {
            item_id: item.id,
            item: Some(item),
            qty: item.qty_ordered,
            row_total: item.row_total,
            discount: item.discount,
        });
        self.lines(item_rows.collect())
    }

    /// Returns the lines of an invoice or a credit memo, which have amounts of their own.
    pub(crate) fn billed(&self, rows: &'a [DocumentItem]) -> Vec<Line<'a>> {
        let item_rows = rows.iter().map(|row| ItemRow {
            item_id: row.order_item_id,
            item: self.families.item(row.order_item_id),
            qty: row.qty,
            row_total: row.row_total,
            discount: row.discount,
        });
        self.lines(item_rows.collect())
    }

    /// Returns the lines of one shipment. Shipments have no amounts: a line gets its share of the order item's amount, so
    /// that the shipments of an item add up to that amount.
    pub(crate) fn shipped(&self, shipment_id: i64) -> Vec<Line<'a>> {
        let before = self.shipped_up_to(|id| id < shipment_id);
        let after = self.shipped_up_to(|id| id <= shipment_id);
        let item_rows = after.iter().map(|(&item_id, &until)| {
            let from = before.get(&item_id).copied().unwrap_or_default();
            self.shipped_entry(item_id, from, until)
        });
        self.shipped_lines(item_rows.collect())
    }

    /// Returns the lines of all shipments together.
    pub(crate) fn shipped_in_all(&self) -> Vec<Line<'a>> {
        let after = self.shipped_up_to(|_| true);
        let item_rows = after
            .iter()
            .map(|(&item_id, &until)| self.shipped_entry(item_id, Amount::ZERO, until));
        self.shipped_lines(item_rows.collect())
    }

    /// Sums the shipped quantity of each order item, over the shipments whose id qualifies.
    fn shipped_up_to(&self, qualifies: impl Fn(i64) -> bool) -> BTreeMap<i64, Amount> {
        let mut pieces = BTreeMap::new();
        let shipments = self
            .order
            .shipments
            .iter()
            .filter(|shipment| qualifies(shipment.id));
        for row in shipments.flat_map(|shipment| &shipment.items) {
            let sum = pieces.entry(row.order_item_id).or_insert(Amount::ZERO);
            *sum = *sum + row.qty;
        }
        pieces
    }

    fn shipped_entry(&self, item_id: i64, from: Amount, until: Amount) -> ItemRow<'a> {
        let item = self.families.item(item_id);
        let part = |total: Option<Amount>| share(total?, item?.qty_ordered, from, until);
        let (row_total, discount) = item.map_or((None, None), |item| self.totals(item));
        ItemRow {
            item_id,
            item,
            qty: until - from,
            row_total: part(row_total),
            discount: part(discount),
        }
    }

    /// Returns row total and discount of an order item; for a head, including its parts. A part without amounts belongs to
    /// a bundle with one price, and its share of that price is unknown.
    fn totals(&self, item: &Item) -> (Option<Amount>, Option<Amount>) {
        let children = self.families.children(item.id);
        let amount = |of: fn(&Item) -> Option<Amount>| {
            family_amount(of(item), children.iter().map(|member| of(member.item)))
        };
        let (row_total, discount) = (amount(|item| item.row_total), amount(|item| item.discount));
        if self.families.head_of(item.id) == item.id {
            return (row_total, discount);
        }
        let present = |amount: Option<Amount>| amount.filter(|amount| *amount != Amount::ZERO);
        (present(row_total), present(discount))
    }

    /// Builds shipment lines. A bundle with separate shipping is represented by its parts; any other head by itself, and
    /// its share includes that of the parts.
    fn shipped_lines(&self, mut item_rows: Vec<ItemRow<'a>>) -> Vec<Line<'a>> {
        item_rows.retain(|entry| entry.qty > Amount::ZERO);
        let is_head = |entry: &ItemRow<'_>| self.families.head_of(entry.item_id) == entry.item_id;
        let (heads, parts): (Vec<ItemRow<'a>>, Vec<ItemRow<'a>>) = item_rows.into_iter().partition(is_head);
        let parted: BTreeSet<i64> = parts
            .iter()
            .map(|part| self.families.head_of(part.item_id))
            .collect();
        let stays =
            |head: &ItemRow<'_>| !parted.contains(&head.item_id) || !head.item.is_some_and(ships_separately);
        let mut shipped: Vec<ItemRow<'a>> = heads.into_iter().filter(stays).collect();
        let whole: BTreeSet<i64> = shipped.iter().map(|head| head.item_id).collect();
        shipped.extend(
            parts
                .into_iter()
                .filter(|part| !whole.contains(&self.families.head_of(part.item_id))),
        );
        self.lines(shipped)
    }

    fn lines(&self, mut item_rows: Vec<ItemRow<'a>>) -> Vec<Line<'a>> {
        let key = |entry: &ItemRow<'_>| {
            let head = self.families.head_of(entry.item_id);
            (head, entry.item_id != head, entry.item_id)
        };
        item_rows.sort_by_cached_key(key);
        let item_rows = merged(item_rows);
        let head_of = |entry: &ItemRow<'_>| self.families.head_of(entry.item_id);
        let families = item_rows.chunk_by(|one, other| head_of(one) == head_of(other));
        families.flat_map(|family| self.family_lines(family)).collect()
    }

    /// Returns one line per family, that of the head. If the document has no head, each part is a line.
    fn family_lines(&self, family: &[ItemRow<'a>]) -> Vec<Line<'a>> {
        let headed = family.split_first().filter(|(head, _)| {
            self.families.head_of(head.item_id) == head.item_id && head.qty > Amount::ZERO
        });
        let Some((head, parts)) = headed else {
            let present = family.iter().filter(|entry| entry.qty > Amount::ZERO);
            return present.map(|entry| self.line(entry, Some(entry.qty))).collect();
        };
        let sum = ItemRow {
            row_total: family_amount(head.row_total, parts.iter().map(|part| part.row_total)),
            discount: family_amount(head.discount, parts.iter().map(|part| part.discount)),
            ..*head
        };
        vec![self.line(&sum, self.family_qty(head, parts))]
    }

    /// Returns the number of bundles in a document. If only the parts carry amounts, Commerce writes the ordered quantity
    /// into the bundle's row, so the number is computed from the parts; an incomplete bundle has no whole number.
    fn family_qty(&self, head: &ItemRow<'_>, parts: &[ItemRow<'_>]) -> Option<Amount> {
        let counts = |amount: Option<Amount>| amount.is_some_and(|amount| amount != Amount::ZERO);
        if counts(head.row_total) || !parts.iter().any(|part| counts(part.row_total)) {
            return Some(head.qty);
        }
        let complete = parts.len() == self.families.children(head.item_id).len();
        let mut each = parts.iter().map(|part| bundles(head.item?, part.item?, part.qty));
        let first = each.next()??;
        (complete && each.all(|other| other == Some(first))).then_some(first)
    }

    fn line(&self, entry: &ItemRow<'a>, qty: Option<Amount>) -> Line<'a> {
        Line {
            id: Some(IdText(entry.item_id)),
            sku: sku(entry.item, entry.item_id),
            name: entry.item.and_then(|item| clean_column(&item.name)),
            quantity: qty.and_then(pieces),
            price_total: entry.row_total,
            discount_amount: entry.discount.map(Amount::abs),
            currency_code: currency(&self.order.currency),
            selected_options: self.options(entry.item_id),
            return_item: None,
        }
    }

    /// Returns the options chosen for an item. A part of a configurable without options of its own has those of its head.
    pub(crate) fn options(&self, item_id: i64) -> Vec<SelectedOption<'a>> {
        let of = |id| {
            self.families
                .item(id)
                .map(|item| selected_options(item, self.profile))
                .unwrap_or_default()
        };
        let own = of(item_id);
        let head = self.families.head_of(item_id);
        let kind = self
            .families
            .item(head)
            .and_then(|head| head.product_type.as_deref());
        if own.is_empty() && head != item_id && kind == Some("configurable") {
            of(head)
        } else {
            own
        }
    }

    pub(crate) fn item(&self, item_id: i64) -> Option<&'a Item> {
        self.families.item(item_id)
    }
}

/// Merges adjacent rows of the same item.
fn merged(item_rows: Vec<ItemRow<'_>>) -> Vec<ItemRow<'_>> {
    let mut merged: Vec<ItemRow<'_>> = Vec::with_capacity(item_rows.len());
    for entry in item_rows {
        match merged.last_mut() {
            Some(last) if last.item_id == entry.item_id => {
                last.qty = last.qty + entry.qty;
                last.row_total = [last.row_total, entry.row_total]
                    .into_iter()
                    .flatten()
                    .reduce(|a, b| a + b);
                last.discount = [last.discount, entry.discount]
                    .into_iter()
                    .flatten()
                    .reduce(|a, b| a + b);
            }
            _ => merged.push(entry),
        }
    }
    merged
}

/// Returns the number of bundles that `qty` pieces of a part make, if that is a whole number.
fn bundles(bundle: &Item, part: &Item, qty: Amount) -> Option<Amount> {
    let product = qty
        .ten_thousandths()
        .checked_mul(bundle.qty_ordered.ten_thousandths())?;
    let each = part.qty_ordered.ten_thousandths();
    let whole = each > 0 && product % each == 0;
    whole.then(|| Amount::from_ten_thousandths(product / each))
}

/// XDM requires an SKU. An item without one (its product or itself was deleted) is named by its id, so that the event
/// is not lost.
pub(crate) fn sku(item: Option<&Item>, item_id: i64) -> Cow<'_, str> {
    item.and_then(|item| clean(&item.sku))
        .unwrap_or_else(|| Cow::Owned(format!("item-{item_id}")))
}

/// A quantity as XDM has it, a 32-bit integer that is not negative. What is sold by length or weight has none.
pub(crate) fn pieces(qty: Amount) -> Option<i32> {
    qty.whole()
        .and_then(|whole| i32::try_from(whole).ok())
        .filter(|whole| *whole >= 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three bundles of one strap and two balls each, priced by these parts.
    fn bundle_order() -> Order {
        let item = |id, parent_id, qty, units| Item {
            id,
            parent_id,
            sku: format!("S{id}"),
            qty_ordered: Amount::from_units(qty),
            row_total: Some(Amount::from_units(units)),
            ..Item::default()
        };
        let mut items = vec![
            item(1, None, 3, 90),
            item(2, Some(1), 3, 30),
            item(3, Some(1), 6, 60),
        ];
        items[0].product_type = Some("bundle".to_owned());
        Order {
            items,
            ..Order::default()
        }
    }

    /// `(order item, pieces, price)`; a bundle's own row has no price.
    fn billed(rows: &[(i64, i64, Option<i64>)]) -> Vec<String> {
        let order = bundle_order();
        let rows = rows.iter().map(|&(order_item_id, qty, units)| DocumentItem {
            order_item_id,
            qty: Amount::from_units(qty),
            row_total: units.map(Amount::from_units),
            ..DocumentItem::default()
        });
        let rows: Vec<_> = rows.collect();
        let show = |line: &Line<'_>| format!("{} x{:?} {:?}", line.sku, line.quantity, line.price_total);
        Lines::new(&order, Profile::Anonymized)
            .billed(&rows)
            .iter()
            .map(show)
            .collect()
    }

    #[test]
    fn a_bundle_priced_by_its_parts_is_counted_by_them() {
        assert_eq!(
            billed(&[(1, 3, None), (2, 3, Some(30)), (3, 6, Some(60))]),
            ["S1 xSome(3) Some(90.0)"]
        );
        assert_eq!(
            billed(&[(1, 3, None), (2, 1, Some(10)), (3, 2, Some(20))]),
            ["S1 xSome(1) Some(30.0)"]
        );
    }

    #[test]
    fn a_bundle_that_is_there_in_part_has_its_amount_but_no_quantity() {
        assert_eq!(billed(&[(1, 3, None), (2, 1, Some(10))]), ["S1 xNone Some(10.0)"]);
        assert_eq!(
            billed(&[(1, 3, None), (2, 1, Some(10)), (3, 6, Some(60))]),
            ["S1 xNone Some(70.0)"]
        );
    }

    #[test]
    fn parts_without_their_bundle_are_lines_of_their_own() {
        assert_eq!(
            billed(&[(1, 0, None), (2, 1, Some(10)), (3, 0, Some(5))]),
            ["S2 xSome(1) Some(10.0)"]
        );
        assert_eq!(billed(&[(3, 1, Some(10))]), ["S3 xSome(1) Some(10.0)"]);
    }

    #[test]
    fn item_rowsof_one_item_become_one_line_and_a_row_without_an_item_keeps_its_amount() {
        assert_eq!(
            billed(&[(2, 1, Some(10)), (2, 1, Some(5))]),
            ["S2 xSome(2) Some(15.0)"]
        );
        assert_eq!(billed(&[(77, 1, Some(4))]), ["item-77 xSome(1) Some(4.0)"]);
    }

    #[test]
    fn only_whole_pieces_that_xdm_can_hold_are_a_quantity() {
        assert_eq!(pieces(Amount::from_units(3)), Some(3));
        assert_eq!(pieces(Amount::ZERO), Some(0));
        for other in ["2.5", "-1", "2147483648"] {
            assert_eq!(pieces(Amount::parse(other).unwrap()), None, "{other}");
        }
    }
}
