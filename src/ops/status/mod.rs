//! The snapshot behind `status` and, serialized, `status --json`.
//!
//! # The JSON object
//!
//! `version` is 1. It changes only when a field is removed or changes its meaning; fields may be added. Times are RFC 3339 in
//! UTC, names ending in `_ms` are milliseconds, in `_bytes` bytes; an unknown value is null.
//!
//! The counts under `export_status` have Commerce's words for a feed: `submitted` (accepted by the edge, used or not),
//! `awaiting_submission`, `failed_will_retry`, `failed_requires_attention` (parked: `orderfeed failed list`).

mod line;
pub mod problem;
mod problems;
mod read;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Serialize, Serializer};

use crate::config::Website;
use crate::first_sync::report::SyncReport;
use crate::ops::status::problem::StatusProblem;
use crate::store::backfill::BackfillKind;
use crate::store::changelog::VersionId;
use crate::store::cron::CronStatus;
use crate::store::feed::Exported;
use crate::store::intake::Flow;
use crate::store::meta::StoredWarning;
use crate::store::outbox::{PauseScope, SenderState};
use crate::store::views::{IndexerStatus, ViewMode, ViewStatus};
pub use orderfeed_model::clock::Moment;

/// Version of the JSON object.
pub const SHAPE: u32 = 1;

/// The state of the installation at one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Snapshot {
    pub version: u32,
    pub taken_at: Moment,
    /// The problems, the most severe first; empty if all is well.
    pub problems: Vec<StatusProblem>,
    pub daemon: DaemonStatus,
    pub index: IndexSnapshot,
    /// The user who suspended the index; `None` if it is not suspended.
    pub index_suspended_by: Option<String>,
    /// Orders that could not be indexed and are retried alone.
    pub index_failures: u64,
    pub not_exported: Vec<NotExported>,
    pub intake: IntakeStatus,
    /// The first syncs of the websites whose events were ever enabled.
    pub first_syncs: Vec<SyncReport>,
    /// Backfills that are not complete.
    #[serde(rename = "walks")]
    pub backfills: Vec<BackfillStatus>,
    /// The websites that ever had an event.
    pub websites: Vec<WebsiteStatus>,
    /// The storefront events of each configured website.
    pub storefront: Vec<StorefrontStatus>,
    pub source: SourceStatus,
    pub cron: Vec<LastRun>,
    pub schedules: Vec<JobSchedule>,
    pub store: StoreStatus,
}

/// The process that holds the store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DaemonStatus {
    pub running: bool,
    /// Its command, such as `orderfeed run`.
    pub command: Option<String>,
    pub pid: Option<u32>,
}

/// The index, its view and its changelog.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct IndexSnapshot {
    pub mode: ViewMode,
    pub status: IndexerStatus,
    pub view_status: ViewStatus,
    /// Time of the view's last change; `None` before the first start.
    pub view_updated: Option<Moment>,
    /// Version of the changelog up to which orders are indexed.
    pub version: VersionId,
    /// Highest version of the changelog.
    pub head: VersionId,
    /// Distinct orders that wait to be indexed.
    pub backlog: u64,
    /// Time at which the oldest change of the backlog was noticed.
    pub oldest_change_at: Option<Moment>,
}

/// Number of orders in the feed without events for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NotExported {
    #[serde(rename = "reason", serialize_with = "sentence")]
    pub why: Exported,
    pub orders: u64,
}

/// The intake, as the daemon last measured it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct IntakeStatus {
    /// `None` before the first start; an empty word in JSON.
    #[serde(serialize_with = "word_or_empty")]
    pub flow: Option<Flow>,
    pub since: Option<Moment>,
}

/// A backfill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BackfillStatus {
    /// `reindex`, `resync` or `first_sync`.
    pub kind: BackfillKind,
    /// Orders that it covers; 0 if that is unknown.
    pub total: u64,
    /// Orders read so far.
    pub done: u64,
    /// Events queued so far.
    pub events: u64,
    pub started_at: Moment,
    /// Estimated time left at the average rate.
    pub remaining_ms: Option<i64>,
}

/// The delivery of a website's events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WebsiteStatus {
    pub code: String,
    /// True if the website is configured and its back-office events are on. If not, its pending events wait until it is
    /// configured again.
    pub exporting: bool,
    pub sender: SenderStatus,
    pub pending: Pending,
    /// Number of events by kind; the same for the next two.
    pub delivered: BTreeMap<String, u64>,
    pub suppressed: BTreeMap<String, u64>,
    pub parked: BTreeMap<String, u64>,
    pub export_status: ExportStatus,
}

/// The state of a sender, and its reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SenderStatus {
    pub state: SenderState,
    /// A stable word or the edge's code; empty while the sender runs.
    pub code: String,
    /// A sentence; empty while the sender runs.
    pub reason: String,
    /// Start of the state; `None` if the sender never had an event.
    pub since: Option<Moment>,
    /// End of the backoff.
    pub until: Option<Moment>,
    /// Failures in a row.
    pub failures: u32,
    /// The next step for an operator; empty while the sender runs.
    pub remedy: String,
    /// The pause that the edge or the token service asked for; `None` if none holds the sender back.
    pub pause: Option<PauseStatus>,
}

/// A pause that a peer asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PauseStatus {
    /// `datastream`, `organization` or `token_client`: what the pause binds.
    pub scope: PauseScope,
    pub asked_at: Moment,
    pub until: Moment,
}

/// Number of pending events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pending {
    pub live: u64,
    pub history: u64,
    /// Events of both that were sent and not accepted.
    pub retry: u64,
    /// Time at which the oldest of these changes was noticed.
    pub oldest_change_at: Option<Moment>,
    /// Events of both that are dated more than a day in the future and not sent before.
    pub dated_ahead: u64,
    /// Time at which the first of these is due.
    pub dated_ahead_until: Option<Moment>,
}

/// Number of events by Commerce's words for a feed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ExportStatus {
    pub submitted: u64,
    pub awaiting_submission: u64,
    pub failed_will_retry: u64,
    pub failed_requires_attention: u64,
}

/// Storefront events of a website, as configured. The shop's pages send them, not the daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StorefrontStatus {
    pub website: String,
    pub on: bool,
    pub reason: &'static str,
}

impl StorefrontStatus {
    fn new(code: &str, website: &Website) -> Self {
        let state = website.storefront();
        Self {
            website: code.to_owned(),
            on: state.is_on(),
            reason: state.reason(),
        }
    }
}

/// The position of capture in the source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SourceStatus {
    /// Time of the source's last answer; `None` if it never answered.
    pub checked_at: Option<Moment>,
    /// Requests to the shop in the last full minute; `None` if the source is no REST API.
    pub requests_per_minute: Option<u64>,
    /// The cursors by name. Their values are opaque.
    pub cursors: BTreeMap<String, String>,
    /// Conditions that an administrator should change, as of the last check.
    pub warnings: Vec<StoredWarning>,
    /// The tables whose changes are late, with the reason; one sentence each.
    pub late_tables: Vec<String>,
    /// The outage that lasts; `None` if the source answered last.
    pub failure: Option<SourceFailure>,
    /// The last gap in what was captured, unless a full reindex has compared every order since.
    pub gap: Option<SourceGap>,
}

/// An outage of the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceFailure {
    pub since: Moment,
    pub message: String,
    pub remedy: String,
}

/// Rows that were gone before capture had read them, or that it had read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceGap {
    /// Time at which it was found.
    pub at: Moment,
    pub table: String,
}

/// The schedule of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JobSchedule {
    pub job: String,
    pub expression: String,
    pub default_expression: String,
    /// `None` if it never runs again.
    pub next_run_at: Option<Moment>,
}

/// The last run of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LastRun {
    pub job: String,
    pub status: CronStatus,
    /// Its result, or the reason why it failed.
    pub message: String,
    pub scheduled_at: Moment,
    pub finished_at: Option<Moment>,
}

/// The files of the store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StoreStatus {
    pub path: PathBuf,
    pub database_bytes: u64,
    /// Size of the write-ahead log.
    pub wal_bytes: u64,
}

fn sentence<S: Serializer>(why: &Exported, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(why.as_sentence())
}

fn word_or_empty<S: Serializer>(flow: &Option<Flow>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(flow.map_or("", Flow::as_str))
}

#[cfg(test)]
pub(crate) mod testing {
    //! Snapshots for tests of their presentation.

    use super::*;
    use crate::store::first_sync::SyncState;
    use orderfeed_model::clock::UtcMillis;

    /// An idle daemon.
    pub(crate) fn snapshot() -> Snapshot {
        Snapshot {
            version: SHAPE,
            taken_at: Moment(UtcMillis(10_000)),
            problems: Vec::new(),
            daemon: DaemonStatus::default(),
            index: IndexSnapshot {
                mode: ViewMode::Schedule,
                status: IndexerStatus::Valid,
                view_status: ViewStatus::Idle,
                view_updated: None,
                version: 40,
                head: 40,
                backlog: 0,
                oldest_change_at: None,
            },
            index_suspended_by: None,
            index_failures: 0,
            not_exported: Vec::new(),
            intake: IntakeStatus::default(),
            first_syncs: Vec::new(),
            backfills: Vec::new(),
            websites: Vec::new(),
            storefront: Vec::new(),
            source: SourceStatus::default(),
            cron: Vec::new(),
            schedules: Vec::new(),
            store: StoreStatus::default(),
        }
    }

    /// A first sync that missed its window because of the rate limit.
    pub(crate) fn first_sync(website: &str) -> SyncReport {
        SyncReport {
            website: website.to_owned(),
            state: SyncState::Sending,
            started_at: Moment(UtcMillis(1_000)),
            deadline: Moment(UtcMillis(9_000)),
            completed_at: None,
            total_orders: 400,
            done_orders: 400,
            events: 900,
            sent_events: 300,
            eta_ms: Some(18_000),
            missed: true,
            limited_by: Some("rate_limit".to_owned()),
            interrupted_at: None,
        }
    }

    /// A first sync that is a quarter done.
    pub(crate) fn backfill() -> BackfillStatus {
        BackfillStatus {
            kind: BackfillKind::FirstSync,
            total: 400,
            done: 100,
            events: 250,
            started_at: Moment(UtcMillis(1_000)),
            remaining_ms: Some(30_000),
        }
    }

    /// A halted website with events in every state.
    pub(crate) fn website(code: &str) -> WebsiteStatus {
        let counts = |count| BTreeMap::from([("placed".to_owned(), count)]);
        WebsiteStatus {
            code: code.to_owned(),
            exporting: true,
            sender: SenderStatus {
                state: SenderState::Halted,
                code: "EXEG-0003-400".to_owned(),
                reason: "the edge does not accept the datastream".to_owned(),
                since: Some(Moment(UtcMillis(3_000))),
                until: None,
                failures: 4,
                remedy: String::new(),
                pause: None,
            },
            pending: Pending {
                live: 1,
                history: 10,
                retry: 3,
                oldest_change_at: Some(Moment(UtcMillis(2_000))),
                ..Pending::default()
            },
            delivered: counts(100),
            suppressed: BTreeMap::new(),
            parked: counts(2),
            export_status: ExportStatus::default(),
        }
    }
}
