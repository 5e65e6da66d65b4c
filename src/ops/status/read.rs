//! Takes the snapshot: everything from one read transaction, and the sizes of the files.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use crate::config::Config;
use crate::first_sync::report as first_sync;
use crate::ops::pause;
use crate::ops::status::{
    BackfillStatus, DaemonStatus, ExportStatus, IndexSnapshot, IntakeStatus, JobSchedule, LastRun, Moment,
    NotExported, PauseStatus, Pending, SHAPE, SenderStatus, Snapshot, SourceFailure, SourceGap, SourceStatus,
    StoreStatus, StorefrontStatus, WebsiteStatus,
};
use crate::store::backfill::Backfill;
use crate::store::cron::CronRun;
use crate::store::feed::Exported;
use crate::store::meta::{INDEX_SUSPENDED_BY, SOURCE_CHECKED_AT, SOURCE_LATE, SOURCE_REQUESTS};
use crate::store::outbox::{FinalState, Pause, SenderRow, SenderState, WebsiteOutbox};
use crate::store::views::{IndexerStatus, ViewMode, ViewStatus};
use crate::store::{Reader, StoreError, StoreLock};
use orderfeed_events::EventKind;
use orderfeed_model::clock::UtcMillis;

/// Runs that are searched for the last one of each job.
const RUNS: usize = 200;

/// The defaults of all keys. Parsing them takes longer than the rest of the snapshot.
static DEFAULTS: LazyLock<Config> = LazyLock::new(Config::default);

impl Snapshot {
    /// Takes the snapshot of the configured store, on which `reader` is open.
    pub fn read(reader: &Reader<'_>, config: &Config, now: UtcMillis) -> Result<Self, StoreError> {
        Self::read_with(reader, config, now, NotExported::count(reader)?)
    }

    /// Takes the snapshot with `not_exported` as it was counted before. Counting it reads every row of the feed.
    pub fn read_with(
        reader: &Reader<'_>,
        config: &Config,
        now: UtcMillis,
        not_exported: Vec<NotExported>,
    ) -> Result<Self, StoreError> {
        let path = &config.store.path;
        let mut snapshot = Self {
            version: SHAPE,
            taken_at: Moment(now),
            problems: Vec::new(),
            daemon: DaemonStatus::of(StoreLock::holder(path).as_deref()),
            index: IndexSnapshot::read(reader)?,
            index_suspended_by: reader.meta(INDEX_SUSPENDED_BY)?.filter(|who| !who.is_empty()),
            index_failures: reader.index_failure_count()?,
            not_exported,
            intake: IntakeStatus::read(reader)?,
            first_syncs: first_sync::reports(reader, now)?.into_iter().collect(),
            backfills: reader
                .running_backfills()?
                .iter()
                .map(BackfillStatus::of)
                .collect(),
            websites: websites(reader, config, now)?,
            storefront: storefront(config),
            source: source(reader, config, now)?,
            cron: last_runs(reader.cron_history(None, RUNS)?),
            schedules: schedules(config, now),
            store: StoreStatus::of(path),
        };
        snapshot.problems = snapshot.find_problems();
        Ok(snapshot)
    }
}

impl IndexSnapshot {
    /// Reads the state of the index. Before the first start, it is invalid.
    pub fn read(reader: &Reader<'_>) -> Result<Self, StoreError> {
        let (view, indexer) = (reader.view_state()?, reader.indexer_state()?);
        let version = view.map_or(0, |view| view.version);
        let backlog = reader.changelog_backlog(version)?;
        Ok(Self {
            mode: view.map_or(ViewMode::Schedule, |view| view.mode),
            status: indexer.map_or(IndexerStatus::Invalid, |indexer| indexer.status),
            view_status: view.map_or(ViewStatus::Idle, |view| view.status),
            view_updated: view.map(|view| Moment(view.updated)),
            version,
            head: reader.changelog_head()?,
            backlog: backlog.orders,
            oldest_change_at: backlog.oldest.map(Moment),
        })
    }
}

impl NotExported {
    /// Counts the orders of the feed that have no events.
    pub fn count(reader: &Reader<'_>) -> Result<Vec<Self>, StoreError> {
        let counts = reader.withheld_counts()?;
        let without_events = counts
            .into_iter()
            .filter(|(why, orders)| *why != Exported::Yes && *orders > 0);
        Ok(without_events.map(|(why, orders)| Self { why, orders }).collect())
    }
}

impl IntakeStatus {
    fn read(reader: &Reader<'_>) -> Result<Self, StoreError> {
        let (flow, since) = reader.intake()?.unzip();
        Ok(Self {
            flow,
            since: since.map(Moment),
        })
    }
}

impl DaemonStatus {
    /// Parses the content of the lock: `orderfeed run (process 123)`.
    pub fn of(holder: Option<&str>) -> Self {
        let Some(holder) = holder else {
            return Self::default();
        };
        // From the end, because the command may contain anything.
        let parts = holder.rsplit_once(" (process ");
        Self {
            running: true,
            command: Some(parts.map_or(holder, |(command, _)| command).to_owned()),
            pid: parts.and_then(|(_, pid)| pid.strip_suffix(')')?.parse().ok()),
        }
    }
}

impl BackfillStatus {
    fn of(backfill: &Backfill) -> Self {
        // Until the last commit, so that a backfill that is interrupted does not seem to slow down.
        let elapsed = backfill.updated_at.millis_since(backfill.started_at);
        let rest = backfill.total.saturating_sub(backfill.done);
        let guess = backfill.done == 0 || rest == 0 || elapsed <= 0;
        Self {
            kind: backfill.kind,
            total: backfill.total,
            done: backfill.done,
            events: backfill.events,
            started_at: Moment(backfill.started_at),
            remaining_ms: (!guess).then(|| (elapsed as f64 * rest as f64 / backfill.done as f64) as i64),
        }
    }
}

impl StoreStatus {
    fn of(path: &Path) -> Self {
        let size = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
        let mut wal = path.as_os_str().to_owned();
        wal.push("-wal");
        Self {
            path: path.to_owned(),
            database_bytes: size(path),
            wal_bytes: size(Path::new(&wal)),
        }
    }
}

impl SenderStatus {
    /// Converts a row of the table `sender`, with the pause that holds the sender back. A website without a row has never
    /// had a failure.
    pub(in crate::ops) fn of(
        website: &str,
        row: Option<&SenderRow>,
        pause: Option<&Pause>,
        now: UtcMillis,
    ) -> Self {
        let state = row.map_or(SenderState::Running, |row| row.state);
        let reason = row.map_or("", |row| row.reason.as_str());
        let own = Self {
            state,
            code: row.map(|row| row.code.clone()).unwrap_or_default(),
            // The sender's reason is worded for any website.
            reason: reason.replace("websites.CODE", &format!("websites.{website}")),
            since: row.map(|row| Moment(row.since)),
            until: row.and_then(|row| row.until).map(Moment),
            failures: row.map_or(0, |row| row.failures),
            remedy: remedy(website, state),
            pause: pause.map(PauseStatus::of),
        };
        match pause {
            Some(pause) if state != SenderState::Paused => own.within(pause, now),
            _ => own,
        }
    }

    /// Adds the effect of a pause: another website may have had the answer that asked for it, so that the sender's own
    /// row shows nothing of it.
    fn within(mut self, pause: &Pause, now: UtcMillis) -> Self {
        self.until = self.until.max(Some(Moment(pause.until)));
        if self.state == SenderState::Running {
            self.state = SenderState::BackingOff;
            self.since = Some(Moment(pause.asked_at));
        }
        if self.state == SenderState::BackingOff {
            self.code.clone_from(&pause.code);
            self.reason = pause::sentence(&pause.code, pause.until, now);
            self.remedy =
                "nothing; it continues by itself. `orderfeed delivery resume` does not shorten the pause"
                    .to_owned();
        }
        self
    }
}

impl PauseStatus {
    fn of(pause: &Pause) -> Self {
        Self {
            scope: pause.key.scope,
            asked_at: Moment(pause.asked_at),
            until: Moment(pause.until),
        }
    }
}

fn remedy(website: &str, state: SenderState) -> String {
    match state {
        SenderState::Running => String::new(),
        SenderState::BackingOff => "nothing; it retries by itself".to_owned(),
        SenderState::Halted => {
            format!(
                "fix what the reason names; it probes now and then, `orderfeed delivery resume --website {website}` at once"
            )
        }
        SenderState::Paused => format!("orderfeed delivery resume --website {website}"),
    }
}

fn storefront(config: &Config) -> Vec<StorefrontStatus> {
    let websites = config.websites.iter();
    websites
        .map(|(code, website)| StorefrontStatus::new(code, website))
        .collect()
}

fn websites(reader: &Reader<'_>, config: &Config, now: UtcMillis) -> Result<Vec<WebsiteStatus>, StoreError> {
    let (codes, senders) = (reader.websites()?, reader.senders()?);
    let (outboxes, pauses) = (reader.outbox_by_website()?, reader.pauses()?);
    outboxes
        .iter()
        .map(|outbox| {
            let code = codes.iter().find(|(id, _)| *id == outbox.website);
            let code = code.map_or_else(|| outbox.website.to_string(), |(_, code)| code.clone());
            let row = senders.iter().find(|sender| sender.website == outbox.website);
            let pause = pause::of_sender(&pause::owners(config, &code), row, &pauses, now);
            let sender = SenderStatus::of(&code, row, pause, now);
            let mut website = website(code, config, outbox, sender);
            let ahead = reader.far_ahead(outbox.website, now)?;
            website.pending.dated_ahead = ahead.events;
            website.pending.dated_ahead_until = ahead.first_due.map(Moment);
            Ok(website)
        })
        .collect()
}

fn website(code: String, config: &Config, outbox: &WebsiteOutbox, sender: SenderStatus) -> WebsiteStatus {
    let of = |state: FinalState| -> BTreeMap<String, u64> {
        let counts = outbox.totals.iter().filter(|(_, counted, _)| *counted == state);
        counts
            .map(|(kind, _, events)| {
                let name =
                    EventKind::from_code(*kind).map_or_else(|| kind.to_string(), |kind| kind.to_string());
                (name, *events)
            })
            .collect()
    };
    let (delivered, suppressed, parked) = (
        of(FinalState::Delivered),
        of(FinalState::Suppressed),
        of(FinalState::Parked),
    );
    let sum = |counts: &BTreeMap<String, u64>| counts.values().sum::<u64>();
    let waiting = outbox.pending_live + outbox.pending_history;
    WebsiteStatus {
        exporting: config.sending_website(&code).is_some(),
        sender,
        code,
        pending: Pending {
            live: outbox.pending_live,
            history: outbox.pending_history,
            retry: outbox.pending_retry,
            oldest_change_at: outbox.oldest.map(Moment),
            ..Pending::default()
        },
        export_status: ExportStatus {
            submitted: sum(&delivered),
            awaiting_submission: waiting.saturating_sub(outbox.pending_retry),
            failed_will_retry: outbox.pending_retry,
            failed_requires_attention: sum(&parked),
        },
        delivered,
        suppressed,
        parked,
    }
}

fn source(reader: &Reader<'_>, config: &Config, now: UtcMillis) -> Result<SourceStatus, StoreError> {
    let checked_at = reader.meta(SOURCE_CHECKED_AT)?;
    let cursors = reader.source_cursors()?.unwrap_or_default();
    let reindexed_at = reader.last_full_reindex()?;
    // Backfills that ended earlier are no longer stored.
    let recent = now.plus_millis(-config.cron.history_retention.millis());
    let is_open = |at: UtcMillis| at > recent && reindexed_at.is_none_or(|started| started < at);
    let gap = cursors.gap().filter(|(at, _)| is_open(*at));
    Ok(SourceStatus {
        checked_at: checked_at
            .and_then(|millis| millis.parse().ok())
            .map(|millis| Moment(UtcMillis(millis))),
        requests_per_minute: reader
            .meta(SOURCE_REQUESTS)?
            .and_then(|requests| requests.parse().ok()),
        warnings: reader.source_warnings()?,
        late_tables: reader
            .meta(SOURCE_LATE)?
            .iter()
            .flat_map(|late| late.lines())
            .map(str::to_owned)
            .collect(),
        gap: gap.map(|(at, table)| SourceGap {
            at: Moment(at),
            table: table.to_owned(),
        }),
        failure: reader.source_failure()?.map(|failure| SourceFailure {
            since: Moment(failure.since()),
            message: failure.message,
            remedy: failure.remedy,
        }),
        cursors: cursors.0,
    })
}

fn schedules(config: &Config, now: UtcMillis) -> Vec<JobSchedule> {
    let jobs = config.cron.jobs().into_iter().zip(DEFAULTS.cron.jobs());
    jobs.map(|((job, expression), (_, default))| JobSchedule {
        job: job.to_owned(),
        expression: expression.to_string(),
        default_expression: default.to_string(),
        next_run_at: expression.next_after(config.cron.time_zone, now).map(Moment),
    })
    .collect()
}

/// Returns the last run of each job. `runs` are newest first.
fn last_runs(runs: Vec<CronRun>) -> Vec<LastRun> {
    let mut last = BTreeMap::new();
    for run in runs {
        last.entry(run.job.clone()).or_insert(run);
    }
    last.into_values()
        .map(|run| LastRun {
            job: run.job,
            status: run.status,
            message: run.message,
            scheduled_at: Moment(run.scheduled_at),
            finished_at: run.finished_at.map(Moment),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::backfill::{BackfillKind, BackfillState};

    #[test]
    fn the_lock_names_command_and_process() {
        let status = DaemonStatus::of(Some("orderfeed run (process 123)"));
        assert_eq!(
            (status.command.as_deref(), status.pid),
            (Some("orderfeed run"), Some(123))
        );
        let other = DaemonStatus::of(Some("another process"));
        assert_eq!(
            (other.running, other.command.as_deref(), other.pid),
            (true, Some("another process"), None)
        );
        assert!(!DaemonStatus::of(None).running);
    }

    #[test]
    fn the_time_left_is_estimated_once_orders_are_done() {
        let mut backfill = Backfill {
            id: 1,
            kind: BackfillKind::Resync,
            options: String::new(),
            state: BackfillState::Running,
            below: None,
            total: 400,
            done: 0,
            events: 0,
            started_at: UtcMillis(1_000),
            updated_at: UtcMillis(1_000),
            finished_at: None,
            starts: 0,
        };
        assert_eq!(BackfillStatus::of(&backfill).remaining_ms, None);
        (backfill.done, backfill.updated_at) = (100, UtcMillis(11_000));
        assert_eq!(BackfillStatus::of(&backfill).remaining_ms, Some(30_000));
    }
}
