//! Restores a copy as the store.
//!
//! The replaced store is kept under another name, so a restore can be undone. At every moment there is a store under the
//! name, because a daemon that found none would create an empty one and send everything again. So the copy is written and
//! checked beside the store, the store's WAL is checkpointed, the store gets its second name, and the copy takes the first
//! name atomically. A WAL left behind would be read into the restored store; it is renamed with the old one.

use std::fs;
use std::path::{Path, PathBuf};

use crate::store::backup::{
    BackupError, Existing, OpenBackup, SIDECARS, StoreContents, beside, of_file, write,
};
use crate::store::views::IndexerStatus;
use crate::store::{Durability, Store, StoreLock};
use orderfeed_model::clock::UtcMillis;

/// The result of a restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    pub contents: StoreContents,
    /// The replaced store, if there was one.
    pub kept: Option<PathBuf>,
}

/// Replaces the store at `store` with the opened `copy`. The index is invalid afterwards, so that a full reindex finds what
/// changed since the copy was made, even if the capture can no longer find it.
///
/// # Errors
/// See [`BackupError`]; the store is then as it was.
pub async fn restore(
    copy: OpenBackup,
    store: &Path,
    _held: &StoreLock,
    at: UtcMillis,
    progress: impl FnMut(u64, u64),
) -> Result<Restored, BackupError> {
    let partial = write(copy.0, store, 0, progress)?;
    let contents = partial.contents.clone();
    let kept = match store.exists() {
        true => Some(put_aside(store, at)?),
        false => None,
    };
    partial.publish(store, Existing::Replace)?;
    let restored = Store::open(store)?;
    restored
        .write(Durability::Durable, move |writer| {
            // A suspended indexer stays suspended.
            let status = writer.reader().indexer_state()?.map(|state| state.status);
            match status {
                None | Some(IndexerStatus::Suspended) => Ok(()),
                Some(_) => writer.set_indexer_status(IndexerStatus::Invalid, at),
            }
        })
        .await?;
    Ok(Restored { contents, kept })
}

/// Gives the existing store and its WAL a second name.
fn put_aside(store: &Path, at: UtcMillis) -> Result<PathBuf, BackupError> {
    // Checkpoints the WAL. A damaged store cannot be opened; then its WAL is kept as it is.
    drop(Store::open(store));
    let kept = beside(store, &format!(".before-restore-{}", at.0));
    // A link and not a rename: the store keeps its name until the copy takes it.
    fs::hard_link(store, &kept).map_err(|cause| of_file(&kept, cause))?;
    for sidecar in SIDECARS {
        let (log, aside) = (beside(store, sidecar), beside(&kept, sidecar));
        if log.exists() {
            fs::rename(&log, &aside).map_err(|cause| of_file(&log, cause))?;
        }
    }
    Ok(kept)
}
