//! How the daemon ends, and what signals mean: the first SIGTERM or SIGINT drains, the second aborts, SIGHUP
//! reloads, SIGUSR1 puts the status into the log.

pub(crate) mod liveness;
pub(crate) mod reload;
pub mod signals;
pub mod start;
pub(crate) mod supervision;
pub mod vitals;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The two ways to end. Cloned into every task.
#[derive(Clone, Debug, Default)]
pub struct Lifecycle {
    /// Take nothing new in, finish what is in flight, end.
    pub stop: CancellationToken,
    /// End now. What is in flight stays pending and is sent again after the next start.
    pub abort: CancellationToken,
}

/// What a signal asks of a daemon that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// SIGHUP.
    Reload,
    /// SIGUSR1.
    Status,
}

/// The signals that mean something to the daemon. From its opening on none of them kills the process any more.
#[derive(Debug)]
pub struct SignalStreams {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    user: Signal,
}

impl SignalStreams {
    /// Begins to listen. To be called inside the runtime.
    ///
    /// # Errors
    /// If the process cannot listen to signals.
    pub fn open() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            user: signal(SignalKind::user_defined1())?,
        })
    }
}

/// Turns signals into the lifecycle until it ends. `asked` is called at each that asks for something else.
pub async fn watch_signals(streams: SignalStreams, lifecycle: Lifecycle, mut asked: impl FnMut(Asked)) {
    let SignalStreams {
        mut terminate,
        mut interrupt,
        mut hangup,
        mut user,
    } = streams;
    loop {
        tokio::select! {
            name = first_of(&mut terminate, &mut interrupt) => {
                if lifecycle.stop.is_cancelled() {
                    tracing::warn!(
                        log_code = "OF02-03",
                        signal = name,
                        "A second signal: the daemon ends at once, what is in flight stays pending",
                    );
                    lifecycle.abort.cancel();
                    return;
                }
                tracing::info!(signal = name, "The daemon stops: nothing new is taken in, requests in flight are finished");
                lifecycle.stop.cancel();
            }
            _ = hangup.recv() => asked(Asked::Reload),
            _ = user.recv() => asked(Asked::Status),
            () = lifecycle.abort.cancelled() => return,
        }
    }
}

async fn first_of(terminate: &mut Signal, interrupt: &mut Signal) -> &'static str {
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}
