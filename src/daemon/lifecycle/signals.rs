//! What a signal other than the end asks of the running daemon: SIGHUP reads the configuration again, SIGUSR1 puts the
//! status into the log.

use std::sync::Arc;

use tokio::sync::watch;

use crate::config::{Config, ConfigErrors};
use crate::daemon::lifecycle::reload;
use crate::daemon::lifecycle::supervision::Supervision;
use crate::daemon::lifecycle::{Asked, Lifecycle, SignalStreams, watch_signals};
use crate::ops::status::{Snapshot, WebsiteStatus};
use orderfeed_model::clock::Clock;

/// Reads the configuration again.
pub type ReadConfig = Box<dyn Fn() -> Result<Config, ConfigErrors> + Send + Sync>;

/// Who listens to signals.
pub enum Signals {
    /// The daemon does; it reads its configuration again with this at SIGHUP.
    Daemon(ReadConfig),
    /// Somebody else in this process does, and uses the lifecycle.
    Elsewhere,
}

/// Begins to listen, if the daemon is to; until then, a signal kills.
pub(crate) fn open(signals: Signals) -> Option<Ears> {
    let Signals::Daemon(read) = signals else {
        return None;
    };
    SignalStreams::open()
        .inspect_err(|error| {
            tracing::error!(
                log_code = "OF02-02",
                %error,
                "Signals cannot be received; the daemon can only be killed",
            )
        })
        .ok()
        .map(|streams| Ears { streams, read })
}

/// What hears signals, and what reads the configuration again.
pub(crate) struct Ears {
    streams: SignalStreams,
    read: ReadConfig,
}

/// Listens until the lifecycle ends. `config` lives as long as this: without it nobody could be told about a reload.
pub(crate) async fn listen(
    ears: Option<Ears>,
    lifecycle: Lifecycle,
    config: watch::Sender<Arc<Config>>,
    supervision: Supervision,
    clock: Clock,
) {
    let Some(Ears { streams, read }) = ears else {
        return lifecycle.abort.cancelled().await;
    };
    let reload = || {
        supervision.notifier.reloading();
        let valid = reload::reload(read.as_ref(), &config);
        let vitals = &supervision.liveness.vitals;
        vitals.reloaded(valid, clock.now());
        // Before the start is over this would say too much.
        if vitals.is_scheduled() {
            supervision.notifier.ready();
        }
    };
    let asked = |asked| match asked {
        Asked::Reload => reload(),
        Asked::Status => drop(tokio::spawn(log_status(supervision.clone()))),
    };
    watch_signals(streams, lifecycle, asked).await;
}

async fn log_status(supervision: Supervision) {
    match supervision.snapshots.latest().await {
        Ok(snapshot) => {
            say(&snapshot);
            snapshot.websites.iter().for_each(say_website);
        }
        Err(error) => {
            tracing::error!(
                log_code = "OF02-04",
                %error,
                "The status was asked for with SIGUSR1, and the store cannot be read",
            )
        }
    }
}

fn say(snapshot: &Snapshot) {
    tracing::info!(
        backlog = snapshot.index.backlog,
        index_version = snapshot.index.version,
        changelog_version = snapshot.index.head,
        index_failures = snapshot.index_failures,
        walks = snapshot.backfills.len(),
        store_bytes = snapshot.store.database_bytes,
        "Status: {}",
        snapshot.line(),
    );
}

fn say_website(website: &WebsiteStatus) {
    tracing::info!(
        website = website.code,
        sender = website.sender.state.as_str(),
        code = website.sender.code,
        live = website.pending.live,
        history = website.pending.history,
        retry = website.pending.retry,
        delivered = website.export_status.submitted,
        parked = website.export_status.failed_requires_attention,
        "Status of a website",
    );
}
