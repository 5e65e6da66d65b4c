//! What a thorough look at a source found, for `doctor`: everything at once, where capture stops at the first trouble.
//! Reads only.

use crate::commerce::changes::triggers::TriggerReport;
use crate::commerce::read::schema::Schema;
use crate::commerce::read::spec::Presence;
use crate::commerce::read::tables::SourceTable;
use orderfeed_model::clock::UtcMillis;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Examination {
    /// Server and version.
    pub product: String,
    /// Identifies this very database; empty if its orders cannot be read.
    pub fingerprint: String,
    /// The database's clock, if it has one of its own.
    pub database_time: Option<UtcMillis>,
    /// What is missing.
    pub missing: Vec<MissingObject>,
    /// What this way of capture cannot see here, a sentence each.
    pub notes: Vec<String>,
    /// The triggers that this way of capture lives on; `None` if it needs none, or they cannot be asked for.
    pub triggers: Option<TriggerState>,
    /// How far capture is in each table.
    pub positions: Vec<TablePosition>,
    /// The codes of the shop's websites, the admin's own left out; empty if they cannot be read.
    pub websites: Vec<String>,
}

/// Something that is not there, or may not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingObject {
    /// The table, with prefix.
    pub table: String,
    /// What of it.
    pub what: MissingKind,
    /// Whether nothing works without it; otherwise something is not sent, which `effect` names.
    pub needed: bool,
    /// What is not sent.
    pub effect: Option<&'static str>,
    /// The statement that an administrator runs, if a right is missing.
    pub grant: Option<String>,
}

/// What of a table is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MissingKind {
    /// The table itself.
    Table,
    /// These columns, or the right to read them.
    Columns(Vec<String>),
    /// This right.
    Right(&'static str),
}

/// How the triggers stand that write the log which is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TriggerState {
    /// Ours, compared with those that there should be.
    Ours(TriggerReport),
    /// The account may not see triggers. `stale` if an order changed and the log does not know of it.
    Unseen {
        /// When the newest order changed, if that is later than the log's last row.
        stale: Option<UtcMillis>,
    },
    /// The instance's own, which write its changelog: how many there are.
    Instance(u64),
}

/// How far capture is in one table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TablePosition {
    /// The table.
    pub table: String,
    /// The stored position.
    pub read_to: String,
    /// The newest row.
    pub newest: String,
    /// Whether the position lies behind the newest row: rows went away, or the database is an older one.
    pub ahead: bool,
    /// How much older the position is than the newest row, in milliseconds, where rows have a time.
    pub behind_ms: Option<i64>,
    /// How many numbers lie between the position and the newest row, where they only grow.
    pub behind_rows: Option<i64>,
}

impl TablePosition {
    /// In a table whose keys only grow. A position of 0 means that nothing was ever there.
    pub(crate) fn by_key(table: &str, read_to: i64, newest: i64) -> Self {
        Self {
            table: table.to_owned(),
            read_to: read_to.to_string(),
            newest: newest.to_string(),
            ahead: read_to > newest && read_to > 0,
            behind_ms: None,
            behind_rows: Some((newest - read_to).max(0)),
        }
    }

    /// In a table that is read by the time of the last change; all in seconds. CaptureMode begins at the database's `now`,
    /// whether or not a row is there, so only a position in the future is ahead.
    pub(crate) fn by_time(table: &str, read_to: i64, newest: i64, now: i64) -> Self {
        let shown = |seconds| UtcMillis::from_secs(seconds).sql();
        Self {
            table: table.to_owned(),
            read_to: shown(read_to),
            newest: shown(newest),
            ahead: read_to > newest.max(now),
            behind_ms: Some((newest - read_to).max(0) * 1000),
            behind_rows: None,
        }
    }
}

/// The columns that tables lack which are there; names with `prefix`. A key or owner that is missing is a need.
pub(crate) fn lacking_columns(schema: &Schema, prefix: &str) -> Vec<MissingObject> {
    let mut lacks = Vec::new();
    for spec in SourceTable::specs() {
        if !schema.has_table(spec.table) {
            continue;
        }
        let keys = [spec.key, spec.owner];
        let lacks_of = |columns: &[&str]| -> Vec<String> {
            let missing = columns.iter().filter(|column| !schema.has(spec.table, column));
            missing.map(|column| (*column).to_owned()).collect()
        };
        for (columns, needed) in [(lacks_of(&keys), true), (lacks_of(spec.columns), false)] {
            if columns.is_empty() {
                continue;
            }
            lacks.push(MissingObject {
                table: format!("{prefix}{}", spec.table),
                what: MissingKind::Columns(columns),
                needed,
                effect: (!needed).then_some("they are read as empty"),
                grant: None,
            });
        }
    }
    lacks
}

/// Every table that is read: its name without prefix, and what is not sent without it (`None`: nothing works).
pub(crate) fn tables() -> Vec<(&'static str, Option<&'static str>)> {
    const LABELS: &str = "reason, condition and resolution of returned items are not sent";
    let parts = SourceTable::specs().map(|spec| {
        let effect = match spec.presence {
            Presence::Core => None,
            Presence::Optional(effect) => Some(effect),
        };
        (spec.table, effect)
    });
    let lookups = crate::commerce::grants::LOOKUPS.into_iter().map(|table| {
        let effect = (!table.starts_with("store")).then_some(LABELS);
        (table, effect)
    });
    parts.chain(lookups).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_ahead_only_of_what_was_there() {
        assert!(!TablePosition::by_key("a", 0, 0).ahead);
        assert!(TablePosition::by_key("a", 7, 5).ahead);
        assert_eq!(TablePosition::by_key("a", 5, 7).behind_rows, Some(2));
        let by_time = TablePosition::by_time("a", 1_000, 1_060, 2_000);
        assert_eq!((by_time.ahead, by_time.behind_ms), (false, Some(60_000)));
        assert!(!TablePosition::by_time("a", 1_900, 1_060, 2_000).ahead);
        assert!(TablePosition::by_time("a", 2_001, 1_060, 2_000).ahead);
    }

    #[test]
    fn orders_and_stores_are_needed_and_returns_are_not() {
        let tables = tables();
        let effect = |name: &str| tables.iter().find(|(table, _)| *table == name).unwrap().1;
        assert_eq!(effect("sales_order"), None);
        assert_eq!(effect("store_website"), None);
        assert!(effect("magento_rma").is_some());
    }
}
