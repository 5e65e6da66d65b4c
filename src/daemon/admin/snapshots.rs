//! Cached snapshots of the store: one read serves every request within a second, and without requests nothing is read. A
//! read uses a connection of its own, so that no sender waits behind it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, watch};

use crate::config::Config;
use crate::ops::status::{NotExported, Snapshot};
use crate::store::{StoreError, StoreView};
use orderfeed_model::clock::Clock;

const MAX_AGE: Duration = Duration::from_secs(1);
/// A snapshot may also be `COST_FACTOR` times as old as its read took, so that reads cost at most 5 % of the time.
const COST_FACTOR: u32 = 20;
/// Longest age of the count of orders without events, which reads every order.
const MAX_COUNT_AGE: Duration = Duration::from_secs(600);

#[derive(Debug)]
pub(crate) struct Snapshots {
    config: watch::Receiver<Arc<Config>>,
    clock: Clock,
    cached: Mutex<Option<Cached>>,
}

#[derive(Debug)]
struct Cached {
    snapshot: Arc<Snapshot>,
    good_until: Instant,
    counted: Instant,
}

impl Snapshots {
    pub(crate) fn new(config: watch::Receiver<Arc<Config>>, clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            config,
            clock,
            cached: Mutex::new(None),
        })
    }

    /// Forgets the snapshot, so that the next one shows what an operator just changed.
    pub(crate) async fn expire(&self) {
        if let Some(cached) = self.cached.lock().await.as_mut() {
            cached.good_until = Instant::now();
        }
    }

    /// Returns a snapshot that is about a second old at most.
    pub(crate) async fn latest(&self) -> Result<Arc<Snapshot>, StoreError> {
        // Held during the read, so that simultaneous requests wait for one read.
        let mut cached = self.cached.lock().await;
        let begun = Instant::now();
        if let Some(cached) = cached.as_ref().filter(|cached| begun < cached.good_until) {
            return Ok(cached.snapshot.clone());
        }
        let counted = cached
            .as_ref()
            .filter(|last| begun.duration_since(last.counted) < MAX_COUNT_AGE)
            .map(|last| (last.counted, last.snapshot.not_exported.clone()));
        let (counted_at, known) = counted.unzip();
        let snapshot = Arc::new(self.read(known).await?);
        *cached = Some(Cached {
            snapshot: snapshot.clone(),
            good_until: begun + MAX_AGE.max(COST_FACTOR * begun.elapsed()),
            counted: counted_at.unwrap_or(begun),
        });
        Ok(snapshot)
    }

    async fn read(&self, known: Option<Vec<NotExported>>) -> Result<Snapshot, StoreError> {
        let (config, now) = (self.config.borrow().clone(), self.clock.now());
        let read = move || {
            // A connection of its own, so that no sender waits behind this read.
            StoreView::open(&config.store.path)?.read(|reader| {
                let not_exported = known.map_or_else(|| NotExported::count(reader), Ok)?;
                Snapshot::read_with(reader, &config, now, not_exported)
            })
        };
        tokio::task::spawn_blocking(read)
            .await
            .unwrap_or(Err(StoreError::Closed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use orderfeed_model::clock::UtcMillis;

    #[tokio::test]
    async fn simultaneous_requests_share_a_snapshot() {
        let (dir, _store) = crate::store::testing::fresh();
        let clock = Clock::manual(UtcMillis(1));
        let mut config = Config::default();
        config.store.path = dir.path().join("orderfeed.db");
        let (_keep, config) = watch::channel(Arc::new(config));
        let snapshots = Snapshots::new(config, clock);
        let (one, other) = tokio::join!(snapshots.latest(), snapshots.latest());
        assert!(Arc::ptr_eq(&one.unwrap(), &other.unwrap()));
    }
}
