//! Facts about the store: SQLite's locks first, then the contents in one snapshot, then `quick_check`.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::commerce::source::Cursors;
use crate::config::Config;
use crate::daemon::control::selection::Key;
use crate::daemon::schedule::jobs::Job;
use crate::doctor::collect::detached::detached;
use crate::doctor::delivery::ParkedExample;
use crate::doctor::schedules::JobFacts;
use crate::doctor::store::{LockHolder, StoreFacts};
use crate::ops::status::{DaemonStatus, Snapshot};
use crate::store::cron::{CronRun, CronStatus};
use crate::store::file::sqlite_locks;
use crate::store::meta::{DATA_SPACE, SOURCE_FINGERPRINT, SOURCE_KIND};
use crate::store::outbox::{ParkedFilter, Pause};
use crate::store::views::Lease;
use crate::store::{Fault, Integrity, Reader, StoreError, StoreLock, StoreView};
use orderfeed_model::clock::{Clock, UtcMillis};

/// Time limit of the snapshot. SQLite itself waits five seconds for a lock.
const LIMIT: Duration = Duration::from_secs(7);
/// Time limit of `quick_check`, and of its thread.
const CHECK_LIMIT: Duration = Duration::from_secs(5);
const CHECK_THREAD_LIMIT: Duration = Duration::from_secs(6);
/// A transaction of the daemon takes milliseconds. A process that holds the lock at each of several polls keeps it.
const LOCK_POLLS: u32 = 5;
const POLL_INTERVAL: Duration = Duration::from_millis(150);
const PARKED: usize = 500;
const RUNS: usize = 50;

/// The result of `quick_check`, or the reason for which it could not run.
pub(super) type IntegrityResult = Result<Integrity, String>;

#[derive(Debug)]
pub(super) struct StoreReading {
    lock_holder: Option<LockHolder>,
    pub(super) contents: Result<Contents, StoreError>,
}

#[derive(Debug)]
pub(super) struct Contents {
    pub(super) snapshot: Snapshot,
    pub(super) failure: Option<String>,
    pub(super) parked: Vec<ParkedExample>,
    pub(super) cursors: Cursors,
    /// Kind of the source that the store was filled from.
    pub(super) kind: Option<String>,
    pub(super) fingerprint: Option<String>,
    pub(super) reused_ids: (u64, Option<UtcMillis>),
    pub(super) jobs: Vec<JobFacts>,
    pub(super) leases: Vec<Lease>,
    /// Times that were the present when they were written.
    pub(super) moments: Vec<UtcMillis>,
    /// The pauses that peers asked for.
    pub(super) pauses: Vec<Pause>,
    data_space: Option<String>,
}

impl StoreReading {
    /// Returns a description of the process that keeps SQLite's lock, if it is not the daemon.
    pub(super) fn locked_by(&self) -> Option<String> {
        self.lock_holder.as_ref().map(LockHolder::describe)
    }

    pub(super) fn facts(self, integrity: Option<IntegrityResult>, config: &Config) -> StoreFacts {
        let contents = self.contents.as_ref().ok();
        let configured = config.data_space_id().to_string();
        let stored = contents.and_then(|contents| contents.data_space.clone());
        let index = contents.map(|contents| contents.snapshot.index);
        StoreFacts {
            opened: self.contents.map(drop),
            integrity,
            lock_holder: self.lock_holder,
            versions: index.map(|index| (index.version, index.head)),
            other_data_space: stored
                .filter(|stored| *stored != configured)
                .map(|stored| (stored, configured)),
            limit_s: CHECK_LIMIT.as_secs(),
        }
    }
}

pub(super) async fn collect(config: &Arc<Config>, clock: &Clock) -> StoreReading {
    let (config, clock) = (Arc::clone(config), clock.clone());
    let late = || StoreReading {
        lock_holder: None,
        contents: Err(StoreError::Failed {
            fault: Fault::Io,
            cause: format!("no answer within {} s", LIMIT.as_secs()),
        }),
    };
    detached(LIMIT, move || open(&config, clock.now()))
        .await
        .unwrap_or_else(late)
}

fn open(config: &Config, now: UtcMillis) -> StoreReading {
    let path = &config.store.path;
    // Before the store is opened: see the header of `collect`.
    let lock_holder = foreign_lock_holder(path);
    let read = |mut view: StoreView| view.read(|reader| contents(reader, config, now));
    StoreReading {
        lock_holder,
        contents: StoreView::open(path).and_then(read),
    }
}

/// Returns the process that held the write lock at every poll, if it is not the daemon.
fn foreign_lock_holder(path: &Path) -> Option<LockHolder> {
    // The daemon itself writes all the time, which is no finding.
    let daemon = DaemonStatus::of(StoreLock::holder(path).as_deref()).pid;
    let first = sqlite_locks::writing_process(path).filter(|pid| Some(*pid) != daemon)?;
    for _ in 1..LOCK_POLLS {
        std::thread::sleep(POLL_INTERVAL);
        if sqlite_locks::writing_process(path) != Some(first) {
            return None;
        }
    }
    let held = POLL_INTERVAL * (LOCK_POLLS - 1);
    Some(LockHolder {
        pid: first,
        command: command_line(first),
        held_ms: i64::try_from(held.as_millis()).unwrap_or(i64::MAX),
    })
}

fn command_line(pid: u32) -> String {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = String::from_utf8_lossy(&line).replace('\0', " ");
    // A command line may be long, and end in secrets of other programs.
    let words: String = words.trim().chars().take(80).collect();
    match words.is_empty() {
        true => "its command cannot be read".to_owned(),
        false => words,
    }
}

fn contents(reader: &Reader<'_>, config: &Config, now: UtcMillis) -> Result<Contents, StoreError> {
    let snapshot = Snapshot::read(reader, config, now)?;
    let failure = reader
        .index_failures_due(UtcMillis(i64::MAX), 1)?
        .into_iter()
        .next();
    let jobs = Job::ALL
        .into_iter()
        .map(|job| job_of(reader, config, job))
        .collect::<Result<Vec<_>, StoreError>>()?;
    let leases = reader.leases()?;
    let mut moments: Vec<UtcMillis> = jobs.iter().filter_map(|job| job.last_slot).collect();
    moments.extend(snapshot.source.checked_at.map(|at| at.0));
    moments.extend(snapshot.index.view_updated.map(|at| at.0));
    moments.extend(leases.iter().map(|lease| lease.heartbeat_at));
    Ok(Contents {
        failure: failure.map(|failure| format!("order {}: {}", failure.order, failure.reason)),
        parked: parked_examples(reader)?,
        cursors: reader.source_cursors()?.unwrap_or_default(),
        kind: reader.meta(SOURCE_KIND)?,
        fingerprint: reader.meta(SOURCE_FINGERPRINT)?,
        reused_ids: reader.reborn()?,
        data_space: reader.meta(DATA_SPACE)?,
        pauses: reader.pauses()?,
        snapshot,
        jobs,
        leases,
        moments,
    })
}

fn job_of(reader: &Reader<'_>, config: &Config, job: Job) -> Result<JobFacts, StoreError> {
    let name = job.as_str();
    // A running job has an older row than a slot that was missed meanwhile.
    let runs = reader.cron_history(Some(name), RUNS)?;
    let running = runs.iter().find(|run| run.status == CronStatus::Running).cloned();
    let last = runs
        .into_iter()
        .find(|run: &CronRun| run.status != CronStatus::Missed);
    Ok(JobFacts {
        name,
        expression: job.schedule(config).clone(),
        last_slot: reader.last_slot(name)?,
        last_run: running.or(last),
    })
}

fn parked_examples(reader: &Reader<'_>) -> Result<Vec<ParkedExample>, StoreError> {
    let websites = reader.websites()?;
    let code_of = |id| {
        websites
            .iter()
            .find(|(known, _)| *known == id)
            .map(|(_, code)| code.clone())
    };
    let parked = reader.parked(&ParkedFilter::default(), PARKED)?;
    Ok(parked
        .into_iter()
        .map(|event| ParkedExample {
            website: code_of(event.website).unwrap_or_default(),
            key: Key(event.key).to_string(),
            title: event.title().to_owned(),
            code: event.code,
        })
        .collect())
}

pub(super) async fn integrity(config: &Config) -> Option<IntegrityResult> {
    let path = config.store.path.clone();
    let check = move || {
        let view = StoreView::open(&path)?;
        view.quick_check(CHECK_LIMIT)
    };
    let found = detached(CHECK_THREAD_LIMIT, check).await?;
    Some(found.map_err(|error: StoreError| error.to_string()))
}
