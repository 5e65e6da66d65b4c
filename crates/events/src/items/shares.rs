//! Splits an amount over deliveries so that the shares add up.

use orderfeed_model::amount::Amount;

/// Ten-thousandths in a cent.
const CENT: i128 = 100;

/// Returns the share of `total` for the pieces after `from` up to `until`, of `ordered` pieces in all.
///
/// Each boundary is rounded to the cent and the last one is exact, so consecutive shares add up to `total` without a
/// remainder. Returns `None` if nothing was ordered or the numbers overflow.
pub(crate) fn share(total: Amount, ordered: Amount, from: Amount, until: Amount) -> Option<Amount> {
    Some(up_to(total, ordered, until)? - up_to(total, ordered, from)?)
}

fn up_to(total: Amount, ordered: Amount, done: Amount) -> Option<Amount> {
    if ordered <= Amount::ZERO {
        return None;
    }
    if done >= ordered {
        return Some(total);
    }
    let scaled = total
        .ten_thousandths()
        .checked_abs()?
        .checked_mul(done.ten_thousandths().max(0))?;
    let divisor = ordered.ten_thousandths().checked_mul(CENT)?;
    let cents = scaled.checked_add(divisor / 2)? / divisor * CENT;
    Some(Amount::from_ten_thousandths(if total.is_negative() {
        -cents
    } else {
        cents
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_third_is_rounded_to_the_cent_and_the_last_share_takes_the_rest() {
        let part = |from, until| {
            let pieces = Amount::from_units;
            share(Amount::from_units(10), pieces(3), pieces(from), pieces(until))
                .unwrap()
                .to_string()
        };
        assert_eq!([part(0, 1), part(1, 2), part(2, 3)], ["3.33", "3.34", "3.33"]);
        assert_eq!(part(0, 3), "10.0");
        assert_eq!(part(3, 5), "0.0");
        assert_eq!(
            share(Amount::from_units(1), Amount::ZERO, Amount::ZERO, Amount::ZERO),
            None
        );
    }

    proptest! {
        #[test]
        fn shares_add_up_to_the_total(total in any::<i64>(), cuts in prop::collection::vec(0i64..1000, 0..8), ordered in 1i64..1000) {
            let (total, all) = (Amount::from_ten_thousandths(total.into()), Amount::from_units(ordered));
            let mut bounds: Vec<i64> = cuts.into_iter().map(|cut| cut.min(ordered)).collect();
            bounds.extend([0, ordered]);
            bounds.sort_unstable();
            let shares = bounds.windows(2).map(|pair| share(total, all, Amount::from_units(pair[0]), Amount::from_units(pair[1])).unwrap());
            prop_assert_eq!(shares.sum::<Amount>(), total);
        }

        #[test]
        fn no_amount_panics(total in any::<i128>(), ordered in any::<i128>(), from in any::<i128>(), until in any::<i128>()) {
            let amount = Amount::from_ten_thousandths;
            let _ = share(amount(total), amount(ordered), amount(from), amount(until));
        }
    }
}
