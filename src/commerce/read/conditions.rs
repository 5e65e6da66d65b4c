//! Conditions of statements: on ids, and of a filter on orders.

use std::fmt::Write;

use crate::commerce::source::OrderFilter;

/// The number of consecutive ids from which on a range is shorter.
const RUN: usize = 3;

/// Returns the conditions of a filter; `stores` are the store views of its website.
pub(super) fn conditions(filter: &OrderFilter, stores: Option<&[i64]>) -> Vec<String> {
    let mut conditions = Vec::new();
    conditions.extend(
        filter
            .created_from
            .map(|at| format!("`created_at` >= '{}'", at.sql())),
    );
    conditions.extend(
        filter
            .created_before
            .map(|at| format!("`created_at` < '{}'", at.sql())),
    );
    conditions.extend(
        filter
            .updated_from
            .map(|at| format!("`updated_at` >= '{}'", at.sql())),
    );
    conditions.extend(filter.lowest.map(|id| format!("`entity_id` >= {id}")));
    conditions.extend(stores.map(|ids| match ids {
        // A website without store views has no orders; `IN ()` would be a syntax error.
        [] => "1 = 0".to_owned(),
        ids => {
            let mut sql = "`store_id` IN (".to_owned();
            push_ids(&mut sql, ids);
            sql.push(')');
            sql
        }
    }));
    conditions
}

/// Returns the WHERE clause of these conditions; empty without any.
pub(super) fn where_clause(conditions: &[String]) -> String {
    if conditions.is_empty() {
        return String::new();
    }
    format!(" WHERE {}", conditions.join(" AND "))
}

/// Splits ids into runs of consecutive ones.
pub(super) fn runs(ids: &[i64]) -> impl Iterator<Item = &[i64]> {
    ids.chunk_by(|one, next| one.checked_add(1) == Some(*next))
}

/// Appends the condition that `column` is one of these ids, which are in ascending order.
pub(super) fn push_condition(sql: &mut String, column: &str, ids: &[i64]) {
    let mut alone = Vec::new();
    let mut separator = "(";
    for run in runs(ids) {
        match run {
            // A short run costs no more as single ids than as a range.
            [first, .., last] if run.len() >= RUN => {
                // Writing into a String cannot fail.
                let _ = write!(sql, "{separator}{column} BETWEEN {first} AND {last}");
                separator = " OR ";
            }
            _ => alone.extend_from_slice(run),
        }
    }
    if !alone.is_empty() {
        let _ = write!(sql, "{separator}{column} IN (");
        push_ids(sql, &alone);
        sql.push(')');
    }
    sql.push(')');
}

/// Appends ids, separated by commas.
pub(crate) fn push_ids(sql: &mut String, ids: &[i64]) {
    for (index, id) in ids.iter().enumerate() {
        let separator = if index == 0 { "" } else { "," };
        // Writing into a String cannot fail.
        let _ = write!(sql, "{separator}{id}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_in_a_row_are_a_range() {
        let condition = |ids: &[i64]| {
            let mut sql = String::new();
            push_condition(&mut sql, "`id`", ids);
            sql
        };
        assert_eq!(condition(&[4, 5, 6, 7]), "(`id` BETWEEN 4 AND 7)");
        assert_eq!(condition(&[1, 4, 5, 8, 9]), "(`id` IN (1,4,5,8,9))");
        assert_eq!(
            condition(&[1, 3, 4, 5, 7, 20, 21, 22, 23, i64::MAX]),
            format!(
                "(`id` BETWEEN 3 AND 5 OR `id` BETWEEN 20 AND 23 OR `id` IN (1,7,{}))",
                i64::MAX
            )
        );
    }
}
