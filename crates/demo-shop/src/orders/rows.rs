//! The order, its items, addresses and payment as rows. `moving` cells are those that later actions change: an
//! `UPDATE` writes only these, together with `updated_at` if the table has it.

use crate::amount::Amount;
use crate::orders::model::{Cost, Item, Money, Order};
use crate::orders::recorder::{Recorder, both, or_null};
use crate::shop::catalog::ProductKind;
use crate::shop::people::Place;
use crate::shop::stores::WEBSITES;
use crate::sql::{Cells, Value, cells};
use orderfeed_model::clock::UtcMillis;

/// Returns the store id in the rows of this order.
pub(crate) fn store_id(order: &Order) -> Value {
    (!order.store_gone).then_some(order.store.id).into()
}

/// Returns all cells of an order.
pub(crate) fn order_cells(order: &Order, at: UtcMillis) -> Cells {
    let site = &WEBSITES[order.store.website];
    let qty: Amount = order.lines().iter().map(|&i| order.items[i].ordered).sum();
    let mut cells = cells! {
        "entity_id": order.id,
        "increment_id": order.number.clone(),
        "store_id": store_id(order),
        "store_name": format!("{}\n{}\n{}", site.name, order.store.group.2, order.store.name),
        "protect_code": format!("{:032x}", order.id.wrapping_mul(0x5DEE_CE66D)),
        "is_virtual": order.is_virtual(),
        "customer_id": order.person.customer_id,
        "customer_is_guest": order.person.customer_id.is_none(),
        "customer_group_id": i64::from(order.person.customer_id.is_some()),
        "customer_email": order.person.email.clone(),
        "customer_firstname": order.person.first,
        "customer_lastname": order.person.last,
        "base_currency_code": site.currency,
        "order_currency_code": order.store.currency,
        "store_currency_code": site.currency,
        "global_currency_code": "USD",
        "base_to_order_rate": order.store.rate,
        "total_qty_ordered": qty,
        "total_item_count": i64::try_from(order.lines().len()).unwrap_or(0),
        "billing_address_id": order.billing.0,
        "shipping_address_id": order.shipping.as_ref().map(|(id, _)| *id),
        "quote_id": order.id,
        "remote_ip": "192.0.2.7",
        "created_at": at,
    };
    shipping_method(&mut cells, order);
    order_totals(&mut cells, order);
    cells.extend(moving_order(order, at));
    cells
}

/// Returns the cells of an order that actions change.
pub(crate) fn moving_order(order: &Order, at: UtcMillis) -> Cells {
    let (held_state, held_status) = order
        .before_hold
        .map(|(state, status)| (state.as_str(), status))
        .unzip();
    let mut cells = cells! {
        "state": order.state.as_str(),
        "status": order.status,
        "hold_before_state": held_state,
        "hold_before_status": held_status,
        "updated_at": at,
    };
    let (invoiced, refunded, canceled) = (order.invoiced, order.refunded, order.canceled);
    let sums = [
        ("base_subtotal_invoiced", invoiced.subtotal),
        ("base_discount_invoiced", invoiced.discount.negated()),
        ("base_tax_invoiced", invoiced.tax),
        ("base_shipping_invoiced", invoiced.shipping),
        ("base_total_invoiced", invoiced.grand_total()),
        ("base_subtotal_refunded", refunded.subtotal),
        ("base_discount_refunded", refunded.discount.negated()),
        ("base_tax_refunded", refunded.tax),
        ("base_shipping_refunded", refunded.shipping),
        ("base_shipping_tax_refunded", refunded.shipping_tax),
        ("base_total_refunded", order.total_refunded),
        ("base_adjustment_positive", order.adjustment_positive),
        ("base_adjustment_negative", order.adjustment_negative),
        ("base_subtotal_canceled", canceled.subtotal),
        ("base_discount_canceled", canceled.discount.negated()),
        ("base_tax_canceled", canceled.tax),
        ("base_shipping_canceled", canceled.shipping),
        ("base_total_canceled", canceled.grand_total()),
        ("base_total_paid", order.paid),
    ];
    for (columns, sum) in sums {
        or_null(&mut cells, columns, sum);
    }
    both(
        &mut cells,
        "base_total_due",
        order.cost.grand_total() - order.paid,
    );
    cells
}

/// Returns all cells of an item.
pub(crate) fn item_cells(order: &Order, index: usize, at: UtcMillis) -> Cells {
    let item = &order.items[index];
    let site = &WEBSITES[order.store.website];
    let taxed = item.row.tax != Money::default();
    let mut cells = cells! {
        "item_id": item.id,
        "order_id": order.id,
        "parent_item_id": item.parent.map(|parent| order.items[parent].id),
        "quote_item_id": item.id,
        "store_id": store_id(order),
        "created_at": at,
        "product_id": item.product.id,
        "product_type": item.product.kind.code(),
        "product_options": item.options.clone(),
        "weight": item.product.weight,
        "is_virtual": item.is_virtual(),
        "sku": sku(order, index),
        "name": item.product.name,
        "is_qty_decimal": item.product.kind == ProductKind::ByWeight,
        "qty_ordered": item.ordered,
        "tax_percent": if taxed { site.tax_percent } else { Amount::ZERO },
    };
    both(&mut cells, "base_price", item.price);
    both(&mut cells, "base_original_price", item.price);
    both(&mut cells, "base_row_total", item.row.subtotal);
    both(&mut cells, "base_tax_amount", item.row.tax);
    both(&mut cells, "base_discount_amount", item.row.discount);
    let with_tax = item.row.subtotal + item.row.tax;
    both(&mut cells, "base_row_total_incl_tax", with_tax);
    cells.extend(moving_item(order, index, at));
    cells
}

/// Returns the cells of an item that actions change.
pub(crate) fn moving_item(order: &Order, index: usize, at: UtcMillis) -> Cells {
    let item: &Item = &order.items[index];
    let invoiced = order.cost_of(index, item.invoiced);
    let refunded = order.cost_of(index, item.refunded);
    let mut cells = cells! {
        "qty_invoiced": item.invoiced,
        "qty_shipped": item.shipped,
        "qty_refunded": item.refunded,
        "qty_canceled": item.canceled,
        "updated_at": at,
    };
    both(&mut cells, "base_row_invoiced", invoiced.subtotal);
    both(&mut cells, "base_tax_invoiced", invoiced.tax);
    both(&mut cells, "base_discount_invoiced", invoiced.discount);
    both(&mut cells, "base_amount_refunded", refunded.subtotal);
    or_null(&mut cells, "base_tax_refunded", refunded.tax);
    or_null(&mut cells, "base_discount_refunded", refunded.discount);
    cells
}

/// Returns the cells of a billing or shipping address.
pub(crate) fn address_cells(order: &Order, (id, place): &(i64, Place), kind: &'static str) -> Cells {
    let mut cells = cells! {
        "entity_id": *id,
        "parent_id": order.id,
        "customer_id": order.person.customer_id,
        "email": order.person.email.clone(),
        "firstname": order.person.first,
        "lastname": order.person.last,
        "address_type": kind,
    };
    cells.extend(moving_address(place));
    cells
}

/// Returns the cells that an edit of an address changes.
pub(crate) fn moving_address(place: &Place) -> Cells {
    cells! {
        "street": place.street,
        "city": place.city,
        "region": place.region,
        "postcode": place.postcode,
        "country_id": place.country,
        "telephone": place.telephone.clone(),
        "company": place.company,
    }
}

pub(crate) fn payment_cells(order: &Order) -> Cells {
    let payment = &order.payment;
    let information = format!("{{\"method_title\":\"{}\"}}", payment.title);
    let mut cells = cells! {
        "entity_id": payment.id,
        "parent_id": order.id,
        "method": payment.method,
        "po_number": payment.po_number.clone(),
        "cc_last_4": payment.online.then_some("1111"),
        "additional_information": information,
    };
    both(&mut cells, "base_amount_ordered", order.cost.grand_total());
    both(&mut cells, "base_shipping_amount", order.cost.shipping);
    cells.extend(moving_payment(order));
    cells
}

/// Records the state of the payment.
pub(crate) fn write_payment(recorder: &mut Recorder<'_>, order: &Order) {
    recorder.update(
        "sales_order_payment",
        "entity_id",
        order.payment.id,
        moving_payment(order),
    );
}

/// Returns the cells of a payment that actions change.
fn moving_payment(order: &Order) -> Cells {
    let payment = &order.payment;
    let online = |amount: Amount| payment.online.then_some(amount);
    let mut cells = cells! {
        "last_trans_id": payment.last_trans_id.clone(),
        "base_amount_paid_online": online(payment.paid.base),
        "base_amount_refunded_online": online(payment.refunded.base),
    };
    or_null(&mut cells, "base_amount_authorized", payment.authorized);
    or_null(&mut cells, "base_amount_paid", payment.paid);
    or_null(&mut cells, "base_amount_refunded", payment.refunded);
    or_null(&mut cells, "base_amount_canceled", payment.canceled);
    cells
}

/// Returns the SKU of an item. The parent of a configurable has the SKU of the chosen variant.
pub(crate) fn sku(order: &Order, index: usize) -> &'static str {
    let item = &order.items[index];
    match item.product.kind {
        ProductKind::Configurable => {
            let chosen = order.children(index).first().copied();
            chosen.map_or(item.product.sku, |child| order.items[child].product.sku)
        }
        _ => item.product.sku,
    }
}

fn shipping_method(cells: &mut Cells, order: &Order) {
    let physical = order.shipping.is_some();
    let free = order.cost.shipping == Money::default();
    let (code, title) = if free {
        ("freeshipping_freeshipping", "Free Shipping - Free")
    } else {
        ("flatrate_flatrate", "Flat Rate - Fixed")
    };
    cells.push(("shipping_method", physical.then_some(code).into()));
    cells.push(("shipping_description", physical.then_some(title).into()));
}

fn order_totals(cells: &mut Cells, order: &Order) {
    let cost = order.cost;
    let discounted = cost.discount != Money::default();
    cells.push(("coupon_code", discounted.then_some("SUMMER").into()));
    cells.push(("discount_description", discounted.then_some("SUMMER").into()));
    cost_cells(cells, cost, cost.grand_total());
    both(cells, "base_shipping_incl_tax", cost.shipping + cost.shipping_tax);
    let item_tax = cost.tax - cost.shipping_tax;
    both(cells, "base_subtotal_incl_tax", cost.subtotal + item_tax);
}

/// Adds the amounts of an order, an invoice or a credit memo.
pub(crate) fn cost_cells(cells: &mut Cells, cost: Cost, grand: Money) {
    both(cells, "base_subtotal", cost.subtotal);
    both(cells, "base_discount_amount", cost.discount.negated());
    both(cells, "base_tax_amount", cost.tax);
    both(cells, "base_shipping_amount", cost.shipping);
    both(cells, "base_shipping_tax_amount", cost.shipping_tax);
    both(cells, "base_grand_total", grand);
}
