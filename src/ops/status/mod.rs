//! What is going on, as one snapshot: what `status` prints, and, serialized, the shape of `status --json`.
//!
//! # The shape
//!
//! `version` is 1. It changes only when a field is removed or comes to mean something else; fields may be added. Times
//! are RFC 3339 in UTC, names ending in `_ms` are milliseconds, in `_bytes` bytes; what is not known is null.
//!
//! The counts under `export_status` are Commerce's words for a feed: `submitted` (accepted by the edge, used or not),
//! `awaiting_submission`, `failed_will_retry`, `failed_requires_attention` (parked: `orderfeed failed list`).

mod line;
mod read;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Serialize, Serializer};

use crate::store::changelog::VersionId;
use crate::store::cron::CronStatus;
use crate::store::feed::Exported;
use crate::store::first_sync::SyncState;
use crate::store::intake::Flow;
use crate::store::outbox::SenderState;
use crate::store::views::{IndexerStatus, ViewMode, ViewStatus};
use orderfeed_model::clock::UtcMillis;

/// The number of the shape; see the module's header.
pub const SHAPE: u32 = 1;

/// A moment that serializes as RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub UtcMillis);

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.rfc3339())
    }
}

/// Everything at one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Snapshot {
    /// [`SHAPE`].
    pub version: u32,
    /// When it was taken.
    pub taken_at: Moment,
    /// Who holds the store.
    pub daemon: DaemonStatus,
    /// The index and its changelog.
    pub index: IndexSnapshot,
    /// Orders that could not be indexed and are retried alone.
    pub index_failures: u64,
    /// Orders in the feed without events, by reason.
    pub not_exported: Vec<NotExported>,
    /// What may flow in.
    pub intake: IntakeStatus,
    /// The first sync of each website whose events were ever enabled.
    pub first_syncs: Vec<FirstSyncStatus>,
    /// Backfills that are not finished.
    #[serde(rename = "walks")]
    pub backfills: Vec<BackfillStatus>,
    /// Each website that ever had an event.
    pub websites: Vec<WebsiteStatus>,
    /// Where the source goes on.
    pub source: SourceStatus,
    /// The last run of each job that left a trace.
    pub cron: Vec<LastRun>,
    /// The store's files.
    pub store: StoreStatus,
}

/// Who holds the store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DaemonStatus {
    /// Whether anybody does.
    pub running: bool,
    /// The command that does, such as `orderfeed run`.
    pub command: Option<String>,
    /// Its process id.
    pub pid: Option<u32>,
}

/// The index, its view and its changelog.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct IndexSnapshot {
    /// Schedule or realtime.
    pub mode: ViewMode,
    /// Ready, Reindex required, Processing or Suspended.
    pub status: IndexerStatus,
    /// What the view does.
    pub view_status: ViewStatus,
    /// When the view last changed; `None` before the first start.
    pub view_updated: Option<Moment>,
    /// Indexed up to here.
    pub version: VersionId,
    /// The changelog's head.
    pub head: VersionId,
    /// Distinct orders that wait to be indexed.
    pub backlog: u64,
    /// When the oldest of these changes was noticed.
    pub oldest_change_at: Option<Moment>,
}

/// Orders without events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NotExported {
    #[serde(rename = "reason", serialize_with = "sentence")]
    pub why: Exported,
    /// How many.
    pub orders: u64,
}

/// What may flow in, as the daemon last found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct IntakeStatus {
    /// `open`, `history_waits`, `paused_outbox_full` or `paused_disk_nearly_full`; empty before the first start.
    #[serde(serialize_with = "word_or_empty")]
    pub flow: Option<Flow>,
    /// Since when.
    pub since: Option<Moment>,
}

/// The first sync of a website.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FirstSyncStatus {
    /// The website's code.
    pub website: String,
    /// `not_started`, `reindexing`, `sending` or `complete`.
    pub state: SyncState,
    /// When the website was enabled.
    pub started_at: Moment,
    /// When its history should be at the edge.
    pub deadline: Moment,
    /// When it was.
    pub completed_at: Option<Moment>,
    /// Orders that it covers.
    pub total_orders: u64,
    /// Orders read.
    pub done_orders: u64,
    /// Events queued.
    pub events: u64,
    /// Of them, those that are final.
    pub sent_events: u64,
    /// How long the rest takes at the pace since the start.
    pub eta_ms: Option<i64>,
    /// Whether the deadline passed before it was complete.
    pub missed: bool,
    /// What holds it up: `source`, `disk`, `rate_limit`, `edge`, `outbox_bound` or `paused`.
    pub limited_by: Option<String>,
    /// Since when it waits because its website is switched off, or not configured; it goes on when it is enabled again.
    pub interrupted_at: Option<Moment>,
}

/// A backfill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BackfillStatus {
    /// `reindex`, `resync` or `first_sync`.
    pub kind: String,
    /// Orders that it covers; 0 if that is not known.
    pub total: u64,
    /// Orders read so far.
    pub done: u64,
    /// Events that it queued.
    pub events: u64,
    /// When it began.
    pub started_at: Moment,
    /// How long the rest takes at the speed so far.
    pub remaining_ms: Option<i64>,
}

/// What is sent for a website.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WebsiteStatus {
    /// Its code.
    pub code: String,
    /// Whether it is configured with back-office events on. What is in the outbox of one that is not waits until it is
    /// configured again.
    pub exporting: bool,
    /// What its sender does.
    pub sender: SenderStatus,
    /// Events that wait.
    pub pending: Pending,
    /// Events that the edge accepted, by kind.
    pub delivered: BTreeMap<String, u64>,
    /// Events that are not sent, or not used by the edge, by kind.
    pub suppressed: BTreeMap<String, u64>,
    /// Events that need a decision, by kind.
    pub parked: BTreeMap<String, u64>,
    /// The same in Commerce's words.
    pub export_status: ExportStatus,
}

/// What a sender does and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SenderStatus {
    /// Running, backing off, halted or paused.
    pub state: SenderState,
    /// A stable word or the edge's code; empty while it runs.
    pub code: String,
    /// A sentence; empty while it runs.
    pub reason: String,
    /// Since when; `None` if it never had anything to do.
    pub since: Option<Moment>,
    /// Until when it waits.
    pub until: Option<Moment>,
    /// Failures in a row.
    pub failures: u32,
    /// What an operator can do about it; empty if nothing is to be done.
    pub remedy: String,
}

/// Events that wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pending {
    /// Of live changes.
    pub live: u64,
    /// Of history.
    pub history: u64,
    /// Of both, those that were sent and not accepted.
    pub retry: u64,
    /// When the oldest of these changes was noticed.
    pub oldest_change_at: Option<Moment>,
}

/// Events in Commerce's words for a feed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ExportStatus {
    /// "Submitted".
    pub submitted: u64,
    /// "Awaiting submission".
    pub awaiting_submission: u64,
    /// "Failed, will retry".
    pub failed_will_retry: u64,
    /// "Failed, requires attention".
    pub failed_requires_attention: u64,
}

/// Where the source goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SourceStatus {
    /// When capture last looked; `None` if it never did.
    pub checked_at: Option<Moment>,
    /// Its named positions, opaque.
    pub cursors: BTreeMap<String, String>,
}

/// The last run of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LastRun {
    /// The job.
    pub job: String,
    pub status: CronStatus,
    /// What it did.
    pub message: String,
    /// Its slot.
    pub scheduled_at: Moment,
    /// When it ended.
    pub finished_at: Option<Moment>,
}

/// The store's files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StoreStatus {
    /// Where it is.
    pub path: PathBuf,
    /// The database.
    pub database_bytes: u64,
    /// The write-ahead log beside it.
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
    //! Snapshots for the tests of those who show them.

    use super::*;

    /// A daemon that has nothing to do.
    pub(crate) fn snapshot() -> Snapshot {
        Snapshot {
            version: SHAPE,
            taken_at: Moment(UtcMillis(10_000)),
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
            index_failures: 0,
            not_exported: Vec::new(),
            intake: IntakeStatus::default(),
            first_syncs: Vec::new(),
            backfills: Vec::new(),
            websites: Vec::new(),
            source: SourceStatus::default(),
            cron: Vec::new(),
            store: StoreStatus::default(),
        }
    }

    /// A first sync that is late, for want of quota.
    pub(crate) fn first_sync(website: &str) -> FirstSyncStatus {
        FirstSyncStatus {
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

    /// A first sync at a quarter.
    pub(crate) fn backfill() -> BackfillStatus {
        BackfillStatus {
            kind: "first_sync".to_owned(),
            total: 400,
            done: 100,
            events: 250,
            started_at: Moment(UtcMillis(1_000)),
            remaining_ms: Some(30_000),
        }
    }

    /// A website that is halted, with something of everything.
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
            },
            pending: Pending {
                live: 1,
                history: 10,
                retry: 3,
                oldest_change_at: Some(Moment(UtcMillis(2_000))),
            },
            delivered: counts(100),
            suppressed: BTreeMap::new(),
            parked: counts(2),
            export_status: ExportStatus::default(),
        }
    }
}
