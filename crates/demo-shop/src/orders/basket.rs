//! The items of an order: products with their parts, options and prices.

use crate::amount::Amount;
use crate::orders::model::{Cost, Item, Money};
use crate::orders::recorder::Recorder;
use crate::shop::catalog::{PRODUCTS, Product, ProductKind};
use crate::shop::stores::{Store, WEBSITES};

/// Picks products with their parts. `counts` are the possible numbers of products.
pub(crate) fn random(recorder: &mut Recorder<'_>, counts: &[usize], store: &Store) -> Vec<Item> {
    let mut items = vec![];
    for _ in 0..recorder.one_of(counts) {
        let product = &PRODUCTS[recorder.rng.usize(..PRODUCTS.len())];
        let qty = match product.kind {
            ProductKind::ByWeight => Amount(recorder.rng.i64(500..60_000)),
            ProductKind::Simple if product.cents < 10 => Amount::whole(recorder.rng.i64(1..2_000)),
            _ => Amount::whole(recorder.one_of(&[1, 1, 1, 1, 2, 2, 3, 5])),
        };
        add(recorder, &mut items, store, product, qty);
    }
    items
}

/// Adds a product with its parts and their prices.
pub(crate) fn add(
    recorder: &mut Recorder<'_>,
    items: &mut Vec<Item>,
    store: &Store,
    product: &'static Product,
    qty: Amount,
) {
    let parent = items.len();
    let options = options(recorder, product);
    items.push(item(recorder, product, None, qty, options));
    for &(part, each) in product.parts {
        let each = Amount::whole(each);
        let selection = (product.kind != ProductKind::Configurable).then(|| selection(&PRODUCTS[part]));
        let mut child = item(
            recorder,
            &PRODUCTS[part],
            Some(parent),
            qty.times(each, Amount(1)),
            selection,
        );
        child.per_parent = each;
        items.push(child);
    }
    set_prices(items, parent, store);
}

fn item(
    recorder: &mut Recorder<'_>,
    product: &'static Product,
    parent: Option<usize>,
    ordered: Amount,
    options: Option<String>,
) -> Item {
    Item {
        id: recorder.id("sales_order_item"),
        parent,
        product,
        options,
        per_parent: Amount::whole(1),
        price: Money::default(),
        row: Cost::default(),
        ordered,
        invoiced: Amount::ZERO,
        shipped: Amount::ZERO,
        refunded: Amount::ZERO,
        canceled: Amount::ZERO,
        returned: Amount::ZERO,
        touched: false,
    }
}

/// Prices an item. For a bundle with separate shipping the parts carry the price, otherwise the parent does.
fn set_prices(items: &mut [Item], parent: usize, store: &Store) {
    let site = &WEBSITES[store.website];
    let dynamic = items[parent].ships_separately();
    for item in &mut items[parent..] {
        if item.parent.is_some() != dynamic {
            continue;
        }
        let base = Amount::hundredths(item.product.cents)
            .times(site.per_dollar, site.unit)
            .max(site.unit);
        let shown = base.times(store.rate, store.unit).max(store.unit);
        item.price = Money { base, shown };
        item.row.subtotal = Money {
            base: base.times(item.ordered, site.unit),
            shown: shown.times(item.ordered, store.unit),
        };
    }
}

/// Builds `product_options` as Commerce writes them. Depending on the version, numbers are numbers or text.
fn options(recorder: &mut Recorder<'_>, product: &Product) -> Option<String> {
    let text = match product.kind {
        ProductKind::Configurable => {
            r#"{"info_buyRequest":{"qty":1,"super_attribute":{"93":"56"}},"attributes_info":[{"label":"Color","value":"Orange","option_id":"93","option_value":"56"},{"label":"Size","value":"XL","option_id":"144","option_value":"170"}],"simple_name":"Chaz Kangeroo Hoodie-XL-Orange","simple_sku":"MH01-XL-Orange","product_calculations":1,"shipment_type":0}"#
        }
        ProductKind::BundleTogether => {
            r#"{"bundle_options":{"1":{"option_id":"1","label":"Body","value":[{"title":"Camera body","qty":1,"price":649}]}},"product_calculations":1,"shipment_type":"0"}"#
        }
        ProductKind::BundleSeparately if recorder.chance(50) => {
            r#"{"bundle_options":{"1":{"option_id":"1","label":"Strap","value":[{"title":"Sprite Yoga Strap","qty":2,"price":14}]}},"product_calculations":0,"shipment_type":"1"}"#
        }
        ProductKind::BundleSeparately => r#"{"product_calculations":0,"shipment_type":1}"#,
        ProductKind::Downloadable => {
            r#"{"info_buyRequest":{"links":["1"]},"links":["1"],"is_downloadable":true,"real_product_type":"downloadable"}"#
        }
        ProductKind::Grouped => {
            r#"{"info_buyRequest":{"qty":1},"super_product_config":{"product_code":"product_type","product_type":"grouped","product_id":"45"}}"#
        }
        ProductKind::Simple if recorder.chance(20) => {
            r#"{"info_buyRequest":{"qty":1},"options":[{"label":"Engraving","value":"For Zoë \u2764 from 花子","print_value":"For Zoë \u2764 from 花子","option_id":"7","option_type":"field"}]}"#
        }
        ProductKind::Simple if recorder.chance(10) => return None,
        _ => r#"{"info_buyRequest":{"qty":1}}"#,
    };
    Some(text.to_owned())
}

fn selection(part: &Product) -> String {
    format!(
        r#"{{"info_buyRequest":{{}},"bundle_selection_attributes":"{{\"price\":{},\"qty\":1,\"option_label\":\"{}\",\"option_id\":\"1\"}}"}}"#,
        Amount::hundredths(part.cents),
        part.sku
    )
}
