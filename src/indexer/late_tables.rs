//! The tables of the source whose changes are late: one log line when a table becomes late, reminders, and one at its end.

use std::collections::BTreeMap;

use crate::commerce::source::{LateCause, LateTable};
use crate::ops::outage_log::{OutageLine, OutageLog, Recovery};
use crate::store::meta::SOURCE_LATE;
use crate::store::{Durability, Store, StoreError, Writer};
use orderfeed_model::clock::UtcMillis;

/// The late tables and the log of each.
#[derive(Debug, Default)]
pub(super) struct LateTables {
    tables: BTreeMap<&'static str, OutageLog>,
    /// One sentence for each late table, as last stored; `None` before the first call.
    stored: Option<String>,
}

impl LateTables {
    /// Logs the late tables, and stores them for `status` and `doctor` when they change.
    pub(super) async fn record(
        &mut self,
        store: &Store,
        late: &[LateTable],
        now: UtcMillis,
    ) -> Result<(), StoreError> {
        let Some(sentences) = self.update(late, now) else {
            return Ok(());
        };
        let write = move |writer: &mut Writer<'_>| writer.set_meta(SOURCE_LATE, &sentences);
        store.write(Durability::Relaxed, write).await
    }

    /// Logs what is due. Returns the sentences to store if they changed.
    fn update(&mut self, late: &[LateTable], now: UtcMillis) -> Option<String> {
        for late in late {
            log_late(late, self.tables.entry(late.table).or_default(), now);
        }
        for (table, outage) in &mut self.tables {
            if late.iter().all(|late| late.table != *table)
                && let Some(Recovery { lasted_ms, .. }) = outage.recovered(now)
            {
                tracing::info!(
                    table,
                    after_s = lasted_ms / 1000,
                    "A table of the source is read in time again"
                );
            }
        }
        let sentences: Vec<_> = late.iter().map(sentence).collect();
        let sentences = sentences.join("\n");
        let changed = self.stored.as_ref() != Some(&sentences);
        changed.then(|| self.stored.insert(sentences).clone())
    }
}

fn sentence(late: &LateTable) -> String {
    match &late.cause {
        LateCause::Slow => format!("{} does not answer in time", late.table),
        LateCause::Unreadable(cause) => format!("{}: {cause}", late.table),
    }
}

fn log_late(late: &LateTable, outage: &mut OutageLog, now: UtcMillis) {
    let for_s = match outage.failed(now) {
        Some(OutageLine::Start) => 0,
        Some(OutageLine::Reminder { since, .. }) => now.millis_since(since) / 1000,
        None => return,
    };
    match &late.cause {
        LateCause::Slow => tracing::warn!(
            log_code = "OF03-10",
            table = late.table,
            for_s,
            "A table of the source does not answer in time (it is locked, or the server is overloaded): its changes are late, \
             those of the other tables are not; find what locks it (SHOW FULL PROCESSLIST)",
        ),
        LateCause::Unreadable(cause) => tracing::warn!(
            log_code = "OF03-11",
            table = late.table,
            for_s,
            error = %cause,
            "A table of the source cannot be followed: its changes are not captured",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentences_are_stored_when_they_change() {
        let mut tables = LateTables::default();
        let late = [LateTable {
            table: "magento_rma",
            cause: LateCause::Slow,
        }];
        assert_eq!(tables.update(&[], UtcMillis(0)).as_deref(), Some(""));
        assert_eq!(tables.update(&[], UtcMillis(1)), None);
        let stored = tables.update(&late, UtcMillis(2));
        assert_eq!(stored.as_deref(), Some("magento_rma does not answer in time"));
        assert_eq!(tables.update(&late, UtcMillis(3)), None);
        assert_eq!(tables.update(&[], UtcMillis(4)).as_deref(), Some(""));
    }
}
