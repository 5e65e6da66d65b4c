//! What the service manager is told while the daemon runs: ready once the schedules tick, one line of status that stays
//! true, and signs of life as long as [`Liveness`] finds progress.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::daemon::admin::snapshots::Snapshots;
use crate::daemon::lifecycle::liveness::Liveness;
use crate::ops::systemd::Notifier;
use crate::store::Topic;

/// While the store is opened: how often more time is asked for, how much, and for how long in all. A large store is
/// checked, an old one is migrated; one that takes longer than this hangs.
const OPENING_STEP: Duration = Duration::from_secs(10);
const OPENING_MORE: Duration = Duration::from_secs(60);
const OPENING_LONGEST: Duration = Duration::from_secs(3600);
/// Pause between two status lines.
const STATUS_PAUSE: Duration = Duration::from_secs(1);
/// A line is looked over this often even if nothing seems to have changed.
const STATUS_ANYWAY: Duration = Duration::from_secs(30);

/// The daemon, as far as the service manager is concerned.
#[derive(Clone, Debug)]
pub(crate) struct Supervision {
    pub(crate) notifier: Notifier,
    pub(crate) liveness: Liveness,
    pub(crate) snapshots: Arc<Snapshots>,
    pub(crate) stop: CancellationToken,
}

/// Asks for time while `work` opens the store.
pub(crate) async fn with_time<T>(notifier: &Notifier, work: impl Future<Output = T>) -> T {
    notifier.status("opening the store");
    let notifier = notifier.clone();
    let begun = Instant::now();
    // A task of its own: opening a store blocks the thread that it runs on.
    let asking = tokio::spawn(async move {
        while begun.elapsed() < OPENING_LONGEST {
            tokio::time::sleep(OPENING_STEP).await;
            notifier.extend_timeout(OPENING_MORE);
        }
    });
    let result = work.await;
    asking.abort();
    result
}

impl Supervision {
    /// Tells it all until it is dropped.
    pub(crate) async fn run(self) {
        self.liveness.vitals.until_scheduled().await;
        self.notifier.ready();
        tokio::join!(self.show_status(), self.feed_watchdog());
    }

    async fn show_status(&self) {
        if !self.notifier.is_connected() {
            return;
        }
        let store = &self.liveness.store;
        let (mut changelog, mut outbox) = (store.subscribe(Topic::Changelog), store.subscribe(Topic::Outbox));
        while !self.stop.is_cancelled() {
            changelog.mark_unchanged();
            outbox.mark_unchanged();
            match self.snapshots.latest().await {
                Ok(snapshot) if !self.stop.is_cancelled() => self.notifier.status(&snapshot.line()),
                Ok(_) => return,
                Err(error) => tracing::debug!(%error, "The status line cannot be renewed"),
            }
            // A snapshot may be a second old: after the pause there is a newer one.
            tokio::time::sleep(STATUS_PAUSE).await;
            tokio::select! {
                _ = changelog.changed() => {}
                _ = outbox.changed() => {}
                () = tokio::time::sleep(STATUS_ANYWAY) => {}
                () = self.stop.cancelled() => {}
            }
        }
    }

    /// Three signs of life in the time that the service manager allows for one.
    async fn feed_watchdog(&self) {
        let Some(limit) = self.notifier.watchdog() else {
            return;
        };
        let third = limit / 3;
        let mut complained = false;
        loop {
            // The drain has a limit of its own, and the schedules do not tick in it.
            let hangs = self
                .liveness
                .hangs(third)
                .await
                .filter(|_| !self.stop.is_cancelled());
            match hangs {
                None => self.notifier.watchdog_ping(),
                Some(what) if !complained => tracing::error!(
                    log_code = "OF02-05",
                    what,
                    limit_ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX),
                    "The daemon hangs; without progress the service manager restarts it",
                ),
                Some(_) => {}
            }
            complained = hangs.is_some();
            tokio::time::sleep(third).await;
        }
    }
}
