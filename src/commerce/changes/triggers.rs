//! Our triggers: which there are, what they do, and whether a database has them. Pure; each source executes it.
//!
//! Every table that an order is read from has three triggers, after insert, update and delete, each of which writes one
//! row into `orderfeed_log`: the order, the table, the kind of change and the time. An update is logged only if a column
//! other than `updated_at` really changed. So the log knows of every committed change, of items, addresses, payments and
//! tracking numbers too, which polling cannot see. What triggers cannot see either: rows that a foreign key deletes
//! along with their parent (the parent's own deletion is logged).
//!
//! Names are `trg_orderfeed_<table>_after_<event>`. Commerce names its own `trg_<table>_after_<event>`, and both
//! databases allow several triggers on one event, so neither is in the other's way.

use sha2::{Digest, Sha256};

use crate::commerce::changes::watched::LOG;
use crate::commerce::read::queries::SqlDialect;
use crate::commerce::read::schema::Schema;
use crate::commerce::read::spec::TableSpec;
use crate::commerce::read::tables::SourceTable;

/// The longest name that MySQL allows.
const LONGEST_NAME: usize = 64;

/// All triggers that a database with a certain schema should have.
#[derive(Clone, Debug)]
pub struct TriggerSet {
    dialect: SqlDialect,
    prefix: String,
    triggers: Vec<Trigger>,
}

/// One trigger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    /// Its name.
    pub name: String,
    /// The table that it watches, with prefix.
    pub table: String,
    /// The whole statement that creates it.
    pub create: String,
    /// What the database keeps of it, to tell whether somebody changed it.
    pub body: String,
}

/// A trigger that a database has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExistingTrigger {
    /// Its name.
    pub name: String,
    /// The table that it watches, with prefix.
    pub table: String,
    /// Its body as the database keeps it.
    pub body: String,
}

/// How a database's triggers compare with those that it should have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TriggerReport {
    /// How many there should be.
    pub expected: usize,
    /// Whether the log table exists.
    pub log_exists: bool,
    /// Those that should be there and are not.
    pub missing: Vec<String>,
    /// Those whose body is not ours: edited by hand, by another version of this program, or the table's columns
    /// changed since.
    pub altered: Vec<String>,
    /// Those on our tables that bear our name and that we do not know.
    pub foreign: Vec<String>,
}

impl TriggerReport {
    /// Whether every change is logged.
    pub fn is_complete(&self) -> bool {
        self.log_exists && self.missing.is_empty() && self.altered.is_empty()
    }
}

#[derive(Clone, Copy)]
enum TriggerEvent {
    Insert,
    Update,
    Delete,
}

impl TriggerSet {
    /// The triggers for a schema.
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
            for event in [TriggerEvent::Insert, TriggerEvent::Update, TriggerEvent::Delete] {
                let trigger = set.trigger(spec, event, schema);
                set.triggers.push(trigger);
            }
        }
        set
    }

    /// Each trigger.
    pub fn triggers(&self) -> &[Trigger] {
        &self.triggers
    }

    /// The log table's name, with prefix.
    pub fn log_table(&self) -> String {
        format!("{}{LOG}", self.prefix)
    }

    /// Creates the log table if it is not there.
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

    /// Compares with what a database has.
    pub fn compare(&self, found: &[ExistingTrigger], log_exists: bool) -> TriggerReport {
        let mut report = TriggerReport {
            expected: self.triggers.len(),
            log_exists,
            ..TriggerReport::default()
        };
        for trigger in &self.triggers {
            match found.iter().find(|found| found.name == trigger.name) {
                None => report.missing.push(trigger.name.clone()),
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

    /// Whether a trigger bears our name and watches one of our tables.
    pub fn is_ours(&self, found: &ExistingTrigger) -> bool {
        found.name.starts_with("trg_orderfeed_")
            && self.triggers.iter().any(|trigger| trigger.table == found.table)
    }

    fn trigger(&self, spec: &TableSpec, event: TriggerEvent, schema: &Schema) -> Trigger {
        let table = format!("{}{}", self.prefix, spec.table);
        let name = short_name(format!("trg_orderfeed_{table}_after_{}", event.word()));
        let changed = match event {
            TriggerEvent::Update => self.changed(schema, spec.table),
            TriggerEvent::Insert | TriggerEvent::Delete => String::new(),
        };
        let note = self.note(spec, event);
        let head = format!(
            "CREATE TRIGGER `{name}` AFTER {} ON `{table}` FOR EACH ROW",
            event.word().to_uppercase()
        );
        let (create, body) = match self.dialect {
            SqlDialect::Mysql => {
                let body = if changed.is_empty() {
                    note
                } else {
                    format!("IF {changed} THEN {note}; END IF")
                };
                (format!("{head} {body}"), body)
            }
            SqlDialect::Sqlite => {
                let when = if changed.is_empty() {
                    String::new()
                } else {
                    format!(" WHEN {changed}")
                };
                let create = format!("{head}{when} BEGIN {note}; END");
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

    /// True if a column changed that is not just the time of the change. NULLs compare as values.
    fn changed(&self, schema: &Schema, table: &str) -> String {
        let same = match self.dialect {
            SqlDialect::Mysql => "<=>",
            SqlDialect::Sqlite => "IS",
        };
        let columns = schema.columns(table).filter(|column| *column != "updated_at");
        let differs: Vec<_> = columns
            .map(|column| format!("NOT (NEW.`{column}` {same} OLD.`{column}`)"))
            .collect();
        differs.join(" OR ")
    }

    /// Writes the row of the log.
    fn note(&self, spec: &TableSpec, event: TriggerEvent) -> String {
        let row = if matches!(event, TriggerEvent::Delete) {
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
        let rest = format!("'{}', '{}', {now}", spec.table, event.word());
        match spec.parent {
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

impl TriggerEvent {
    const fn word(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// A name that fits: the end of a longer one becomes a hash of the whole.
fn short_name(name: String) -> String {
    if name.len() <= LONGEST_NAME {
        return name;
    }
    let digest: String = Sha256::digest(name.as_bytes())
        .iter()
        .take(5)
        .map(|byte| format!("{byte:02x}"))
        .collect();
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
    fn missing_altered_and_foreign_triggers_are_told_apart() {
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
