//! What the simulated shop consists of: websites with store views and currencies, and the products on its shelves.

use crate::demo::amount::Amount;
use crate::demo::sql::{Row, Value};

/// A website: one base currency, one tax.
#[derive(Debug)]
pub(crate) struct Website {
    pub id: i64,
    pub code: &'static str,
    pub name: &'static str,
    pub currency: &'static str,
    /// Smallest amount of the currency.
    pub unit: Amount,
    /// What a dollar costs here; prices are kept in dollars.
    pub per_dollar: Amount,
    pub tax_percent: Amount,
    pub tax_title: &'static str,
    pub country: &'static str,
}

/// A store view.
#[derive(Debug)]
pub(crate) struct Store {
    pub id: i64,
    pub code: &'static str,
    pub name: &'static str,
    /// (id, code, name) of its group.
    pub group: (i64, &'static str, &'static str),
    /// Index into [`WEBSITES`].
    pub website: usize,
    /// What the shopper sees and pays in, its smallest amount, and the rate from the base currency.
    pub currency: &'static str,
    pub unit: Amount,
    pub rate: Amount,
    /// What order numbers start with. Empty twice, so that the same number occurs in two store views.
    pub number_prefix: &'static str,
}

const CENT: Amount = Amount::hundredths(1);
const YEN: Amount = Amount::whole(1);

pub(crate) static WEBSITES: [Website; 4] = [
    website(
        1,
        "base",
        "Main Website",
        ("USD", CENT, 100),
        (825, "US-TX-*-Rate 1"),
        "US",
    ),
    website(2, "eu", "Europa", ("EUR", CENT, 92), (1900, "DE-MwSt 19%"), "DE"),
    website(3, "jp", "日本", ("JPY", YEN, 15_000), (1000, "消費税 10%"), "JP"),
    website(
        4,
        "uk",
        "United Kingdom",
        ("GBP", CENT, 79),
        (2000, "GB VAT 20%"),
        "GB",
    ),
];

const MAIN: (i64, &str, &str) = (1, "main_website_store", "Main Website Store");
const OUTLET: (i64, &str, &str) = (2, "outlet", "Outlet");
const EU: (i64, &str, &str) = (3, "eu_store", "Europäischer Laden");
const EU_B2B: (i64, &str, &str) = (4, "eu_b2b", "Europe B2B");
const JP: (i64, &str, &str) = (5, "jp_store", "日本ストア");
const UK: (i64, &str, &str) = (6, "uk_store", "UK Store");

pub(crate) static STORES: [Store; 10] = [
    store(
        1,
        "default",
        "Default Store View",
        MAIN,
        0,
        ("USD", CENT, 10_000),
        "",
    ),
    store(2, "es_us", "Español", MAIN, 0, ("USD", CENT, 10_000), "2"),
    store(3, "outlet_en", "Outlet", OUTLET, 0, ("USD", CENT, 10_000), "3"),
    store(4, "de", "Deutsch", EU, 1, ("EUR", CENT, 10_000), "4"),
    store(5, "fr", "Français", EU, 1, ("EUR", CENT, 10_000), "5"),
    store(
        6,
        "ch_de",
        "Schweiz",
        EU,
        1,
        ("CHF", Amount::hundredths(5), 9_500),
        "6",
    ),
    store(7, "b2b_en", "B2B", EU_B2B, 1, ("EUR", CENT, 10_000), "7"),
    store(8, "ja", "日本語", JP, 2, ("JPY", YEN, 10_000), ""),
    store(9, "en_jp", "English (Japan)", JP, 2, ("USD", CENT, 67), "9"),
    store(10, "en_gb", "English (UK)", UK, 3, ("GBP", CENT, 10_000), "10"),
];

/// What a product is, as far as orders differ by it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ProductKind {
    Simple,
    /// Sold by weight or length: quantities with decimals.
    ByWeight,
    Virtual,
    Downloadable,
    Grouped,
    /// With one simple child that was chosen.
    Configurable,
    /// Fixed price, parts ship together: the parent counts for everything.
    BundleTogether,
    /// The parts carry the prices and ship one by one: the children count for shipping.
    BundleSeparately,
}

impl ProductKind {
    /// Commerce's `product_type`.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Simple | Self::ByWeight => "simple",
            Self::Virtual => "virtual",
            Self::Downloadable => "downloadable",
            Self::Grouped => "grouped",
            Self::Configurable => "configurable",
            Self::BundleTogether | Self::BundleSeparately => "bundle",
        }
    }

    pub(crate) const fn is_virtual(self) -> bool {
        matches!(self, Self::Virtual | Self::Downloadable)
    }
}

/// Something to buy.
#[derive(Debug)]
pub(crate) struct Product {
    pub id: i64,
    pub sku: &'static str,
    pub name: &'static str,
    pub kind: ProductKind,
    /// Price in US cents.
    pub cents: i64,
    pub weight: Amount,
    /// What it is put together from: indexes into [`PRODUCTS`] and how many of each.
    pub parts: &'static [(usize, i64)],
}

pub(crate) static PRODUCTS: [Product; 17] = [
    product(
        1,
        "24-MB01",
        "Joust Duffle Bag",
        ProductKind::Simple,
        3400,
        150,
        &[],
    ),
    product(
        2,
        "24-UG06",
        "Affirm Water Bottle",
        ProductKind::Simple,
        700,
        40,
        &[],
    ),
    product(
        3,
        "MUG-Ä",
        "Kaffeebecher „Grüße“ ☕",
        ProductKind::Simple,
        1295,
        45,
        &[],
    ),
    product(
        4,
        "EMOJI-🎁",
        "Überraschung 🎁 <b>limited</b> & more",
        ProductKind::Simple,
        9999,
        210,
        &[],
    ),
    product(
        5,
        "TEA-LOOSE",
        "Loose leaf tea, per kg",
        ProductKind::ByWeight,
        4250,
        100,
        &[],
    ),
    product(
        6,
        "WARRANTY-24",
        "Extended warranty, 24 months",
        ProductKind::Virtual,
        2900,
        0,
        &[],
    ),
    product(
        7,
        "240-LV04",
        "Beginner's Yoga (download)",
        ProductKind::Downloadable,
        600,
        0,
        &[],
    ),
    product(
        8,
        "24-WG085",
        "Sprite Yoga Strap 6 foot",
        ProductKind::Grouped,
        1400,
        30,
        &[],
    ),
    product(
        9,
        "MH01-XL-Orange",
        "Chaz Kangeroo Hoodie-XL-Orange",
        ProductKind::Simple,
        5200,
        100,
        &[],
    ),
    product(
        10,
        "MH01",
        "Chaz Kangeroo Hoodie",
        ProductKind::Configurable,
        5200,
        100,
        &[(8, 1)],
    ),
    product(
        11,
        "CAM-BODY",
        "Camera body",
        ProductKind::Simple,
        64_900,
        80,
        &[],
    ),
    product(12, "CAM-LENS", "Lens 35 mm", ProductKind::Simple, 21_950, 40, &[]),
    product(
        13,
        "CAM-SET",
        "Camera set",
        ProductKind::BundleTogether,
        79_900,
        120,
        &[(10, 1), (11, 1)],
    ),
    product(
        14,
        "YOGA-KIT",
        "Sprite Yoga Companion Kit",
        ProductKind::BundleSeparately,
        0,
        0,
        &[(7, 2), (1, 1), (0, 1)],
    ),
    product(15, "PENNY", "Sample, nearly free", ProductKind::Simple, 1, 1, &[]),
    product(16, "LONG", LONG_NAME, ProductKind::Simple, 4999, 99, &[]),
    product(17, "SCREW-M3", "Screw M3, loose", ProductKind::Simple, 3, 0, &[]),
];

const LONG_NAME: &str = "A product whose name fills what the column of two hundred and fifty-five characters holds, as \
merchants who put every search term into a title do, with colour, size, season, brand, model, year, audience, \
material, origin and occasion all spelt out once";

/// The rows of the websites, groups and store views, the admin store with its id 0 included.
pub(crate) fn store_rows() -> Vec<Row> {
    let mut rows = vec![
        website_row(0, "admin", "Admin", 0),
        group_row(0, 0, "default", "Default", 0),
        store_row(0, "admin", "Admin", (0, 0)),
    ];
    rows.extend(
        WEBSITES
            .iter()
            .map(|site| website_row(site.id, site.code, site.name, site.id)),
    );
    let mut last_group = 0;
    for store in &STORES {
        let site = WEBSITES[store.website].id;
        if store.group.0 != last_group {
            last_group = store.group.0;
            rows.push(group_row(
                store.group.0,
                site,
                store.group.1,
                store.group.2,
                store.id,
            ));
        }
        rows.push(store_row(store.id, store.code, store.name, (site, store.group.0)));
    }
    rows
}

fn website_row(id: i64, code: &'static str, name: &'static str, order: i64) -> Row {
    let cells = vec![
        ("website_id", Value::Int(id)),
        ("code", code.into()),
        ("name", name.into()),
        ("sort_order", order.into()),
        ("is_default", (id == 1).into()),
    ];
    Row::new("store_website", cells)
}

fn group_row(id: i64, website: i64, code: &'static str, name: &'static str, default_store: i64) -> Row {
    let cells = vec![
        ("group_id", Value::Int(id)),
        ("website_id", website.into()),
        ("code", code.into()),
        ("name", name.into()),
        ("root_category_id", Value::Int(2)),
        ("default_store_id", default_store.into()),
    ];
    Row::new("store_group", cells)
}

fn store_row(id: i64, code: &'static str, name: &'static str, (website, group): (i64, i64)) -> Row {
    let cells = vec![
        ("store_id", Value::Int(id)),
        ("code", code.into()),
        ("website_id", website.into()),
        ("group_id", group.into()),
        ("name", name.into()),
        ("is_active", Value::Int(1)),
    ];
    Row::new("store", cells)
}

const fn website(
    id: i64,
    code: &'static str,
    name: &'static str,
    (currency, unit, cents_per_dollar): (&'static str, Amount, i64),
    (tax_hundredths, tax_title): (i64, &'static str),
    country: &'static str,
) -> Website {
    Website {
        id,
        code,
        name,
        currency,
        unit,
        per_dollar: Amount::hundredths(cents_per_dollar),
        tax_percent: Amount::hundredths(tax_hundredths),
        tax_title,
        country,
    }
}

const fn store(
    id: i64,
    code: &'static str,
    name: &'static str,
    group: (i64, &'static str, &'static str),
    website: usize,
    (currency, unit, rate): (&'static str, Amount, i64),
    number_prefix: &'static str,
) -> Store {
    Store {
        id,
        code,
        name,
        group,
        website,
        currency,
        unit,
        rate: Amount(rate),
        number_prefix,
    }
}

const fn product(
    id: i64,
    sku: &'static str,
    name: &'static str,
    kind: ProductKind,
    cents: i64,
    weight_hundredths: i64,
    parts: &'static [(usize, i64)],
) -> Product {
    Product {
        id,
        sku,
        name,
        kind,
        cents,
        weight: Amount::hundredths(weight_hundredths),
        parts,
    }
}
