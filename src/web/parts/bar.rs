//! A progress bar.

use std::fmt;

use askama::filters::HtmlSafe;

/// A share from 0 to 1 as a `<progress>` element with its percentage as text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bar(pub f64);

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Rounded down, so that only complete work is 100 %.
        let percent = (self.0.clamp(0.0, 1.0) * 100.0).floor();
        write!(
            f,
            "<progress max=\"100\" value=\"{percent}\" aria-label=\"Progress\">{percent} %</progress>"
        )
    }
}

// It consists of a number and fixed words.
impl HtmlSafe for Bar {}

impl Bar {
    /// Returns the percentage, rounded down.
    pub fn percent(self) -> u32 {
        (self.0.clamp(0.0, 1.0) * 100.0) as u32
    }
}
