//! Single values as JSON.

use rusqlite::types::Value;

use crate::json::Json;
use crate::shop::kinds::Kind;

/// Converts a cell. `None` for NULL.
pub(crate) fn scalar(kind: Kind, cell: &Value, precise: bool) -> Option<Json> {
    Some(match (kind, cell) {
        (_, Value::Null | Value::Blob(_)) => return None,
        (_, Value::Integer(number)) => Json::Int(*number),
        (_, Value::Real(number)) => Json::Number(number.to_string()),
        (Kind::Number, Value::Text(text)) => number(text, precise),
        (Kind::Integer, Value::Text(text)) => Json::Int(text.parse().unwrap_or_default()),
        (Kind::Text | Kind::Moment, Value::Text(text)) => Json::Text(text.clone()),
    })
}

/// Converts a decimal: PHP casts it to a float, whose shortest form has no trailing zeros.
pub(crate) fn number(text: &str, precise: bool) -> Json {
    if precise {
        return Json::Number(seventeen_digits(text.parse().unwrap_or_default()));
    }
    let trimmed = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => text,
    };
    Json::Number(if matches!(trimmed, "" | "-0" | "-") {
        "0".to_owned()
    } else {
        trimmed.to_owned()
    })
}

/// Formats an amount in units of the fourth decimal place.
pub(crate) fn amount(units: i64, precise: bool) -> Json {
    let sign = if units < 0 { "-" } else { "" };
    let units = units.unsigned_abs();
    number(
        &format!("{sign}{}.{:04}", units / 10_000, units % 10_000),
        precise,
    )
}

/// Formats a float with 17 significant digits, as PHP does with `serialize_precision = 17`.
fn seventeen_digits(number: f64) -> String {
    if number == 0.0 {
        return "0".to_owned();
    }
    let whole_digits = number.abs().log10().floor() as i64 + 1;
    let places = usize::try_from(17 - whole_digits).unwrap_or_default();
    let text = format!("{number:.places$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_no_trailing_zeros_or_seventeen_digits() {
        let plain = |text| number(text, false).to_text();
        assert_eq!(
            [plain("12.5000"), plain("29.0000"), plain("-0.0000"), plain("100")],
            ["12.5", "29", "0", "100"]
        );
        let precise = |text| number(text, true).to_text();
        assert_eq!(precise("34.4000"), "34.399999999999999");
        assert_eq!([precise("12.5000"), precise("0.0000")], ["12.5", "0"]);
        assert_eq!(amount(-500, false).to_text(), "-0.05");
    }
}
