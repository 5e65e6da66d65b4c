//! Checks of the source: reachable, complete, captured, and the right shop.

use std::collections::BTreeMap;

use crate::commerce::examination::{
    Examination, MissingKind, MissingObject, Protection, TablePosition, TriggerState,
};
use crate::commerce::fingerprint::same_database;
use crate::commerce::source::SourceWarning;
use crate::config::{SourceKind, nearest};
use crate::doctor::check::Check;
use crate::doctor::finding::{Finding, all_skipped, or_ok};
use crate::ops::sentence::human_duration;
use crate::ops::status::problem::{STUCK_MS, StatusProblem};
use orderfeed_model::clock::UtcMillis;

/// A busy shop writes fewer rows between two polls.
const MANY_ROWS: i64 = 50_000;

#[derive(Clone, Debug, Default)]
pub struct SourceFacts {
    /// The examination, or message and remedy; `None` after the time limit.
    pub examined: Option<Result<Examination, (String, String)>>,
    pub limit_s: u64,
    /// The configured kind.
    pub kind: SourceKind,
    /// Kind of the source that the store was filled from.
    pub stored_kind: Option<String>,
    /// Fingerprint of the database that the store was filled from.
    pub stored_fingerprint: Option<String>,
    /// Number of documents that have the id of an earlier one, and the time at which the last was first seen.
    pub reused_ids: (u64, Option<UtcMillis>),
    /// The configured websites, with true if their events are on.
    pub websites: BTreeMap<String, bool>,
    /// Orders without events because their website is switched off.
    pub website_off: u64,
    /// Orders without events because their website is not configured.
    pub website_unknown: u64,
    /// True if a daemon is running.
    pub captured: bool,
    /// The tables that the daemon reads late, with the reason.
    pub late_tables: Vec<String>,
    /// A gap in what was captured.
    pub gap: Option<StatusProblem>,
}

pub fn verdict(facts: &SourceFacts) -> Vec<Finding> {
    let unreachable = |message: String, remedy: String| {
        let mut findings = vec![Check::SourceReachable.problem(message, remedy)];
        let others = Check::of_groups(&["source"]).filter(|check| *check != Check::SourceReachable);
        findings.extend(all_skipped(others, "the source does not answer"));
        findings
    };
    match &facts.examined {
        None => unreachable(
            format!("the source does not answer within {} s", facts.limit_s),
            match facts.kind {
                SourceKind::Rest => "check the shop (load, maintenance) and the network in between",
                _ => "check the database server (load, locks, `SHOW PROCESSLIST`) and the network in between",
            }
            .to_owned(),
        ),
        Some(Err((message, remedy))) => unreachable(message.clone(), remedy.clone()),
        Some(Ok(found)) => {
            let mut findings = vec![Check::SourceReachable.ok(format!("{} answers", found.product))];
            findings.push(encryption(found));
            findings.extend(schema(found, facts.kind));
            findings.push(capture(found));
            findings.extend(positions(found, facts));
            findings.push(other_kind(facts).unwrap_or_else(|| identity(found, facts)));
            findings.extend(reused(facts.reused_ids));
            findings.extend(websites(found, facts));
            findings
        }
    }
}

fn schema(found: &Examination, kind: SourceKind) -> Vec<Finding> {
    let mut findings: Vec<Finding> = found
        .missing
        .iter()
        .filter(|lack| lack.needed)
        .map(needed)
        .collect();
    // One note for each effect, because a missing feature can be several tables.
    let mut by_effect: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for lack in found.missing.iter().filter(|lack| !lack.needed) {
        by_effect
            .entry(lack.effect.unwrap_or_default())
            .or_default()
            .push(named(lack));
    }
    for (effect, names) in by_effect {
        let message = format!("missing or not granted: {}; {effect}", names.join(", "));
        findings.push(Check::Schema.note(message));
    }
    let notes = found.notes.iter();
    findings.extend(notes.map(|note| Check::Schema.note(note)));
    // Notes have no remedy: nothing required is missing.
    if findings.iter().all(|finding| finding.remedy.is_none()) {
        let fine = match kind {
            SourceKind::Rest => "every required list can be read",
            _ => "every required table, column and privilege exists",
        };
        findings.insert(0, Check::Schema.ok(fine));
    }
    findings
}

fn needed(lack: &MissingObject) -> Finding {
    let table = &lack.table;
    let (message, remedy) = match (&lack.what, &lack.grant) {
        (MissingKind::Right(right), Some(grant)) => (
            format!("the account lacks {right} on the table {table}"),
            format!("run as an administrator of the database: {grant}"),
        ),
        (MissingKind::Permission, Some(grant)) => (
            format!("the credentials may not read the list {table}"),
            format!("in the shop's Admin: {grant}"),
        ),
        (MissingKind::Columns(columns), _) => (
            format!("the table {table} lacks the columns {}, or the account may not read them", columns.join(", ")),
            "check that this is a Commerce database, and that the account has SELECT on the whole table".to_owned(),
        ),
        (_, _) => (
            format!("there is no table {table}"),
            "check the database's name in source.mysql.url and source.mysql.table_prefix; for orderfeed_log run `orderfeed \
             source triggers install`; for a …_cl table run `bin/magento indexer:set-mode schedule \
             sales_order_data_exporter_v2`"
                .to_owned(),
        ),
    };
    Check::Schema.problem(message, remedy).about(table.clone())
}

fn named(lack: &MissingObject) -> String {
    match &lack.what {
        MissingKind::Columns(columns) => format!("{}.{}", lack.table, columns.join("/")),
        MissingKind::Table | MissingKind::Right(_) | MissingKind::Permission => lack.table.clone(),
    }
}

fn capture(found: &Examination) -> Finding {
    let check = Check::Capture;
    let Some(triggers) = &found.triggers else {
        return check.ok("this kind of capture needs no triggers that could be checked");
    };
    match (triggers.problem(), triggers) {
        (Some((why, remedy)), _) => check.problem(format!("changes of orders are missed: {why}"), remedy),
        (None, TriggerState::Instance(count)) => {
            check.ok(format!("{count} triggers write the instance's changelog"))
        }
        (None, TriggerState::Unseen { .. }) => check.unknown(
            "this account may not see triggers (it lacks TRIGGER), so those that capture depends on could not be checked",
            "check them with an account that has TRIGGER: `orderfeed source triggers check`, with capture = \"changelog\" `SHOW \
             TRIGGERS LIKE 'sales_order'`",
        ),
        (None, TriggerState::Ours(report)) => {
            check.ok(format!("all {} triggers are in place", report.expected))
        }
    }
}

fn encryption(found: &Examination) -> Finding {
    let check = Check::Encryption;
    let warning = |warning: SourceWarning| check.warning(warning.message(), warning.remedy());
    match found.protection {
        None => check.ok("the source is a file of this host"),
        Some(Protection::Local { is_encrypted: true }) => {
            check.ok("the connection is encrypted, and does not leave this host")
        }
        Some(Protection::Local { is_encrypted: false }) => {
            check.ok("the connection is not encrypted, and does not leave this host")
        }
        Some(Protection::Verified) => {
            check.ok("the connection is encrypted, and the server's certificate is verified")
        }
        Some(Protection::Plain) => warning(SourceWarning::Plain),
        Some(Protection::Unverified) => warning(SourceWarning::Unverified),
    }
}

fn positions(found: &Examination, facts: &SourceFacts) -> Vec<Finding> {
    let check = Check::Position;
    let late: Vec<_> = late_tables(found, facts).collect();
    if found.positions.is_empty() && late.is_empty() {
        return vec![check.skipped("nothing was captured yet")];
    }
    let gap = facts.gap.iter().map(|gap| Finding::of(check, gap));
    let positions = found
        .positions
        .iter()
        .filter_map(|position| out_of_place(position, facts.captured));
    let fine = "capture is neither ahead of the source nor far behind";
    or_ok(gap.chain(late).chain(positions).collect(), check, fine)
}

/// Returns a problem for each table that is late: as the daemon stored it, or because it does not answer now.
fn late_tables<'a>(found: &'a Examination, facts: &'a SourceFacts) -> impl Iterator<Item = Finding> + 'a {
    let stored = facts.late_tables.iter().filter(|_| facts.captured).cloned();
    let known = |table: &str| facts.captured && facts.late_tables.iter().any(|late| late.starts_with(table));
    let slow = found.slow.iter().filter(move |table| !known(table));
    let now = slow.map(|table| format!("{table} does not answer in time"));
    stored.chain(now).map(|late| {
        let message = format!("changes are late: {late}");
        let remedy = match facts.kind {
            SourceKind::Rest => "find what loads the shop, or what the message names",
            _ => "find what locks the table or loads the server (SHOW FULL PROCESSLIST), or what the message names",
        };
        Check::Position.problem(message, remedy)
    })
}

fn out_of_place(position: &TablePosition, captured: bool) -> Option<Finding> {
    let TablePosition {
        table,
        read_to,
        newest,
        ..
    } = position;
    // Capture would skip every row up to the stored position.
    if position.ahead {
        let message = format!(
            "capture is at {read_to} in {table}, but its newest row is {newest}: rows were deleted, or the database was \
             restored, or is a replica that lags"
        );
        let remedy = "if it was restored or switched: run `orderfeed indexer:reindex` once it has caught up";
        return Some(Check::Position.warning(message, remedy).about(table.clone()));
    }
    let late = position.behind_ms.filter(|behind| *behind > STUCK_MS);
    let rows = position.behind_rows.filter(|behind| *behind > MANY_ROWS);
    let by = match (late, rows) {
        (Some(late), _) => human_duration(late),
        (None, Some(rows)) => format!("{rows} rows"),
        (None, None) => return None,
    };
    let message = format!("capture is {by} behind in {table}: at {read_to}, the newest row is {newest}");
    let remedy = match captured {
        true => "see index.intake and the log's `The source cannot be read`; it catches up by itself",
        false => "start the daemon; it catches up by itself",
    };
    Some(Check::Position.warning(message, remedy).about(table.clone()))
}

/// Returns the problem of a store that was filled from another kind of source.
fn other_kind(facts: &SourceFacts) -> Option<Finding> {
    let (stored, configured) = (facts.stored_kind.as_deref()?, facts.kind.as_str());
    (stored != configured).then(|| {
        Check::Identity.problem(
            format!("source.kind is \"{configured}\", but the store was filled by \"{stored}\", so the daemon does not start"),
            "set it back, or start once with `orderfeed run --accept-new-source` if it is the same shop: every order is compared \
             again, and nothing is sent twice",
        )
    })
}

fn identity(found: &Examination, facts: &SourceFacts) -> Finding {
    let check = Check::Identity;
    match &facts.stored_fingerprint {
        _ if found.fingerprint.is_empty() => check.skipped("the orders cannot be read"),
        None => check.skipped("the store was not filled from any database yet"),
        Some(stored) if same_database(stored, &found.fingerprint) => {
            check.ok("the database is the one that this store was filled from")
        }
        Some(_) => check.problem("the source is another database than the one that this store was filled from; it may use the same order ids for \
             other orders, so the daemon stops",
            "restore the source or its url, or point store.path to a new file",
        ),
    }
}

fn reused((documents, last): (u64, Option<UtcMillis>)) -> Option<Finding> {
    let last = last.filter(|_| documents > 0)?;
    let message = format!(
        "{documents} orders and documents have the id of an earlier one, the last since {last}: the database was restored, or \
         rows were deleted; they have event ids of their own (`orderfeed explain NUMBER` shows both)"
    );
    Some(Check::Identity.note(message))
}

fn websites(found: &Examination, facts: &SourceFacts) -> Vec<Finding> {
    let check = Check::Websites;
    if found.websites.is_empty() {
        return vec![check.skipped("the shop's websites cannot be read")];
    }
    let misspelt = misspelt(found, facts);
    let is_meant = |code: &String| misspelt.values().any(|meant| meant == &Some(code));
    let unconfigured = found.websites.iter().filter(|code| !is_meant(code));
    let mut findings: Vec<Finding> = unconfigured
        .filter_map(|code| without_events(code, facts))
        .collect();
    findings.extend(misspelt.iter().map(|(code, meant)| {
        let finding = match meant {
            Some(meant) => check.problem(
                format!("the shop has no website {code}, so no event is sent for it; did you mean {meant}?"),
                format!("rename the table [websites.{code}] to [websites.{meant}], then `systemctl reload orderfeed`"),
            ),
            None => check.warning(
                format!("the shop has no website {code}; it has {}", found.websites.join(", ")),
                format!("correct the name of the table [websites.{code}], then `systemctl reload orderfeed`"),
            ),
        };
        finding.about(*code)
    }));
    let count = found.websites.len();
    let fine = format!("all {count} websites of the shop are configured and on");
    or_ok(findings, check, fine)
}

/// Returns the configured websites that the shop does not have, each with the one that is probably meant.
fn misspelt<'a>(found: &'a Examination, facts: &'a SourceFacts) -> BTreeMap<&'a str, Option<&'a String>> {
    let unknown = facts
        .websites
        .keys()
        .filter(|code| !found.websites.contains(code));
    let candidates = || {
        found
            .websites
            .iter()
            .filter(|code| !facts.websites.contains_key(*code))
    };
    unknown
        .map(|code| {
            let meant = nearest(code, candidates().map(String::as_str));
            let meant = candidates().find(|candidate| Some(candidate.as_str()) == meant);
            (code.as_str(), meant)
        })
        .collect()
}

/// Returns the finding for a website of the shop whose orders have no events.
fn without_events(code: &str, facts: &SourceFacts) -> Option<Finding> {
    let (what, orders) = match facts.websites.get(code) {
        Some(true) => return None,
        Some(false) => ("its back-office events are switched off", facts.website_off),
        None => ("it is not configured", facts.website_unknown),
    };
    let what = format!("{what}, so its orders have no events");
    let finding = match orders {
        0 => Check::Websites.note(what),
        orders => Check::Websites.warning(
            format!("{what} ({orders} orders of all websites for this reason)"),
            format!("if that is not intended: set websites.{code}.datastream_id and back_office_events = true, then reload"),
        ),
    };
    Some(finding.about(code))
}

/// Returns the newest of `moments` minus `now`, in milliseconds.
pub fn ahead_of(now: UtcMillis, moments: impl IntoIterator<Item = UtcMillis>) -> Option<i64> {
    moments.into_iter().map(|at| at.millis_since(now)).max()
}

#[cfg(test)]
mod tests;
