//! One row of a source table, read column by column in the order in which the table declares them.

use serde::Deserialize;

use crate::commerce::read::cells::{CellRef, SourceRow, decimal, integer, moment};
use crate::commerce::read::options::cut;
use crate::commerce::read::spec::TableSpec;
use orderfeed_model::amount::Amount;
use orderfeed_model::birth::Birth;
use orderfeed_model::clock::UtcMillis;

/// A value that cannot be understood, and its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{table}.{column} is not {expected}")]
pub(crate) struct BadCell {
    table: &'static str,
    column: &'static str,
    expected: &'static str,
}

/// Reads the columns of a [`TableSpec`] one after the other. Cells 0 and 1 of the row are its key and its owner.
pub(crate) struct RowDecoder<'a, R: SourceRow> {
    row: &'a mut R,
    spec: &'static TableSpec,
    next: usize,
    /// See [`Birth::is_undated`].
    is_undated: bool,
    /// Bytes of the texts read so far.
    bytes: usize,
}

impl<'a, R: SourceRow> RowDecoder<'a, R> {
    /// Starts at the first column after key and owner.
    pub(crate) fn new(row: &'a mut R, spec: &'static TableSpec) -> Self {
        Self {
            row,
            spec,
            next: 2,
            is_undated: false,
            bytes: 0,
        }
    }

    /// Returns the row's own id.
    pub(crate) fn key(&self) -> i64 {
        // The primary key is never NULL in a table of Commerce.
        integer(self.row.cell(0)).unwrap_or_default()
    }

    /// Returns the id of the order or document that the row belongs to; `None` if the column is NULL.
    pub(crate) fn owner(&self) -> Option<i64> {
        integer(self.row.cell(1))
    }

    /// Returns what is known about the birth of the document, once its columns were read.
    pub(crate) fn birth(&self) -> Birth {
        Birth {
            is_undated: self.is_undated,
            ..Birth::default()
        }
    }

    pub(crate) fn text(&mut self) -> Result<Option<String>, BadCell> {
        let index = self.step();
        let text = self.row.take_text(index);
        self.bytes += text.as_ref().map_or(0, String::len);
        Ok(text)
    }

    /// Reads `product_options`, cut if they are large.
    pub(crate) fn options(&mut self) -> Result<Option<String>, BadCell> {
        let index = self.step();
        let text = self.row.take_text(index).map(cut);
        self.bytes += text.as_ref().map_or(0, String::len);
        Ok(text)
    }

    /// Returns the size of the texts that were read.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn text_or_empty(&mut self) -> Result<String, BadCell> {
        Ok(self.text()?.unwrap_or_default())
    }

    pub(crate) fn lower_case(&mut self) -> Result<String, BadCell> {
        Ok(self.text_or_empty()?.to_lowercase())
    }

    /// Reads `method_title` in JSON. Before Commerce 2.2 the column held PHP's own format, which counts as NULL.
    pub(crate) fn method_title(&mut self) -> Result<Option<String>, BadCell> {
        Ok(self.text()?.as_deref().and_then(method_title))
    }

    pub(crate) fn int(&mut self) -> Result<Option<i64>, BadCell> {
        self.typed("a whole number", integer)
    }

    pub(crate) fn int_or_zero(&mut self) -> Result<i64, BadCell> {
        Ok(self.int()?.unwrap_or_default())
    }

    /// Reads a flag: anything but NULL and zero is true.
    pub(crate) fn flag(&mut self) -> Result<bool, BadCell> {
        Ok(self.int_or_zero()? != 0)
    }

    pub(crate) fn amount(&mut self) -> Result<Option<Amount>, BadCell> {
        self.typed("a decimal", decimal)
    }

    /// Reads a decimal; NULL counts as zero.
    pub(crate) fn quantity(&mut self) -> Result<Amount, BadCell> {
        Ok(self.amount()?.unwrap_or_default())
    }

    /// Reads a date and time; the zero date counts as NULL.
    pub(crate) fn moment(&mut self) -> Result<Option<UtcMillis>, BadCell> {
        let index = self.step();
        self.moment_at(index)
    }

    pub(crate) fn moment_or_epoch(&mut self) -> Result<UtcMillis, BadCell> {
        Ok(self.moment()?.unwrap_or_default())
    }

    /// Reads a date and time, from the next column if this one is NULL; without both it is the epoch.
    pub(crate) fn moment_or_next(&mut self) -> Result<UtcMillis, BadCell> {
        let index = self.step();
        self.is_undated = self.moment_at(index)?.is_none();
        self.first_moment(index, index + 1)
    }

    /// Reads a date and time, from the previous column if this one is NULL; without both it is the epoch.
    pub(crate) fn moment_or_previous(&mut self) -> Result<UtcMillis, BadCell> {
        let index = self.step();
        self.first_moment(index, index - 1)
    }

    fn first_moment(&self, one: usize, other: usize) -> Result<UtcMillis, BadCell> {
        Ok(match self.moment_at(one)? {
            Some(moment) => moment,
            None => self.moment_at(other)?.unwrap_or_default(),
        })
    }

    fn moment_at(&self, index: usize) -> Result<Option<UtcMillis>, BadCell> {
        match self.row.cell(index) {
            CellRef::Null => Ok(None),
            // MySQL stores the zero date where an old row or a lenient mode had none.
            CellRef::Text(text) if text.starts_with(b"0000-00-00") => Ok(None),
            CellRef::Text(text) => moment(text)
                .map(Some)
                .ok_or_else(|| self.bad(index, "a date and time")),
            CellRef::Int(_) | CellRef::Real(_) => Err(self.bad(index, "a date and time")),
        }
    }

    fn typed<T>(
        &mut self,
        expected: &'static str,
        read: impl Fn(CellRef<'_>) -> Option<T>,
    ) -> Result<Option<T>, BadCell> {
        let index = self.step();
        match self.row.cell(index) {
            CellRef::Null => Ok(None),
            cell => read(cell).map(Some).ok_or_else(|| self.bad(index, expected)),
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
            // Cells 0 and 1 are key and owner, which the spec names apart.
            column: self.spec.columns.get(index - 2).copied().unwrap_or("?"),
            expected,
        }
    }
}

fn method_title(additional_information: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Information {
        method_title: Option<serde_json::Value>,
    }
    let information: Information = serde_json::from_str(additional_information).ok()?;
    information.method_title?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_method_title_is_found_in_json_only() {
        assert_eq!(
            method_title(r#"{"method_title":"Check \/ Money order","x":[1]}"#).unwrap(),
            "Check / Money order"
        );
        for other in [
            "",
            "[]",
            r#"{"method_title":null}"#,
            r#"{"method_title":5}"#,
            r#"a:1:{s:1:"x";i:5;}"#,
        ] {
            assert_eq!(method_title(other), None, "{other}");
        }
    }
}
