//! Installation, removal and comparison of orderfeed's triggers in a MySQL or MariaDB database.
//!
//! CREATE TRIGGER waits until no transaction uses the table, and meanwhile every new transaction waits behind it. The wait
//! is therefore short: on a busy shop an installation fails with an error rather than blocking the checkout. It can be
//! repeated, and continues with the missing triggers.

use crate::commerce::changes::triggers::{ExistingTrigger, TriggerReport, TriggerSet};
use crate::commerce::changes::watched::LOG;
use crate::commerce::mysql::MysqlSource;
use crate::commerce::mysql::inspect;
use crate::commerce::mysql::session::MysqlSession;
use crate::commerce::read::cells;
use crate::commerce::read::cells::SourceRow;
use crate::commerce::read::queries::SqlDialect;
use crate::commerce::source::SourceError;

/// Longest wait for a table's lock, in seconds.
const LOCK_WAIT: u32 = 10;

impl MysqlSource {
    /// Creates the log table and every trigger that is missing or altered. Returns the names of those created.
    ///
    /// # Errors
    /// `Misconfigured` with what the account lacks, before anything is created; `Unavailable` if a table stayed locked.
    pub async fn install_triggers(&self) -> Result<Vec<String>, SourceError> {
        let (mut session, set) = self.trigger_session().await?;
        self.check_installer(&mut session, &set).await?;
        session.execute(&set.create_log()).await?;
        let report = self.compare(&mut session, &set).await?;
        let mut created = Vec::new();
        for trigger in set.triggers() {
            // Intact triggers stay, so that no change is missed while they would be recreated.
            let altered = report.altered.contains(&trigger.name);
            if !altered && !report.missing.contains(&trigger.name) {
                continue;
            }
            if altered {
                session
                    .execute(&format!("DROP TRIGGER IF EXISTS `{}`", trigger.name))
                    .await?;
            }
            session.execute(&trigger.create).await?;
            created.push(trigger.name.clone());
        }
        Ok(created)
    }

    /// Drops every trigger with orderfeed's prefix, unknown ones included, and then the log table. Returns the names.
    pub async fn remove_triggers(&self) -> Result<Vec<String>, SourceError> {
        let (mut session, set) = self.trigger_session().await?;
        let mut dropped = Vec::new();
        for found in self
            .found(&mut session)
            .await?
            .into_iter()
            .filter(|found| set.is_ours(found))
        {
            session
                .execute(&format!("DROP TRIGGER IF EXISTS `{}`", found.name))
                .await?;
            dropped.push(found.name);
        }
        session
            .execute(&format!("DROP TABLE IF EXISTS `{}`", set.log_table()))
            .await?;
        Ok(dropped)
    }

    /// Compares the database's triggers with those that it needs.
    pub async fn check_triggers(&self) -> Result<TriggerReport, SourceError> {
        let (mut session, set) = self.trigger_session().await?;
        self.compare(&mut session, &set).await
    }

    /// Returns the notes on triggers for `describe`. Without the right to see triggers they cannot be compared.
    pub(super) async fn trigger_notes(
        &self,
        session: &mut MysqlSession<'_>,
    ) -> Result<Vec<String>, SourceError> {
        let note = "No triggers of orderfeed can be seen: this account lacks TRIGGER, or they are gone; run `orderfeed source \
                    triggers check` as the account that installed them.";
        let found = self.found(session).await?;
        Ok(found.is_empty().then(|| note.to_owned()).into_iter().collect())
    }

    async fn trigger_session(&self) -> Result<(MysqlSession<'_>, TriggerSet), SourceError> {
        let mut session = self.connector.session().await?;
        // Not the cached schema: the caller creates or drops the log table, and columns may have changed.
        let inspected = inspect::inspect(&mut session, &self.settings).await?;
        self.inspected
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .take();
        session
            // See the module: a longer wait would block the checkout.
            .execute(&format!("SET SESSION lock_wait_timeout = {LOCK_WAIT}"))
            .await?;
        session.execute("SET SESSION TRANSACTION READ WRITE").await?;
        let set = TriggerSet::new(
            SqlDialect::Mysql,
            self.settings.table_prefix.as_str(),
            &inspected.schema,
        );
        Ok((session, set))
    }

    pub(super) async fn compare(
        &self,
        session: &mut MysqlSession<'_>,
        set: &TriggerSet,
    ) -> Result<TriggerReport, SourceError> {
        let found = self.found(session).await?;
        let mut log_exists = false;
        let sql = format!(
            "SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = '{}{LOG}'",
            self.settings.table_prefix
        );
        session.rows(&sql, |_| log_exists = true).await?;
        Ok(set.compare(&found, log_exists))
    }

    async fn found(&self, session: &mut MysqlSession<'_>) -> Result<Vec<ExistingTrigger>, SourceError> {
        let mut found = Vec::new();
        let sql = "SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE, ACTION_STATEMENT FROM information_schema.TRIGGERS \
                   WHERE TRIGGER_SCHEMA = DATABASE() AND TRIGGER_NAME LIKE 'trg\\_orderfeed\\_%'";
        session
            .rows(sql, |row| {
                let text = |index| cells::text(row.cell(index)).unwrap_or_default();
                found.push(ExistingTrigger {
                    name: text(0),
                    table: text(1),
                    body: text(2),
                });
            })
            .await?;
        Ok(found)
    }
}
