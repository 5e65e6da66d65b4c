//! The SQL that reads orders, written once for both databases.
//!
//! A batch costs one statement per table, whatever its size. Each table is read in the order of its index, and the rows are
//! joined in memory. For MySQL the ids are part of the text (they are integers, so nothing can be injected): statements
//! without parameters need no preparation, and the server caches nothing. SQLite parses in our own process: there the ids
//! are one JSON parameter, and the statement stays prepared. Consecutive ids, as in a page of history, become a range,
//! which the database neither plans nor searches id by id.
//!
//! No statement leaves its plan to the server's statistics, which may be empty or years old: each names the index that it
//! reads along, and the order of a join. `docs/SOURCE.md` lists them with what they read.

use std::borrow::Cow;

use crate::commerce::read::conditions::{conditions, push_condition, push_ids, runs, where_clause};
use crate::commerce::read::schema::Schema;
use crate::commerce::read::tables::SourceTable;
use crate::commerce::source::OrderFilter;
use crate::commerce::stores::PATHS;
use orderfeed_model::order::OrderId;

/// The database that the SQL is for, where the two differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SqlDialect {
    Mysql,
    Sqlite,
}

/// All statements for one database, which depend on its dialect, table prefix and schema.
#[derive(Clone, Debug)]
pub(crate) struct Queries {
    dialect: SqlDialect,
    prefix: String,
    tables: Vec<Option<StatementTemplate>>,
    labels: Option<StatementTemplate>,
    /// The indexes of the orders.
    orders: OrderIndexes,
}

/// The parts of statements that name an index of the orders.
#[derive(Clone, Debug)]
struct OrderIndexes {
    key: String,
    created: String,
    updated: String,
    store: String,
    number: String,
}

/// Maximum number of store views whose orders are read along the index on the store view, one by one.
const MERGED_STORES: usize = 10;

/// A statement with a place for the condition on ids.
#[derive(Clone, Debug)]
struct StatementTemplate {
    head: String,
    column: String,
    tail: String,
    /// The whole statement for SQLite, with a list of ids as its parameter.
    listed: String,
    /// The whole statement for SQLite, with the first and the last id of a range as its parameter.
    ranged: String,
}

/// A statement for some ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReadStatement<'a> {
    pub(crate) sql: Cow<'a, str>,
    pub(crate) parameter: Option<String>,
}

impl StatementTemplate {
    /// Creates a template of which `head` ends where the condition on `column` is inserted.
    fn new(head: String, column: String, tail: String) -> Self {
        let listed = format!("{head}{column} IN (SELECT value FROM json_each(?1)){tail}");
        let ranged = format!("{head}{column} BETWEEN ?1 ->> 0 AND ?1 ->> 1{tail}");
        Self {
            head,
            column,
            tail,
            listed,
            ranged,
        }
    }

    fn fill(&self, dialect: SqlDialect, ids: &[i64]) -> ReadStatement<'_> {
        match dialect {
            SqlDialect::Mysql => {
                let mut sql = self.head.clone();
                push_condition(&mut sql, &self.column, ids);
                sql.push_str(&self.tail);
                ReadStatement {
                    sql: sql.into(),
                    parameter: None,
                }
            }
            SqlDialect::Sqlite => {
                // A page of history is one run; its two ends are enough.
                let (sql, ids) = match (runs(ids).count(), ids) {
                    (1, [first, .., last]) => (&self.ranged, &[*first, *last][..]),
                    _ => (&self.listed, ids),
                };
                let mut list = String::with_capacity(ids.len() * 8);
                list.push('[');
                push_ids(&mut list, ids);
                list.push(']');
                ReadStatement {
                    sql: sql.as_str().into(),
                    parameter: Some(list),
                }
            }
        }
    }
}

impl Queries {
    /// Creates the statements for a schema.
    pub(crate) fn new(dialect: SqlDialect, prefix: &str, schema: &Schema) -> Self {
        Self {
            dialect,
            prefix: prefix.to_owned(),
            tables: SourceTable::ALL
                .iter()
                .map(|table| template(*table, prefix, schema))
                .collect(),
            labels: schema
                .has_return_labels()
                .then(|| labels(dialect, prefix, schema)),
            orders: OrderIndexes::of(schema),
        }
    }

    /// Returns the statement that reads the rows of `table` that belong to these owners, ordered by owner and key; for
    /// [`SourceTable::Orders`] the orders with these ids. `None` if there is nothing to read.
    pub(crate) fn rows_of(&self, table: SourceTable, owners: &[i64]) -> Option<ReadStatement<'_>> {
        let template = self.tables.get(table as usize)?.as_ref()?;
        // `IN ()` is a syntax error in MySQL, and nothing would match anyway.
        (!owners.is_empty()).then(|| template.fill(self.dialect, owners))
    }

    /// Returns the statement for website, store and store view by `store_id`. The tables are small and are read whole.
    pub(crate) fn scopes(&self) -> String {
        let prefix = &self.prefix;
        format!(
            "SELECT s.`store_id`, w.`code`, g.`code`, s.`code` FROM `{prefix}store` s \
             JOIN `{prefix}store_group` g ON g.`group_id` = s.`group_id` \
             JOIN `{prefix}store_website` w ON w.`website_id` = s.`website_id`"
        )
    }

    /// Returns the statement for the active store views, each with its store and website.
    pub(crate) fn described_store_views(&self) -> String {
        let prefix = &self.prefix;
        format!(
            "SELECT s.`store_id`, s.`code`, s.`name`, g.`group_id`, g.`code`, g.`name`, w.`website_id`, w.`code`, w.`name` \
             FROM `{prefix}store` s JOIN `{prefix}store_group` g ON g.`group_id` = s.`group_id` \
             JOIN `{prefix}store_website` w ON w.`website_id` = s.`website_id` \
             WHERE s.`store_id` <> 0 AND s.`is_active` = 1 ORDER BY s.`store_id`"
        )
    }

    /// Returns the statement for the shop's settings that a storefront needs.
    pub(crate) fn store_settings(&self) -> String {
        let paths = PATHS.map(|path| format!("'{path}'")).join(", ");
        format!(
            "SELECT `scope`, `scope_id`, `path`, `value` FROM `{}core_config_data` WHERE `path` IN ({paths})",
            self.prefix
        )
    }

    /// Returns the statement for the labels of return items (reason, condition, resolution): item id, attribute code, label.
    pub(crate) fn return_labels(&self, items: &[i64]) -> Option<ReadStatement<'_>> {
        let template = self.labels.as_ref().filter(|_| !items.is_empty())?;
        Some(template.fill(self.dialect, items))
    }

    /// Returns the statement for the oldest orders, which make up the fingerprint: id, number, creation, store view.
    pub(crate) fn oldest_orders(&self, count: usize) -> String {
        format!(
            "SELECT `entity_id`, `increment_id`, `created_at`, `store_id` FROM `{}sales_order`{} ORDER BY `entity_id` \
             LIMIT {count}",
            self.prefix, self.orders.key
        )
    }

    /// Returns the statement for the ids of a website's store views; `?` is the website's code.
    pub(crate) fn store_views(&self) -> String {
        let prefix = &self.prefix;
        format!(
            "SELECT s.`store_id` FROM `{prefix}store` s JOIN `{prefix}store_website` w \
             ON w.`website_id` = s.`website_id` WHERE w.`code` = ? ORDER BY s.`store_id`"
        )
    }

    /// Returns the statement for the orders with a number; `?` is the number.
    pub(crate) fn by_number(&self) -> String {
        format!(
            "SELECT `entity_id` FROM `{}sales_order`{} WHERE `increment_id` = ? ORDER BY `entity_id`",
            self.prefix, self.orders.number
        )
    }

    /// Returns the statement for a page of ids, newest first.
    pub(crate) fn order_ids(
        &self,
        filter: &OrderFilter,
        stores: Option<&[i64]>,
        below: Option<OrderId>,
        limit: usize,
    ) -> String {
        // Recently updated orders are scattered over all ids: the sum keeps the server off the primary key.
        let order = match filter.updated_from {
            Some(_) => "`entity_id` + 0",
            None => "`entity_id`",
        };
        let page = |index: &str, stores: Option<&[i64]>| {
            let mut conditions = conditions(filter, stores);
            conditions.extend(below.map(|id| format!("`entity_id` < {id}")));
            format!(
                "SELECT `entity_id` FROM `{}sales_order`{index}{} ORDER BY {order} DESC LIMIT {limit}",
                self.prefix,
                where_clause(&conditions)
            )
        };
        let by_store = &self.orders.store;
        match (self.dialect, stores, filter.updated_from) {
            (_, _, Some(_)) => page(&self.orders.updated, stores),
            (SqlDialect::Sqlite, ..) => page(" NOT INDEXED", stores),
            // A small website's orders are scattered as well. The index on the store view holds those of each in order, so
            // that the newest of each are enough.
            (_, Some(ids @ [_, ..]), _) if ids.len() <= MERGED_STORES && !by_store.is_empty() => {
                let pages = ids.iter().map(|id| format!("({})", page(by_store, Some(&[*id]))));
                let pages = pages.collect::<Vec<_>>().join(" UNION ALL ");
                format!("SELECT `entity_id` FROM ({pages}) p ORDER BY `entity_id` DESC LIMIT {limit}")
            }
            // With an index on `created_at` the server would sort the whole rest of the history for each page.
            _ => page(&self.orders.key, stores),
        }
    }

    /// Returns the statement for the lowest and the highest id, one row each.
    pub(crate) fn id_range(&self, filter: &OrderFilter, stores: Option<&[i64]>) -> String {
        let (prefix, index) = (&self.prefix, self.counting_index(filter, stores));
        let conditions = where_clause(&conditions(filter, stores));
        let end = |which: &str| {
            format!("SELECT {which}(`entity_id`) FROM `{prefix}sales_order`{index}{conditions}")
        };
        format!("{} UNION ALL {}", end("MIN"), end("MAX"))
    }

    /// Returns the statement that counts orders.
    pub(crate) fn count_orders(&self, filter: &OrderFilter, stores: Option<&[i64]>) -> String {
        format!(
            "SELECT COUNT(*) FROM `{}sales_order`{}{}",
            self.prefix,
            self.counting_index(filter, stores),
            where_clause(&conditions(filter, stores))
        )
    }

    /// Returns the index that holds all orders in `filter` and fewest others.
    fn counting_index(&self, filter: &OrderFilter, stores: Option<&[i64]>) -> &str {
        match (filter, stores) {
            (filter, _) if filter.updated_from.is_some() => &self.orders.updated,
            (filter, _) if filter.created_from.or(filter.created_before).is_some() => &self.orders.created,
            (_, Some([_, ..])) => &self.orders.store,
            // All orders, along any index.
            _ => "",
        }
    }
}

impl OrderIndexes {
    fn of(schema: &Schema) -> Self {
        let index = |column| schema.force_index("sales_order", column);
        Self {
            key: index("entity_id"),
            created: index("created_at"),
            updated: index("updated_at"),
            store: index("store_id"),
            number: index("increment_id"),
        }
    }
}

fn template(table: SourceTable, prefix: &str, schema: &Schema) -> Option<StatementTemplate> {
    let spec = table.spec();
    if !schema.has_table(spec.table) {
        return None;
    }
    let mut head = format!("SELECT `{}`, `{}`", spec.key, spec.owner);
    for column in spec.columns {
        match schema.has(spec.table, column) {
            true => head.push_str(&format!(", `{column}`")),
            false => head.push_str(", NULL"),
        }
    }
    // Orders are read by their own ids, every other table by those of its owners.
    let by = if table == SourceTable::Orders {
        spec.key
    } else {
        spec.owner
    };
    let index = schema.force_index(spec.table, by);
    head.push_str(&format!(" FROM `{prefix}{}`{index} WHERE ", spec.table));
    let tail = match table {
        SourceTable::Orders => format!(" ORDER BY `{}`", spec.key),
        _ => format!(" ORDER BY `{by}`, `{}`", spec.key),
    };
    Some(StatementTemplate::new(head, format!("`{by}`"), tail))
}

fn labels(dialect: SqlDialect, prefix: &str, schema: &Schema) -> StatementTemplate {
    let values = schema.force_index("magento_rma_item_entity_int", "entity_id");
    let attributes = schema.force_index("eav_attribute", "attribute_id");
    let options = schema.force_index("eav_attribute_option_value", "option_id");
    let join = match dialect {
        SqlDialect::Mysql => "STRAIGHT_JOIN",
        // Does not reorder a cross join.
        SqlDialect::Sqlite => "CROSS JOIN",
    };
    // In this order: the values of the items, then for each its attribute and its label, by their keys.
    let head = format!(
        "SELECT v.`entity_id`, a.`attribute_code`, o.`value` FROM `{prefix}magento_rma_item_entity_int` v{values} \
         {join} `{prefix}eav_attribute` a{attributes} ON a.`attribute_id` = v.`attribute_id` \
         {join} `{prefix}eav_attribute_option_value` o{options} ON o.`option_id` = v.`value` AND o.`store_id` = 0 \
         WHERE a.`attribute_code` IN ('reason', 'condition', 'resolution') AND "
    );
    let tail = " ORDER BY v.`entity_id`, o.`value_id`".to_owned();
    StatementTemplate::new(head, "v.`entity_id`".to_owned(), tail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use orderfeed_model::clock::UtcMillis;

    #[test]
    fn a_column_that_is_missing_is_read_as_null() {
        let mut schema = Schema::default();
        for column in ["transaction_id", "order_id", "txn_id"] {
            schema.add_column("sales_payment_transaction", column);
        }
        let queries = Queries::new(SqlDialect::Mysql, "m2_", &schema);
        assert_eq!(
            queries.rows_of(SourceTable::Transactions, &[7, 9]).unwrap().sql,
            "SELECT `transaction_id`, `order_id`, `txn_id`, NULL, NULL FROM `m2_sales_payment_transaction` \
             WHERE (`order_id` IN (7,9)) ORDER BY `order_id`, `transaction_id`"
        );
        assert_eq!(queries.rows_of(SourceTable::Transactions, &[]), None);
        assert_eq!(queries.rows_of(SourceTable::Returns, &[7]), None);
    }

    #[test]
    fn a_website_without_store_views_has_no_orders() {
        let queries = Queries::new(SqlDialect::Sqlite, "", &Schema::default());
        let filter = OrderFilter {
            created_from: UtcMillis::parse_sql("2026-01-02 03:04:05"),
            ..OrderFilter::default()
        };
        assert_eq!(
            queries.count_orders(&filter, Some(&[])),
            "SELECT COUNT(*) FROM `sales_order` WHERE `created_at` >= '2026-01-02 03:04:05' AND 1 = 0"
        );
    }

    #[test]
    fn recently_updated_orders_are_not_searched_along_the_primary_key() {
        let mut schema = Schema::default();
        for (column, index) in [("entity_id", "PRIMARY"), ("updated_at", "UPDATED")] {
            schema.add_index("sales_order", column, index);
        }
        let queries = Queries::new(SqlDialect::Mysql, "", &schema);
        let filter = OrderFilter {
            updated_from: UtcMillis::parse_sql("2026-01-02 03:04:05"),
            ..OrderFilter::default()
        };
        assert_eq!(
            queries.order_ids(&filter, None, Some(9), 5),
            "SELECT `entity_id` FROM `sales_order` FORCE INDEX (`UPDATED`) WHERE `updated_at` >= '2026-01-02 03:04:05' \
             AND `entity_id` < 9 \
             ORDER BY `entity_id` + 0 DESC LIMIT 5"
        );
        let bounded = OrderFilter {
            lowest: Some(3),
            ..OrderFilter::default()
        };
        assert_eq!(
            queries.order_ids(&bounded, None, None, 5),
            "SELECT `entity_id` FROM `sales_order` FORCE INDEX (`PRIMARY`) WHERE `entity_id` >= 3 \
             ORDER BY `entity_id` DESC LIMIT 5"
        );
    }
}
