//! What the schedules did: Commerce's `cron_schedule` with its words, and the last slot of each job.

use rusqlite::{OptionalExtension, Row, params};
use serde::Serialize;

use super::sql::stored_words;
use super::{Reader, StoreError, Writer};
use orderfeed_model::clock::UtcMillis;

/// The status of a run, with Commerce's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CronStatus {
    Running,
    Success,
    /// The slot passed while the daemon was down or the job was busy.
    Missed,
    Error,
}

stored_words!(CronStatus {
    Running = "running",
    Success = "success",
    Missed = "missed",
    Error = "error",
});

/// A row of `cron_schedule`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CronRun {
    /// Number of the run.
    pub id: i64,
    /// The job, such as `indexer_update_all_views`.
    pub job: String,
    pub status: CronStatus,
    /// What it did or why it failed.
    pub message: String,
    /// The slot that it ran for.
    pub scheduled_at: UtcMillis,
    /// When it began.
    pub executed_at: Option<UtcMillis>,
    /// When it ended.
    pub finished_at: Option<UtcMillis>,
}

impl Reader<'_> {
    /// The slot for which `job` last ran; `None` if it never did.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn last_slot(&self, job: &str) -> Result<Option<UtcMillis>, StoreError> {
        let sql = "SELECT last_scheduled_at FROM cron_job WHERE job_code = ?1";
        let slot = self
            .connection
            .prepare_cached(sql)?
            .query_row([job], |row| row.get(0))
            .optional()?;
        Ok(slot.map(UtcMillis))
    }

    /// The latest runs, newest first; of one job, if `job` is given.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn cron_history(&self, job: Option<&str>, limit: usize) -> Result<Vec<CronRun>, StoreError> {
        let sql = "SELECT schedule_id, job_code, status, messages, scheduled_at, executed_at, finished_at
                   FROM cron_schedule WHERE ?1 IS NULL OR job_code = ?1 ORDER BY schedule_id DESC LIMIT ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(params![job, i64::try_from(limit).unwrap_or(i64::MAX)], read_run)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Writer<'_> {
    /// Remembers up to where a job's slots were looked at, so that a restart neither repeats nor loses one.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn set_last_slot(&mut self, job: &str, slot: UtcMillis) -> Result<(), StoreError> {
        let sql = "INSERT INTO cron_job VALUES (?1, ?2)
                   ON CONFLICT DO UPDATE SET last_scheduled_at = excluded.last_scheduled_at";
        self.connection
            .prepare_cached(sql)?
            .execute(params![job, slot.0])?;
        Ok(())
    }

    /// A run is worth a row: it takes a while, did something, or failed.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn record_cron_run(&mut self, run: &CronRun) -> Result<i64, StoreError> {
        let sql =
            "INSERT INTO cron_schedule (job_code, status, messages, scheduled_at, executed_at, finished_at)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let millis = |at: Option<UtcMillis>| at.map(|at| at.0);
        let (executed, finished) = (millis(run.executed_at), millis(run.finished_at));
        let row = params![
            run.job,
            run.status,
            run.message,
            run.scheduled_at.0,
            executed,
            finished
        ];
        self.connection.prepare_cached(sql)?.execute(row)?;
        Ok(self.connection.last_insert_rowid())
    }

    /// Records the end of a run that has a row.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn finish_cron_run(
        &mut self,
        id: i64,
        status: CronStatus,
        message: &str,
        at: UtcMillis,
    ) -> Result<(), StoreError> {
        let sql =
            "UPDATE cron_schedule SET status = ?2, messages = ?3, finished_at = ?4 WHERE schedule_id = ?1";
        self.connection
            .prepare_cached(sql)?
            .execute(params![id, status, message, at.0])?;
        Ok(())
    }

    /// Slots were not run: the job was still busy, or the daemon was down.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn record_missed_slot(&mut self, job: &str, slot: UtcMillis, why: &str) -> Result<(), StoreError> {
        let sql = "INSERT INTO cron_schedule (job_code, status, messages, scheduled_at) VALUES (?1, 'missed', ?3, ?2)";
        self.connection
            .prepare_cached(sql)?
            .execute(params![job, slot.0, why])?;
        Ok(())
    }

    /// Runs that were going on when an earlier process died are errors.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn fail_interrupted_runs(&mut self, at: UtcMillis) -> Result<usize, StoreError> {
        let sql = "UPDATE cron_schedule SET status = 'error', messages = 'the daemon ended during this run',
                   finished_at = ?1 WHERE status = 'running'";
        Ok(self.connection.prepare_cached(sql)?.execute([at.0])?)
    }

    /// Forgets successful and missed runs before `success_before`, failed ones before `failure_before`. The latest run of
    /// each job stays: what last night's did must still be there at noon.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn prune_cron_history(
        &mut self,
        success_before: UtcMillis,
        failure_before: UtcMillis,
    ) -> Result<usize, StoreError> {
        let sql = "DELETE FROM cron_schedule WHERE status <> 'running'
                   AND scheduled_at < CASE status WHEN 'error' THEN ?2 ELSE ?1 END
                   AND schedule_id NOT IN (SELECT max(schedule_id) FROM cron_schedule GROUP BY job_code)";
        Ok(self
            .connection
            .prepare_cached(sql)?
            .execute(params![success_before.0, failure_before.0])?)
    }
}

fn read_run(row: &Row<'_>) -> rusqlite::Result<CronRun> {
    Ok(CronRun {
        id: row.get(0)?,
        job: row.get(1)?,
        status: row.get(2)?,
        message: row.get(3)?,
        scheduled_at: UtcMillis(row.get(4)?),
        executed_at: row.get::<_, Option<i64>>(5)?.map(UtcMillis),
        finished_at: row.get::<_, Option<i64>>(6)?.map(UtcMillis),
    })
}
