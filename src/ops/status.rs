//! What is going on, as one snapshot.

use crate::clock::UtcMillis;
use crate::store::changelog::VersionId;
use crate::store::views::{IndexerStatus, ViewMode, ViewStatus};
use crate::store::{Reader, StoreError};

/// The index, its view and its changelog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexSnapshot {
    /// Schedule or realtime.
    pub mode: ViewMode,
    /// Ready, Reindex required, Processing or Suspended.
    pub status: IndexerStatus,
    /// What the view does.
    pub view_status: ViewStatus,
    /// When the view last changed.
    pub view_updated: UtcMillis,
    /// Indexed up to here.
    pub version: VersionId,
    /// The changelog's head.
    pub head: VersionId,
    /// Distinct orders that wait to be indexed.
    pub backlog: u64,
    /// When the oldest of these changes was noticed.
    pub oldest: Option<UtcMillis>,
}

impl IndexSnapshot {
    /// Reads it. Before the first start, it says that a reindex is required.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn read(reader: &Reader<'_>) -> Result<Self, StoreError> {
        let view = reader.view_state()?;
        let version = view.map_or(0, |view| view.version);
        let backlog = reader.changelog_backlog(version)?;
        Ok(Self {
            mode: view.map_or(ViewMode::Schedule, |view| view.mode),
            status: reader
                .indexer_state()?
                .map_or(IndexerStatus::Invalid, |indexer| indexer.status),
            view_status: view.map_or(ViewStatus::Idle, |view| view.status),
            view_updated: view.map_or(UtcMillis(0), |view| view.updated),
            version,
            head: reader.changelog_head()?,
            backlog: backlog.orders,
            oldest: backlog.oldest,
        })
    }
}

/// Milliseconds as people say them, with at most two units: `850ms`, `12s`, `3m 5s`, `2h 10m`, `4d 3h`.
pub fn spoken_duration(millis: i64) -> String {
    let millis = millis.max(0);
    let secs = millis / 1000;
    match secs {
        0 => format!("{millis}ms"),
        1..60 => format!("{secs}s"),
        60..3600 => format!("{}m {}s", secs / 60, secs % 60),
        3600..86_400 => format!("{}h {}m", secs / 3600, secs / 60 % 60),
        _ => format!("{}d {}h", secs / 86_400, secs / 3600 % 24),
    }
}
