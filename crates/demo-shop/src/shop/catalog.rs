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

/// Declares the products, one a line: id, SKU, name, kind, price in US cents, weight in hundredths, parts.
macro_rules! products {
    ($($id:literal, $sku:literal, $name:expr, $kind:ident, $cents:literal, $weight:literal, $parts:expr;)*) => {
        [$(Product {
            id: $id,
            sku: $sku,
            name: $name,
            kind: ProductKind::$kind,
            cents: $cents,
            weight: Amount::hundredths($weight),
            parts: &$parts,
        }),*]
    };
}

pub(crate) static PRODUCTS: [Product; 17] = products! {
    1, "24-MB01", "Joust Duffle Bag", Simple, 3400, 150, [];
    2, "24-UG06", "Affirm Water Bottle", Simple, 700, 40, [];
    3, "MUG-Ä", "Kaffeebecher „Grüße“ ☕", Simple, 1295, 45, [];
    4, "EMOJI-🎁", "Überraschung 🎁 <b>limited</b> & more", Simple, 9999, 210, [];
    5, "TEA-LOOSE", "Loose leaf tea, per kg", ByWeight, 4250, 100, [];
    6, "WARRANTY-24", "Extended warranty, 24 months", Virtual, 2900, 0, [];
    7, "240-LV04", "Beginner's Yoga (download)", Downloadable, 600, 0, [];
    8, "24-WG085", "Sprite Yoga Strap 6 foot", Grouped, 1400, 30, [];
    9, "MH01-XL-Orange", "Chaz Kangeroo Hoodie-XL-Orange", Simple, 5200, 100, [];
    10, "MH01", "Chaz Kangeroo Hoodie", Configurable, 5200, 100, [(8, 1)];
    11, "CAM-BODY", "Camera body", Simple, 64_900, 80, [];
    12, "CAM-LENS", "Lens 35 mm", Simple, 21_950, 40, [];
    13, "CAM-SET", "Camera set", BundleTogether, 79_900, 120, [(10, 1), (11, 1)];
    14, "YOGA-KIT", "Sprite Yoga Companion Kit", BundleSeparately, 0, 0, [(7, 2), (1, 1), (0, 1)];
    15, "PENNY", "Sample, nearly free", Simple, 1, 1, [];
    16, "LONG", LONG_NAME, Simple, 4999, 99, [];
    17, "SCREW-M3", "Screw M3, loose", Simple, 3, 0, [];
};

const LONG_NAME: &str = "A product whose name fills what the column of two hundred and fifty-five characters holds, as \
merchants who put every search term into a title do, with colour, size, season, brand, model, year, audience, \
material, origin and occasion all spelt out once";
