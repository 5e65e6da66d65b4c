//! Texts, dates and codes in the forms XDM accepts. A value that does not fit is left out: XDM rejects the whole event for
//! one invalid field.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use crate::limits::MAX_TEXT_BYTES;
use orderfeed_model::clock::UtcMillis;

/// Marker at the end of a cut text.
const CUT: &str = "…";

/// Trims a text, removes control characters (line breaks and tabs become spaces), and cuts it to [`MAX_TEXT_BYTES`].
/// Returns `None` if nothing is left.
pub(super) fn clean(text: &str) -> Option<Cow<'_, str>> {
    let text = text.trim();
    if text.chars().any(char::is_control) {
        return clean_owned(text).map(Cow::Owned);
    }
    (!text.is_empty()).then(|| cut(text))
}

/// Applies [`clean`] to a column that may be NULL.
pub(super) fn clean_column(column: &Option<String>) -> Option<Cow<'_, str>> {
    column.as_deref().and_then(clean)
}

fn clean_owned(text: &str) -> Option<String> {
    let spaced: String = text
        .chars()
        .map(|c| if matches!(c, '\n' | '\r' | '\t') { ' ' } else { c })
        .filter(|c| !c.is_control())
        .collect();
    let spaced = spaced.trim();
    (!spaced.is_empty()).then(|| cut(spaced).into_owned())
}

fn cut(text: &str) -> Cow<'_, str> {
    if text.len() <= MAX_TEXT_BYTES {
        return Cow::Borrowed(text);
    }
    let mut end = MAX_TEXT_BYTES - CUT.len();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Cow::Owned(format!("{}{CUT}", &text[..end]))
}

/// Applies [`clean`] to a text that is already a [`Cow`].
pub(super) fn clean_cow(text: Cow<'_, str>) -> Option<Cow<'_, str>> {
    match text {
        Cow::Borrowed(text) => clean(text),
        Cow::Owned(text) => clean(&text).map(|clean| Cow::Owned(clean.into_owned())),
    }
}

/// Returns the currency code if it is three upper-case letters. XDM rejects anything else.
pub(super) fn currency(code: &Option<String>) -> Option<&str> {
    code.as_deref()
        .filter(|code| code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase()))
}

/// A time that serializes as RFC 3339 with milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment(UtcMillis);

/// Returns `None` outside the years 0 to 9999, which RFC 3339 cannot represent.
pub(super) fn moment(at: UtcMillis) -> Option<Moment> {
    const FIRST: i64 = -62_167_219_200_000;
    const LAST: i64 = 253_402_300_799_999;
    (FIRST..=LAST).contains(&at.0).then_some(Moment(at))
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.rfc3339())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_go_and_line_breaks_become_spaces() {
        assert_eq!(clean(" a\0b\u{1b}[31m\nc\u{9f} ").as_deref(), Some("ab[31m c"));
        assert_eq!(clean("\0\u{1}"), None);
        assert_eq!(clean(" "), None);
        assert!(matches!(
            clean("<b>Ünïcode 🎁</b>"),
            Some(Cow::Borrowed("<b>Ünïcode 🎁</b>"))
        ));
    }

    #[test]
    fn long_texts_are_cut_at_a_character_and_say_so() {
        for text in [
            "x".repeat(65_536),
            "🎁".repeat(16_384),
            format!("\n{}", "é\u{0}".repeat(40_000)),
        ] {
            let cut = clean(&text).unwrap();
            assert!(
                cut.len() <= MAX_TEXT_BYTES && cut.len() > MAX_TEXT_BYTES - 8,
                "{}",
                cut.len()
            );
            assert!(cut.ends_with('…'));
        }
        let fits = "x".repeat(MAX_TEXT_BYTES);
        assert_eq!(clean(&fits).as_deref(), Some(fits.as_str()));
    }

    #[test]
    fn only_iso_currencies_pass() {
        assert_eq!(currency(&Some("EUR".into())), Some("EUR"));
        for bad in ["", "eur", "EU", "EURO", "E1R", "€€"] {
            assert_eq!(currency(&Some(bad.into())), None, "{bad}");
        }
        assert_eq!(currency(&None), None);
    }

    #[test]
    fn dates_that_cannot_be_written_are_none() {
        let written = |at| serde_json::to_string(&moment(UtcMillis(at))).unwrap();
        assert_eq!(written(0), r#""1970-01-01T00:00:00.000Z""#);
        assert_eq!(written(253_402_300_799_999), r#""9999-12-31T23:59:59.999Z""#);
        assert_eq!(written(-62_167_219_200_000), r#""0000-01-01T00:00:00.000Z""#);
        for beyond in [i64::MIN, i64::MAX, 253_402_300_800_000, -62_167_219_200_001] {
            assert_eq!(moment(UtcMillis(beyond)), None);
        }
    }
}
