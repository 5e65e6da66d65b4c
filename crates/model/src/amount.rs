//! Exact money and quantities, as Commerce stores them in `decimal(20,4)` and `decimal(12,4)` columns.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Neg, Sub};

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// Ten-thousandths in one unit.
const SCALE: i128 = 10_000;
/// Largest number of ten-thousandths whose shortest decimal form as a double is exact: 15 significant digits.
const EXACT_AS_DOUBLE: u128 = 999_999_999_999_999;

/// An exact decimal with four places. Arithmetic saturates; the range of `decimal(20,4)` fits many times over.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Amount(i128);

impl Amount {
    pub const ZERO: Self = Self(0);

    pub const fn from_units(units: i64) -> Self {
        Self(units as i128 * SCALE)
    }

    pub const fn from_ten_thousandths(value: i128) -> Self {
        Self(value)
    }

    pub const fn ten_thousandths(self) -> i128 {
        self.0
    }

    /// Parses a plain decimal such as `-12.5` or `64.0000`, and rounds half away from zero after four places.
    ///
    /// Returns `None` for exponents, `NaN` and other text, and for more than 30 digits before the point.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || whole.len() > 30 || !plain(whole) || !plain(fraction)
        {
            return None;
        }
        let mut value = if whole.is_empty() {
            0
        } else {
            whole.parse::<i128>().ok()?
        } * SCALE;
        let mut place = SCALE / 10;
        for digit in fraction.bytes().take(4) {
            value += i128::from(digit - b'0') * place;
            place /= 10;
        }
        if fraction.as_bytes().get(4).is_some_and(|digit| *digit >= b'5') {
            value += 1;
        }
        Some(Self(if negative { -value } else { value }))
    }

    /// Returns the value as an integer, or `None` if it has a fraction or does not fit.
    pub fn whole(self) -> Option<i64> {
        (self.0 % SCALE == 0)
            .then(|| i64::try_from(self.0 / SCALE).ok())
            .flatten()
    }

    pub const fn abs(self) -> Self {
        Self(self.0.saturating_abs())
    }

    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }
}

impl fmt::Display for Amount {
    /// Writes the shortest exact form with at least one decimal place: `64.0`, `-0.125`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, fraction) = (
            self.0.unsigned_abs() / SCALE as u128,
            self.0.unsigned_abs() % SCALE as u128,
        );
        let places = format!("{fraction:04}");
        let places = places.trim_end_matches('0');
        write!(
            f,
            "{sign}{whole}.{}",
            if places.is_empty() { "0" } else { places }
        )
    }
}

impl fmt::Debug for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Amount {
    /// Serializes as a JSON number with exactly this value.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // A double is the fast path; larger values would lose digits, so they are written literally.
        if self.0.unsigned_abs() <= EXACT_AS_DOUBLE {
            return serializer.serialize_f64(self.0 as f64 / SCALE as f64);
        }
        let digits = RawValue::from_string(self.to_string()).map_err(serde::ser::Error::custom)?;
        digits.serialize(serializer)
    }
}

impl Add for Amount {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Amount {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Neg for Amount {
    type Output = Self;
    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
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
    use proptest::prelude::*;

    #[test]
    fn decimals_of_the_database_parse_exactly() {
        assert_eq!(Amount::parse("64.0000"), Some(Amount::from_units(64)));
        assert_eq!(Amount::parse("-0.1250").unwrap().to_string(), "-0.125");
        assert_eq!(Amount::parse(".5").unwrap().to_string(), "0.5");
        assert_eq!(Amount::parse("1.00005").unwrap().to_string(), "1.0001");
        for bad in ["", ".", "-", "1e5", "NaN", "1,5", "--1"] {
            assert_eq!(Amount::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn only_whole_quantities_are_whole() {
        assert_eq!(Amount::parse("2.0000").unwrap().whole(), Some(2));
        assert_eq!(Amount::parse("2.5").unwrap().whole(), None);
    }

    proptest! {
        #[test]
        fn json_numbers_carry_the_exact_value(value in -100_000_000_000_000_000_000i128..100_000_000_000_000_000_000) {
            let amount = Amount::from_ten_thousandths(value);
            let json = serde_json::to_string(&amount).unwrap();
            prop_assert_eq!(Amount::parse(&json), Some(amount), "{}", json);
        }
    }
}
