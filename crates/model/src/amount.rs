//! Money and quantities as Commerce stores them: `decimal(20,4)` and `decimal(12,4)`, never floats.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Neg, Sub};

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// Units of the last decimal place in one.
const SCALE: i128 = 10_000;
/// Up to this many ten-thousandths, a double's shortest decimal form is the exact value (15 significant digits).
const EXACT_AS_DOUBLE: u128 = 999_999_999_999_999;

/// An exact decimal with four places. The whole range of `decimal(20,4)` fits many times over.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Amount(i128);

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// From whole units.
    pub const fn from_units(units: i64) -> Self {
        Self(units as i128 * SCALE)
    }

    /// From ten-thousandths.
    pub const fn from_ten_thousandths(value: i128) -> Self {
        Self(value)
    }

    /// In ten-thousandths.
    pub const fn ten_thousandths(self) -> i128 {
        self.0
    }

    /// Parses a decimal such as `-12.5` or `64.0000`. More than four places are rounded half away from zero.
    /// `None` if it is no plain decimal or has more than 30 digits.
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

    /// The value as a whole number, if it is one that fits.
    pub fn whole(self) -> Option<i64> {
        (self.0 % SCALE == 0)
            .then(|| i64::try_from(self.0 / SCALE).ok())
            .flatten()
    }

    /// The distance from zero.
    pub const fn abs(self) -> Self {
        Self(self.0.saturating_abs())
    }

    /// Whether this is below zero.
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }
}

impl fmt::Display for Amount {
    /// The shortest exact form with at least one decimal place: `64.0`, `-0.125`.
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
    /// A JSON number with exactly this value: through a double where that is exact, as literal digits beyond.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
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
