//! The filter `fields`: which parts of an answer are returned. It is applied to the finished answer.

use std::collections::BTreeMap;

use crate::json::Json;

/// The names of a filter, each whole (`None`) or with a filter of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields(BTreeMap<String, Option<Fields>>);

impl Fields {
    /// Parses a filter. Returns `None` if it is malformed; the answer is then an empty list.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_[],".contains(&byte);
        if text.is_empty() || !text.bytes().all(is_allowed) {
            return None;
        }
        let mut stack: Vec<(Self, String)> = Vec::new();
        let mut current = Self::default();
        let mut name = String::new();
        let mut last = String::new();
        for c in text.chars() {
            if !matches!(c, '[' | ']' | ',') {
                name.push(c);
                continue;
            }
            if !name.is_empty() {
                last = std::mem::take(&mut name);
                current.0.insert(last.clone(), None);
            }
            match c {
                '[' => stack.push((std::mem::take(&mut current), last.clone())),
                ']' => {
                    let (outer, owner) = stack.pop()?;
                    let inner = std::mem::replace(&mut current, outer);
                    current.0.insert(owner, Some(inner));
                }
                _ => {}
            }
        }
        if !name.is_empty() {
            current.0.insert(name, None);
        }
        stack.is_empty().then_some(current)
    }

    /// Returns the parts of an answer that the filter names. A list is filtered by its elements. PHP cannot
    /// distinguish an empty list from an empty map, so a filter of its parts makes it `null`.
    pub(crate) fn apply(&self, answer: Json) -> Json {
        match answer {
            Json::List(values) if values.is_empty() => Json::Null,
            Json::List(values) => Json::List(values.into_iter().map(|value| self.intersect(value)).collect()),
            other => self.intersect(other),
        }
    }

    fn intersect(&self, value: Json) -> Json {
        let Json::Map(members) = value else { return value };
        let kept: Vec<(String, Json)> = members
            .into_iter()
            .filter_map(|(name, value)| {
                let inner = self.0.get(&name)?;
                let value = match (inner, value) {
                    (Some(inner), value @ (Json::List(_) | Json::Map(_))) => inner.apply(value),
                    (_, value) => value,
                };
                Some((name, value))
            })
            .collect();
        // PHP writes an array without members as a list.
        if kept.is_empty() {
            Json::List(Vec::new())
        } else {
            Json::Map(kept)
        }
    }
}

/// A filter, or everything. Used to leave out what would be dropped anyway.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wanted<'a> {
    All,
    Only(&'a Fields),
    Nothing,
}

impl<'a> Wanted<'a> {
    pub(crate) fn has(self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(fields) => fields.0.contains_key(name),
            Self::Nothing => false,
        }
    }

    /// Returns the filter of a member.
    pub(crate) fn of(self, name: &str) -> Self {
        match self {
            Self::All => Self::All,
            Self::Nothing => Self::Nothing,
            Self::Only(fields) => match fields.0.get(name) {
                Some(Some(inner)) => Wanted::Only(inner),
                Some(None) => Self::All,
                None => Self::Nothing,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::map;

    fn filtered(filter: &str) -> String {
        let line = map! { "sku": "a", "qty": 1_i64 };
        let answer = map! { "items": vec![map! { "id": 7_i64, "lines": vec![line], "none": Json::List(vec![]) }], "total_count": 1_i64 };
        match Fields::parse(filter) {
            Some(fields) => fields.apply(answer).to_text(),
            None => "[]".to_owned(),
        }
    }

    #[test]
    fn nested_parts_are_kept_and_others_dropped() {
        assert_eq!(
            filtered("items[id,lines[sku]],total_count"),
            r#"{"items":[{"id":7,"lines":[{"sku":"a"}]}],"total_count":1}"#
        );
        assert_eq!(
            filtered("items[lines]"),
            r#"{"items":[{"lines":[{"sku":"a","qty":1}]}]}"#
        );
        assert_eq!(filtered("total_count"), r#"{"total_count":1}"#);
    }

    #[test]
    fn a_filter_that_is_malformed_or_names_nothing_gives_an_empty_list() {
        for filter in ["", "items[id", "items[id]]", "items id", "id", "items.id"] {
            assert_eq!(filtered(filter), "[]", "{filter}");
        }
    }

    #[test]
    fn an_empty_list_with_a_filter_of_its_own_becomes_null() {
        assert_eq!(filtered("items[none[x]]"), r#"{"items":[{"none":null}]}"#);
        assert_eq!(filtered("items[none]"), r#"{"items":[{"none":[]}]}"#);
    }
}
