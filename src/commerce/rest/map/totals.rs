//! The row totals of order items, as the database has them.
//!
//! The REST API rewrites them: up to 2.3 `base_row_total` less the discount, later also `base_row_total_incl_tax` from
//! other columns less the discount, with 0 instead of negative values, and in 2.4.8 `base_row_total` is the price of one
//! piece. `base_row_total_incl_tax` leads back in every version; price and quantity decide between the versions.

use serde_json::Value;

use crate::commerce::rest::map::row::amount;
use orderfeed_model::amount::Amount;

/// Difference between a row total and price times quantity, in a currency without cents.
const ROUNDING: Amount = Amount::from_ten_thousandths(5_000);

/// Returns the row total without and with tax, before discount.
pub(super) fn row_totals(item: &Value) -> (Option<Amount>, Option<Amount>) {
    let Some(with_tax) = amount(item, "base_row_total_incl_tax") else {
        return (amount(item, "base_row_total"), None);
    };
    let of = |field| amount(item, field).unwrap_or_default();
    let tax = of("base_tax_amount")
        + of("base_discount_tax_compensation_amount")
        + of("base_weee_tax_applied_amount");
    let (discount, priced) = (
        of("base_discount_amount"),
        times(of("base_price"), of("qty_ordered")),
    );
    // Free by its discount, unless that exceeds the price: then the total was negative before Commerce set it to 0.
    let is_cut_off = discount - tax > priced + ROUNDING;
    let row_total = match with_tax == Amount::ZERO && is_cut_off {
        true => priced,
        false => {
            let untouched = with_tax - tax;
            let restored = untouched + discount;
            // The oldest version left this column as it was.
            match (untouched - priced).abs() < (restored - priced).abs() {
                true => untouched,
                false => restored,
            }
        }
    };
    let with_tax = match amount(item, "base_price_incl_tax") {
        Some(price) => times(price, of("qty_ordered")),
        None => row_total + tax,
    };
    (Some(row_total), Some(with_tax))
}

/// Multiplies a price by a quantity, and rounds half away from zero.
fn times(price: Amount, quantity: Amount) -> Amount {
    let scale = Amount::from_units(1).ten_thousandths();
    let product = price.ten_thousandths().saturating_mul(quantity.ten_thousandths());
    let half = if product < 0 { -scale / 2 } else { scale / 2 };
    Amount::from_ten_thousandths(product.saturating_add(half) / scale)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn restored(item: Value) -> String {
        row_totals(&item).0.unwrap().to_string()
    }

    /// Three pieces of 20 with a discount of 6 and 10.80 of tax.
    fn item(row_total: f64, with_tax: f64) -> Value {
        json!({"base_price": 20, "qty_ordered": 3, "base_discount_amount": 6, "base_tax_amount": 10.8,
            "base_row_total": row_total, "base_row_total_incl_tax": with_tax})
    }

    #[test]
    fn the_row_total_of_the_database_is_found_in_every_version() {
        assert_eq!(restored(item(60.0, 70.8)), "60.0", "before 2.3, untouched");
        assert_eq!(restored(item(54.0, 70.8)), "60.0", "2.3");
        assert_eq!(restored(item(54.0, 64.8)), "60.0", "2.4");
        assert_eq!(
            restored(item(20.0, 64.8)),
            "60.0",
            "2.4.8, the price of one piece"
        );
    }

    #[test]
    fn a_total_of_zero_leads_back_unless_it_was_negative() {
        let free = |discount: f64| {
            json!({"base_price": 20.1, "qty_ordered": 3, "base_discount_amount": discount, "base_row_total": 0,
                "base_row_total_incl_tax": 0})
        };
        assert_eq!(restored(free(60.0)), "60.0", "of a currency without cents");
        assert_eq!(restored(free(75.0)), "60.3", "the discount exceeds the price");
    }

    #[test]
    fn an_item_of_2_1_without_totals_has_none() {
        assert_eq!(row_totals(&json!({"base_price": 5})), (None, None));
    }

    #[test]
    fn quantities_may_be_fractions() {
        let parse = |text| Amount::parse(text).unwrap();
        assert_eq!(times(parse("3.33"), parse("0.125")).to_string(), "0.4163");
    }
}
