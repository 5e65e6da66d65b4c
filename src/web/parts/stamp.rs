//! A moment as a `<time>` element: UTC for browsers without JavaScript; the script shows the reader's zone.

use std::fmt;

use askama::filters::HtmlSafe;

use crate::ops::sentence::human_duration;
use orderfeed_model::clock::UtcMillis;

/// A moment on a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    at: UtcMillis,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Date and time with seconds.
    Second,
    /// The distance to a second time.
    Age(UtcMillis),
}

impl Stamp {
    /// Creates a stamp with date and time.
    pub fn second(at: UtcMillis) -> Self {
        let form = Form::Second;
        Self { at, form }
    }

    /// Creates a stamp that reads `3m 5s ago`, or `in 3m 5s`.
    pub fn age(at: UtcMillis, now: UtcMillis) -> Self {
        let form = Form::Age(now);
        Self { at, form }
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (machine, utc) = (self.at.rfc3339(), format!("{} UTC", self.at.sql()));
        match self.form {
            Form::Second => write!(
                f,
                "<time datetime=\"{machine}\" title=\"{utc}\" data-zone>{utc}</time>"
            ),
            Form::Age(now) if self.at > now => {
                let left = human_duration(self.at.millis_since(now));
                write!(f, "<time datetime=\"{machine}\" title=\"{utc}\">in {left}</time>")
            }
            Form::Age(now) => {
                let age = human_duration(now.millis_since(self.at));
                write!(f, "<time datetime=\"{machine}\" title=\"{utc}\">{age} ago</time>")
            }
        }
    }
}

// Its text consists of digits and fixed words.
impl HtmlSafe for Stamp {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_has_utc_in_its_title() {
        let at = UtcMillis::parse_rfc3339("2026-11-22T08:29:40Z").unwrap();
        let second = Stamp::second(at).to_string();
        assert_eq!(
            second,
            "<time datetime=\"2026-11-22T08:29:40.000Z\" title=\"2026-11-22 08:29:40 UTC\" data-zone>2026-11-22 08:29:40 UTC</time>"
        );
        assert!(
            Stamp::age(at, at.plus_millis(185_000))
                .to_string()
                .contains(">3m 5s ago<")
        );
        assert!(
            Stamp::age(at, at.plus_millis(-5_000))
                .to_string()
                .contains(">in 5s<")
        );
    }
}
