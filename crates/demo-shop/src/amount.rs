//! Exact numbers with four decimal places, the precision of Commerce's money and quantities.
//!
//! Deliberately separate from `orderfeed_model::amount`: tests compare the reader with this shop, so the two must not
//! share code. Only the shop needs products, shares and rounding to a currency's unit.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};

/// A number in units of 1/10000.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Amount(pub i64);

/// Units in 1.
const ONE: i64 = 10_000;

impl Amount {
    pub const ZERO: Self = Self(0);

    /// Converts a whole number.
    pub const fn whole(number: i64) -> Self {
        Self(number * ONE)
    }

    /// Converts hundredths, such as cents or per cent.
    pub const fn hundredths(number: i64) -> Self {
        Self(number * 100)
    }

    /// Returns `self × other`, rounded half away from zero to a multiple of `unit`.
    pub fn times(self, other: Self, unit: Self) -> Self {
        Self::ratio(i128::from(self.0) * i128::from(other.0), i128::from(ONE), unit)
    }

    /// Returns `self × part ÷ whole`, rounded in the same way. Zero if `whole` is zero.
    pub fn share(self, part: Self, whole: Self, unit: Self) -> Self {
        if whole.0 == 0 {
            return Self::ZERO;
        }
        Self::ratio(i128::from(self.0) * i128::from(part.0), i128::from(whole.0), unit)
    }

    /// Returns true if there is no fraction.
    pub const fn is_whole(self) -> bool {
        self.0 % ONE == 0
    }

    fn ratio(numerator: i128, denominator: i128, unit: Self) -> Self {
        let step = denominator * i128::from(unit.0);
        let half = step / 2 * numerator.signum();
        let units = (numerator + half) / step;
        Self(i64::try_from(units).unwrap_or(i64::MAX).saturating_mul(unit.0))
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let units = self.0.unsigned_abs();
        write!(
            f,
            "{sign}{}.{:04}",
            units / ONE.unsigned_abs(),
            units % ONE.unsigned_abs()
        )
    }
}

impl Add for Amount {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Amount {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl Sum for Amount {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_print_as_commerce_stores_them() {
        assert_eq!(Amount(-12_345).to_string(), "-1.2345");
        assert_eq!(Amount::hundredths(1999).to_string(), "19.9900");
        assert_eq!(Amount(-5).to_string(), "-0.0005");
    }

    #[test]
    fn products_round_half_away_from_zero_to_the_unit() {
        let cent = Amount::hundredths(1);
        assert_eq!(
            Amount::hundredths(1001).times(Amount(5_000), cent),
            Amount::hundredths(501)
        );
        assert_eq!(
            Amount::hundredths(-1001).times(Amount(5_000), cent),
            Amount::hundredths(-501)
        );
        assert_eq!(
            Amount::whole(10).share(Amount::whole(1), Amount::whole(3), cent),
            Amount::hundredths(333)
        );
        assert_eq!(
            Amount::whole(10).share(Amount::whole(1), Amount::ZERO, cent),
            Amount::ZERO
        );
    }
}
