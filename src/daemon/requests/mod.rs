//! Doing what was asked: the part that needs the store alone, and the part that the index does.

pub(crate) mod backfill_reply;
pub mod index_work;
pub mod persons;
pub(crate) mod privacy;
pub mod resync;
pub(crate) mod resync_work;
pub mod selection;
pub(crate) mod store;
pub mod verify;
pub(crate) mod verify_work;
pub mod work;

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::daemon::control::{Outcome, Progress, Reply, Request};
use crate::daemon::requests::privacy::PrivacyRequests;
use crate::daemon::requests::store::StoreRequests;
use crate::daemon::requests::work::{BoxFuture, ControlHandler, IndexWork, RequestError};
use crate::store::Store;
use crate::store::outbox::BatchLimits;
use orderfeed_model::clock::Clock;

/// How many reports of progress may wait to be forwarded.
const PROGRESS_QUEUE: usize = 16;

/// Handles every request: the one implementation, for the daemon and for a command without one.
pub struct Requests {
    store: StoreRequests,
    privacy: PrivacyRequests,
    index: Arc<dyn IndexWork>,
}

impl Requests {
    /// Over an open store and the work on its index. `limits` are those of the outbox's batches.
    pub fn new(store: Store, clock: Clock, limits: BatchLimits, index: Arc<dyn IndexWork>) -> Self {
        Self {
            privacy: PrivacyRequests::new(store.clone(), clock.clone()),
            store: StoreRequests::new(store, clock, limits),
            index,
        }
    }

    async fn answer(&self, request: &Request, replies: mpsc::Sender<Reply>) -> anyhow::Result<Outcome> {
        match request {
            Request::Ping => Ok(Outcome::Pong {
                pid: std::process::id(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
            }),
            Request::SetMode { mode } => self.store.set_mode(*mode).await,
            Request::Reset => self.store.reset().await,
            Request::SetStatus { status } => self.store.set_status(*status).await,
            Request::RetryParked(selection) => self.store.retry(selection).await,
            Request::DiscardParked { selection, reason } => self.store.discard(selection, reason).await,
            Request::Suppress(options) => self.privacy.suppress(options, &replies).await,
            Request::Unsuppress { persons } => self.privacy.unsuppress(persons).await,
            Request::Erase(options) => self.privacy.erase(options, &replies).await,
            Request::PauseDelivery { website } => self.store.pause(website.as_deref()).await,
            Request::ResumeDelivery { website } => self.store.resume(website.as_deref()).await,
            Request::Reindex(options) => {
                let rebuilt = self.index.reindex(options, forwarded(replies)).await;
                Ok(Outcome::Reindexed(rebuilt.map_err(in_reindex_words)?))
            }
            Request::Resync(options) => {
                options.validate()?;
                let resynced = self.index.resync(options, forwarded(replies)).await?;
                Ok(Outcome::Resynced(resynced))
            }
            Request::Verify(options) => {
                options.validate()?;
                let report = self.index.verify(options, forwarded(replies)).await?;
                Ok(Outcome::Verified(report))
            }
            Request::CronRun { job } => Ok(Outcome::JobRan(self.index.run_job(job).await?)),
        }
    }
}

impl ControlHandler for Requests {
    fn handle<'a>(&'a self, request: &'a Request, replies: mpsc::Sender<Reply>) -> BoxFuture<'a, Outcome> {
        Box::pin(self.answer(request, replies))
    }
}

/// Progress as replies. Reports that nobody takes in time are dropped: a slow client must not slow the work down. It
/// closes when the client is gone.
fn forwarded(replies: mpsc::Sender<Reply>) -> mpsc::Sender<Progress> {
    let (sender, mut reports) = mpsc::channel(PROGRESS_QUEUE);
    tokio::spawn(async move {
        while let Some(progress) = reports.recv().await {
            let sent = replies.try_send(Reply::Progress(progress));
            if matches!(sent, Err(TrySendError::Closed(_))) {
                return;
            }
        }
    });
    sender
}

fn in_reindex_words(error: anyhow::Error) -> anyhow::Error {
    match error.downcast::<RequestError>() {
        Ok(RequestError::Locked { holder }) => RequestError::ReindexLocked { holder }.into(),
        Ok(other) => other.into(),
        Err(error) => error,
    }
}
