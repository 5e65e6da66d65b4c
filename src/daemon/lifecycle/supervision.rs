//! Notifications to the service manager: ready once the schedules tick, a status line, and watchdog messages as long as
//! [`Liveness`] finds progress.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::daemon::admin::snapshots::Snapshots;
use crate::daemon::lifecycle::liveness::Liveness;
use crate::ops::systemd::Notifier;
use crate::store::Topic;

/// While a store is opened (a large one is checked, an old one migrated), the start timeout is extended by `OPENING_MORE`
/// every `OPENING_STEP`, for at most `OPENING_MAX`: an opening that takes longer hangs.
const OPENING_STEP: Duration = Duration::from_secs(10);
const OPENING_MORE: Duration = Duration::from_secs(60);
const OPENING_MAX: Duration = Duration::from_secs(3600);
const STATUS_MIN_PAUSE: Duration = Duration::from_secs(1);
const STATUS_MAX_PAUSE: Duration = Duration::from_secs(30);

#[derive(Clone, Debug)]
pub(crate) struct Supervision {
    pub(crate) notifier: Notifier,
    pub(crate) liveness: Liveness,
    pub(crate) snapshots: Arc<Snapshots>,
    pub(crate) stop: CancellationToken,
}

pub(crate) async fn extend_while<T>(notifier: &Notifier, work: impl Future<Output = T>) -> T {
    notifier.status("opening the store");
    let notifier = notifier.clone();
    let started = Instant::now();
    // A task of its own: opening a store blocks its thread.
    let extending = tokio::spawn(async move {
        // Extensions end at some point, so that a store that hangs fails the start.
        while started.elapsed() < OPENING_MAX {
            tokio::time::sleep(OPENING_STEP).await;
            notifier.extend_timeout(OPENING_MORE);
        }
    });
    let result = work.await;
    extending.abort();
    result
}

impl Supervision {
    pub(crate) async fn run(self) {
        self.liveness.vitals.until_scheduled().await;
        self.notifier.ready();
        // Together, so that a slow snapshot does not delay the watchdog.
        tokio::join!(self.show_status(), self.feed_watchdog());
    }

    async fn show_status(&self) {
        // Without a service manager, no snapshot is taken for the status line.
        if !self.notifier.is_connected() {
            return;
        }
        let store = &self.liveness.store;
        let (mut changelog, mut outbox) = (store.subscribe(Topic::Changelog), store.subscribe(Topic::Outbox));
        while !self.stop.is_cancelled() {
            changelog.mark_unchanged();
            outbox.mark_unchanged();
            match self.snapshots.latest().await {
                // The stop has sent a status of its own, which must stay.
                Ok(snapshot) if !self.stop.is_cancelled() => self.notifier.status(&snapshot.line()),
                Ok(_) => return,
                Err(error) => tracing::debug!(%error, "The status line could not be updated"),
            }
            // A snapshot may be up to a second old; one taken after this pause includes the change that woke us.
            tokio::time::sleep(STATUS_MIN_PAUSE).await;
            tokio::select! {
                _ = changelog.changed() => {}
                _ = outbox.changed() => {}
                () = tokio::time::sleep(STATUS_MAX_PAUSE) => {}
                () = self.stop.cancelled() => {}
            }
        }
    }

    /// Sends three watchdog messages per watchdog interval while nothing hangs.
    async fn feed_watchdog(&self) {
        let Some(limit) = self.notifier.watchdog() else {
            return;
        };
        let third = limit / 3;
        let mut logged = false;
        loop {
            // During the drain the schedules do not tick; it has a limit of its own.
            let hangs = self
                .liveness
                .hangs(third)
                .await
                .filter(|_| !self.stop.is_cancelled());
            match hangs {
                None => self.notifier.watchdog_ping(),
                Some(what) if !logged => tracing::error!(
                    log_code = "OF02-05",
                    what,
                    limit_ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX),
                    "The daemon hangs; without progress the service manager restarts it",
                ),
                Some(_) => {}
            }
            logged = hangs.is_some();
            tokio::time::sleep(third).await;
        }
    }
}
