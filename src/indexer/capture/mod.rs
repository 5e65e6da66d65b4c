//! Capture: the source is asked what changed, again and again, and its answer goes into the changelog together with the
//! position that it covers (I1).

pub mod live_traffic;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::IndexError;
use super::intake::{Flow, Intake};
use crate::commerce::fingerprint::same_database;
use crate::commerce::source::{Captured, Cursors, Source, SourceError, SourceInfo};
use crate::config::Config;
use crate::indexer::capture::live_traffic::LiveTraffic;
use crate::ops::outage_log::{OutageLine, OutageLog};
use crate::store::meta::{SOURCE_CHECKED_AT, SOURCE_FINGERPRINT};
use crate::store::{Durability, Reader, Store, StoreError, Writer};
use orderfeed_model::clock::{Clock, UtcMillis};

/// Changes taken in one transaction at most.
const AT_ONCE: usize = 5_000;
/// A position that moved without changes is kept this often: keeping an older one is always safe.
const QUIET_SAVE_MS: i64 = 60_000;
/// That the source answers is noted this often.
const SIGN_OF_LIFE_MS: i64 = 30_000;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What capture works with.
pub struct CaptureContext {
    /// Where changes go.
    pub store: Store,
    /// Where they come from.
    pub source: Arc<dyn Source>,
    /// Time.
    pub clock: Clock,
    /// Whether anything may flow in.
    pub intake: Arc<Intake>,
    /// Told when a change comes in.
    pub live: Arc<LiveTraffic>,
    /// Its bounds.
    pub config: watch::Receiver<Arc<Config>>,
    /// Pause between two looks.
    pub interval: Duration,
    /// Ends it.
    pub stop: CancellationToken,
}

/// Captures until `stop`. A source that is down is tried again for ever.
///
/// # Errors
/// If the store fails, or the source is another one than the store was filled from.
pub async fn run(parts: CaptureContext) -> Result<(), IndexError> {
    let (interval, stop) = (parts.interval, parts.stop);
    let mut capture = Capture {
        store: parts.store,
        source: parts.source,
        clock: parts.clock,
        intake: parts.intake,
        live: parts.live,
        config: parts.config,
        outage: OutageLog::default(),
        cursors: None,
        saved_at: UtcMillis(0),
        noted_at: UtcMillis(0),
    };
    let mut pause = FIRST_PAUSE;
    loop {
        let wait = match capture.look().await {
            Ok(more) => {
                pause = FIRST_PAUSE;
                if more { Duration::ZERO } else { interval }
            }
            Err(IndexError::Source(error)) => {
                capture.log_failure(&error, pause);
                let wait = pause;
                pause = (pause * 2).min(LONGEST_PAUSE);
                capture.cursors = None;
                wait
            }
            Err(error) => return Err(error),
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Sets where capture starts, if it never ran: from there on every change is captured, everything before is history.
///
/// # Errors
/// If source or store fail.
pub async fn ensure_cursors(store: &Store, source: &dyn Source) -> Result<Cursors, IndexError> {
    if let Some(cursors) = store.read(|reader: &Reader<'_>| reader.source_cursors()).await? {
        return Ok(cursors);
    }
    let initial = source.initial_cursors().await?;
    let job = move |writer: &mut Writer<'_>| {
        if let Some(cursors) = writer.reader().source_cursors()? {
            return Ok(cursors);
        }
        writer.set_source_cursors(&initial)?;
        Ok(initial)
    };
    Ok(store.write(Durability::Durable, job).await?)
}

/// Takes in what the source has to tell now: for a command that runs while no daemon captures. Returns how many changes
/// there were.
///
/// # Errors
/// If source or store fail, or the source is another one than the store was filled from.
pub async fn catch_up(store: &Store, source: &dyn Source, clock: &Clock) -> Result<usize, IndexError> {
    check_fingerprint(store, &source.describe().await?).await?;
    let mut cursors = ensure_cursors(store, source).await?;
    let mut changes = 0;
    loop {
        let captured = source.changes(&cursors, AT_ONCE).await?;
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

struct Capture {
    store: Store,
    source: Arc<dyn Source>,
    clock: Clock,
    intake: Arc<Intake>,
    live: Arc<LiveTraffic>,
    config: watch::Receiver<Arc<Config>>,
    outage: OutageLog,
    /// Where to go on; `None` until source and store were looked at (again).
    cursors: Option<Cursors>,
    saved_at: UtcMillis,
    noted_at: UtcMillis,
}

impl Capture {
    /// One look at the source. `true` if there is more at once.
    async fn look(&mut self) -> Result<bool, IndexError> {
        let config = self.config.borrow().clone();
        if let Flow::Paused(_) = self.intake.look(&self.store, &config, &self.clock).await? {
            return Ok(false);
        }
        let cursors = match self.cursors.take() {
            Some(cursors) => cursors,
            None => self.connect().await?,
        };
        let captured = self.source.changes(&cursors, AT_ONCE).await?;
        self.log_recovery();
        let more = captured.more;
        self.cursors = Some(captured.cursors.clone());
        let now = self.clock.now();
        if !captured.changes.is_empty() {
            self.live.note(now);
        }
        self.note_sign_of_life(now).await?;
        let quiet = captured.changes.is_empty() && now.millis_since(self.saved_at) < QUIET_SAVE_MS;
        if !quiet && (captured.cursors != cursors || !captured.changes.is_empty()) {
            self.save(captured, now).await?;
        }
        Ok(more)
    }

    async fn note_sign_of_life(&mut self, now: UtcMillis) -> Result<(), IndexError> {
        if now.millis_since(self.noted_at) < SIGN_OF_LIFE_MS {
            return Ok(());
        }
        self.noted_at = now;
        let note = move |writer: &mut Writer<'_>| writer.set_meta(SOURCE_CHECKED_AT, &now.0.to_string());
        Ok(self.store.write(Durability::Relaxed, note).await?)
    }

    async fn save(&mut self, captured: Captured, now: UtcMillis) -> Result<(), IndexError> {
        let cursors = captured.cursors.clone();
        let changes = captured.changes.len();
        self.store
            .write(Durability::Durable, move |writer| {
                writer.append_captured(&captured, now)
            })
            .await?;
        self.saved_at = now;
        if changes > 0 {
            tracing::debug!(changes, "Changes were captured");
        }
        self.source.acknowledge(&cursors).await?;
        Ok(())
    }

    async fn connect(&mut self) -> Result<Cursors, IndexError> {
        let info = self.source.describe().await?;
        check_fingerprint(&self.store, &info).await?;
        let skew_ms = info.database_time.millis_since(self.clock.now());
        tracing::info!(source = %info.product, clock_skew_ms = skew_ms, "The source answers; changes are captured");
        for note in &info.notes {
            tracing::info!(note, "The source lacks something optional");
        }
        ensure_cursors(&self.store, self.source.as_ref()).await
    }

    fn log_failure(&mut self, error: &SourceError, pause: Duration) {
        let now = self.clock.now();
        match self.outage.failed(now) {
            Some(OutageLine::Start) => tracing::warn!(
                log_code = "OF03-01",
                retry_in_s = pause.as_secs(),
                error = %error,
                "The source cannot be read; it is tried again until it answers, nothing is lost meanwhile",
            ),
            Some(OutageLine::Reminder { failures, since }) => tracing::warn!(
                log_code = "OF03-02",
                failures,
                for_s = now.millis_since(since) / 1000,
                retry_in_s = pause.as_secs(),
                error = %error,
                "The source still cannot be read",
            ),
            Some(OutageLine::Recovery { .. }) | None => {}
        }
    }

    fn log_recovery(&mut self) {
        if let Some(OutageLine::Recovery { failures, lasted_ms }) = self.outage.recovered(self.clock.now()) {
            tracing::info!(
                failures,
                after_s = lasted_ms / 1000,
                "The source answers again; capture goes on where it was",
            );
        }
    }
}

/// A database that was swapped for another one could reuse order ids for other orders.
async fn check_fingerprint(store: &Store, info: &SourceInfo) -> Result<(), IndexError> {
    let known = store
        .read(|reader: &Reader<'_>| reader.meta(SOURCE_FINGERPRINT))
        .await?;
    if known
        .as_deref()
        .is_some_and(|known| !same_database(known, &info.fingerprint))
    {
        return Err(IndexError::Store(StoreError::Invariant(
            "the source is another database than the one that this store was filled from, and may use the same order \
             ids for other orders; point store.path to a new file, or restore the source"
                .to_owned(),
        )));
    }
    // It grows with a young database's first orders, so the newer one is kept.
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

    use super::*;
    use crate::commerce::source::{Change, ChangeOp, OrderFilter, ReadOrder, SourceFuture};
    use crate::store::{StoreView, testing};
    use orderfeed_model::order::OrderId;

    /// A source whose log forgets what was acknowledged. Told so, it looks what a crash at this moment would leave.
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
                    more: false,
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

    /// A capture that has not looked yet.
    fn capture() -> (tempfile::TempDir, Arc<Forgetful>, Capture) {
        let (dir, store) = testing::fresh();
        let source = Arc::new(Forgetful {
            store: dir.path().join("orderfeed.db"),
            left: Mutex::default(),
        });
        let (_, config) = watch::channel(Arc::new(Config::default()));
        let capture = Capture {
            store,
            source: source.clone(),
            clock: Clock::manual(UtcMillis(0)),
            intake: Arc::new(Intake::default()),
            live: Arc::default(),
            config,
            outage: OutageLog::default(),
            cursors: None,
            saved_at: UtcMillis(0),
            noted_at: UtcMillis(0),
        };
        (dir, source, capture)
    }

    #[tokio::test]
    async fn the_source_may_forget_only_what_is_in_the_store() {
        let (_dir, source, mut capture) = capture();
        for look in 1..=3 {
            capture.look().await.unwrap();
            let left = source.left.lock().unwrap().last().cloned();
            assert_eq!(left, Some((look, Some(look.to_string()))), "look {look}");
            assert!(capture.live.is_on(capture.clock.now()), "walks make way at once");
        }
    }

    #[tokio::test]
    async fn a_cursor_stays_where_it_is_when_its_changes_cannot_be_written() {
        let (_dir, source, mut capture) = capture();
        capture.look().await.unwrap();
        let other = rusqlite::Connection::open(&source.store).unwrap();
        other
            .execute_batch("ALTER TABLE sales_order_data_exporter_v2_cl RENAME TO elsewhere")
            .unwrap();
        capture.look().await.unwrap_err();
        let cursors = capture
            .store
            .read(|reader| reader.source_cursors())
            .await
            .unwrap();
        assert_eq!(cursors.unwrap().0["log"], "1");
        assert_eq!(
            source.left.lock().unwrap().len(),
            1,
            "nothing more was acknowledged"
        );
    }
}
