//! A query as PHP reads it: names with brackets become nested arrays.

use crate::auth::encoding::decode_form;

/// A parameter: text, or an array with its keys in order of appearance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Parameter {
    Text(String),
    Array(Vec<(String, Parameter)>),
}

impl Parameter {
    /// Parses the query of an URL.
    pub(crate) fn parse(query: &str) -> Self {
        let mut root = Self::Array(Vec::new());
        for part in query.split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let name = decode_form(name);
            let (first, rest) = name.split_once('[').unwrap_or((&name, ""));
            let keys = rest.split('[').map(|key| key.trim_end_matches(']'));
            let path: Vec<&str> = std::iter::once(first)
                .chain(keys.filter(|_| !rest.is_empty()))
                .collect();
            root.set(&path, decode_form(value));
        }
        root
    }

    fn set(&mut self, path: &[&str], value: String) {
        let [key, rest @ ..] = path else {
            *self = Self::Text(value);
            return;
        };
        if let Self::Text(_) = self {
            *self = Self::Array(Vec::new());
        }
        let Self::Array(members) = self else { return };
        let at = members
            .iter()
            .position(|(name, _)| name == key)
            .unwrap_or_else(|| {
                members.push(((*key).to_owned(), Self::Array(Vec::new())));
                members.len() - 1
            });
        members[at].1.set(rest, value);
    }

    /// Returns the member with one of these names: most have one in camel case and one in snake case.
    pub(crate) fn get(&self, names: &[&str]) -> Option<&Self> {
        self.members()
            .iter()
            .find(|(key, _)| names.contains(&key.as_str()))
            .map(|(_, value)| value)
    }

    pub(crate) fn text(&self, names: &[&str]) -> Option<&str> {
        match self.get(names)? {
            Self::Text(text) => Some(text),
            Self::Array(_) => None,
        }
    }

    pub(crate) fn members(&self) -> &[(String, Self)] {
        match self {
            Self::Array(members) => members,
            Self::Text(_) => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_nest_and_blanks_are_decoded() {
        let query = Parameter::parse("a[b][0][c]=x+y&a%5Bb%5D%5B0%5D%5Bd%5D=1%2B1&fields=items[id]&flag");
        let nested = query
            .get(&["a"])
            .unwrap()
            .get(&["b"])
            .unwrap()
            .get(&["0"])
            .unwrap();
        assert_eq!(nested.text(&["c"]), Some("x y"));
        assert_eq!(nested.text(&["other", "d"]), Some("1+1"));
        assert_eq!(query.text(&["fields"]), Some("items[id]"));
        assert_eq!(query.text(&["flag"]), Some(""));
    }
}
