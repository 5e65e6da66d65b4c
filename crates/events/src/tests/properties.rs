//! Properties that hold for every order, however malformed.

use fastrand::Rng;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::context::Profile;
use crate::tests::fixtures::{cancelled_order, context, eventful_order, plausible_order};
use crate::tests::schema::violations;
use crate::{EventKind, MAX_EVENT_BYTES, StatusEvent, Unsendable, facts, status_events};
use orderfeed_model::amount::Amount;
use orderfeed_model::clock::UtcMillis;
use orderfeed_model::order::{Item, Order, Scope, Track, Transaction};

/// Generates column values as unvalidated input may contain them.
fn hostile_text(rng: &mut Rng) -> Option<String> {
    let texts = [
        "",
        " ",
        "\0",
        "null",
        "\u{1b}[2J\r\n\t\u{7}",
        "🎁👩‍👩‍👧‍👦",
        "<script>alert(1)</script>",
        "&amp;\"'\\",
        "Ünïcødé",
        "ＵＳＤ",
        "\u{202e}gnp",
        "{\"a\":",
        "1e999",
        "-0",
        "@",
        "a@b@c",
        "İ@Ⅻ.example",
        "\u{fffd}\u{2028}",
    ];
    match rng.u8(0..10) {
        0 => None,
        1 => Some("x".repeat(65_536)),
        2 => Some("é\u{1}".repeat(rng.usize(0..30_000))),
        3 => Some((0..rng.usize(0..40)).map(|_| rng.char(..)).collect()),
        _ => rng.choice(texts).map(str::to_owned),
    }
}

fn hostile_amount(rng: &mut Rng) -> Amount {
    match rng.u8(0..6) {
        0 => Amount::ZERO,
        1 => Amount::from_ten_thousandths(rng.i128(-1_000_000..1_000_000)),
        2 => Amount::parse(&"9".repeat(30)).unwrap(),
        3 => -Amount::parse(&"9".repeat(30)).unwrap(),
        _ => Amount::from_units(rng.i64(-3..9)),
    }
}

fn hostile_moment(rng: &mut Rng) -> UtcMillis {
    match rng.u8(0..8) {
        0 => UtcMillis(rng.i64(..)),
        1 => UtcMillis(i64::MIN),
        2 => UtcMillis(0),
        _ => UtcMillis(1_790_000_000_000 + rng.i64(0..1_000_000)),
    }
}

fn hostile_options(rng: &mut Rng) -> Option<String> {
    let options = [
        r#"{"attributes_info":[{"label":"a","value":{"b":1}}],"options":"x","bundle_options":[[]]}"#,
        r#"{"options":{"a":{"label":null,"value":true,"option_type":"radio"},"b":[1,2]}}"#,
        r#"{"options":[{"label":"\ud800","value":"x","option_type":"radio"}]}"#,
        r#"{"bundle_options":{"1":{"label":"l","value":{"7":{"title":"t"}}}},"shipment_type":[1]}"#,
        r#"{"bundle_options":{"1":{"label":3,"value":"t"}},"shipment_type":"1"}"#,
        "a:1:{s:7:\"options\";a:0:{}}",
    ];
    if rng.bool() {
        hostile_text(rng)
    } else {
        rng.choice(options).map(str::to_owned)
    }
}

fn spoil_item(item: &mut Item, rng: &mut Rng) {
    item.id = if rng.u8(0..8) == 0 { rng.i64(..) } else { item.id };
    item.parent_id = if rng.bool() {
        item.parent_id
    } else {
        Some(rng.i64(99..107))
    };
    item.sku = hostile_text(rng).unwrap_or_default();
    item.name = hostile_text(rng);
    item.product_options = hostile_options(rng);
    item.qty_ordered = hostile_amount(rng);
    item.qty_shipped = hostile_amount(rng);
    item.row_total = rng.bool().then(|| hostile_amount(rng));
    item.discount = rng.bool().then(|| hostile_amount(rng));
}

/// An order in which everything may be wrong that the types allow.
fn hostile_order(seed: u64) -> Order {
    let rng = &mut Rng::with_seed(seed);
    let mut order = if rng.bool() {
        eventful_order()
    } else {
        cancelled_order()
    };
    let text = hostile_text;
    order.id = if rng.bool() { rng.i64(..) } else { 0 };
    order.number = text(rng).unwrap_or_default();
    order.state = if rng.bool() {
        text(rng).unwrap_or_default()
    } else {
        order.state
    };
    order.status = text(rng);
    (order.created_at, order.updated_at) = (hostile_moment(rng), hostile_moment(rng));
    let code = |rng: &mut Rng| text(rng).unwrap_or_default();
    order.scope = rng.bool().then(|| Scope {
        website: code(rng),
        store: code(rng),
        store_view: code(rng),
    });
    (order.email, order.currency, order.shipping_method) = (text(rng), text(rng), text(rng));
    order.totals.grand_total = Some(hostile_amount(rng));
    order.totals.shipping = Some(hostile_amount(rng));
    order.items.iter_mut().for_each(|item| spoil_item(item, rng));
    spoil_documents(&mut order, rng);
    order
}

fn spoil_documents(order: &mut Order, rng: &mut Rng) {
    let rows = order.invoices.iter_mut().flat_map(|invoice| &mut invoice.items);
    let rows = rows.chain(
        order
            .shipments
            .iter_mut()
            .flat_map(|shipment| &mut shipment.items),
    );
    for row in rows.chain(order.credit_memos.iter_mut().flat_map(|memo| &mut memo.items)) {
        row.qty = hostile_amount(rng);
        row.row_total = rng.bool().then(|| hostile_amount(rng));
        row.order_item_id += rng.i64(-1..2);
    }
    for shipment in &mut order.shipments {
        shipment.created_at = hostile_moment(rng);
        shipment.tracks = (0..rng.usize(0..3))
            .map(|_| Track {
                number: hostile_text(rng),
                ..Track::default()
            })
            .collect();
    }
    for request in &mut order.returns {
        (request.number, request.status) = (
            hostile_text(rng),
            rng.bool().then_some(request.status.take()).flatten(),
        );
        request.requested_at = hostile_moment(rng);
        for item in &mut request.items {
            (item.sku, item.reason, item.qty_requested) =
                (hostile_text(rng), hostile_text(rng), Some(hostile_amount(rng)));
            item.order_item_id = rng.bool().then(|| rng.i64(99..107));
        }
    }
    if let Some(payment) = &mut order.payment {
        (payment.method, payment.po_number) = (hostile_text(rng), hostile_text(rng));
    }
    order.transactions = vec![Transaction {
        txn_id: hostile_text(rng),
        kind: Some("capture".to_owned()),
        ..Transaction::default()
    }];
    for address in [&mut order.billing_address, &mut order.shipping_address] {
        if let Some(address) = address {
            (address.street, address.region, address.country) =
                (hostile_text(rng), hostile_text(rng), hostile_text(rng));
        }
        *address = if rng.bool() { address.take() } else { None };
    }
}

fn shuffled(order: &Order, seed: u64) -> Order {
    let rng = &mut Rng::with_seed(seed);
    let mut order = order.clone();
    rng.shuffle(&mut order.items);
    rng.shuffle(&mut order.invoices);
    rng.shuffle(&mut order.shipments);
    rng.shuffle(&mut order.credit_memos);
    rng.shuffle(&mut order.transactions);
    rng.shuffle(&mut order.history);
    order
        .returns
        .iter_mut()
        .for_each(|request| rng.shuffle(&mut request.history));
    order
        .invoices
        .iter_mut()
        .for_each(|invoice| rng.shuffle(&mut invoice.items));
    order
        .shipments
        .iter_mut()
        .for_each(|shipment| rng.shuffle(&mut shipment.items));
    order
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    xdm: Xdm<'a>,
}

#[derive(Deserialize)]
struct Xdm<'a> {
    #[serde(borrow, default, rename = "productListItems")]
    lines: Vec<Line<'a>>,
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow, rename = "priceTotal")]
    price_total: Option<&'a RawValue>,
    quantity: Option<i64>,
}

/// Sums the amounts of the lines, exactly as they are written.
fn line_total(event: &StatusEvent) -> Amount {
    let body: Body<'_> = serde_json::from_slice(event.body.as_ref().unwrap()).unwrap();
    body.xdm
        .lines
        .iter()
        .filter_map(|line| line.price_total)
        .map(|raw| Amount::parse(raw.get()).unwrap())
        .sum()
}

fn quantities(event: &StatusEvent) -> i64 {
    let body: Body<'_> = serde_json::from_slice(event.body.as_ref().unwrap()).unwrap();
    body.xdm.lines.iter().filter_map(|line| line.quantity).sum()
}

proptest! {
    #[test]
    fn lines_add_up_to_what_the_documents_say(seed in any::<u64>()) {
        let order = plausible_order(seed);
        let events = status_events(&order, &context(Profile::Anonymized));
        let of = |kind| events.iter().filter(move |event| event.kind == kind);
        prop_assert_eq!(of(EventKind::Placed).map(line_total).sum::<Amount>(), order.totals.subtotal.unwrap());
        for event in of(EventKind::Invoiced) {
            let invoice = order.invoices.iter().find(|invoice| invoice.id == event.document_id).unwrap();
            let billed: Amount = invoice.items.iter().filter_map(|row| row.row_total).sum();
            prop_assert_eq!(line_total(event), billed);
        }
    }

    #[test]
    fn shipments_add_up_to_the_completed_shipment(seed in any::<u64>()) {
        let mut order = plausible_order(seed);
        order.items.iter_mut().for_each(|item| item.qty_shipped = item.qty_ordered);
        let events = status_events(&order, &context(Profile::Anonymized));
        let of = |kind| events.iter().filter(move |event| event.kind == kind);
        for completed in of(EventKind::ShipmentCompleted) {
            prop_assert_eq!(of(EventKind::ItemsShipped).map(line_total).sum::<Amount>(), line_total(completed));
            prop_assert_eq!(of(EventKind::ItemsShipped).map(quantities).sum::<i64>(), quantities(completed));
        }
    }

    #[test]
    fn the_same_order_gives_the_same_bytes_whatever_the_order_of_its_rows(seed in any::<u64>(), shuffle in any::<u64>()) {
        for order in [plausible_order(seed), eventful_order(), cancelled_order()] {
            let context = context(Profile::Full);
            let events = status_events(&order, &context);
            prop_assert_eq!(&status_events(&shuffled(&order, shuffle), &context), &events);
            prop_assert_eq!(status_events(&order.clone(), &context), events);
        }
    }

    #[test]
    fn nothing_breaks_a_body_or_keeps_the_others_back(seed in any::<u64>()) {
        let order = hostile_order(seed);
        for profile in [Profile::Anonymized, Profile::Full] {
            let events = status_events(&order, &context(profile));
            prop_assert_eq!(events.len(), facts(&order).len());
            for event in &events {
                match &event.body {
                    Ok(body) => {
                        prop_assert!(body.len() <= MAX_EVENT_BYTES);
                        prop_assert_eq!(violations(body), Vec::<String>::new());
                    }
                    Err(why) => prop_assert!(matches!(why, Unsendable::Timestamp { .. }), "{}", why),
                }
            }
        }
    }

    #[test]
    fn facts_are_in_order_and_each_has_an_id_of_its_own(seed in any::<u64>()) {
        let order = hostile_order(seed);
        let facts = facts(&order);
        prop_assert!(facts.is_sorted_by_key(|fact| (fact.at, fact.kind.causal_rank(), fact.document_id)));
        let mut ids: Vec<_> = status_events(&order, &context(Profile::Full)).iter().map(|event| event.id).collect();
        ids.sort();
        ids.dedup();
        prop_assert_eq!(ids.len(), facts.len());
    }

    #[test]
    fn no_personal_field_reaches_an_anonymized_event(seed in any::<u64>(), marker in "[a-z]{12}") {
        let mut order = if seed % 2 == 0 { eventful_order() } else { cancelled_order() };
        order.items.extend(plausible_order(seed).items);
        mark_personal_fields(&mut order, &marker);
        for event in status_events(&order, &context(Profile::Anonymized)) {
            let body = String::from_utf8(event.body.unwrap()).unwrap();
            prop_assert!(!body.to_lowercase().contains(&marker), "{}", body);
        }
    }
}

/// Puts the marker into every field that names or locates a person or that a person wrote.
fn mark_personal_fields(order: &mut Order, marker: &str) {
    let mark = || Some(marker.to_owned());
    order.email = Some(format!("{marker}@{marker}.example"));
    (order.customer_note, order.protect_code) = (mark(), mark());
    for address in [&mut order.billing_address, &mut order.shipping_address]
        .into_iter()
        .flatten()
    {
        (address.first_name, address.last_name, address.company) = (mark(), mark(), mark());
        (address.street, address.city, address.region) = (mark(), mark(), mark());
        (address.postcode, address.telephone) = (mark(), mark());
    }
    if let Some(payment) = &mut order.payment {
        payment.po_number = mark();
    }
    for track in order
        .shipments
        .iter_mut()
        .flat_map(|shipment| &mut shipment.tracks)
    {
        (track.number, track.title) = (mark(), mark());
    }
    let written = ["field", "area", "file", "date", "date_time", "time", "invented"].map(|kind| {
        format!(
            r#"{{"label":"{marker}","value":"{marker}","print_value":"{marker}","option_type":"{kind}"}}"#
        )
    });
    let options = format!(
        r#"{{"info_buyRequest":{{"options":{{"1":"{marker}"}}}},"giftcard_recipient_name":"{marker}",
        "additional_options":[{{"label":"{marker}","value":"{marker}"}}],"options":[{}]}}"#,
        written.join(",")
    );
    order
        .items
        .iter_mut()
        .for_each(|item| item.product_options = Some(options.clone()));
}
