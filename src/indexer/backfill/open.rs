//! A backfill begins, or goes on where it was. Whoever begins a backfill also says whose first sync it is, in one transaction.

use crate::commerce::source::OrderFilter;
use crate::first_sync::history::candidates;
use crate::indexer::backfill::options::{BackfillKind, BackfillOptions};
use crate::indexer::export_log;
use crate::indexer::{FEED_LEASE, IndexError, Indexer};
use crate::store::backfill::Backfill;
use crate::store::first_sync::{FirstSyncRow, NewFirstSync, SyncState};
use crate::store::{Durability, Reader, StoreError};

/// A first sync that a new backfill will be, with the orders that it has.
struct Adopted {
    sync: NewFirstSync,
    total: u64,
}

impl Indexer {
    /// The backfill of this kind that is not finished, or a new one.
    pub(crate) async fn open_backfill(
        &self,
        kind: BackfillKind,
        options: BackfillOptions,
    ) -> Result<Backfill, IndexError> {
        let running = self
            .store
            .read(|reader: &Reader<'_>| reader.running_backfills())
            .await?;
        let (mut total, mut adopted) = (0, Vec::new());
        if !running.iter().any(|backfill| goes_on(backfill, kind, &options)) {
            total = self.source.count_orders(&options.filter()).await?;
            adopted = self.adopted(kind, &options).await?;
        }
        let text = serde_json::to_string(&options).map_err(|cause| IndexError::Derive(cause.to_string()))?;
        let at = self.clock.now();
        let open = move |w: &mut crate::store::Writer<'_>| {
            w.take_lease(FEED_LEASE, kind.operation(), at)?;
            let running = w.reader().running_backfills()?;
            if let Some(backfill) = running
                .into_iter()
                .find(|backfill| goes_on(backfill, kind, &options))
            {
                return Ok(backfill);
            }
            let id = w.start_backfill(kind.as_str(), &text, total, at)?;
            for Adopted { sync, total } in adopted {
                w.enroll_first_syncs(std::slice::from_ref(&sync), at)?;
                let website = w.website_id(&sync.code)?;
                w.assign_backfill(website, id, total)?;
            }
            w.reader()
                .backfill(id)?
                .ok_or_else(|| StoreError::Invariant(format!("walk {id} vanished")))
        };
        let backfill = self.store.write(Durability::Durable, open).await?;
        self.log_start(kind, &backfill).await;
        Ok(backfill)
    }

    /// A source that is down ends a backfill at once, again and again; where it stands is said once.
    async fn log_start(&self, kind: BackfillKind, backfill: &Backfill) {
        let place = (backfill.id, backfill.done);
        if self.told.lock().await.replace(place) == Some(place) {
            return;
        }
        export_log::log_start(kind, backfill);
    }

    /// The first syncs that a backfill of this kind is: a full one of every website that is on and had none, one of its
    /// own of its website.
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
            let meant = options.website.as_ref().is_none_or(|only| *only == sync.code);
            if is_read || !meant {
                continue;
            }
            if let Some(row) = row {
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

/// Whether `backfill` is the one that is asked for. First syncs of two websites are two backfills.
fn goes_on(backfill: &Backfill, kind: BackfillKind, options: &BackfillOptions) -> bool {
    if backfill.kind != kind.as_str() {
        return false;
    }
    let website = || {
        serde_json::from_str::<BackfillOptions>(&backfill.options)
            .ok()?
            .website
    };
    kind != BackfillKind::FirstSync || website() == options.website
}
