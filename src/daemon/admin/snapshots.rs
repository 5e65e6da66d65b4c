//! Snapshots for those who look often: one reading serves everybody who asks within its age, and nothing is read while
//! nobody asks. Reading goes over a connection of its own, so that no sender waits behind it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, watch};

use crate::config::Config;
use crate::ops::status::{NotExported, Snapshot};
use crate::store::{StoreError, StoreView};
use orderfeed_model::clock::Clock;

/// How old a snapshot may be.
const AGE: Duration = Duration::from_secs(1);
/// It may also be so many times as old as reading it took, so that reading never costs more than a few per cent.
const COST: u32 = 20;
/// Orders without events are counted this often: it costs a look at every order.
const COUNT_AGE: Duration = Duration::from_secs(600);

/// Takes snapshots of the store.
#[derive(Debug)]
pub(crate) struct Snapshots {
    config: watch::Receiver<Arc<Config>>,
    clock: Clock,
    last: Mutex<Option<Last>>,
}

#[derive(Debug)]
struct Last {
    snapshot: Arc<Snapshot>,
    good_until: Instant,
    counted: Instant,
}

impl Snapshots {
    /// Of the store that is configured.
    pub(crate) fn of(config: watch::Receiver<Arc<Config>>, clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            config,
            clock,
            last: Mutex::new(None),
        })
    }

    /// A snapshot that is hardly older than a second.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub(crate) async fn latest(&self) -> Result<Arc<Snapshot>, StoreError> {
        let mut last = self.last.lock().await;
        let begun = Instant::now();
        if let Some(last) = last.as_ref().filter(|last| begun < last.good_until) {
            return Ok(last.snapshot.clone());
        }
        let counted = last
            .as_ref()
            .filter(|last| begun.duration_since(last.counted) < COUNT_AGE)
            .map(|last| (last.counted, last.snapshot.not_exported.clone()));
        let (counted_at, known) = counted.unzip();
        let snapshot = Arc::new(self.read(known).await?);
        *last = Some(Last {
            snapshot: snapshot.clone(),
            good_until: begun + AGE.max(COST * begun.elapsed()),
            counted: counted_at.unwrap_or(begun),
        });
        Ok(snapshot)
    }

    async fn read(&self, known: Option<Vec<NotExported>>) -> Result<Snapshot, StoreError> {
        let (config, now) = (self.config.borrow().clone(), self.clock.now());
        let read = move || {
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
    async fn who_asks_at_once_gets_the_same_snapshot() {
        let (dir, _store) = crate::store::testing::fresh();
        let clock = Clock::manual(UtcMillis(1));
        let mut config = Config::default();
        config.store.path = dir.path().join("orderfeed.db");
        let (_keep, config) = watch::channel(Arc::new(config));
        let snapshots = Snapshots::of(config, clock);
        let (one, other) = tokio::join!(snapshots.latest(), snapshots.latest());
        assert!(Arc::ptr_eq(&one.unwrap(), &other.unwrap()));
    }
}
