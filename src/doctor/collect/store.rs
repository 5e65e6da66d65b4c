//! Looking at the store: SQLite's locks first, then its contents in one snapshot, then whether the file is sound.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::commerce::source::Cursors;
use crate::config::Config;
use crate::daemon::control::selection::Key;
use crate::daemon::schedule::jobs::Job;
use crate::doctor::collect::detached::detached;
use crate::doctor::delivery::DeadLetter;
use crate::doctor::schedules;
use crate::doctor::store::{Facts, Writer};
use crate::ops::status::{DaemonStatus, Snapshot};
use crate::store::cron::CronRun;
use crate::store::file::sqlite_locks;
use crate::store::meta::{DATA_SPACE, SOURCE_FINGERPRINT};
use crate::store::outbox::ParkedFilter;
use crate::store::views::Lease;
use crate::store::{Fault, Integrity, Reader, StoreError, StoreLock, StoreView};
use orderfeed_model::clock::{Clock, UtcMillis};

/// SQLite waits for a lock for five seconds.
const LIMIT: Duration = Duration::from_secs(7);
/// For `quick_check`, and a little more for its thread.
const CHECK_LIMIT: Duration = Duration::from_secs(5);
const CHECK_PATIENCE: Duration = Duration::from_secs(6);
/// A daemon's transaction takes milliseconds. Somebody who has the lock each time that we look keeps it.
const LOOKS: u32 = 5;
const BETWEEN_LOOKS: Duration = Duration::from_millis(150);
const PARKED: usize = 500;
const RUNS: usize = 50;

/// What `quick_check` found, or why it could not look.
pub(super) type IntegrityResult = Result<Integrity, String>;

/// What opening the store came to.
#[derive(Debug)]
pub(super) struct Opened {
    result: Result<(), StoreError>,
    writer: Option<Writer>,
    pub(super) contents: Option<Contents>,
}

/// What is in it, as far as the checks care.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) snapshot: Snapshot,
    pub(super) failure: Option<String>,
    pub(super) parked: Vec<DeadLetter>,
    pub(super) cursors: Cursors,
    pub(super) fingerprint: Option<String>,
    pub(super) jobs: Vec<schedules::Job>,
    pub(super) leases: Vec<Lease>,
    /// Moments that were now when they were written.
    pub(super) moments: Vec<UtcMillis>,
    data_space: Option<String>,
}

impl Opened {
    /// Whether there is a store that can be read.
    pub(super) fn is_open(&self) -> bool {
        self.result.is_ok()
    }

    /// Who keeps SQLite's locks, if it is not the daemon.
    pub(super) fn locked_by(&self) -> Option<String> {
        self.writer.as_ref().map(Writer::who)
    }

    pub(super) fn facts(self, integrity: Option<IntegrityResult>, config: &Config) -> Facts {
        let contents = self.contents.as_ref();
        let configured = config.data_space_id().to_string();
        let stored = contents.and_then(|contents| contents.data_space.clone());
        let index = contents.map(|contents| contents.snapshot.index);
        Facts {
            opened: self.result,
            integrity,
            writer: self.writer,
            versions: index.map(|index| (index.version, index.head)),
            other_data_space: stored
                .filter(|stored| *stored != configured)
                .map(|stored| (stored, configured)),
            limit_s: CHECK_LIMIT.as_secs(),
        }
    }
}

pub(super) async fn look(config: &Arc<Config>, clock: &Clock) -> Opened {
    let (config, clock) = (Arc::clone(config), clock.clone());
    let late = || Opened {
        result: Err(StoreError::Failed {
            fault: Fault::Io,
            cause: format!("no answer within {} s", LIMIT.as_secs()),
        }),
        writer: None,
        contents: None,
    };
    detached(LIMIT, move || open(&config, clock.now()))
        .await
        .unwrap_or_else(late)
}

fn open(config: &Config, now: UtcMillis) -> Opened {
    let path = &config.store.path;
    let writer = foreign_writer(path);
    let read = StoreView::open(path).and_then(|mut view| view.read(|reader| contents(reader, config, now)));
    let (result, contents) = match read {
        Ok(contents) => (Ok(()), Some(contents)),
        Err(error) => (Err(error), None),
    };
    Opened {
        result,
        writer,
        contents,
    }
}

/// Whoever is not the daemon and had the right to write at every look.
fn foreign_writer(path: &Path) -> Option<Writer> {
    let daemon = DaemonStatus::of(StoreLock::holder(path).as_deref()).pid;
    let first = sqlite_locks::writing_process(path).filter(|pid| Some(*pid) != daemon)?;
    for _ in 1..LOOKS {
        std::thread::sleep(BETWEEN_LOOKS);
        if sqlite_locks::writing_process(path) != Some(first) {
            return None;
        }
    }
    let watched = BETWEEN_LOOKS * (LOOKS - 1);
    Some(Writer {
        pid: first,
        command: command_line(first),
        watched_ms: i64::try_from(watched.as_millis()).unwrap_or(i64::MAX),
    })
}

fn command_line(pid: u32) -> String {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = String::from_utf8_lossy(&line).replace('\0', " ");
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
        parked: dead_letters(reader)?,
        cursors: reader.source_cursors()?.unwrap_or_default(),
        fingerprint: reader.meta(SOURCE_FINGERPRINT)?,
        data_space: reader.meta(DATA_SPACE)?,
        snapshot,
        jobs,
        leases,
        moments,
    })
}

fn job_of(reader: &Reader<'_>, config: &Config, job: Job) -> Result<schedules::Job, StoreError> {
    let name = job.as_str();
    // What is running has an older row than a slot that was missed meanwhile.
    let runs = reader.cron_history(Some(name), RUNS)?;
    let running = runs.iter().find(|run| run.status == "running").cloned();
    let last = runs.into_iter().find(|run: &CronRun| run.status != "missed");
    Ok(schedules::Job {
        name,
        expression: job.schedule(config).clone(),
        last_slot: reader.last_slot(name)?,
        last_run: running.or(last),
    })
}

fn dead_letters(reader: &Reader<'_>) -> Result<Vec<DeadLetter>, StoreError> {
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
        .map(|event| DeadLetter {
            website: code_of(event.website).unwrap_or_default(),
            key: Key(event.key).to_string(),
            code: event.code,
            detail: event.detail,
        })
        .collect())
}

/// Whether the file is sound. `open` says whether it could be opened at all.
pub(super) async fn integrity(config: &Config, open: bool) -> Option<IntegrityResult> {
    if !open {
        return None;
    }
    let path = config.store.path.clone();
    let check = move || {
        let view = StoreView::open(&path)?;
        view.quick_check(CHECK_LIMIT)
    };
    let found = detached(CHECK_PATIENCE, check).await?;
    Some(found.map_err(|error: StoreError| error.to_string()))
}
