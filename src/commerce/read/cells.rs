//! The values of one row of either database, borrowed from the driver, and their conversions.

use chrono::NaiveDate;
use orderfeed_model::amount::Amount;
use orderfeed_model::clock::UtcMillis;

/// One value of a row, borrowed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum CellRef<'a> {
    Null,
    Int(i64),
    /// A floating-point number, which is what SQLite stores for decimals.
    Real(f64),
    /// Text, also the text form of a number or of a date and time.
    Text(&'a [u8]),
}

/// A row of either database.
pub(crate) trait SourceRow {
    /// Returns the value at `index`; NULL beyond the end.
    fn cell(&self, index: usize) -> CellRef<'_>;
    /// Returns the text at `index`, moved out where the driver allows it. Invalid UTF-8 is replaced, never refused.
    fn take_text(&mut self, index: usize) -> Option<String>;
}

impl<R: SourceRow> SourceRow for &mut R {
    fn cell(&self, index: usize) -> CellRef<'_> {
        (**self).cell(index)
    }

    fn take_text(&mut self, index: usize) -> Option<String> {
        (**self).take_text(index)
    }
}

/// Returns a cell as a whole number, if it is one.
pub(crate) fn integer(cell: CellRef<'_>) -> Option<i64> {
    match cell {
        CellRef::Null => None,
        CellRef::Int(value) => Some(value),
        // Beyond 2^53 a float no longer holds every whole number.
        CellRef::Real(value) => (value.fract() == 0.0 && value.abs() < 9e15).then_some(value as i64),
        CellRef::Text(text) => std::str::from_utf8(text).ok()?.trim().parse().ok(),
    }
}

/// Returns a cell as text; `None` for NULL.
pub(crate) fn text(cell: CellRef<'_>) -> Option<String> {
    match cell {
        CellRef::Null => None,
        CellRef::Int(value) => Some(value.to_string()),
        CellRef::Real(value) => Some(value.to_string()),
        CellRef::Text(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
    }
}

pub(crate) fn decimal(cell: CellRef<'_>) -> Option<Amount> {
    match cell {
        CellRef::Null => None,
        CellRef::Int(value) => Some(Amount::from_units(value)),
        // SQLite has no decimals. With up to eleven digits before the point, rounding restores the stored value.
        CellRef::Real(value) => {
            (value.abs() < 1e11).then(|| Amount::from_ten_thousandths((value * 10_000.0).round() as i128))
        }
        CellRef::Text(text) => Amount::parse(std::str::from_utf8(text).ok()?),
    }
}

/// Returns a cell that holds a date and time, as seconds since the epoch.
pub(crate) fn seconds(cell: CellRef<'_>) -> Option<i64> {
    match cell {
        CellRef::Text(text) => Some(moment(text)?.0.div_euclid(1000)),
        _ => None,
    }
}

/// Returns a cell that holds a date and time, as microseconds since the epoch: both servers' columns hold up to six digits
/// after the second.
pub(crate) fn micros(cell: CellRef<'_>) -> Option<i64> {
    match cell {
        CellRef::Text(text) => moment_micros(text),
        _ => None,
    }
}

/// Parses `YYYY-MM-DD HH:MM:SS` with up to six digits after the second.
pub(crate) fn moment_micros(text: &[u8]) -> Option<i64> {
    let (whole, fraction) = match text.split_at_checked(19) {
        Some((whole, [b'.', fraction @ ..])) => (whole, fraction),
        Some((whole, [])) => (whole, &[][..]),
        _ => return None,
    };
    let digits = (0..6).map(|index| fraction.get(index).copied().unwrap_or(b'0'));
    let micros = digits
        .clone()
        .fold(0, |sum, digit| sum * 10 + i64::from(digit.wrapping_sub(b'0')));
    let seconds = moment(whole)?.0.div_euclid(1000);
    (fraction.len() <= 6 && digits.clone().all(|digit| digit.is_ascii_digit()))
        .then_some(seconds * MICROS + micros)
}

/// Microseconds in a second.
pub(crate) const MICROS: i64 = 1_000_000;

/// Parses `YYYY-MM-DD HH:MM:SS`. The general parser would take a tenth of the time spent on an order, so it is used for
/// other forms only.
pub(crate) fn moment(text: &[u8]) -> Option<UtcMillis> {
    let number = |range: std::ops::Range<usize>| {
        text.get(range)?.iter().try_fold(0_u32, |sum, byte| {
            byte.is_ascii_digit().then(|| sum * 10 + u32::from(byte - b'0'))
        })
    };
    // The form that both databases return for a DATETIME or TIMESTAMP without a fraction.
    let plain = text.len() == 19
        && matches!(
            (text[4], text[7], text[10], text[13], text[16]),
            (b'-', b'-', b' ' | b'T', b':', b':')
        );
    if !plain {
        return UtcMillis::parse_sql(std::str::from_utf8(text).ok()?);
    }
    let date = NaiveDate::from_ymd_opt(i32::try_from(number(0..4)?).ok()?, number(5..7)?, number(8..10)?)?;
    let moment = date.and_hms_opt(number(11..13)?, number(14..16)?, number(17..19)?)?;
    Some(UtcMillis(moment.and_utc().timestamp_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_databases_forms_of_a_decimal_are_the_same_amount() {
        let expected = Amount::parse("19.99");
        assert_eq!(decimal(CellRef::Text(b"19.9900")), expected);
        assert_eq!(decimal(CellRef::Real(19.99)), expected);
        assert_eq!(decimal(CellRef::Int(19)), Amount::parse("19"));
        assert_eq!(decimal(CellRef::Text(b"abc")), None);
    }

    #[test]
    fn moments_parse_like_the_general_parser() {
        for text in [
            "2026-11-22 07:00:00",
            "1970-01-01 00:00:01",
            "2024-02-29 23:59:59",
        ] {
            assert_eq!(moment(text.as_bytes()), UtcMillis::parse_sql(text), "{text}");
        }
        assert_eq!(
            moment(b"2026-11-22 07:00:00.123456"),
            UtcMillis::parse_sql("2026-11-22 07:00:00.123456")
        );
        for bad in [
            "2026-13-01 00:00:00",
            "2026-02-30 00:00:00",
            "yesterday, at noon..",
            "2026-11-2x 07:00:00",
            "",
        ] {
            assert_eq!(moment(bad.as_bytes()), None, "{bad}");
        }
    }
}
