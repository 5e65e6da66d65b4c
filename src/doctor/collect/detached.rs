//! Work that may block for ever.

use std::time::Duration;

use tokio::sync::oneshot;

/// Runs `work` on a thread of its own and returns its result if it ends within `limit`. Nothing waits for the thread, unlike
/// for one of the runtime's blocking pool, which would hold up the end of the process.
pub(super) async fn detached<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (sender, result) = oneshot::channel();
    let thread = std::thread::Builder::new().name("doctor".to_owned());
    thread
        .spawn(move || {
            let _ = sender.send(work());
        })
        .ok()?;
    tokio::time::timeout(limit, result).await.ok()?.ok()
}
