//! The vocabulary of the schema: rules for values, shapes of objects, and the patterns of strings.

/// The type of a value.
pub(crate) enum Rule {
    Text,
    /// A string that satisfies a predicate, with a description of valid values.
    Fits(fn(&str) -> bool, &'static str),
    OneOf(&'static [&'static str]),
    Number,
    Integer,
    Bool,
    /// An RFC 3339 date-time.
    DateTime,
    /// An object with exactly these keys.
    Object(&'static Shape),
    /// An object with free keys and values of this type.
    MapOf(&'static Rule),
    /// An array of this type.
    ListOf(&'static Rule),
    /// Any value: used for what Commerce's events do not fill.
    Any,
}

pub(crate) struct Shape {
    /// Known keys. Any other is a violation.
    pub(crate) fields: &'static [(&'static str, Rule)],
    /// Required keys.
    pub(crate) required: &'static [&'static str],
}

/// Declares shapes: the keys of each with their rules, and the required ones.
macro_rules! shapes {
    ($($(#[$doc:meta])* $visible:vis $name:ident [$($required:literal),*] {
        $($key:literal: $rule:expr,)*
    })*) => {
        $($(#[$doc])* $visible const $name: Shape = Shape {
            fields: &[$(($key, $rule)),*],
            required: &[$($required),*],
        };)*
    };
}
pub(crate) use shapes;

pub(crate) fn is_currency(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

pub(crate) fn is_country(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

pub(crate) fn is_state_province(text: &str) -> bool {
    let Some((country, state)) = text.split_once('-') else {
        return text.is_empty();
    };
    let is_code = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    is_country(country) && (1..=3).contains(&state.len()) && state.bytes().all(is_code)
}

pub(crate) fn is_post_office_box(text: &str) -> bool {
    text.chars().count() <= 20
}

pub(crate) fn is_uri_reference(text: &str) -> bool {
    !text.is_empty()
        && !text
            .chars()
            .any(|c| c.is_whitespace() || c.is_control() || "<>\"{}|\\^`".contains(c))
}
