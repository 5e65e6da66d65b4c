//! The history of the schedules: Commerce's `cron_schedule` with its words, and the last slot of each job.

use rusqlite::Row;
use serde::Serialize;

use super::sql::{moment, signed, stored_words};
use super::{Reader, StoreError, Writer};
use orderfeed_model::clock::UtcMillis;

stored_words! {
    /// `cron_schedule.status`. Commerce's `pending` is never written.
    #[derive(Serialize)]
    #[serde(rename_all = "snake_case")]
    pub enum CronStatus {
        Running = "running",
        Success = "success",
        /// The slot passed while the daemon was down or the job was busy.
        Missed = "missed",
        Error = "error",
    }
}

/// A row of `cron_schedule`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CronRun {
    pub id: i64,
    /// Name of the job, such as `indexer_update_all_views`.
    pub job: String,
    pub status: CronStatus,
    /// The result, or the error.
    pub message: String,
    /// The slot that it ran for.
    pub scheduled_at: UtcMillis,
    /// Start of the run.
    pub executed_at: Option<UtcMillis>,
    pub finished_at: Option<UtcMillis>,
}

impl Reader<'_> {
    /// Returns the last slot of `job` that was decided on; `None` if there was none.
    pub fn last_slot(&self, job: &str) -> Result<Option<UtcMillis>, StoreError> {
        let sql = "SELECT last_scheduled_at FROM cron_job WHERE job_code = ?1";
        self.first(sql, [job], |row| row.get(0).map(UtcMillis))
    }

    /// Returns the latest runs, newest first; of one job, if `job` is given.
    pub fn cron_history(&self, job: Option<&str>, limit: usize) -> Result<Vec<CronRun>, StoreError> {
        let sql = "SELECT schedule_id, job_code, status, messages, scheduled_at, executed_at, finished_at
                   FROM cron_schedule WHERE ?1 IS NULL OR job_code = ?1 ORDER BY schedule_id DESC LIMIT ?2";
        self.all(sql, (job, signed(limit)), read_run)
    }
}

impl Writer<'_> {
    /// Stores the last slot of a job that was decided on, so that a restart neither repeats nor loses one.
    pub fn set_last_slot(&mut self, job: &str, slot: UtcMillis) -> Result<(), StoreError> {
        let sql = "INSERT INTO cron_job VALUES (?1, ?2)
                   ON CONFLICT DO UPDATE SET last_scheduled_at = excluded.last_scheduled_at";
        self.run(sql, (job, slot.0))
    }

    /// Adds a run to the history, and returns its id. Runs without an effect are not recorded.
    pub fn record_cron_run(&mut self, run: &CronRun) -> Result<i64, StoreError> {
        let sql =
            "INSERT INTO cron_schedule (job_code, status, messages, scheduled_at, executed_at, finished_at)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let millis = |at: Option<UtcMillis>| at.map(|at| at.0);
        let (executed, finished) = (millis(run.executed_at), millis(run.finished_at));
        self.execute(
            sql,
            (
                &run.job,
                run.status,
                &run.message,
                run.scheduled_at.0,
                executed,
                finished,
            ),
        )?;
        Ok(self.connection.last_insert_rowid())
    }

    /// Ends a recorded run.
    pub fn finish_cron_run(
        &mut self,
        id: i64,
        status: CronStatus,
        message: &str,
        at: UtcMillis,
    ) -> Result<(), StoreError> {
        let sql =
            "UPDATE cron_schedule SET status = ?2, messages = ?3, finished_at = ?4 WHERE schedule_id = ?1";
        self.run(sql, (id, status, message, at.0))
    }

    /// Records a slot in which a job did not run.
    pub fn record_missed_slot(&mut self, job: &str, slot: UtcMillis, why: &str) -> Result<(), StoreError> {
        let sql =
            "INSERT INTO cron_schedule (job_code, status, messages, scheduled_at) VALUES (?1, ?4, ?3, ?2)";
        self.run(sql, (job, slot.0, why, CronStatus::Missed))
    }

    /// Marks the runs of an earlier process that never ended as failed.
    pub fn fail_interrupted_runs(&mut self, at: UtcMillis) -> Result<usize, StoreError> {
        // Only the holder of the store's lock gets here, so no such run can still be running.
        let sql = "UPDATE cron_schedule SET status = 'error', messages = 'the daemon ended during this run',
                   finished_at = ?1 WHERE status = 'running'";
        self.execute(sql, [at.0])
    }

    /// Deletes successful and missed runs before `success_before`, and failed ones before `failure_before`. The latest
    /// run of each job stays: the result of a nightly job is still wanted at noon.
    pub fn prune_cron_history(
        &mut self,
        success_before: UtcMillis,
        failure_before: UtcMillis,
    ) -> Result<usize, StoreError> {
        // max(schedule_id) per job is found in the index `cron_schedule_job`.
        let sql = "DELETE FROM cron_schedule WHERE status <> 'running'
                   AND scheduled_at < CASE status WHEN 'error' THEN ?2 ELSE ?1 END
                   AND schedule_id NOT IN (SELECT max(schedule_id) FROM cron_schedule GROUP BY job_code)";
        self.execute(sql, (success_before.0, failure_before.0))
    }
}

fn read_run(row: &Row<'_>) -> rusqlite::Result<CronRun> {
    Ok(CronRun {
        id: row.get(0)?,
        job: row.get(1)?,
        status: row.get(2)?,
        message: row.get(3)?,
        scheduled_at: UtcMillis(row.get(4)?),
        executed_at: moment(row, 5)?,
        finished_at: moment(row, 6)?,
    })
}
