//! Search criteria: groups of filters, an order, and a page.

use crate::json::{Json, map};
use crate::problem::Problem;
use crate::search::query::Parameter;

/// The criteria of a list. Groups are joined by AND, the filters of a group by OR.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Criteria {
    pub(crate) groups: Vec<Vec<Filter>>,
    pub(crate) sort: Vec<Sort>,
    /// Rows of a page; `None` means all.
    pub(crate) page_size: Option<u64>,
    pub(crate) current_page: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    pub(crate) field: String,
    pub(crate) value: String,
    pub(crate) condition: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sort {
    pub(crate) field: String,
    pub(crate) ascending: bool,
}

impl Criteria {
    /// Reads the criteria of a query, in either spelling of their names.
    ///
    /// # Errors
    /// If the query has none, or a filter without a field.
    pub(crate) fn read(query: &Parameter) -> Result<Self, Problem> {
        let root = query
            .get(&["searchCriteria", "search_criteria"])
            .ok_or_else(|| Problem::missing("searchCriteria"))?;
        let groups = root.get(&["filterGroups", "filter_groups"]);
        let groups: Result<Vec<Vec<Filter>>, Problem> = groups
            .map_or(&[][..], Parameter::members)
            .iter()
            .map(|(_, group)| {
                let filters = group.get(&["filters"]).map_or(&[][..], Parameter::members);
                filters.iter().map(|(_, filter)| Filter::read(filter)).collect()
            })
            .collect();
        let sort = root.get(&["sortOrders", "sort_orders"]);
        let number = |names: &[&str]| root.text(names).and_then(|text| text.parse().ok());
        Ok(Self {
            groups: groups?,
            sort: sort
                .map_or(&[][..], Parameter::members)
                .iter()
                .filter_map(|(_, sort)| Sort::read(sort))
                .collect(),
            page_size: number(&["pageSize", "page_size"]).filter(|size| *size > 0),
            current_page: number(&["currentPage", "current_page"]).unwrap_or(1).max(1),
        })
    }

    /// Returns the criteria as an answer repeats them.
    pub(crate) fn echo(&self) -> Json {
        let filter = |filter: &Filter| {
            map! { "field": filter.field.as_str(), "value": filter.value.as_str(), "condition_type": filter.condition.as_str() }
        };
        let group = |filters: &Vec<Filter>| {
            map! { "filters": filters.iter().map(filter).collect::<Vec<Json>>() }
        };
        let mut members = vec![(
            "filter_groups".to_owned(),
            Json::List(self.groups.iter().map(group).collect()),
        )];
        if !self.sort.is_empty() {
            let sort = |sort: &Sort| {
                let direction = if sort.ascending { "ASC" } else { "DESC" };
                map! { "field": sort.field.as_str(), "direction": direction }
            };
            members.push((
                "sort_orders".to_owned(),
                Json::List(self.sort.iter().map(sort).collect()),
            ));
        }
        let number = |number: u64| Json::Int(i64::try_from(number).unwrap_or(i64::MAX));
        if let Some(size) = self.page_size {
            members.push(("page_size".to_owned(), number(size)));
        }
        members.push(("current_page".to_owned(), number(self.current_page)));
        Json::Map(members)
    }
}

impl Filter {
    fn read(filter: &Parameter) -> Result<Self, Problem> {
        let field = filter.text(&["field"]).ok_or_else(|| Problem::missing("field"))?;
        Ok(Self {
            field: field.to_owned(),
            value: filter.text(&["value"]).unwrap_or_default().to_owned(),
            condition: filter
                .text(&["conditionType", "condition_type"])
                .unwrap_or("eq")
                .to_owned(),
        })
    }
}

impl Sort {
    /// Reads an entry. Commerce sorts in descending order if it names no direction.
    fn read(sort: &Parameter) -> Option<Self> {
        Some(Self {
            field: sort.text(&["field"])?.to_owned(),
            ascending: sort
                .text(&["direction"])
                .is_some_and(|direction| direction.eq_ignore_ascii_case("asc")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_are_read_and_echoed_in_snake_case() {
        let camel = "searchCriteria[filterGroups][0][filters][0][field]=entity_id&\
                     searchCriteria[filterGroups][0][filters][0][value]=7&\
                     searchCriteria[filterGroups][0][filters][0][conditionType]=gteq&\
                     searchCriteria[sortOrders][0][field]=entity_id&searchCriteria[pageSize]=50";
        let snake = "search_criteria[filter_groups][0][filters][0][field]=entity_id&\
                     search_criteria[filter_groups][0][filters][0][value]=7&\
                     search_criteria[filter_groups][0][filters][0][condition_type]=gteq&\
                     search_criteria[sort_orders][0][field]=entity_id&search_criteria[page_size]=50";
        let read = |query| Criteria::read(&Parameter::parse(query)).unwrap();
        assert_eq!(read(camel), read(snake));
        assert_eq!(
            read(camel).echo().to_text(),
            r#"{"filter_groups":[{"filters":[{"field":"entity_id","value":"7","condition_type":"gteq"}]}],"sort_orders":[{"field":"entity_id","direction":"DESC"}],"page_size":50,"current_page":1}"#
        );
    }

    #[test]
    fn a_query_without_criteria_is_refused_and_an_empty_one_is_not() {
        let read = |query| Criteria::read(&Parameter::parse(query));
        assert_eq!(read("fields=items").unwrap_err().status, 400);
        assert_eq!(read("searchCriteria=all").unwrap().page_size, None);
        assert_eq!(read("searchCriteria").unwrap().current_page, 1);
    }
}
