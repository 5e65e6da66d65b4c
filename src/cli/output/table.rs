//! ASCII tables with `+---+` rules. Pure.
//!
//! The tables of `indexer:*` must match Commerce byte for byte, which table crates do not. The others share the code.

use crate::cli::output::Paint;
pub use crate::ops::sentence::visible;

#[derive(Clone, Debug)]
pub struct AsciiTable {
    header: Vec<Cell>,
    rows: Vec<Vec<Cell>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    text: String,
    tone: Tone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Plain,
    /// Green.
    Good,
    /// Red.
    Bad,
}

impl Cell {
    /// Creates a cell with a colour. Control characters, which messages of the edge may contain, are escaped.
    pub fn toned(text: &str, tone: Tone) -> Self {
        Self {
            text: visible(text),
            tone,
        }
    }

    fn painted(&self, width: usize, paint: Paint) -> String {
        let padded = format!("{:width$}", self.text);
        match (paint, self.tone) {
            (Paint::Plain, _) | (_, Tone::Plain) => padded,
            (Paint::Colour, Tone::Good) => format!("\u{1b}[32m{padded}\u{1b}[39m"),
            (Paint::Colour, Tone::Bad) => format!("\u{1b}[31m{padded}\u{1b}[39m"),
        }
    }

    fn width(&self) -> usize {
        // Characters rather than bytes, as `format!` counts them.
        self.text.chars().count()
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::toned(text.as_ref(), Tone::Plain)
    }
}

impl AsciiTable {
    /// Creates a table with this header, whose columns are separated by `|`.
    pub fn new(header: &str) -> Self {
        Self {
            header: header.split('|').map(|name| Cell::from(name.trim())).collect(),
            rows: Vec::new(),
        }
    }

    pub fn row<const N: usize>(&mut self, cells: [Cell; N]) {
        self.rows.push(cells.into());
    }

    /// Returns the table, ending with a line break.
    pub fn render(&self, paint: Paint) -> String {
        let widths: Vec<usize> = (0..self.header.len())
            .map(|column| {
                let cells = self.rows.iter().filter_map(|row| row.get(column));
                let widest = cells.map(Cell::width).max().unwrap_or_default();
                widest.max(self.header[column].width())
            })
            .collect();
        let rule = rule(&widths);
        let mut text = format!("{rule}{}{rule}", line(&self.header, &widths, Paint::Plain));
        for row in &self.rows {
            text.push_str(&line(row, &widths, paint));
        }
        if !self.rows.is_empty() {
            text.push_str(&rule);
        }
        text
    }
}

fn rule(widths: &[usize]) -> String {
    let dashes: Vec<String> = widths.iter().map(|width| "-".repeat(width + 2)).collect();
    format!("+{}+\n", dashes.join("+"))
}

fn line(cells: &[Cell], widths: &[usize], paint: Paint) -> String {
    let cells: Vec<String> = cells
        .iter()
        .zip(widths)
        .map(|(cell, width)| cell.painted(*width, paint))
        .collect();
    format!("| {} |\n", cells.join(" | "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_matches_commerce() {
        let mut table = AsciiTable::new("ID | Backlog");
        table.row(["sales".into(), Cell::toned("7", Tone::Bad)]);
        assert_eq!(
            table.render(Paint::Plain),
            "+-------+---------+\n| ID    | Backlog |\n+-------+---------+\n| sales | 7       |\n+-------+---------+\n"
        );
        assert!(
            table
                .render(Paint::Colour)
                .contains("\u{1b}[31m7      \u{1b}[39m")
        );
    }

    #[test]
    fn a_forged_line_or_escape_stays_in_its_cell() {
        let mut table = AsciiTable::new("Detail");
        table.row(["bad\n| forged |\u{1b}[31m".into()]);
        let text = table.render(Paint::Plain);
        assert_eq!(text.lines().count(), 5);
        assert!(text.contains("bad\\n| forged |\\u{1b}[31m"), "{text}");
    }
}
