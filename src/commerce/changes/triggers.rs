//! Orderfeed's triggers: their statements, and the comparison with those that a database has. Pure; each source executes
//! the statements.
//!
//! Every table that orders are read from has three triggers, after insert, update and delete. Each writes one row into
//! `orderfeed_log`: the order, the table, the kind of change and the time. An update is logged only if a column other than
//! `updated_at` really changed. The log therefore holds every committed change, also those of items, addresses, payments
//! and tracking numbers, which polling cannot see. Triggers do not fire for rows that a foreign key deletes along with
//! their parent; the parent's own deletion is logged.
//!
//! Names are `trg_orderfeed_<table>_after_<event>`. Commerce names its own `trg_<table>_after_<event>`, and both
//! databases allow several triggers on one event, so the two do not conflict.

use sha2::{Digest, Sha256};

use crate::commerce::changes::watched::LOG;
use crate::commerce::read::queries::SqlDialect;
use crate::commerce::read::schema::Schema;
use crate::commerce::read::spec::TableSpec;
use crate::commerce::read::tables::SourceTable;
use crate::commerce::source::ChangeOp;

/// The longest name that MySQL allows.
const LONGEST_NAME: usize = 64;

/// All triggers that a database needs, given its schema.
#[derive(Clone, Debug)]
pub struct TriggerSet {
    dialect: SqlDialect,
    prefix: String,
    triggers: Vec<Trigger>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    pub name: String,
    /// The watched table, with prefix.
    pub table: String,
    /// The whole CREATE statement.
    pub create: String,
    /// The part that the database stores, by which an altered trigger is recognized.
    pub body: String,
}

/// A trigger that exists in a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExistingTrigger {
    pub name: String,
    /// The watched table, with prefix.
    pub table: String,
    /// The body as the database stores it.
    pub body: String,
}

/// The comparison of a database's triggers with those that it needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TriggerReport {
    /// Number of triggers that are needed.
    pub expected: usize,
    pub log_exists: bool,
    pub missing: Vec<String>,
    /// Triggers with another body: edited by hand, installed by another version of orderfeed, or the table's columns have
    /// changed since.
    pub altered: Vec<String>,
    /// Unknown triggers on the watched tables that have orderfeed's prefix.
    pub foreign: Vec<String>,
}

impl TriggerReport {
    /// Returns true if every change is logged.
    pub fn is_complete(&self) -> bool {
        self.log_exists && self.missing.is_empty() && self.altered.is_empty()
    }
}

impl TriggerSet {
    /// Creates the triggers for a schema.
    pub(crate) fn new(dialect: SqlDialect, prefix: &str, schema: &Schema) -> Self {
        let mut set = Self {
            dialect,
            prefix: prefix.to_owned(),
            triggers: Vec::new(),
        };
        let present = |spec: &&TableSpec| {
            schema.has_table(spec.table) && spec.parent.is_none_or(|parent| schema.has_table(parent))
        };
        for spec in SourceTable::specs().filter(present) {
            for event in [ChangeOp::Insert, ChangeOp::Update, ChangeOp::Delete] {
                let trigger = set.trigger(spec, event, schema);
                set.triggers.push(trigger);
            }
        }
        set
    }

    pub fn triggers(&self) -> &[Trigger] {
        &self.triggers
    }

    /// Returns the name of the log table, with prefix.
    pub fn log_table(&self) -> String {
        format!("{}{LOG}", self.prefix)
    }

    /// Returns the statement that creates the log table if it does not exist.
    pub fn create_log(&self) -> String {
        let log = self.log_table();
        match self.dialect {
            SqlDialect::Mysql => format!(
                "CREATE TABLE IF NOT EXISTS `{log}` (`version_id` bigint unsigned NOT NULL AUTO_INCREMENT, \
                 `entity_id` int unsigned NOT NULL, `source_table` varchar(64) NOT NULL, `op` varchar(8) NOT NULL, \
                 `observed_at` datetime NOT NULL, PRIMARY KEY (`version_id`)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 \
                 COMMENT='Changed orders, written by the triggers of orderfeed'"
            ),
            SqlDialect::Sqlite => format!(
                "CREATE TABLE IF NOT EXISTS `{log}` (`version_id` INTEGER PRIMARY KEY AUTOINCREMENT, \
                 `entity_id` INTEGER NOT NULL, `source_table` TEXT NOT NULL, `op` TEXT NOT NULL, \
                 `observed_at` TEXT NOT NULL)"
            ),
        }
    }

    /// Compares the needed triggers with those that exist.
    pub fn compare(&self, found: &[ExistingTrigger], log_exists: bool) -> TriggerReport {
        let mut report = TriggerReport {
            expected: self.triggers.len(),
            log_exists,
            ..TriggerReport::default()
        };
        for trigger in &self.triggers {
            match found.iter().find(|found| found.name == trigger.name) {
                None => report.missing.push(trigger.name.clone()),
                // The table is compared too: the same name on another table logs nothing of ours.
                Some(found) if found.body.trim() != trigger.body || found.table != trigger.table => {
                    report.altered.push(trigger.name.clone());
                }
                Some(_) => {}
            }
        }
        let known = |found: &&ExistingTrigger| self.triggers.iter().any(|trigger| trigger.name == found.name);
        let foreign = found.iter().filter(|found| self.is_ours(found) && !known(found));
        report.foreign = foreign.map(|found| found.name.clone()).collect();
        report
    }

    /// Returns true if a trigger has orderfeed's prefix and watches one of its tables.
    pub fn is_ours(&self, found: &ExistingTrigger) -> bool {
        found.name.starts_with("trg_orderfeed_")
            && self.triggers.iter().any(|trigger| trigger.table == found.table)
    }

    fn trigger(&self, spec: &TableSpec, event: ChangeOp, schema: &Schema) -> Trigger {
        let table = format!("{}{}", self.prefix, spec.table);
        let name = short_name(format!("trg_orderfeed_{table}_after_{}", event.as_str()));
        let changed = match event {
            ChangeOp::Update => self.changed(schema, spec.table),
            _ => String::new(),
        };
        let insert = self.log_insert(spec, event);
        let head = format!(
            "CREATE TRIGGER `{name}` AFTER {} ON `{table}` FOR EACH ROW",
            event.as_str().to_uppercase()
        );
        let (create, body) = match self.dialect {
            SqlDialect::Mysql => {
                let body = if changed.is_empty() {
                    insert
                } else {
                    format!("IF {changed} THEN {insert}; END IF")
                };
                (format!("{head} {body}"), body)
            }
            SqlDialect::Sqlite => {
                let when = if changed.is_empty() {
                    String::new()
                } else {
                    format!(" WHEN {changed}")
                };
                let create = format!("{head}{when} BEGIN {insert}; END");
                (create.clone(), create)
            }
        };
        Trigger {
            name,
            table,
            create,
            body,
        }
    }

    /// Returns the condition that a column other than the time of the change has changed. NULLs compare as values.
    fn changed(&self, schema: &Schema, table: &str) -> String {
        let same = match self.dialect {
            SqlDialect::Mysql => "<=>",
            SqlDialect::Sqlite => "IS",
        };
        // Commerce touches `updated_at` on every save, changed or not.
        let columns = schema.columns(table).filter(|column| *column != "updated_at");
        let differs: Vec<_> = columns
            .map(|column| format!("NOT (NEW.`{column}` {same} OLD.`{column}`)"))
            .collect();
        differs.join(" OR ")
    }

    /// Returns the statement that writes the log row.
    fn log_insert(&self, spec: &TableSpec, event: ChangeOp) -> String {
        let row = if matches!(event, ChangeOp::Delete) {
            "OLD"
        } else {
            "NEW"
        };
        let now = match self.dialect {
            SqlDialect::Mysql => "UTC_TIMESTAMP()",
            SqlDialect::Sqlite => "CURRENT_TIMESTAMP",
        };
        let into = format!(
            "INSERT INTO `{}` (`entity_id`, `source_table`, `op`, `observed_at`)",
            self.log_table()
        );
        let rest = format!("'{}', '{}', {now}", spec.table, event.as_str());
        match spec.parent {
            // The document may be gone already when its rows are deleted; then nothing is logged, and its own trigger logs it.
            Some(parent) => format!(
                "{into} SELECT p.`order_id`, {rest} FROM `{}{parent}` p WHERE p.`entity_id` = {row}.`{}`",
                self.prefix, spec.owner
            ),
            None => {
                let order = if spec.table == SourceTable::Orders.spec().table {
                    spec.key
                } else {
                    spec.owner
                };
                format!("{into} VALUES ({row}.`{order}`, {rest})")
            }
        }
    }
}

/// Shortens a name that is too long: its end becomes a hash of the whole.
fn short_name(name: String) -> String {
    if name.len() <= LONGEST_NAME {
        return name;
    }
    // The hash covers the whole name, so that two shortened names never collide.
    let digest = hex::encode(&Sha256::digest(name.as_bytes())[..5]);
    let kept: String = name.chars().take(LONGEST_NAME - digest.len() - 1).collect();
    format!("{kept}_{digest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Schema {
        let mut schema = Schema::default();
        for (table, columns) in [
            ("sales_shipment", ["entity_id", "order_id", "updated_at"]),
            ("sales_shipment_track", ["entity_id", "parent_id", "updated_at"]),
        ] {
            for column in columns {
                schema.add_column(table, column);
            }
        }
        schema
    }

    #[test]
    fn an_update_is_logged_only_if_more_than_its_time_changed() {
        let set = TriggerSet::new(SqlDialect::Mysql, "m2_", &schema());
        assert_eq!(set.triggers().len(), 6);
        assert_eq!(
            set.triggers()[1].create,
            "CREATE TRIGGER `trg_orderfeed_m2_sales_shipment_after_update` AFTER UPDATE ON `m2_sales_shipment` FOR EACH ROW \
             IF NOT (NEW.`entity_id` <=> OLD.`entity_id`) OR NOT (NEW.`order_id` <=> OLD.`order_id`) THEN \
             INSERT INTO `m2_orderfeed_log` (`entity_id`, `source_table`, `op`, `observed_at`) \
             VALUES (NEW.`order_id`, 'sales_shipment', 'update', UTC_TIMESTAMP()); END IF"
        );
    }

    #[test]
    fn a_row_that_does_not_name_its_order_finds_it_through_its_document() {
        let set = TriggerSet::new(SqlDialect::Sqlite, "", &schema());
        assert_eq!(
            set.triggers()[5].create,
            "CREATE TRIGGER `trg_orderfeed_sales_shipment_track_after_delete` AFTER DELETE ON `sales_shipment_track` \
             FOR EACH ROW BEGIN INSERT INTO `orderfeed_log` (`entity_id`, `source_table`, `op`, `observed_at`) \
             SELECT p.`order_id`, 'sales_shipment_track', 'delete', CURRENT_TIMESTAMP FROM `sales_shipment` p \
             WHERE p.`entity_id` = OLD.`parent_id`; END"
        );
    }

    #[test]
    fn missing_altered_and_foreign_triggers_are_distinguished() {
        let set = TriggerSet::new(SqlDialect::Mysql, "", &schema());
        let mut found: Vec<_> = set
            .triggers()
            .iter()
            .map(|trigger| ExistingTrigger {
                name: trigger.name.clone(),
                table: trigger.table.clone(),
                body: trigger.body.clone(),
            })
            .collect();
        assert!(set.compare(&found, true).is_complete());
        assert!(!set.compare(&found, false).is_complete());
        let gone = found.remove(0);
        found[0].body.push_str(" -- edited");
        found.push(ExistingTrigger {
            name: "trg_orderfeed_old".into(),
            ..gone.clone()
        });
        found.push(ExistingTrigger {
            name: "trg_sales_shipment_after_insert".into(),
            ..gone.clone()
        });
        let report = set.compare(&found, true);
        assert_eq!(report.missing, [gone.name]);
        assert_eq!(report.altered, ["trg_orderfeed_sales_shipment_after_update"]);
        assert_eq!(report.foreign, ["trg_orderfeed_old"]);
    }

    #[test]
    fn names_fit_whatever_the_prefix() {
        let long = short_name(format!(
            "trg_orderfeed_{}_magento_rma_status_history_after_insert",
            "p".repeat(30)
        ));
        assert_eq!(long.len(), LONGEST_NAME);
        let other = short_name(format!(
            "trg_orderfeed_{}_magento_rma_status_history_after_update",
            "p".repeat(30)
        ));
        assert_ne!(long, other);
    }
}
