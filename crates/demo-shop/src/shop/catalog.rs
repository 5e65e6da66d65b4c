//! The catalogue of the simulated shop: a product of every type.

use crate::amount::Amount;

/// The kinds of products that lead to different orders.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ProductKind {
    Simple,
    /// Sold by weight or length, with decimal quantities.
    ByWeight,
    Virtual,
    Downloadable,
    Grouped,
    /// Has one chosen simple child.
    Configurable,
    /// Fixed price, parts ship together: the parent carries all amounts and quantities.
    BundleTogether,
    /// The parts carry the prices and ship separately: the children carry the shipped quantities.
    BundleSeparately,
}

impl ProductKind {
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

/// A product of the catalogue.
#[derive(Debug)]
pub(crate) struct Product {
    pub id: i64,
    pub sku: &'static str,
    pub name: &'static str,
    pub kind: ProductKind,
    /// Price in US cents.
    pub cents: i64,
    pub weight: Amount,
    /// Parts of the product: indexes into [`PRODUCTS`], with quantities.
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
