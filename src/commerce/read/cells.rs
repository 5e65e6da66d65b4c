//! Reading one row of a database, whichever it is, without copying what is not kept.

use crate::commerce::read::tables::Spec;
use chrono::NaiveDate;
use orderfeed_model::amount::Amount;
use orderfeed_model::clock::UtcMillis;

/// One value of a row, borrowed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Cell<'a> {
    /// SQL's NULL.
    Null,
    /// An integer.
    Int(i64),
    /// A floating-point number (SQLite keeps decimals so).
    Real(f64),
    /// Text, or a number or moment in its text form.
    Text(&'a [u8]),
}

/// A row of either database.
pub(crate) trait Row {
    /// The value at `index`; beyond the end it is NULL.
    fn cell(&self, index: usize) -> Cell<'_>;
    /// The text at `index`, moved out where the driver allows it. Invalid UTF-8 is replaced, never refused.
    fn take_text(&mut self, index: usize) -> Option<String>;
}

impl<R: Row> Row for &mut R {
    fn cell(&self, index: usize) -> Cell<'_> {
        (**self).cell(index)
    }

    fn take_text(&mut self, index: usize) -> Option<String> {
        (**self).take_text(index)
    }
}

/// A value that could not be understood, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{table}.{column} is not {expected}")]
pub(crate) struct BadCell {
    table: &'static str,
    column: &'static str,
    expected: &'static str,
}

/// Reads the columns of a [`Spec`] one after the other, in the order in which it lists them.
pub(crate) struct Cells<'a, R: Row> {
    row: &'a mut R,
    spec: &'static Spec,
    next: usize,
}

impl<'a, R: Row> Cells<'a, R> {
    /// Starts at the first listed column. The row's cells 0 and 1 are its key and its owner.
    pub(crate) fn new(row: &'a mut R, spec: &'static Spec) -> Self {
        Self { row, spec, next: 2 }
    }

    /// The row's own id.
    pub(crate) fn key(&self) -> i64 {
        integer(self.row.cell(0)).unwrap_or_default()
    }

    /// The id of what the row hangs from; `None` if the column is NULL.
    pub(crate) fn owner(&self) -> Option<i64> {
        integer(self.row.cell(1))
    }

    /// Text as stored.
    pub(crate) fn text(&mut self) -> Option<String> {
        let index = self.step();
        self.row.take_text(index)
    }

    /// A whole number.
    pub(crate) fn int(&mut self) -> Result<Option<i64>, BadCell> {
        let index = self.step();
        match self.row.cell(index) {
            Cell::Null => Ok(None),
            cell => integer(cell)
                .map(Some)
                .ok_or_else(|| self.bad(index, "a whole number")),
        }
    }

    /// A flag: anything but NULL and zero is true.
    pub(crate) fn flag(&mut self) -> Result<bool, BadCell> {
        Ok(self.int()?.is_some_and(|value| value != 0))
    }

    /// A decimal.
    pub(crate) fn amount(&mut self) -> Result<Option<Amount>, BadCell> {
        let index = self.step();
        match self.row.cell(index) {
            Cell::Null => Ok(None),
            cell => decimal(cell)
                .map(Some)
                .ok_or_else(|| self.bad(index, "a decimal")),
        }
    }

    /// A decimal that counts as zero when it is NULL.
    pub(crate) fn quantity(&mut self) -> Result<Amount, BadCell> {
        Ok(self.amount()?.unwrap_or_default())
    }

    /// A moment; the zero date counts as NULL.
    pub(crate) fn moment(&mut self) -> Result<Option<UtcMillis>, BadCell> {
        let index = self.step();
        match self.row.cell(index) {
            Cell::Null => Ok(None),
            Cell::Text(text) if text.starts_with(b"0000-00-00") => Ok(None),
            Cell::Text(text) => moment(text)
                .map(Some)
                .ok_or_else(|| self.bad(index, "a date and time")),
            Cell::Int(_) | Cell::Real(_) => Err(self.bad(index, "a date and time")),
        }
    }

    fn step(&mut self) -> usize {
        let index = self.next;
        self.next += 1;
        index
    }

    fn bad(&self, index: usize, expected: &'static str) -> BadCell {
        BadCell {
            table: self.spec.table,
            column: self.spec.columns.get(index - 2).copied().unwrap_or("?"),
            expected,
        }
    }

    #[cfg(test)]
    pub(crate) fn consumed(&self) -> usize {
        self.next - 2
    }
}

/// A cell as a whole number, if it is one.
pub(crate) fn integer(cell: Cell<'_>) -> Option<i64> {
    match cell {
        Cell::Null => None,
        Cell::Int(value) => Some(value),
        Cell::Real(value) => (value.fract() == 0.0 && value.abs() < 9e15).then_some(value as i64),
        Cell::Text(text) => std::str::from_utf8(text).ok()?.trim().parse().ok(),
    }
}

/// A cell as text, if it is text.
pub(crate) fn text(cell: Cell<'_>) -> Option<String> {
    match cell {
        Cell::Null => None,
        Cell::Int(value) => Some(value.to_string()),
        Cell::Real(value) => Some(value.to_string()),
        Cell::Text(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
    }
}

fn decimal(cell: Cell<'_>) -> Option<Amount> {
    match cell {
        Cell::Null => None,
        Cell::Int(value) => Some(Amount::from_units(value)),
        // SQLite has no decimals. Up to eleven digits before the point, rounding gives back what was stored.
        Cell::Real(value) => {
            (value.abs() < 1e11).then(|| Amount::from_ten_thousandths((value * 10_000.0).round() as i128))
        }
        Cell::Text(text) => Amount::parse(std::str::from_utf8(text).ok()?),
    }
}

/// `YYYY-MM-DD HH:MM:SS` without the general parser, which would be a tenth of the time spent on an order.
pub(crate) fn moment(text: &[u8]) -> Option<UtcMillis> {
    let number = |range: std::ops::Range<usize>| {
        text.get(range)?.iter().try_fold(0_u32, |sum, byte| {
            byte.is_ascii_digit().then(|| sum * 10 + u32::from(byte - b'0'))
        })
    };
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
        assert_eq!(decimal(Cell::Text(b"19.9900")), expected);
        assert_eq!(decimal(Cell::Real(19.99)), expected);
        assert_eq!(decimal(Cell::Int(19)), Amount::parse("19"));
        assert_eq!(decimal(Cell::Text(b"abc")), None);
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
