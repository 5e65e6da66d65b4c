//! Places orders: shopper, store, basket, prices and payment.

use crate::amount::Amount;
use crate::orders::basket;
use crate::orders::model::{Cost, Item, Money, Order, Payment, State};
use crate::orders::recorder::Recorder;
use crate::orders::rows;
use crate::shop::people;
use crate::shop::stores::{STORES, Store, WEBSITES};
use crate::sql::cells;

/// The payment flow at the checkout.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Checkout {
    /// Paid later, outside the shop.
    Offline,
    /// The card is authorized. The capture comes with the invoice.
    Authorized,
    /// The card is charged. The invoice is part of the same transaction.
    Sale,
    /// The shopper is redirected to another site and has to return.
    Redirect,
    /// The provider reviews the payment.
    Review,
}

/// Orders in a thousand with each kind of oddity.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Oddities {
    pub guests_without_email: u32,
    pub deleted_store_views: u32,
}

/// Places an order. The flag is true if the payment was charged at once, so that an invoice is due.
pub(crate) fn place(recorder: &mut Recorder<'_>, products: &[usize], oddities: Oddities) -> (Order, bool) {
    let store = &STORES[recorder.one_of(&[0, 0, 0, 0, 1, 2, 3, 3, 3, 4, 5, 6, 7, 7, 8, 9, 9])];
    let items = basket::random(recorder, products, store);
    place_items(recorder, store, items, oddities)
}

/// Places an order of these items. The flag is that of [`place`].
pub(crate) fn place_items(
    recorder: &mut Recorder<'_>,
    store: &'static Store,
    items: Vec<Item>,
    oddities: Oddities,
) -> (Order, bool) {
    let mut order = draft(recorder, store, items, oddities);
    price(recorder, &mut order);
    let checkout = choose_payment(recorder, &mut order);
    write(recorder, &order);
    if matches!(checkout, Checkout::Authorized | Checkout::Review) {
        authorize(recorder, &mut order);
    }
    (order, checkout == Checkout::Sale)
}

/// Authorizes the whole sum on the shopper's card.
pub(crate) fn authorize(recorder: &mut Recorder<'_>, order: &mut Order) {
    let text = transaction(recorder, order, "authorization", None);
    order.payment.authorized = order.cost.grand_total();
    order.payment.authorization = text;
    rows::write_payment(recorder, order);
}

/// Records a payment transaction as the last one of the payment. Returns its ids.
pub(crate) fn transaction(
    recorder: &mut Recorder<'_>,
    order: &mut Order,
    kind: &'static str,
    parent: Option<&(i64, String)>,
) -> Option<(i64, String)> {
    let id = recorder.id("sales_payment_transaction");
    let text = format!("{:08x}{:04x}-{}", recorder.rng.u32(..), id & 0xFFFF, &kind[..4]);
    let cells = cells! {
        "transaction_id": id,
        "parent_id": parent.map(|(id, _)| *id),
        "order_id": order.id,
        "payment_id": order.payment.id,
        "txn_id": text.clone(),
        "parent_txn_id": parent.map(|(_, text)| text.clone()),
        "txn_type": kind,
        "is_closed": kind != "authorization",
        "created_at": recorder.at,
    };
    recorder.insert("sales_payment_transaction", cells);
    order.payment.last_trans_id = Some(text.clone());
    Some((id, text))
}

fn draft(recorder: &mut Recorder<'_>, store: &'static Store, items: Vec<Item>, oddities: Oddities) -> Order {
    let site = &WEBSITES[store.website];
    let person = people::person(recorder.rng, oddities.guests_without_email);
    let billing = (
        recorder.id("sales_order_address"),
        people::place(recorder.rng, site),
    );
    let physical = items.iter().any(|item| !item.is_virtual());
    let shipping = physical.then(|| {
        let elsewhere = recorder.chance(25).then(|| people::place(recorder.rng, site));
        (
            recorder.id("sales_order_address"),
            elsewhere.unwrap_or_else(|| billing.1.clone()),
        )
    });
    Order {
        id: recorder.id("sales_order"),
        number: recorder.number("sales_order", store),
        store,
        store_gone: recorder.rng.u32(..1000) < oddities.deleted_store_views,
        person,
        billing,
        shipping,
        items,
        payment: Payment {
            id: recorder.id("sales_order_payment"),
            ..Payment::default()
        },
        cost: Cost::default(),
        invoiced: Cost::default(),
        refunded: Cost::default(),
        canceled: Cost::default(),
        paid: Money::default(),
        total_refunded: Money::default(),
        adjustment_positive: Money::default(),
        adjustment_negative: Money::default(),
        state: State::New,
        status: State::New.default_status(),
        before_hold: None,
        invoices: vec![],
        shipments: vec![],
        returns: vec![],
        touched: false,
    }
}

/// Computes discount, tax and shipping, starting from the rows.
fn price(recorder: &mut Recorder<'_>, order: &mut Order) {
    let site = &WEBSITES[order.store.website];
    let units = Money {
        base: site.unit,
        shown: order.store.unit,
    };
    let gift = recorder.chance(1);
    let discount = if gift {
        100
    } else {
        recorder.one_of(&[0, 0, 0, 0, 0, 10, 15, 33])
    };
    let of = |money: Money, percent: Amount| {
        money.zip(units, |amount, unit| {
            amount.share(percent, Amount::whole(100), unit)
        })
    };
    for item in &mut order.items {
        item.row.discount = of(item.row.subtotal, Amount::whole(discount));
        item.row.tax = of(item.row.subtotal - item.row.discount, site.tax_percent);
    }
    for line in order.lines() {
        if order.items[line].ships_separately() {
            let parts = order.children(line).into_iter();
            order.items[line].row = parts.fold(Cost::default(), |sum, child| sum + order.items[child].row);
            order.items[line].price = unit_price(order, line);
        }
        order.cost += order.items[line].row;
    }
    if order.shipping.is_some() && !gift && recorder.chance(80) {
        let base = Amount::whole(5).times(site.per_dollar, site.unit);
        order.cost.shipping = Money {
            base,
            shown: base.times(order.store.rate, order.store.unit),
        };
        order.cost.shipping_tax = of(order.cost.shipping, site.tax_percent);
        order.cost.tax += order.cost.shipping_tax;
    }
}

/// Returns the price of one bundle: the sum of its parts' prices.
fn unit_price(order: &Order, line: usize) -> Money {
    order
        .children(line)
        .into_iter()
        .fold(Money::default(), |sum, child| {
            let part = &order.items[child];
            sum + part.price.zip(
                Money {
                    base: part.per_parent,
                    shown: part.per_parent,
                },
                |price, each| price.times(each, Amount(1)),
            )
        })
}

fn choose_payment(recorder: &mut Recorder<'_>, order: &mut Order) -> Checkout {
    let roll = recorder.rng.u32(..100);
    let (checkout, method, title) = match roll {
        _ if order.cost.grand_total().base == Amount::ZERO => {
            (Checkout::Offline, "free", "No Payment Information Required")
        }
        0..22 => (Checkout::Offline, "checkmo", "Check / Money order"),
        22..30 => (Checkout::Offline, "banktransfer", "Bank Transfer Payment"),
        30..35 => (Checkout::Offline, "purchaseorder", "Purchase Order"),
        35..70 => (Checkout::Authorized, "braintree", "Credit Card"),
        70..84 => (Checkout::Sale, "payflowpro", "Credit Card (Payflow)"),
        84..95 => (Checkout::Redirect, "paypal_express", "PayPal Express Checkout"),
        _ => (Checkout::Review, "braintree", "Credit Card"),
    };
    let payment = &mut order.payment;
    (payment.method, payment.title) = (method, title);
    payment.online = checkout != Checkout::Offline;
    payment.po_number = (method == "purchaseorder").then(|| format!("PO-{}", order.number));
    order.state = match checkout {
        Checkout::Offline => State::New,
        Checkout::Authorized | Checkout::Sale => State::Processing,
        Checkout::Redirect => State::PendingPayment,
        Checkout::Review => State::PaymentReview,
    };
    let suspected = order.state == State::PaymentReview && recorder.chance(40);
    order.status = if suspected {
        "fraud"
    } else {
        order.state.default_status()
    };
    checkout
}

fn write(recorder: &mut Recorder<'_>, order: &Order) {
    let at = recorder.at;
    recorder.insert("sales_order", rows::order_cells(order, at));
    for index in 0..order.items.len() {
        recorder.insert("sales_order_item", rows::item_cells(order, index, at));
    }
    recorder.insert(
        "sales_order_address",
        rows::address_cells(order, &order.billing, "billing"),
    );
    if let Some(shipping) = &order.shipping {
        recorder.insert(
            "sales_order_address",
            rows::address_cells(order, shipping, "shipping"),
        );
    }
    recorder.insert("sales_order_payment", rows::payment_cells(order));
    write_tax(recorder, order);
    recorder.history(order, None, "order");
    recorder.status_change(order);
}

fn write_tax(recorder: &mut Recorder<'_>, order: &Order) {
    if order.cost.tax == Money::default() {
        return;
    }
    let site = &WEBSITES[order.store.website];
    let tax = recorder.id("sales_order_tax");
    let cells = cells! {
        "tax_id": tax,
        "order_id": order.id,
        "code": site.tax_title,
        "title": site.tax_title,
        "percent": site.tax_percent,
        "amount": order.cost.tax.shown,
        "base_amount": order.cost.tax.base,
        "base_real_amount": order.cost.tax.base,
        "priority": 0,
        "position": 0,
    };
    recorder.insert("sales_order_tax", cells);
    // The parts of a bundle carry its tax if they carry its price.
    let taxed = |item: &&Item| item.row.tax != Money::default() && !item.ships_separately();
    for item in order.items.iter().filter(taxed) {
        tax_item(recorder, order, (tax, Some(item.id)), item.row.tax);
    }
    if order.cost.shipping_tax != Money::default() {
        tax_item(recorder, order, (tax, None), order.cost.shipping_tax);
    }
}

fn tax_item(recorder: &mut Recorder<'_>, order: &Order, (tax, item): (i64, Option<i64>), amount: Money) {
    let id = recorder.id("sales_order_tax_item");
    let cells = cells! {
        "tax_item_id": id,
        "tax_id": tax,
        "item_id": item,
        "tax_percent": WEBSITES[order.store.website].tax_percent,
        "amount": amount.shown,
        "base_amount": amount.base,
        "real_amount": amount.shown,
        "real_base_amount": amount.base,
        "taxable_item_type": if item.is_some() { "product" } else { "shipping" },
    };
    recorder.insert("sales_order_tax_item", cells);
}
