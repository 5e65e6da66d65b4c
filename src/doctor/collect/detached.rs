//! Work that may block for ever, on a thread that nobody waits for.

use std::time::Duration;

use tokio::sync::oneshot;

/// Runs what may block on a thread of its own, and waits for at most `limit`. The thread is not waited for at the end.
pub(super) async fn detached<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (answer, answered) = oneshot::channel();
    let started = std::thread::Builder::new()
        .name("doctor".to_owned())
        .spawn(move || {
            let _ = answer.send(work());
        });
    started.ok()?;
    tokio::time::timeout(limit, answered).await.ok()?.ok()
}
