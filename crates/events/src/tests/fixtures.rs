//! Orders for the tests: one in which everything has happened, and generated ones.

use fastrand::Rng;
use uuid::uuid;

use crate::context::{EventContext, Profile};
use crate::items::options::ships_separately;
use orderfeed_model::amount::Amount;
use orderfeed_model::birth::Birth;
use orderfeed_model::clock::UtcMillis;
use orderfeed_model::order::*;

pub(crate) fn context(profile: Profile) -> EventContext {
    EventContext {
        profile,
        ..EventContext::new(uuid!("2a7d1c34-8f10-4be3-9d2f-0c5b7f6a1e90"))
    }
}

pub(crate) fn at(text: &str) -> UtcMillis {
    UtcMillis::parse_sql(text).unwrap()
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn units(units: i64) -> Option<Amount> {
    Some(Amount::from_units(units))
}

fn money(decimal: &str) -> Option<Amount> {
    Amount::parse(decimal)
}

/// A configurable with an engraving, a bundle priced by its parts and a download; invoiced, shipped twice, refunded in
/// part, returned.
pub(crate) fn eventful_order() -> Order {
    Order {
        id: 42,
        number: "000000042".to_owned(),
        state: "complete".to_owned(),
        status: text("complete"),
        created_at: at("2026-11-22 06:59:58"),
        updated_at: at("2026-11-25 10:00:01"),
        scope: Some(Scope {
            website: "base".to_owned(),
            store: "main_website_store".to_owned(),
            store_view: "default".to_owned(),
        }),
        email: text(" User@Example.com "),
        customer_note: text("PII-note"),
        currency: text("USD"),
        totals: Totals {
            grand_total: money("146.98"),
            subtotal: money("149.98"),
            discount: money("-18.0000"),
            tax: money("10.0000"),
            shipping: money("5.0000"),
            ..Totals::default()
        },
        payment: Some(Payment {
            method: text("braintree"),
            method_title: text("Credit Card"),
            po_number: text("PII-PO-77"),
            last_transaction_id: text("re_9x"),
            ordered: money("146.98"),
            ..Payment::default()
        }),
        transactions: vec![
            transaction(1, "authorization", "ch_3Nk"),
            transaction(2, "refund", "re_9x"),
        ],
        billing_address: Some(address()),
        shipping_address: Some(address()),
        shipping_method: text("flatrate_flatrate"),
        shipping_description: text("Flat Rate - Fixed"),
        protect_code: text("PII-protect"),
        items: items(),
        invoices: vec![Invoice {
            id: 7,
            number: text("000000007"),
            created_at: at("2026-11-22 07:05:00"),
            grand_total: money("146.98"),
            shipping: money("5.0000"),
            transaction_id: text("ch_3Nk"),
            items: vec![
                row(1, 100, 2, "68.00"),
                DocumentItem {
                    id: 2,
                    order_item_id: 101,
                    qty: Amount::from_units(2),
                    ..DocumentItem::default()
                },
                DocumentItem {
                    id: 3,
                    order_item_id: 102,
                    qty: Amount::from_units(1),
                    ..DocumentItem::default()
                },
                row(4, 103, 1, "19.99"),
                row(5, 104, 2, "41.99"),
                row(6, 105, 1, "20.00"),
            ],
            ..Invoice::default()
        }],
        shipments: vec![
            shipment(11, "2026-11-22 09:00:00", &[(100, 1)], &["9400100000000000"]),
            shipment(
                12,
                "2026-11-24 15:00:00",
                &[(100, 1), (102, 1)],
                &["1Z999AA1", "1Z999AA2"],
            ),
        ],
        credit_memos: vec![CreditMemo {
            id: 3,
            number: text("000000003"),
            state: Some(2),
            created_at: at("2026-11-25 10:00:00"),
            grand_total: money("32.00"),
            transaction_id: text("re_9x"),
            items: vec![row(1, 100, 1, "34.00"), row(2, 105, 0, "0.00")],
            ..CreditMemo::default()
        }],
        returns: vec![returned()],
        history: vec![
            change(1, "pending", "2026-11-22 06:59:58"),
            change(2, "complete", "2026-11-24 15:00:00"),
        ],
        ..Order::default()
    }
}

/// An order that was cancelled before anything else happened.
pub(crate) fn cancelled_order() -> Order {
    Order {
        state: "canceled".to_owned(),
        status: text("canceled"),
        history: vec![
            change(1, "pending", "2026-11-22 06:59:58"),
            change(2, "canceled", "2026-11-22 08:00:00"),
            change(3, "canceled", "2026-11-23 08:00:00"),
        ],
        invoices: Vec::new(),
        shipments: Vec::new(),
        credit_memos: Vec::new(),
        returns: Vec::new(),
        ..eventful_order()
    }
}

fn items() -> Vec<Item> {
    let options = r#"{"info_buyRequest":{"options":{"1":"PII-request"}},
        "attributes_info":[{"label":"Color","value":"Black"}],
        "options":[{"label":"Engraving","value":"PII-engraving","print_value":"PII-engraving","option_type":"field"},
                   {"label":"Gift wrap","value":"Red","option_type":"drop_down"}]}"#;
    let bundle = r#"{"shipment_type":"0","bundle_options":{"9":{"label":"Strap","value":[{"title":"6 foot","qty":1}]},
        "8":{"label":"Ball","value":[{"title":"55 cm","qty":2}]}}}"#;
    let mut items = vec![
        item(100, None, "configurable", 2, "68.00"),
        item(101, Some(100), "simple", 2, "0.00"),
        item(102, None, "bundle", 1, "61.98"),
        item(103, Some(102), "simple", 1, "19.99"),
        item(104, Some(102), "simple", 2, "41.99"),
        item(105, None, "downloadable", 1, "20.00"),
    ];
    items[0].discount = money("18.0000");
    items[0].qty_shipped = Amount::from_units(2);
    items[0].product_options = text(options);
    items[2].qty_shipped = Amount::from_units(1);
    items[2].product_options = text(bundle);
    items[5].is_virtual = true;
    items
}

fn item(id: i64, parent_id: Option<i64>, kind: &str, qty: i64, row_total: &str) -> Item {
    Item {
        id,
        parent_id,
        product_type: text(kind),
        sku: format!("SKU-{id}"),
        name: Some(format!("Thing {id}")),
        qty_ordered: Amount::from_units(qty),
        row_total: money(row_total),
        ..Item::default()
    }
}

fn row(id: i64, order_item_id: i64, qty: i64, row_total: &str) -> DocumentItem {
    let (row_total, qty) = (money(row_total), Amount::from_units(qty));
    DocumentItem {
        id,
        order_item_id,
        qty,
        row_total,
        discount: money("0.0000"),
        ..DocumentItem::default()
    }
}

fn shipment(id: i64, created_at: &str, rows: &[(i64, i64)], tracks: &[&str]) -> Shipment {
    let rows = rows
        .iter()
        .enumerate()
        .map(|(position, &(order_item_id, qty))| DocumentItem {
            id: id * 10 + position as i64,
            order_item_id,
            qty: Amount::from_units(qty),
            ..DocumentItem::default()
        });
    let tracks = tracks.iter().map(|number| Track {
        number: text(number),
        title: text("PII-track"),
        ..Track::default()
    });
    let created_at = at(created_at);
    Shipment {
        id,
        created_at,
        items: rows.collect(),
        tracks: tracks.collect(),
        ..Shipment::default()
    }
}

fn transaction(id: i64, kind: &str, txn_id: &str) -> Transaction {
    Transaction {
        id,
        kind: text(kind),
        txn_id: text(txn_id),
        created_at: None,
    }
}

fn change(id: i64, status: &str, moment: &str) -> StatusChange {
    StatusChange {
        id,
        status: text(status),
        at: at(moment),
    }
}

/// Each part of it can be found again in a body.
fn address() -> Address {
    Address {
        first_name: text("PII-first"),
        last_name: text("PII-last"),
        company: text("PII-company"),
        street: text("PII-street 1\nRear building"),
        city: text("PII-city"),
        region: text("PII-region"),
        region_id: Some(57),
        postcode: text("PII-postcode"),
        country: text("US"),
        telephone: text("PII-telephone"),
    }
}

fn returned() -> Return {
    Return {
        birth: Birth::default(),
        id: 5,
        number: text("R0001"),
        status: text("processed_closed"),
        requested_at: at("2026-11-24 18:00:00"),
        items: vec![ReturnItem {
            id: 1,
            order_item_id: Some(100),
            sku: text("SKU-100"),
            name: text("Thing 100"),
            status: text("approved"),
            reason: text("Wrong Size"),
            condition: text("Opened"),
            resolution: text("Refund"),
            qty_requested: units(1),
            qty_authorized: units(1),
            qty_returned: units(1),
            qty_approved: units(1),
        }],
        history: vec![
            change(1, "pending", "2026-11-24 18:00:00"),
            change(2, "processed_closed", "2026-11-25 09:00:00"),
        ],
    }
}

/// An order such as Commerce writes them: amounts where its totals collectors put them, documents of parts of it.
pub(crate) fn plausible_order(seed: u64) -> Order {
    let rng = &mut Rng::with_seed(seed);
    let mut order = eventful_order();
    order.id = rng.i64(1..1_000_000);
    order.items.clear();
    for _ in 0..rng.usize(1..5) {
        add_family(&mut order.items, rng);
    }
    let heads = order.items.iter().filter(|item| item.parent_id.is_none());
    order.totals.subtotal = Some(heads.filter_map(|item| item.row_total).sum());
    order.invoices = (1..=rng.i64(0..3))
        .map(|id| random_invoice(id, &order.items, rng))
        .collect();
    order.shipments = (1..=rng.i64(0..4))
        .map(|id| random_shipment(id, &order.items, rng))
        .collect();
    order
}

fn add_family(items: &mut Vec<Item>, rng: &mut Rng) {
    let id = 10 * (items.len() as i64 + 1);
    let qty = rng.i64(1..6);
    let cents = |rng: &mut Rng| Some(Amount::from_ten_thousandths(rng.i128(0..1_000_000) * 100));
    let mut head = item(id, None, "simple", qty, "0.00");
    head.row_total = cents(rng);
    let mut parts = Vec::new();
    match rng.u8(0..4) {
        0 => {}
        1 => {
            head.product_type = text("configurable");
            parts.push(item(id + 1, Some(id), "simple", qty, "0.00"));
        }
        fixed_price_if_2 => {
            head.product_type = text("bundle");
            head.product_options = Some(format!(r#"{{"shipment_type":"{}"}}"#, rng.u8(0..2)));
            for part in 1..=rng.i64(1..4) {
                parts.push(item(id + part, Some(id), "simple", qty * part, "0.00"));
            }
            if fixed_price_if_2 == 3 {
                parts.iter_mut().for_each(|part| part.row_total = cents(rng));
                head.row_total = Some(parts.iter().filter_map(|part| part.row_total).sum());
            }
        }
    }
    items.push(head);
    items.append(&mut parts);
}

/// A bundle priced by its parts has no amounts in its own row of a document, others' parts have none in theirs.
fn random_invoice(id: i64, items: &[Item], rng: &mut Rng) -> Invoice {
    let priced_by_parts = |head: i64| {
        let paid = |item: &Item| item.parent_id == Some(head) && item.row_total != Some(Amount::ZERO);
        items.iter().any(paid)
    };
    let rows = items.iter().map(|item| {
        let carries = item.parent_id.map_or(!priced_by_parts(item.id), priced_by_parts);
        DocumentItem {
            id: item.id,
            order_item_id: item.id,
            qty: Amount::from_units(rng.i64(1..4)),
            row_total: carries.then(|| Amount::from_ten_thousandths(rng.i128(1..1_000_000))),
            ..DocumentItem::default()
        }
    });
    Invoice {
        id,
        created_at: at("2026-11-22 07:05:00"),
        items: rows.collect(),
        ..Invoice::default()
    }
}

/// Generates a shipment of heads, or of the parts of a bundle with separate shipping (the bundle's own row then counts for
/// nothing). Parts that ship with their head may have rows too.
fn random_shipment(id: i64, items: &[Item], rng: &mut Rng) -> Shipment {
    let in_parts = |head: i64| items.iter().any(|item| item.id == head && ships_separately(item));
    let mut rows = Vec::new();
    let mut qty = 0;
    for item in items {
        match item.parent_id {
            None => qty = if in_parts(item.id) { 1 } else { rng.i64(0..3) },
            Some(head) if in_parts(head) => qty = rng.i64(1..3),
            Some(_) => {}
        }
        rows.push((item.id, qty));
    }
    shipment(id, "2026-11-22 09:00:00", &rows, &["1"])
}
