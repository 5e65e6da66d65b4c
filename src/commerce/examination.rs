//! The results of the source checks that `doctor` runs. Unlike capture, which stops at the first error, they report
//! everything at once. They only read.

use crate::commerce::changes::triggers::TriggerReport;
use crate::commerce::read::schema::Schema;
use crate::commerce::read::spec::Presence;
use crate::commerce::read::tables::SourceTable;
use orderfeed_model::clock::UtcMillis;

/// The results of all checks of one source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Examination {
    pub product: String,
    /// Identifies the database; empty if its orders cannot be read.
    pub fingerprint: String,
    /// The database's clock, if it has one of its own.
    pub database_time: Option<UtcMillis>,
    pub missing: Vec<MissingObject>,
    /// Changes that the configured capture cannot see in this database, one sentence each.
    pub notes: Vec<String>,
    /// The state of the triggers that the configured capture depends on; `None` if there are none, or they are not visible.
    pub triggers: Option<TriggerState>,
    /// The protection of the connection; `None` for a file.
    pub protection: Option<Protection>,
    pub positions: Vec<TablePosition>,
    /// Watched tables that did not answer in time, without prefix.
    pub slow: Vec<&'static str>,
    /// The codes of the shop's websites without the admin's own; empty if they cannot be read.
    pub websites: Vec<String>,
}

/// The protection of a connection against others on the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// The connection does not leave this host.
    Local { is_encrypted: bool },
    /// Plain text over the network.
    Plain,
    /// Encrypted, without a check of the certificate.
    Unverified,
    /// Encrypted, with a certificate of a trusted authority.
    Verified,
}

/// A table, column or right that is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingObject {
    /// The table, with prefix; or the list of the REST API.
    pub table: String,
    pub what: MissingKind,
    /// True if nothing works without it. Otherwise `effect` names what is not sent.
    pub needed: bool,
    pub effect: Option<&'static str>,
    /// The statement that an administrator runs, or the resource to select in the Admin, if a right is missing.
    pub grant: Option<String>,
}

/// The missing part of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MissingKind {
    Table,
    /// These columns, or the right to read them.
    Columns(Vec<String>),
    Right(&'static str),
    /// The permission to read a list of the REST API.
    Permission,
}

/// The state of the triggers that write the log or changelog which capture reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TriggerState {
    /// Orderfeed's own triggers, compared with the expected ones.
    Ours(TriggerReport),
    /// The account may not see triggers.
    Unseen {
        /// Time of the newest order's change, if it is later than the log's last row: the change was not logged.
        stale: Option<UtcMillis>,
    },
    /// Number of the instance's own triggers, which write its changelog.
    Instance(u64),
}

/// Maximum number of names in one sentence.
const NAMED: usize = 5;
const INSTALL: &str = "run `orderfeed source triggers install` as the account that installs them, then `orderfeed \
                       indexer:reindex` for what was missed";

impl TriggerState {
    /// Returns why changes are missed, and the remedy; `None` if nothing shows that they are.
    pub fn problem(&self) -> Option<(String, &'static str)> {
        match self {
            Self::Ours(report) if report.is_complete() => None,
            Self::Ours(report) => {
                let lost = (!report.log_exists).then(|| "the table orderfeed_log is missing".to_owned());
                let parts = [lost, listed("missing", &report.missing), listed("altered", &report.altered)];
                let parts: Vec<String> = parts.into_iter().flatten().collect();
                let what = format!("triggers are missing or altered: {}", parts.join("; "));
                Some((what, INSTALL))
            }
            Self::Unseen { stale } => stale.map(|changed| {
                let what = format!(
                    "an order changed at {changed} and is not in the log: triggers are missing (this account lacks TRIGGER \
                     and cannot see which)"
                );
                (what, INSTALL)
            }),
            Self::Instance(0) => Some((
                "no trigger writes the instance's changelog".to_owned(),
                "bin/magento indexer:set-mode schedule sales_order_data_exporter_v2, then `orderfeed indexer:reindex`",
            )),
            Self::Instance(_) => None,
        }
    }
}

fn listed(word: &str, names: &[String]) -> Option<String> {
    let shown = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    match names.len() {
        0 => None,
        count if count > NAMED => Some(format!("{word}: {shown} and {} more", count - NAMED)),
        _ => Some(format!("{word}: {shown}")),
    }
}

/// The position of capture in one table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TablePosition {
    pub table: String,
    pub read_to: String,
    pub newest: String,
    /// True if the position is beyond the newest row: rows were deleted, or the database is an older copy.
    pub ahead: bool,
    /// Milliseconds from the position to the newest row, where rows have a time.
    pub behind_ms: Option<i64>,
    /// Number of keys between the position and the newest row, where keys only grow.
    pub behind_rows: Option<i64>,
}

impl TablePosition {
    /// Returns the position in a table whose keys only grow. 0 means that the table was always empty.
    pub(crate) fn by_key(table: &str, read_to: i64, newest: i64) -> Self {
        Self {
            table: table.to_owned(),
            read_to: read_to.to_string(),
            newest: newest.to_string(),
            // An empty table also has the key 0, and capture starts there.
            ahead: read_to > newest && read_to > 0,
            behind_ms: None,
            behind_rows: Some((newest - read_to).max(0)),
        }
    }

    /// In a table that is read by the time of the last change; all in seconds. Capture begins at the database's `now`,
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

/// Returns the columns that existing tables lack; names with `prefix`. Nothing works without key and owner.
pub(crate) fn missing_columns(schema: &Schema, prefix: &str) -> Vec<MissingObject> {
    let mut missing = Vec::new();
    for spec in SourceTable::specs() {
        // A missing table is reported as such, not column by column.
        if !schema.has_table(spec.table) {
            continue;
        }
        let keys = [spec.key, spec.owner];
        let absent = |columns: &[&str]| -> Vec<String> {
            let absent = columns.iter().filter(|column| !schema.has(spec.table, column));
            absent.map(|column| (*column).to_owned()).collect()
        };
        for (columns, needed) in [(absent(&keys), true), (absent(spec.columns), false)] {
            if columns.is_empty() {
                continue;
            }
            missing.push(MissingObject {
                table: format!("{prefix}{}", spec.table),
                what: MissingKind::Columns(columns),
                needed,
                effect: (!needed).then_some("they are read as empty"),
                grant: None,
            });
        }
    }
    missing
}

/// Returns every table that is read: its name without prefix, and what is not sent without it (`None`: nothing works).
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
        // Without websites and stores no order can be assigned to a datastream.
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
    fn a_problem_names_a_few_triggers() {
        let report = |count: usize| TriggerReport {
            expected: 54,
            log_exists: true,
            missing: (0..count).map(|n| format!("trg_{n}")).collect(),
            ..TriggerReport::default()
        };
        let problem = |count| TriggerState::Ours(report(count)).problem();
        assert_eq!(problem(0), None);
        assert!(problem(2).unwrap().0.ends_with("missing: trg_0, trg_1"));
        assert!(problem(7).unwrap().0.ends_with("trg_4 and 2 more"));
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
