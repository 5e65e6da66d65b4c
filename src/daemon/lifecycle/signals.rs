//! The signals of the daemon: the first SIGTERM or SIGINT drains, the second aborts, SIGHUP reads the configuration again,
//! SIGUSR1 logs the status.

use std::sync::Arc;

use crate::daemon::lifecycle::Lifecycle;
use crate::daemon::lifecycle::reload::{ReadConfig, Reloader};
use crate::daemon::lifecycle::supervision::Supervision;
use crate::ops::status::{Snapshot, WebsiteStatus};
use tokio::signal::unix::{Signal, SignalKind, signal};

pub enum Signals {
    /// The daemon receives them. SIGHUP calls the function.
    Daemon(ReadConfig),
    /// The caller receives them and ends the daemon through its [`Lifecycle`].
    Caller,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    Reload,
    LogStatus,
}

/// The signals that the daemon handles. While this exists, none of them kills the process.
#[derive(Debug)]
pub struct SignalStreams {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    user: Signal,
}

impl SignalStreams {
    /// Registers the handlers. Must be called inside the runtime.
    pub fn open() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            user: signal(SignalKind::user_defined1())?,
        })
    }

    /// Applies signals to `lifecycle` until the abort; calls `command` for the others.
    pub async fn watch(mut self, lifecycle: Lifecycle, mut command: impl FnMut(Command)) {
        loop {
            let signal = tokio::select! {
                _ = self.terminate.recv() => "SIGTERM",
                _ = self.interrupt.recv() => "SIGINT",
                _ = self.hangup.recv() => {
                    command(Command::Reload);
                    continue;
                }
                _ = self.user.recv() => {
                    command(Command::LogStatus);
                    continue;
                }
                () = lifecycle.abort.cancelled() => return,
            };
            // The stop may also come from elsewhere, such as a failed task; then the first signal aborts.
            if lifecycle.stop.is_cancelled() {
                tracing::warn!(
                    log_code = "OF02-03",
                    signal,
                    "A second signal: the daemon ends at once, what is in flight stays pending",
                );
                lifecycle.abort.cancel();
                return;
            }
            tracing::info!(
                signal,
                "The daemon stops: no new requests, those in flight are finished"
            );
            lifecycle.stop.cancel();
        }
    }
}

/// Registers the handlers if the daemon receives the signals, and returns them with the function that reads the configuration.
/// Before this, a signal kills the process.
pub(crate) fn open(signals: Signals) -> (Option<SignalStreams>, Option<ReadConfig>) {
    let Signals::Daemon(read) = signals else {
        return (None, None);
    };
    match SignalStreams::open() {
        Ok(streams) => (Some(streams), Some(read)),
        Err(error) => {
            tracing::error!(
                log_code = "OF02-02",
                %error,
                "Signals cannot be received; the daemon can only be killed",
            );
            (None, Some(read))
        }
    }
}

pub(crate) async fn listen(
    streams: Option<SignalStreams>,
    lifecycle: Lifecycle,
    reloader: Arc<Reloader>,
    supervision: Supervision,
) {
    let Some(streams) = streams else {
        return lifecycle.abort.cancelled().await;
    };
    let command = |command| match command {
        Command::Reload => drop(reloader.reload()),
        // A task of its own, because the next signal must not wait for the store.
        Command::LogStatus => drop(tokio::spawn(log_status(supervision.clone()))),
    };
    streams.watch(lifecycle, command).await;
}

async fn log_status(supervision: Supervision) {
    match supervision.snapshots.latest().await {
        Ok(snapshot) => {
            log_snapshot(&snapshot);
            snapshot.websites.iter().for_each(log_website);
        }
        Err(error) => tracing::error!(
            log_code = "OF02-04",
            %error,
            "SIGUSR1 requested the status, but the store cannot be read",
        ),
    }
}

fn log_snapshot(snapshot: &Snapshot) {
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

fn log_website(website: &WebsiteStatus) {
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
