//! The outcomes and states that a sender has decided and the store does not have yet.
//!
//! Commits are pipelined: a lane is free as soon as its answer has arrived, and all answers that arrive during a commit
//! are settled by the next one. That is safe because a batch stays out of the queue until its own commit is done, and
//! because a batch that depends on it only becomes ready by that commit.

use std::future::Future;
use std::pin::Pin;

use crate::delivery::rules::name_website;
use crate::delivery::sender::control::health::Health;
use crate::delivery::sender::settle::{Effect, Settlement, settle};
use crate::store::outbox::SenderRow;
use crate::store::{Durability, Store, StoreError, Writer};

type CommitFuture = Pin<Box<dyn Future<Output = Result<Vec<Effect>, StoreError>> + Send>>;

/// The ledger of one sender.
pub(crate) struct Ledger {
    /// Outcomes that wait for the next commit.
    pub(crate) unsettled: Vec<Settlement>,
    pub(crate) commit: Option<CommitFuture>,
    /// The sender's row as last read from or written to the store.
    row: SenderRow,
}

impl Ledger {
    pub(crate) fn new(row: SenderRow) -> Self {
        Self {
            unsettled: Vec::new(),
            commit: None,
            row,
        }
    }

    /// Starts to commit everything that is unsettled, unless a commit is running.
    pub(crate) fn start_commit(&mut self, store: &Store) {
        if self.commit.is_none() && !self.unsettled.is_empty() {
            // Answers that arrive from now on wait for the next commit.
            let all = std::mem::take(&mut self.unsettled);
            self.commit = Some(Box::pin(settle(store.clone(), all)));
        }
    }

    /// Waits for the running commit; forever if there is none. May be dropped and called again.
    pub(crate) async fn committed(&mut self) -> Result<Vec<Effect>, StoreError> {
        let Some(commit) = &mut self.commit else {
            return std::future::pending().await;
        };
        let effects = commit.await;
        self.commit = None;
        effects
    }

    /// Returns true if the row in the store has another state than this sender last read or wrote: an operator paused
    /// or resumed it.
    pub(crate) fn notices_operator(&mut self, row: &SenderRow) -> bool {
        let is_new = row.state != self.row.state;
        if is_new {
            self.row = row.clone();
        }
        is_new
    }

    /// Writes the state of the sender where it changed. Returns true if the row was to be written; it was not if an
    /// operator paused the sender meanwhile, which the next refill of the queue notices.
    pub(crate) async fn report(
        &mut self,
        store: &Store,
        website: &str,
        health: &Health,
    ) -> Result<bool, StoreError> {
        let new = health.row();
        // The other fields follow from these, or do not justify a commit of their own.
        let same = (new.state, &new.code, new.until) == (self.row.state, &self.row.code, self.row.until);
        if same || health.is_paused() {
            return Ok(false);
        }
        let reason = name_website(&new.reason, website);
        let row = SenderRow {
            reason,
            ..new.clone()
        };
        self.row = row.clone();
        let write = move |writer: &mut Writer<'_>| writer.report_sender(&row);
        store.write(Durability::Durable, write).await?;
        Ok(true)
    }
}
