//! Polls the source for changed orders, and writes them to the changelog together with the cursor that covers them (I1).

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::intake::Flow;
use super::source_outage::SourceOutage;
use super::source_warnings::WarningLog;
use super::{IndexError, Indexer, late_tables::LateTables};
use crate::commerce::fingerprint::same_database;
use crate::commerce::source::{Captured, Cursors, Source, SourceInfo};
use crate::store::meta::{SOURCE_CHECKED_AT, SOURCE_FINGERPRINT, SOURCE_REQUESTS};
use crate::store::{Durability, Reader, Store, StoreError, Writer};
use orderfeed_model::clock::{Clock, UtcMillis};

/// Changes per transaction.
const MAX_CHANGES: usize = 5_000;
/// Interval at which a cursor is saved that moved without changes. Starting again from an older one is always safe.
const QUIET_SAVE_MS: i64 = 60_000;
/// Interval at which the time of the last answer of the source and its warnings are stored, for `status`.
const CHECKED_AT_MS: i64 = 10_000;
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

/// Polls the source every `interval` until `stop`. A source that is down is retried for ever.
///
/// # Errors
/// If the store fails, or the source is not the database that filled it.
pub async fn run(
    indexer: Arc<Indexer>,
    interval: Duration,
    stop: CancellationToken,
) -> Result<(), IndexError> {
    let mut capture = CaptureLoop::new(indexer);
    let mut backoff = FIRST_BACKOFF;
    loop {
        let wait = match capture.poll().await {
            Ok(more) => {
                backoff = FIRST_BACKOFF;
                if more { Duration::ZERO } else { interval }
            }
            Err(IndexError::Source(error)) => {
                capture.outage.failed(&capture.indexer, &error, backoff).await?;
                let wait = backoff;
                backoff = (backoff * 2).min(LONGEST_BACKOFF);
                // It may be another database when it answers again: connect and check it again.
                capture.cursors = None;
                wait
            }
            Err(IndexError::Stopped) => return Ok(()),
            Err(error) => return Err(error),
        };
        tokio::select! {
            // A stop is noticed also when polls follow each other without a pause.
            biased;
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Returns the stored cursors. At the first start it stores the source's current ones: from there on every change is
/// captured, and all orders before are history.
pub async fn ensure_cursors(store: &Store, source: &dyn Source) -> Result<Cursors, IndexError> {
    if let Some(cursors) = store.read(|reader: &Reader<'_>| reader.source_cursors()).await? {
        return Ok(cursors);
    }
    let initial = source.initial_cursors().await?;
    let job = move |writer: &mut Writer<'_>| {
        // Capture and a backfill may both get here at the first start; the first one to commit decides.
        if let Some(cursors) = writer.reader().source_cursors()? {
            return Ok(cursors);
        }
        writer.set_source_cursors(&initial)?;
        Ok(initial)
    };
    Ok(store.write(Durability::Durable, job).await?)
}

/// Captures what changed so far, for a command that runs without a daemon. Returns the number of changes.
///
/// # Errors
/// If source or store fail, or the source is not the database that filled the store.
pub async fn catch_up(store: &Store, source: &dyn Source, clock: &Clock) -> Result<usize, IndexError> {
    check_fingerprint(store, &source.describe().await?).await?;
    let mut cursors = ensure_cursors(store, source).await?;
    let mut changes = 0;
    loop {
        let captured = source.changes(&cursors, MAX_CHANGES).await?;
        let (more, now) = (captured.more, clock.now());
        changes += captured.changes.len();
        cursors = captured.cursors.clone();
        store
            .write(Durability::Durable, move |writer| {
                writer.append_captured(&captured, now)
            })
            .await?;
        source.acknowledge(&cursors).await?;
        if !more {
            return Ok(changes);
        }
    }
}

struct CaptureLoop {
    indexer: Arc<Indexer>,
    outage: SourceOutage,
    late: LateTables,
    /// Cursors to continue from; `None` before the source was checked, at the start and after each failure.
    cursors: Option<Cursors>,
    saved_at: UtcMillis,
    checked_at: UtcMillis,
    warnings: WarningLog,
    /// The description that was logged last, so that one is logged only once, however often connections fail.
    described: Option<SourceInfo>,
}

impl CaptureLoop {
    fn new(indexer: Arc<Indexer>) -> Self {
        Self {
            indexer,
            outage: SourceOutage::default(),
            late: LateTables::default(),
            cursors: None,
            saved_at: UtcMillis(0),
            checked_at: UtcMillis(0),
            warnings: WarningLog::default(),
            described: None,
        }
    }

    /// Polls the source once. Returns true if it has more changes right now.
    async fn poll(&mut self) -> Result<bool, IndexError> {
        if let Flow::Paused(_) = self.indexer.flow().await? {
            return Ok(false);
        }
        // Taken out, so that after an error the next poll checks the source again.
        let cursors = match self.cursors.take() {
            Some(cursors) => cursors,
            None => self.connect().await?,
        };
        let captured = self.indexer.source.changes(&cursors, MAX_CHANGES).await?;
        self.outage.recovered(&self.indexer).await?;
        self.cursors = Some(captured.cursors.clone());
        let (more, now) = (captured.more, self.indexer.clock.now());
        if !captured.changes.is_empty() {
            // Before the commit, so that a backfill makes way as early as possible.
            self.indexer.live.record(now);
        }
        let late = self.late.record(&self.indexer.store, &captured.late, now);
        late.await?;
        self.store_checked_at(now).await?;
        // The cursor moves with every poll of an idle source; saving each one would keep the disk busy.
        let quiet = captured.changes.is_empty()
            && now.millis_since(self.saved_at) < QUIET_SAVE_MS
            && captured.cursors.gap() == cursors.gap();
        if !quiet && (captured.cursors != cursors || !captured.changes.is_empty()) {
            self.save(captured, now).await?;
        }
        Ok(more)
    }

    async fn store_checked_at(&mut self, now: UtcMillis) -> Result<(), IndexError> {
        if now.millis_since(self.checked_at) < CHECKED_AT_MS {
            return Ok(());
        }
        self.checked_at = now;
        let warnings = self.warnings.update(self.indexer.source.warnings().await?);
        let requests = self.indexer.source.requests_per_minute();
        let requests = requests.map_or_else(String::new, |requests| requests.to_string());
        let write = move |writer: &mut Writer<'_>| {
            writer.set_meta(SOURCE_REQUESTS, &requests)?;
            if let Some(warnings) = warnings {
                writer.set_source_warnings(&warnings)?;
            }
            writer.set_meta(SOURCE_CHECKED_AT, &now.0.to_string())
        };
        Ok(self.indexer.store.write(Durability::Relaxed, write).await?)
    }

    async fn save(&mut self, captured: Captured, now: UtcMillis) -> Result<(), IndexError> {
        let cursors = captured.cursors.clone();
        let changes = captured.changes.len();
        self.indexer
            .store
            .write(Durability::Durable, move |writer| {
                writer.append_captured(&captured, now)
            })
            .await?;
        self.saved_at = now;
        if changes > 0 {
            tracing::debug!(changes, "Changes were captured");
        }
        // Only now may the source forget them: after a power loss they would be nowhere else (I7).
        self.indexer.source.acknowledge(&cursors).await?;
        Ok(())
    }

    async fn connect(&mut self) -> Result<Cursors, IndexError> {
        let indexer = &self.indexer;
        let info = indexer.source.describe().await?;
        check_fingerprint(&indexer.store, &info).await?;
        indexer.check_reused_ids().await?;
        let skew_ms = info.database_time.millis_since(indexer.clock.now());
        let cursors = ensure_cursors(&indexer.store, indexer.source.as_ref()).await?;
        self.log_description(info, skew_ms);
        Ok(cursors)
    }

    /// Logs a description of the source. A reconnection to the same one is logged by the outage that it ends. Returns true if
    /// the description is another one.
    fn log_description(&mut self, info: SourceInfo, skew_ms: i64) -> bool {
        let is_known = |known: &SourceInfo| known.product == info.product && known.notes == info.notes;
        if self.described.as_ref().is_some_and(is_known) {
            return false;
        }
        tracing::info!(source = %info.product, clock_skew_ms = skew_ms, "The source answers; changes are captured");
        for note in &info.notes {
            tracing::info!(note, "The source lacks something optional");
        }
        self.described = Some(info);
        true
    }
}

/// Refuses a source that is not the database that filled the store: it may use the same order ids for other orders.
async fn check_fingerprint(store: &Store, info: &SourceInfo) -> Result<(), IndexError> {
    let known = store
        .read(|reader: &Reader<'_>| reader.meta(SOURCE_FINGERPRINT))
        .await?;
    let is_other = |known: &str| !same_database(known, &info.fingerprint);
    if known.as_deref().is_some_and(is_other) {
        return Err(IndexError::Store(StoreError::Invariant(
            "the source is another database than the one that this store was filled from, and may use the same order \
             ids for other orders; point store.path to a new file, or restore the source"
                .to_owned(),
        )));
    }
    // The fingerprint grows with the first orders of a young database, so the newer one is kept.
    if known.as_ref() != Some(&info.fingerprint) {
        let fingerprint = info.fingerprint.clone();
        store
            .write(Durability::Durable, move |writer| {
                writer.set_meta(SOURCE_FINGERPRINT, &fingerprint)
            })
            .await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::sync::watch;

    use super::*;
    use crate::commerce::source::{Change, ChangeOp, OrderFilter, ReadOrder, SourceFuture};
    use crate::config::Config;
    use crate::store::{StoreView, testing};
    use orderfeed_model::order::OrderId;

    /// A source whose log forgets what was acknowledged. At each acknowledgement it records what a crash would leave.
    struct Forgetful {
        store: std::path::PathBuf,
        left: Mutex<Vec<(i64, Option<String>)>>,
    }

    impl Source for Forgetful {
        fn describe(&self) -> SourceFuture<'_, SourceInfo> {
            Box::pin(async { Ok(SourceInfo::default()) })
        }
        fn initial_cursors(&self) -> SourceFuture<'_, Cursors> {
            Box::pin(async { Ok(Cursors([("log".to_owned(), "0".to_owned())].into())) })
        }
        fn changes<'a>(&'a self, cursors: &'a Cursors, _limit: usize) -> SourceFuture<'a, Captured> {
            Box::pin(async move {
                let at: i64 = cursors.0["log"].parse().unwrap();
                let change = Change {
                    order: at + 1,
                    table: "sales_order",
                    op: ChangeOp::Update,
                };
                Ok(Captured {
                    changes: vec![change],
                    cursors: Cursors([("log".to_owned(), (at + 1).to_string())].into()),
                    ..Captured::default()
                })
            })
        }
        fn acknowledge<'a>(&'a self, _cursors: &'a Cursors) -> SourceFuture<'a, ()> {
            let mut view = StoreView::open(&self.store).unwrap();
            let left = view.read(|reader| {
                let cursors = reader.source_cursors()?.unwrap_or_default();
                Ok((reader.changelog_head()?, cursors.0.get("log").cloned()))
            });
            self.left.lock().unwrap().push(left.unwrap());
            Box::pin(async { Ok(()) })
        }
        fn read_orders<'a>(&'a self, _ids: &'a [OrderId]) -> SourceFuture<'a, Vec<ReadOrder>> {
            Box::pin(async { Ok(Vec::new()) })
        }
        fn order_ids<'a>(
            &'a self,
            _filter: &'a OrderFilter,
            _below: Option<OrderId>,
            _limit: usize,
        ) -> SourceFuture<'a, Vec<OrderId>> {
            Box::pin(async { Ok(Vec::new()) })
        }
        fn count_orders<'a>(&'a self, _filter: &'a OrderFilter) -> SourceFuture<'a, u64> {
            Box::pin(async { Ok(0) })
        }
        fn id_range<'a>(&'a self, _filter: &'a OrderFilter) -> SourceFuture<'a, Option<(OrderId, OrderId)>> {
            Box::pin(async { Ok(None) })
        }
        fn find_by_number<'a>(&'a self, _number: &'a str) -> SourceFuture<'a, Vec<OrderId>> {
            Box::pin(async { Ok(Vec::new()) })
        }
    }

    /// A capture that has not polled yet.
    fn capture() -> (tempfile::TempDir, Arc<Forgetful>, CaptureLoop) {
        let (dir, store) = testing::fresh();
        let source = Arc::new(Forgetful {
            store: dir.path().join("orderfeed.db"),
            left: Mutex::default(),
        });
        let (_, config) = watch::channel(Arc::new(Config::default()));
        let indexer = Indexer::new(store, source.clone(), Clock::manual(UtcMillis(0)), config);
        let capture = CaptureLoop::new(Arc::new(indexer));
        (dir, source, capture)
    }

    #[tokio::test]
    async fn the_source_may_forget_only_what_is_in_the_store() {
        let (_dir, source, mut capture) = capture();
        for poll in 1..=3 {
            capture.poll().await.unwrap();
            let left = source.left.lock().unwrap().last().cloned();
            assert_eq!(left, Some((poll, Some(poll.to_string()))), "poll {poll}");
            assert!(capture.indexer.is_live(), "backfills make way");
        }
    }

    #[tokio::test]
    async fn a_source_that_fails_after_each_connection_is_described_once() {
        let (_dir, _source, mut capture) = capture();
        let info = |notes: &[&str]| SourceInfo {
            notes: notes.iter().map(|note| (*note).to_owned()).collect(),
            ..SourceInfo::default()
        };
        let logged = [info(&[]), info(&[]), info(&["no taxes"]), info(&["no taxes"])]
            .map(|info| capture.log_description(info, 0));
        assert_eq!(logged, [true, false, true, false]);
    }

    #[tokio::test]
    async fn a_cursor_stays_where_it_is_when_its_changes_cannot_be_written() {
        let (_dir, source, mut capture) = capture();
        capture.poll().await.unwrap();
        rusqlite::Connection::open(&source.store)
            .unwrap()
            .execute_batch("ALTER TABLE sales_order_data_exporter_v2_cl RENAME TO elsewhere")
            .unwrap();
        capture.poll().await.unwrap_err();
        let store = &capture.indexer.store;
        let cursors = store.read(|reader| reader.source_cursors()).await.unwrap();
        assert_eq!(cursors.unwrap().0["log"], "1");
        assert_eq!(source.left.lock().unwrap().len(), 1, "nothing more");
    }
}
