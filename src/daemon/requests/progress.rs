//! Progress of a request, sent to the client that waits for it.

use tokio::sync::mpsc;

use crate::daemon::control::{Progress, Reply};
use crate::indexer;

#[derive(Clone, Debug)]
pub(crate) struct Reporter(pub(crate) mpsc::Sender<Reply>);

impl Reporter {
    /// Returns a callback for the indexer that reports the progress of a backfill.
    pub(crate) fn of_backfill(self) -> impl FnMut(indexer::Progress) + Send {
        move |backfill| {
            self.send(Reply::Progress(Progress {
                done: backfill.done,
                total: backfill.total,
                events: backfill.events,
            }));
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    pub(crate) fn send(&self, reply: Reply) {
        // Dropped if the queue is full: a slow client must not slow down the work.
        let _ = self.0.try_send(reply);
    }
}
