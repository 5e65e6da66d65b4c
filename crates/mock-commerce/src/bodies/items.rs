//! Items of an order. Their row totals are not those of the database: Commerce rewrites them for the API.

use crate::bodies::interface::Interface;
use crate::bodies::options;
use crate::bodies::scalars::amount;
use crate::config::{MockConfig, Release};
use crate::json::Json;
use crate::search::fields::Wanted;
use crate::shop::row::Row;

const ITEM: Interface = Interface {
    table: "sales_order_item",
    without: &["product_options"],
    required: &["sku"],
};

/// Returns the items of an order. A part repeats its parent whole.
pub(crate) fn items(rows: &[Row], config: &MockConfig, wanted: Wanted<'_>) -> Vec<Json> {
    let parent = |row: &Row| {
        let id = row.int("parent_item_id")?;
        rows.iter().find(|other| other.int("item_id") == Some(id))
    };
    let one = |row: &Row| {
        let mut item = item(row, config, wanted);
        if wanted.has("parent_item")
            && let (Json::Map(members), Some(parent)) = (&mut item, parent(row))
        {
            let parent = self::item(parent, config, wanted.of("parent_item"));
            members.push(("parent_item".to_owned(), parent));
        }
        item
    };
    rows.iter().map(one).collect()
}

fn item(row: &Row, config: &MockConfig, wanted: Wanted<'_>) -> Json {
    let mut members = ITEM.members(row, config, wanted);
    let totals = RowTotals::of(row).for_api(config.release);
    members.put(
        "base_row_total",
        amount(totals.base_row_total, config.precise_floats),
    );
    if let Some(with_tax) = totals.base_row_total_incl_tax {
        members.put("base_row_total_incl_tax", amount(with_tax, config.precise_floats));
    }
    if let Some(option) = options::product_option(row) {
        members.put("product_option", option);
    }
    members.finish()
}

/// The amounts of an item that its row totals are computed from, in units of the fourth decimal place.
#[derive(Clone, Copy, Debug)]
struct RowTotals {
    base_price: i64,
    base_row_total: i64,
    base_row_total_incl_tax: Option<i64>,
    discount: i64,
    /// Tax and tax compensation.
    tax: i64,
}

/// The row totals that the API returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rewritten {
    base_row_total: i64,
    base_row_total_incl_tax: Option<i64>,
}

impl RowTotals {
    fn of(row: &Row) -> Self {
        let value = |name: &str| row.amount(name).unwrap_or_default();
        Self {
            base_price: value("base_price"),
            base_row_total: value("base_row_total"),
            base_row_total_incl_tax: row.amount("base_row_total_incl_tax"),
            discount: value("base_discount_amount"),
            tax: value("base_tax_amount") + value("base_discount_tax_compensation_amount"),
        }
    }

    fn for_api(self, release: Release) -> Rewritten {
        let base_row_total = self.base_row_total - self.discount;
        let with_tax = self.base_row_total + self.tax - self.discount;
        match release {
            Release::V2_3 => Rewritten {
                base_row_total,
                base_row_total_incl_tax: self.base_row_total_incl_tax,
            },
            Release::V2_4_4 => Rewritten {
                base_row_total,
                base_row_total_incl_tax: Some(with_tax),
            },
            Release::V2_4_8 => Rewritten {
                base_row_total: self.base_price,
                base_row_total_incl_tax: Some(with_tax.max(0)),
            },
            Release::Newest => Rewritten {
                base_row_total: cents(base_row_total.max(0)),
                base_row_total_incl_tax: Some(cents(with_tax.max(0))),
            },
        }
    }
}

/// Rounds to two decimal places. The amount is not negative.
fn cents(units: i64) -> i64 {
    (units + 50) / 100 * 100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_release_rewrites_the_row_totals_in_its_way() {
        let totals = RowTotals {
            base_price: 100_000,
            base_row_total: 200_000,
            base_row_total_incl_tax: Some(238_000),
            discount: 50_033,
            tax: 28_501,
        };
        let of = |release| {
            let rewritten = totals.for_api(release);
            (rewritten.base_row_total, rewritten.base_row_total_incl_tax)
        };
        assert_eq!(of(Release::V2_3), (149_967, Some(238_000)));
        assert_eq!(of(Release::V2_4_4), (149_967, Some(178_468)));
        assert_eq!(of(Release::V2_4_8), (100_000, Some(178_468)));
        assert_eq!(of(Release::Newest), (150_000, Some(178_500)));
        let free = RowTotals {
            discount: 300_000,
            ..totals
        };
        assert_eq!(free.for_api(Release::V2_4_4).base_row_total, -100_000);
        assert_eq!(free.for_api(Release::Newest).base_row_total_incl_tax, Some(0));
    }
}
