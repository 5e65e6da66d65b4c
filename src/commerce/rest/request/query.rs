//! The query part of a request: Commerce's search criteria, percent-encoded as RFC 3986 demands. Pure.
//!
//! Every index has one digit: the versions of Commerce sort the parameters of a signature in different orders, which agree
//! as long as no index has two.

use std::fmt::Write;

/// Most filters of a search, so that each index has one digit.
const MOST_FILTERS: usize = 10;

/// The parameters of a request, not encoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Returns the query of a request that only selects fields.
    pub(crate) fn of_fields(fields: &str) -> Self {
        Self(vec![("fields".to_owned(), fields.to_owned())])
    }

    pub(crate) fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// Returns the query in its encoded form, without the question mark.
    pub(crate) fn encoded(&self) -> String {
        let mut text = String::new();
        for (name, value) in &self.0 {
            let separator = if text.is_empty() { "" } else { "&" };
            // The equals sign is never left out: the server signs no parameter without one. Writing into a String cannot fail.
            let _ = write!(text, "{separator}{}={}", encode(name), encode(value));
        }
        text
    }
}

/// A search in a list. Pages are never numbered: a page begins after a key.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    filters: Vec<Filter>,
    sort: Vec<(&'static str, Direction)>,
    pub(crate) page_size: usize,
    fields: String,
}

#[derive(Clone, Debug)]
struct Filter {
    field: &'static str,
    condition: &'static str,
    value: String,
}

/// The direction of a sort.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Ascending,
    Descending,
}

impl Search {
    /// Creates a search without filters, for at most `page_size` rows with these fields.
    pub(crate) fn new(page_size: usize, fields: impl Into<String>) -> Self {
        Self {
            filters: Vec::new(),
            sort: Vec::new(),
            page_size: page_size.max(1),
            fields: fields.into(),
        }
    }

    /// Adds a condition, which holds together with those before.
    #[must_use]
    pub(crate) fn filter(
        mut self,
        field: &'static str,
        condition: &'static str,
        value: impl Into<String>,
    ) -> Self {
        let value = value.into();
        self.filters.push(Filter {
            field,
            condition,
            value,
        });
        debug_assert!(self.filters.len() <= MOST_FILTERS);
        self
    }

    /// Adds the condition that a field is one of these ids.
    #[must_use]
    pub(crate) fn any_of(self, field: &'static str, ids: &[i64]) -> Self {
        let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
        self.filter(field, "in", ids.join(","))
    }

    /// Adds the condition that a field is none of these ids, if there are any.
    #[must_use]
    pub(crate) fn none_of(self, field: &'static str, ids: &[i64]) -> Self {
        if ids.is_empty() {
            return self;
        }
        let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
        self.filter(field, "nin", ids.join(","))
    }

    #[must_use]
    pub(crate) fn sort(mut self, field: &'static str, direction: Direction) -> Self {
        self.sort.push((field, direction));
        self
    }

    /// Removes the order.
    #[must_use]
    pub(crate) fn unsorted(mut self) -> Self {
        self.sort.clear();
        self
    }

    /// Returns the parameters.
    pub(crate) fn query(&self) -> Query {
        let mut pairs = Vec::new();
        for (index, filter) in self.filters.iter().enumerate() {
            let at = format!("searchCriteria[filter_groups][{index}][filters][0]");
            pairs.push((format!("{at}[field]"), filter.field.to_owned()));
            pairs.push((format!("{at}[condition_type]"), filter.condition.to_owned()));
            pairs.push((format!("{at}[value]"), filter.value.clone()));
        }
        for (index, (field, direction)) in self.sort.iter().enumerate() {
            let at = format!("searchCriteria[sortOrders][{index}]");
            let direction = match direction {
                Direction::Ascending => "ASC",
                Direction::Descending => "DESC",
            };
            pairs.push((format!("{at}[field]"), (*field).to_owned()));
            pairs.push((format!("{at}[direction]"), direction.to_owned()));
        }
        pairs.push(("searchCriteria[pageSize]".to_owned(), self.page_size.to_string()));
        pairs.push(("searchCriteria[currentPage]".to_owned(), "1".to_owned()));
        pairs.push(("fields".to_owned(), self.fields.clone()));
        Query(pairs)
    }
}

/// Percent-encodes everything but the unreserved characters of RFC 3986.
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(byte.into()),
            // Upper case, as RFC 5849 demands of what is signed.
            _ => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_search_is_written_as_commerce_reads_it() {
        let search = Search::new(50, "items[entity_id],total_count")
            .filter("updated_at", "gteq", "2026-01-02 03:04:05")
            .any_of("store_id", &[1, 12])
            .sort("entity_id", Direction::Descending);
        assert_eq!(
            search.query().encoded().replace("%5B", "[").replace("%5D", "]"),
            "searchCriteria[filter_groups][0][filters][0][field]=updated_at\
             &searchCriteria[filter_groups][0][filters][0][condition_type]=gteq\
             &searchCriteria[filter_groups][0][filters][0][value]=2026-01-02%2003%3A04%3A05\
             &searchCriteria[filter_groups][1][filters][0][field]=store_id\
             &searchCriteria[filter_groups][1][filters][0][condition_type]=in\
             &searchCriteria[filter_groups][1][filters][0][value]=1%2C12\
             &searchCriteria[sortOrders][0][field]=entity_id&searchCriteria[sortOrders][0][direction]=DESC\
             &searchCriteria[pageSize]=50&searchCriteria[currentPage]=1&fields=items[entity_id]%2Ctotal_count"
        );
    }

    proptest! {
        #[test]
        fn encoding_is_undone_by_any_decoder_and_leaves_nothing_reserved(text in ".{0,80}") {
            let encoded = encode(&text);
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte);
            prop_assert!(encoded.bytes().all(plain), "{encoded}");
            let pair = format!("x={encoded}");
            let decoded = url::form_urlencoded::parse(pair.as_bytes()).next().unwrap().1.into_owned();
            prop_assert_eq!(decoded, text);
        }

        #[test]
        fn a_url_keeps_the_encoded_query_as_it_is(value in ".{1,60}") {
            let search = Search::new(1, "items").filter("increment_id", "eq", value);
            let query = search.query().encoded();
            let mut url = url::Url::parse("https://shop.example/rest/all/V1/orders").unwrap();
            url.set_query(Some(&query));
            prop_assert_eq!(url.query(), Some(query.as_str()));
        }
    }
}
