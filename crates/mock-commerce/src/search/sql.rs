//! Search criteria as SQL. Values are parameters; field names must be columns of the table.

use rusqlite::types::Value;

use crate::config::MockConfig;
use crate::search::criteria::{Criteria, Filter};
use crate::shop::kinds::{Kind, kind};
use crate::shop::lists::List;

/// The condition of a list, with its parameters.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Condition {
    pub(crate) sql: String,
    pub(crate) parameters: Vec<Value>,
}

/// A field that is no column, or a condition that the database refuses. Commerce hides its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused;

impl Condition {
    /// Returns the condition of the criteria, and of what is visible.
    pub(crate) fn of(list: List, criteria: &Criteria, config: &MockConfig) -> Result<Self, Refused> {
        let mut condition = Self {
            sql: "1".to_owned(),
            parameters: Vec::new(),
        };
        for group in &criteria.groups {
            let parts: Result<Vec<String>, Refused> = group
                .iter()
                .map(|filter| condition.filter(list, filter))
                .collect();
            let parts = parts?;
            if !parts.is_empty() {
                condition.sql.push_str(&format!(" AND ({})", parts.join(" OR ")));
            }
        }
        condition.visible(list, config);
        Ok(condition)
    }

    /// Restricts the condition to what is committed and in the scope of the integration's role.
    pub(crate) fn visible(&mut self, list: List, config: &MockConfig) {
        let order = list.order_column();
        if !config.hidden.is_empty() {
            let ids: Vec<String> = config.hidden.iter().map(i64::to_string).collect();
            self.sql
                .push_str(&format!(" AND {order} NOT IN ({})", ids.join(",")));
        }
        if let Some(website) = &config.website {
            self.sql.push_str(&format!(
                " AND {order} IN (SELECT o.entity_id FROM sales_order o JOIN store s USING (store_id) \
                 JOIN store_website w USING (website_id) WHERE w.code = ?)"
            ));
            self.parameters.push(Value::Text(website.clone()));
        }
    }

    fn filter(&mut self, list: List, filter: &Filter) -> Result<String, Refused> {
        let kind = kind(list.table(), &filter.field).ok_or(Refused)?;
        let column = match kind {
            // The embedded shop keeps decimals as text.
            Kind::Number => format!("CAST({} AS REAL)", filter.field),
            Kind::Text => format!("{} COLLATE NOCASE", filter.field),
            Kind::Integer | Kind::Moment => filter.field.clone(),
        };
        let mut one = |operator: &str, text: &str| {
            self.parameters.push(value(kind, text));
            format!("{column} {operator} ?")
        };
        let text = filter.value.as_str();
        Ok(match filter.condition.as_str() {
            "eq" => one("=", text),
            "neq" => one("<>", text),
            "gt" => one(">", text),
            "gteq" | "moreq" | "from" => one(">=", text),
            "lt" => one("<", text),
            "lteq" | "to" => one("<=", text),
            "like" => one("LIKE", text),
            "nlike" => one("NOT LIKE", text),
            "null" => format!("{} IS NULL", filter.field),
            "notnull" => format!("{} IS NOT NULL", filter.field),
            "in" | "nin" => {
                let values: Vec<&str> = text.split(',').map(str::trim).collect();
                let places = vec!["?"; values.len()].join(",");
                self.parameters
                    .extend(values.into_iter().map(|text| value(kind, text)));
                let not = if filter.condition == "nin" { "NOT " } else { "" };
                format!("{column} {not}IN ({places})")
            }
            "finset" | "nfinset" => {
                self.parameters.push(Value::Text(text.to_owned()));
                let found = format!("instr(',' || {} || ',', ',' || ? || ',')", filter.field);
                let compared = if filter.condition == "finset" {
                    "> 0"
                } else {
                    "= 0"
                };
                format!("{found} {compared}")
            }
            _ => return Err(Refused),
        })
    }
}

/// Returns the order of the rows. Without one it is that of the key, as the database reads them.
pub(crate) fn order_by(list: List, criteria: &Criteria) -> Result<String, Refused> {
    let mut parts = Vec::new();
    for sort in &criteria.sort {
        kind(list.table(), &sort.field).ok_or(Refused)?;
        let direction = if sort.ascending { "ASC" } else { "DESC" };
        parts.push(format!("{} {direction}", sort.field));
    }
    if parts.is_empty() {
        parts.push(format!("{} ASC", list.key()));
    }
    Ok(parts.join(", "))
}

/// Converts a value as MySQL would for a comparison with the column.
fn value(kind: Kind, text: &str) -> Value {
    match kind {
        Kind::Integer => text.parse().map_or(Value::Integer(0), Value::Integer),
        Kind::Number => text.parse().map_or(Value::Real(0.0), Value::Real),
        Kind::Text => Value::Text(text.to_owned()),
        Kind::Moment => Value::Text(text.replace('T', " ").trim_end_matches('Z').to_owned()),
    }
}
