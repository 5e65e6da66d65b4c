//! A copy becomes the store again.
//!
//! What was the store stays beside it under another name: a restore can be undone. The order of steps keeps a store under
//! the name at every moment, because a daemon that found none would begin with an empty one and send everything again:
//! the copy is written and checked beside it, the old one's log is folded into it, it gets its second name, and the copy
//! takes the first one in one step. A log that was left behind would be read into the restored store; it goes with the
//! old one.

use std::fs;
use std::path::{Path, PathBuf};

use crate::store::backup::{
    BackupError, Existing, SIDECARS, StoreContents, beside, of_file, open_copy, write,
};
use crate::store::views::IndexerStatus;
use crate::store::{Durability, Store, StoreLock};
use orderfeed_model::clock::UtcMillis;

/// A store that was restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// What it holds.
    pub contents: StoreContents,
    /// Where the store that was there before lies, if there was one.
    pub kept: Option<PathBuf>,
}

/// Puts the copy `from` in the place of the store at `store`. The index is invalid afterwards: a full reindex finds what
/// happened since the copy was made, whatever the capture still knows of it.
///
/// # Errors
/// See [`BackupError`]; the store is then as it was.
pub async fn restore(
    from: &Path,
    store: &Path,
    _held: &StoreLock,
    at: UtcMillis,
    progress: impl FnMut(u64, u64),
) -> Result<Restored, BackupError> {
    let partial = write(open_copy(from)?, store, 0, progress)?.for_service()?;
    let contents = partial.contents.clone();
    let kept = match store.exists() {
        true => Some(put_aside(store, at)?),
        false => None,
    };
    partial.publish(store, Existing::Replace)?;
    let restored = Store::open(store)?;
    restored
        .write(Durability::Durable, move |writer| {
            let status = writer.reader().indexer_state()?.map(|state| state.status);
            match status {
                None | Some(IndexerStatus::Suspended) => Ok(()),
                Some(_) => writer.set_indexer_status(IndexerStatus::Invalid, at),
            }
        })
        .await?;
    Ok(Restored { contents, kept })
}

/// Gives the store that is there a second name, and its log with it.
fn put_aside(store: &Path, at: UtcMillis) -> Result<PathBuf, BackupError> {
    // A damaged one cannot be folded together; then its log is kept as it is.
    drop(Store::open(store));
    let kept = beside(store, &format!(".before-restore-{}", at.0));
    fs::hard_link(store, &kept).map_err(|cause| of_file(&kept, cause))?;
    for sidecar in SIDECARS {
        let (log, aside) = (beside(store, sidecar), beside(&kept, sidecar));
        if log.exists() {
            fs::rename(&log, &aside).map_err(|cause| of_file(&log, cause))?;
        }
    }
    Ok(kept)
}
