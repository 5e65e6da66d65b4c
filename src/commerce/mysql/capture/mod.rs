//! Capture of changed orders: by polling, from the instance's own changelog, or from the log of orderfeed's triggers.
//!
//! | module | content |
//! |---|---|
//! | [`round`], [`fetch`] | one call: all tables in one statement, the cursors to store |
//! | [`slow`] | tables that do not answer in time, each read by itself |
//! | [`gaps`] | where a table is read from at first, and again after a gap |
//! | [`returns`] | open returns, which have no time of change |
//! | [`memory`] | the state between calls |
//!
//! All three read tables in the order of marks and share the window of [`crate::commerce::changes::window`], which finds
//! transactions that commit late. The stored cursors are one per table and `seen`: the database's time at which something
//! was last found, and a number that changes with every result that holds changes. If the cursors passed to a call are
//! not those last returned, the caller did not store the last result, and the state in memory is dropped.
//!
//! **The instance's own changelog** is cleaned hourly by Commerce, whether it was read or not, and starts again from 1 when
//! the index is switched off and on. Capture detects both (the rows after its position are gone), logs a warning, and reads
//! the orders and documents whose `updated_at` is later than `seen`, as `Recheck`. The log of orderfeed's triggers is
//! handled the same way if it was emptied or recreated. Changes of only an item, address or payment in that time are not
//! found that way; a full reindex finds them.

mod fetch;
mod gaps;
pub(crate) mod memory;
mod returns;
mod round;
mod slow;

use crate::commerce::changes::watched;
use crate::commerce::changes::watched::{CHANGELOG, LOG, WatchedTable};
use crate::commerce::changes::window::WindowCursor;
use crate::commerce::mysql::capture::round::CaptureRound;
use crate::commerce::mysql::inspect::Inspected;
use crate::commerce::mysql::session::MysqlSession;
use crate::commerce::mysql::{MysqlSource, SPARE_CONNECTIONS};
use crate::commerce::source::{Captured, Cursors, SourceError};
use crate::config::CaptureMode;

/// Maximum number of log rows that one statement deletes.
const DELETED_AT_ONCE: u64 = 5_000;

impl MysqlSource {
    /// Returns the cursors of a source that was never read.
    pub(super) async fn start(&self) -> Result<Cursors, SourceError> {
        let mut memory = self.memory.lock().await;
        let mut session = self.connector.session().await?;
        let inspected = self.inspected(&mut session).await?;
        let cursors = Cursors::default();
        let round = CaptureRound::begin(&self.connector, session, &inspected, &mut memory, cursors, 1);
        round.starting_cursors(&self.watched(&inspected)?).await
    }

    /// Returns the changes since `cursors`.
    pub(super) async fn capture(&self, cursors: &Cursors, limit: usize) -> Result<Captured, SourceError> {
        let mut memory = self.memory.lock().await;
        let mut session = self.connector.session().await?;
        let inspected = self.inspected(&mut session).await?;
        let watched = self.watched(&inspected)?;
        // Each table has its share, so that a backlog in one does not delay the others.
        let share = (limit / (watched.len() + 1)).max(1);
        let cursors = cursors.clone();
        let mut round =
            CaptureRound::begin(&self.connector, session, &inspected, &mut memory, cursors, share);
        // The others are for capture itself and the reading of orders.
        let slow_reads = self.connector.size().saturating_sub(SPARE_CONNECTIONS).max(1);
        round.scan(&watched, slow_reads).await?;
        // Polling reads the timed tables anyway.
        if self.settings.capture != CaptureMode::Poll {
            round.catch_up().await?;
        }
        // Triggers log changes of returns as well.
        if self.settings.capture != CaptureMode::Triggers {
            round.scan_returns(self.settings.returns_interval.get()).await?;
        }
        let captured = round.finish();
        self.record_slow(&captured.late);
        Ok(captured)
    }

    /// Deletes the rows before the tail from the triggers' log. The last row stays, so that the versions never start again.
    pub(super) async fn clear_log(&self, cursors: &Cursors) -> Result<(), SourceError> {
        let cursor = cursors
            .0
            .get(LOG)
            .and_then(|text| WindowCursor::parse(text, false));
        let (CaptureMode::Triggers, Some(WindowCursor { tail, .. })) = (self.settings.capture, cursor) else {
            return Ok(());
        };
        let mut memory = self.memory.lock().await;
        // The tail moves only now and then; most calls have nothing to delete.
        if memory.cleared == tail.id {
            return Ok(());
        }
        let mut session = self.connector.session().await?;
        let delete = format!(
            "DELETE FROM `{}{LOG}` WHERE `version_id` < {} ORDER BY `version_id` LIMIT {DELETED_AT_ONCE}",
            self.settings.table_prefix, tail.id
        );
        // In small transactions, so that no trigger of the shop waits long for the log's lock.
        loop {
            session.execute("START TRANSACTION READ WRITE").await?;
            let deleted = session.execute(&delete).await?;
            session.execute("COMMIT").await?;
            if deleted < DELETED_AT_ONCE {
                break;
            }
        }
        memory.cleared = tail.id;
        Ok(())
    }

    /// Returns the changes that the configured capture cannot see in this schema; an error if it cannot work at all.
    pub(super) async fn capture_notes(
        &self,
        session: &mut MysqlSession<'_>,
        inspected: &Inspected,
    ) -> Result<Vec<String>, SourceError> {
        self.watched(inspected)?;
        match self.settings.capture {
            CaptureMode::Poll => Ok(watched::poll_notes(&inspected.schema)),
            CaptureMode::Changelog => Ok(watched::returns_note(&inspected.schema).into_iter().collect()),
            CaptureMode::Triggers => self.trigger_notes(session).await,
        }
    }

    fn watched(&self, inspected: &Inspected) -> Result<Vec<WatchedTable>, SourceError> {
        let schema = &inspected.schema;
        let missing = |table: &str, remedy: &str| SourceError::Misconfigured {
            message: format!(
                "the table {}{table} does not exist or may not be read",
                self.settings.table_prefix
            ),
            remedy: remedy.to_owned(),
        };
        match self.settings.capture {
            CaptureMode::Changelog if !schema.has_table(CHANGELOG) => Err(missing(
                CHANGELOG,
                "switch the index to Update by Schedule in Commerce (bin/magento indexer:set-mode schedule \
                 sales_order_data_exporter_v2), or set source.mysql.capture = \"poll\"",
            )),
            CaptureMode::Triggers if !schema.has_table(LOG) => Err(missing(
                LOG,
                "run: orderfeed source triggers install, and grant SELECT, DELETE on it (docs/SOURCE.md)",
            )),
            mode => Ok(watched::tables(mode, schema)),
        }
    }
}
