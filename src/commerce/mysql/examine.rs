//! The checks of `doctor`: every table, right, trigger and position at once. They only read; a right is checked by letting
//! the server explain a statement that needs it.

use std::time::Duration;

use crate::commerce::changes::triggers::TriggerSet;
use crate::commerce::changes::watched;
use crate::commerce::changes::watched::{CHANGELOG, LOG, WatchedTable};
use crate::commerce::changes::window::WindowCursor;
use crate::commerce::examination::{
    Examination, MissingKind, MissingObject, Protection, TablePosition, TriggerState, missing_columns, tables,
};
use crate::commerce::grants::grant;
use crate::commerce::mysql::MysqlSource;
use crate::commerce::mysql::inspect::{self, Inspected};
use crate::commerce::mysql::installer::TriggerRights;
use crate::commerce::mysql::session::MysqlSession;
use crate::commerce::read::cells;
use crate::commerce::read::cells::{MICROS, SourceRow};
use crate::commerce::read::queries::{Queries, SqlDialect};
use crate::commerce::read::schema::Schema;
use crate::commerce::source::{Cursors, SourceError, SourceWarning};
use crate::config::CaptureMode;
use orderfeed_model::clock::UtcMillis;

/// The longest time for the newest row of a table.
const POSITION_LIMIT: Duration = Duration::from_secs(1);
/// The error "SELECT command denied to user".
const DENIED: u16 = 1142;
/// Seconds by which an order's change may be later than the log's last row before it counts as not logged.
const LOG_GRACE: i64 = 60;

impl MysqlSource {
    /// Checks everything that capture and reading need. `cursors` are the stored positions.
    pub async fn examine(&self, cursors: &Cursors) -> Result<Examination, SourceError> {
        let mut session = self.connector.session().await?;
        let schema = inspect::visible(&mut session, &self.settings).await?;
        let mut found = Examination {
            missing: self.missing_objects(&mut session, &schema).await?,
            ..Examination::default()
        };
        // Fingerprint and notes need the orders.
        let complete = found.missing.iter().all(|missing| !missing.needed);
        if complete {
            self.identify(&mut session, &schema, &mut found).await?;
        } else {
            // The orders cannot be read, so there is no fingerprint.
            let (product, now) = inspect::server_and_time(&mut session).await?;
            (found.product, found.database_time) = (product, now);
        }
        if schema.has_table("store_website") {
            let sql = format!(
                "SELECT `code` FROM `{}store_website` WHERE `code` <> 'admin' ORDER BY `code`",
                self.settings.table_prefix
            );
            session
                .rows(&sql, |row| found.websites.extend(cells::text(row.cell(0))))
                .await?;
        }
        found.protection = Some(self.connector.protection());
        found.triggers = self.trigger_state(&mut session, &schema).await?;
        let now = found.database_time.unwrap_or_default();
        self.positions(&mut session, &schema, cursors, now, &mut found)
            .await?;
        Ok(found)
    }

    async fn identify(
        &self,
        session: &mut MysqlSession<'_>,
        schema: &Schema,
        found: &mut Examination,
    ) -> Result<(), SourceError> {
        let queries = Queries::new(SqlDialect::Mysql, self.settings.table_prefix.as_str(), schema);
        let inspected = Inspected {
            schema: schema.clone(),
            queries,
        };
        let info = inspect::identify(session, &inspected).await?;
        found.product = info.product;
        found.fingerprint = info.fingerprint;
        found.database_time = Some(info.database_time);
        if self.settings.capture == CaptureMode::Poll {
            found.notes = watched::poll_notes(schema);
        }
        Ok(())
    }

    async fn missing_objects(
        &self,
        session: &mut MysqlSession<'_>,
        schema: &Schema,
    ) -> Result<Vec<MissingObject>, SourceError> {
        let mut missing = Vec::new();
        let mut wanted = tables();
        match self.settings.capture {
            CaptureMode::Poll => {}
            CaptureMode::Changelog => wanted.push((CHANGELOG, None)),
            CaptureMode::Triggers => wanted.push((LOG, None)),
        }
        for (table, effect) in wanted {
            if !schema.has_table(table) {
                missing.extend(self.missing_table(session, table, effect).await?);
            }
        }
        missing.extend(missing_columns(schema, self.settings.table_prefix.as_str()));
        if self.settings.capture == CaptureMode::Triggers && schema.has_table(LOG) {
            let prefix = self.settings.table_prefix.as_str();
            // EXPLAIN needs the rights of the statement but does not execute it. A read-only session would refuse it.
            session.execute("SET SESSION TRANSACTION READ WRITE").await?;
            let delete = format!("EXPLAIN DELETE FROM `{prefix}{LOG}` WHERE `version_id` < 0");
            if session.refusal(&delete).await? == Some(DENIED) {
                missing.push(MissingObject {
                    grant: Some(self.grant("DELETE", LOG)),
                    ..self.missing_object(LOG, MissingKind::Right("DELETE"), None)
                });
            }
            session.execute("SET SESSION TRANSACTION READ ONLY").await?;
        }
        Ok(missing)
    }

    /// Finds out why a table is not visible: to an account without rights, MySQL hides that it exists.
    async fn missing_table(
        &self,
        session: &mut MysqlSession<'_>,
        table: &'static str,
        effect: Option<&'static str>,
    ) -> Result<Option<MissingObject>, SourceError> {
        let sql = format!("SELECT 1 FROM `{}{table}` LIMIT 0", self.settings.table_prefix);
        Ok(session.refusal(&sql).await?.map(|code| {
            let what = match code {
                DENIED => MissingKind::Right("SELECT"),
                _ => MissingKind::Table,
            };
            let rights = match table {
                LOG => "SELECT, DELETE",
                _ => "SELECT",
            };
            MissingObject {
                grant: (code == DENIED).then(|| self.grant(rights, table)),
                ..self.missing_object(table, what, effect)
            }
        }))
    }

    fn missing_object(&self, table: &str, what: MissingKind, effect: Option<&'static str>) -> MissingObject {
        MissingObject {
            table: format!("{}{table}", self.settings.table_prefix),
            what,
            needed: effect.is_none(),
            effect,
            grant: None,
        }
    }

    pub(super) fn grant(&self, rights: &str, table: &str) -> String {
        let database = self.connector.database();
        grant(
            rights,
            table,
            &database.user,
            &database.database,
            &database.prefix,
        )
    }

    /// Returns the conditions that hold now, without a statement where capture needs no triggers.
    pub(super) async fn current_warnings(&self) -> Result<Vec<SourceWarning>, SourceError> {
        let mut warnings = Vec::new();
        if self.settings.capture != CaptureMode::Poll {
            let mut session = self.connector.session().await?;
            let inspected = self.inspected(&mut session).await?;
            let state = self.trigger_state(&mut session, &inspected.schema).await?;
            let problem = state.and_then(|state| state.problem());
            warnings.extend(problem.map(|(why, remedy)| SourceWarning::Triggers { why, remedy }));
        }
        warnings.extend(match self.connector.protection() {
            Protection::Plain => Some(SourceWarning::Plain),
            Protection::Unverified => Some(SourceWarning::Unverified),
            Protection::Local { .. } | Protection::Verified => None,
        });
        Ok(warnings)
    }

    async fn trigger_state(
        &self,
        session: &mut MysqlSession<'_>,
        schema: &Schema,
    ) -> Result<Option<TriggerState>, SourceError> {
        match self.settings.capture {
            CaptureMode::Poll => Ok(None),
            // An account without the right TRIGGER sees none, which would look like a broken changelog.
            CaptureMode::Changelog if !TriggerRights::read(session).await?.any() => {
                Ok(Some(TriggerState::Unseen { stale: None }))
            }
            CaptureMode::Changelog => {
                let mut count = 0;
                let sql = format!(
                    "SELECT COUNT(*) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE() \
                     AND ACTION_STATEMENT LIKE '%{CHANGELOG}%'"
                );
                session
                    .rows(&sql, |row| {
                        count = cells::integer(row.cell(0)).unwrap_or_default()
                    })
                    .await?;
                Ok(Some(TriggerState::Instance(count.unsigned_abs())))
            }
            CaptureMode::Triggers => {
                let set = TriggerSet::new(SqlDialect::Mysql, self.settings.table_prefix.as_str(), schema);
                let report = self.compare(session, &set).await?;
                // All missing may also mean that the account may not see any.
                let unseen =
                    report.missing.len() == report.expected && !TriggerRights::read(session).await?.any();
                Ok(Some(match unseen {
                    true => TriggerState::Unseen {
                        stale: self.unlogged(session, schema).await?,
                    },
                    false => TriggerState::Ours(report),
                }))
            }
        }
    }

    /// Returns the time of the newest order's change, if the log does not hold it.
    async fn unlogged(
        &self,
        session: &mut MysqlSession<'_>,
        schema: &Schema,
    ) -> Result<Option<UtcMillis>, SourceError> {
        if !schema.has_table(LOG) || !schema.has("sales_order", "updated_at") {
            return Ok(None);
        }
        let prefix = self.settings.table_prefix.as_str();
        let sql = format!(
            "SELECT (SELECT MAX(`updated_at`) FROM `{prefix}sales_order`), \
             (SELECT `observed_at` FROM `{prefix}{LOG}` ORDER BY `version_id` DESC LIMIT 1)"
        );
        let mut moments = (None, None);
        session
            .rows(&sql, |row| {
                moments = (cells::seconds(row.cell(0)), cells::seconds(row.cell(1)))
            })
            .await?;
        let (Some(changed), Some(logged)) = moments else {
            return Ok(None);
        };
        // Times are in whole seconds, and both statements take some time.
        Ok((changed > logged + LOG_GRACE).then(|| UtcMillis::from_secs(changed)))
    }

    async fn positions(
        &self,
        session: &mut MysqlSession<'_>,
        schema: &Schema,
        cursors: &Cursors,
        now: UtcMillis,
        found: &mut Examination,
    ) -> Result<(), SourceError> {
        let watched = watched::tables(self.settings.capture, schema);
        for watched in watched.iter().filter(|watched| schema.has_table(watched.table)) {
            let stored = cursors.0.get(watched.table);
            if let Some(cursor) = stored.and_then(|text| WindowCursor::parse(text, watched.timed)) {
                match self.position(session, watched, cursor, now).await {
                    Ok(position) => found.positions.extend(position),
                    Err(SourceError::TooSlow { .. }) => found.slow.push(watched.table),
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    async fn position(
        &self,
        session: &mut MysqlSession<'_>,
        watched: &WatchedTable,
        cursor: WindowCursor,
        now: UtcMillis,
    ) -> Result<Option<TablePosition>, SourceError> {
        let prefix = self.settings.table_prefix.as_str();
        let (table, mut newest) = (watched.table, None);
        let Some(at) = cursor.front.at.map(|at| at.div_euclid(MICROS)) else {
            session
                .rows_within(POSITION_LIMIT, &watched.select_ends(prefix), |row| {
                    newest = cells::integer(row.cell(0))
                })
                .await?;
            return Ok(Some(TablePosition::by_key(
                table,
                cursor.front.id,
                newest.unwrap_or_default(),
            )));
        };
        let sql = format!("SELECT MAX(`updated_at`) FROM `{prefix}{table}`");
        session
            .rows_within(POSITION_LIMIT, &sql, |row| newest = cells::seconds(row.cell(0)))
            .await?;
        // An empty table has no newest row to compare with.
        Ok(newest.map(|newest| TablePosition::by_time(table, at, newest, now.0.div_euclid(1000))))
    }
}
