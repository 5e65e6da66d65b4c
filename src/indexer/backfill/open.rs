//! Starts a backfill, or resumes the one that was interrupted. The transaction that starts a backfill also records the
//! websites whose first sync it is.

use crate::commerce::source::OrderFilter;
use crate::first_sync::history::candidates;
use crate::indexer::backfill::options::{BackfillKind, BackfillOptions};
use crate::indexer::export_log;
use crate::indexer::{FEED_LEASE, IndexError, Indexer};
use crate::store::backfill::{Backfill, BackfillId};
use crate::store::first_sync::{FirstSyncRow, NewFirstSync, SyncState};
use crate::store::{Durability, Reader, StoreError, Writer};

/// Position in [`Indexer::logged_start`] of a backfill that cannot resume.
const REFUSED: u64 = u64::MAX;

/// A first sync that a new backfill will be, with the number of its orders.
struct Adopted {
    sync: NewFirstSync,
    total: u64,
}

impl Indexer {
    /// Returns the interrupted backfill of this kind with the options that it was started with, or a new one.
    ///
    /// # Errors
    /// `BackfillOptions` if the options of the interrupted one cannot be parsed: any guess could send the whole history.
    pub(crate) async fn open_backfill(
        &self,
        kind: BackfillKind,
        options: BackfillOptions,
    ) -> Result<(Backfill, BackfillOptions), IndexError> {
        let running = self
            .store
            .read(|reader: &Reader<'_>| reader.running_backfills())
            .await?;
        let interrupted = match find_interrupted(running, kind, &options) {
            Ok(interrupted) => interrupted,
            Err(error) => {
                self.log_refusal(&error).await;
                return Err(error);
            }
        };
        let (mut total, mut adopted) = (0, Vec::new());
        // Counted before the transaction, which must not wait for the source.
        if interrupted.is_none() {
            total = self.source.count_orders(&options.filter()).await?;
            adopted = self.adopted(kind, &options).await?;
        }
        let text = serde_json::to_string(&options).map_err(|cause| IndexError::Derive(cause.to_string()))?;
        let at = self.clock.now();
        let open = move |w: &mut Writer<'_>| {
            w.take_lease(FEED_LEASE, kind.operation(), at)?;
            // An operator may have cancelled it since it was read.
            let is_same = |backfill: &Backfill| interrupted.as_ref().is_some_and(|one| one.id == backfill.id);
            let id = match w.reader().running_backfills()?.into_iter().find(is_same) {
                Some(backfill) => backfill.id,
                None => {
                    let id = w.start_backfill(kind, &text, total, at)?;
                    for Adopted { sync, total } in adopted {
                        w.enroll_first_syncs(std::slice::from_ref(&sync), at)?;
                        let website = w.website_id(&sync.code)?;
                        w.assign_backfill(website, id, total)?;
                    }
                    id
                }
            };
            w.count_start(id)?;
            w.reader()
                .backfill(id)?
                .ok_or_else(|| StoreError::Invariant(format!("backfill {id} vanished")))
        };
        let backfill = self.store.write(Durability::Durable, open).await?;
        if self.is_new_position(backfill.id, backfill.done).await {
            export_log::log_start(kind, &backfill);
        }
        let options = stored_options(&backfill).map_err(|cause| unreadable(&backfill, kind, &cause))?;
        self.halve_page(&backfill, &options);
        Ok((backfill, options))
    }

    /// Reads the page that an earlier process was killed in, perhaps for its memory, in smaller ones.
    fn halve_page(&self, backfill: &Backfill, options: &BackfillOptions) {
        let killed = backfill.starts.saturating_sub(1);
        if killed == 0 {
            return;
        }
        let orders = usize::try_from(self.batch_size(options)).unwrap_or(usize::MAX);
        let orders = orders.checked_shr(killed).unwrap_or_default().max(1);
        tracing::warn!(
            log_code = "OF05-09",
            walk = backfill.kind.as_str(),
            starts = backfill.starts,
            orders,
            "A process was killed inside a page of a backfill; the page is read again in smaller ones",
        );
        self.page.shrink(orders);
    }

    /// Returns false for the position that was logged last: a source that is down interrupts a backfill again and again.
    async fn is_new_position(&self, id: BackfillId, done: u64) -> bool {
        let position = Some((id, done));
        std::mem::replace(&mut *self.logged_start.lock().await, position) != position
    }

    async fn log_refusal(&self, error: &IndexError) {
        if let IndexError::BackfillOptions { id, kind, cause } = error
            && self.is_new_position(*id, REFUSED).await
        {
            tracing::error!(
                log_code = "OF05-06",
                walk = kind.as_str(),
                id,
                error = cause,
                cancel = kind.cancelled_by(),
                "The stored options of a backfill cannot be parsed, so it does not resume; run the version that started it, \
                 or the command in `cancel`",
            );
        }
    }

    /// Returns the first syncs that a new backfill will be: those of all enabled websites without one if it covers all orders,
    /// that of its own website for a first sync.
    async fn adopted(
        &self,
        kind: BackfillKind,
        options: &BackfillOptions,
    ) -> Result<Vec<Adopted>, IndexError> {
        let is_one = match kind {
            BackfillKind::Reindex => options.covers_all(),
            BackfillKind::FirstSync => true,
            BackfillKind::Resync => false,
        };
        if !is_one {
            return Ok(Vec::new());
        }
        let config = self.config();
        let (codes, rows) = self
            .store
            .read(|reader: &Reader<'_>| Ok((reader.websites()?, reader.first_syncs()?)))
            .await?;
        let row_of = |code: &str| -> Option<&FirstSyncRow> {
            let (id, _) = codes.iter().find(|(_, known)| known == code)?;
            rows.iter().find(|row| row.website == *id)
        };
        let mut adopted = Vec::new();
        for mut sync in candidates(&config, self.clock.now()) {
            let row = row_of(&sync.code);
            let is_read = row.is_some_and(|row| row.state > SyncState::Reindexing);
            let is_covered = options.website.as_ref().is_none_or(|code| *code == sync.code);
            if is_read || !is_covered {
                continue;
            }
            if let Some(row) = row {
                // Enabling the website fixed the start of its history.
                sync.floor = row.floor;
            }
            let filter = OrderFilter {
                created_from: sync.floor,
                website: Some(sync.code.clone()),
                ..OrderFilter::default()
            };
            let total = self.source.count_orders(&filter).await?;
            adopted.push(Adopted { sync, total });
        }
        Ok(adopted)
    }
}

/// Finds the interrupted backfill of this kind. First syncs of two websites are two backfills.
fn find_interrupted(
    running: Vec<Backfill>,
    kind: BackfillKind,
    wanted: &BackfillOptions,
) -> Result<Option<Backfill>, IndexError> {
    let mut refused = None;
    for backfill in running.into_iter().filter(|one| one.kind == kind) {
        match stored_options(&backfill) {
            Ok(options) if kind != BackfillKind::FirstSync || options.website == wanted.website => {
                return Ok(Some(backfill));
            }
            Ok(_) => {}
            Err(cause) => refused = Some(unreadable(&backfill, kind, &cause)),
        }
    }
    refused.map_or(Ok(None), Err)
}

/// Parses the options that a backfill was started with.
pub(crate) fn stored_options(backfill: &Backfill) -> Result<BackfillOptions, serde_json::Error> {
    serde_json::from_str(&backfill.options)
}

fn unreadable(backfill: &Backfill, kind: BackfillKind, cause: &serde_json::Error) -> IndexError {
    IndexError::BackfillOptions {
        id: backfill.id,
        kind,
        cause: cause.to_string(),
    }
}
