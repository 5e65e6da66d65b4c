//! Group commit: what has queued up for the writer becomes one transaction, with a savepoint for each job.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{oneshot, watch};

use crate::store::error::{Fault, StoreError};
use crate::store::transaction::{Durability, Topic, Writer};

/// Jobs in one transaction at most, so that the first of them does not wait for ever.
pub(crate) const GROUP: usize = 256;

/// Who waits for what. Each has a channel of its own: which of several waiters of one channel wakes first is drawn by lot,
/// and a run could not be repeated.
#[derive(Clone, Debug, Default)]
pub(crate) struct Topics(Arc<Mutex<[Vec<watch::Sender<u64>>; 2]>>);

impl Topics {
    pub(crate) fn subscribe(&self, topic: Topic) -> watch::Receiver<u64> {
        let (sender, receiver) = watch::channel(0);
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting[topic as usize].push(sender);
        receiver
    }

    fn announce(&self, touched: [bool; 2]) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (topic, _) in waiting.iter_mut().zip(touched).filter(|(_, touched)| *touched) {
            topic.retain(|waiter| {
                waiter.send_modify(|generation| *generation += 1);
                !waiter.is_closed()
            });
        }
    }
}

/// The writing connection, and whom to tell about its commits.
pub(crate) struct Committer {
    pub(crate) connection: Connection,
    pub(crate) topics: Topics,
    pub(crate) fatal: watch::Sender<Option<String>>,
    pub(crate) synchronous: Durability,
}

impl Committer {
    /// Runs the jobs as one transaction, and returns how it ended: [`finish`] tells the jobs.
    pub(crate) fn commit(&mut self, group: &mut [Box<dyn WriteJob>]) -> Result<(), StoreError> {
        let outcome = self.commit_group(group);
        self.report(&outcome);
        outcome.map(drop)
    }

    fn commit_group(&mut self, group: &mut [Box<dyn WriteJob>]) -> Result<[bool; 2], StoreError> {
        let strictest = group
            .iter()
            .map(|job| job.durability())
            .max()
            .unwrap_or(Durability::Durable);
        self.set_synchronous(strictest)?;
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut writer = Writer {
            connection: &transaction,
            touched: [false; 2],
        };
        for job in group {
            writer.connection.execute_batch("SAVEPOINT job")?;
            let before = writer.touched;
            if job.run(&mut writer) {
                writer.connection.execute_batch("RELEASE job")?;
                continue;
            }
            // After "disk full" and its like SQLite has undone the whole transaction by itself.
            if let Some(fatal) = job.failure().filter(|error| error.is_fatal()) {
                return Err(copy_of(fatal));
            }
            writer.touched = before;
            writer.connection.execute_batch("ROLLBACK TO job; RELEASE job")?;
        }
        let touched = writer.touched;
        transaction.commit()?;
        Ok(touched)
    }

    /// `PRAGMA synchronous` has no effect inside a transaction, so it is set between them, and only when it differs.
    fn set_synchronous(&mut self, wanted: Durability) -> Result<(), StoreError> {
        if self.synchronous != wanted {
            let level = if wanted == Durability::Durable {
                "FULL"
            } else {
                "NORMAL"
            };
            self.connection.pragma_update(None, "synchronous", level)?;
            self.synchronous = wanted;
        }
        Ok(())
    }

    fn report(&self, outcome: &Result<[bool; 2], StoreError>) {
        match outcome {
            Ok(touched) => {
                self.topics.announce(*touched);
            }
            Err(error) if error.is_fatal() => {
                self.fatal.send_if_modified(|slot| {
                    let first = slot.is_none();
                    slot.get_or_insert_with(|| error.to_string());
                    first
                });
            }
            Err(_) => {}
        }
    }
}

/// Answers all jobs of a group.
pub(crate) fn finish(group: &mut Vec<Box<dyn WriteJob>>, outcome: &Result<(), StoreError>) {
    for job in group.drain(..) {
        job.finish(outcome.as_ref().err());
    }
}

/// A job with its result type erased.
pub(crate) trait WriteJob: Send {
    fn durability(&self) -> Durability;
    /// Does the work; `false` asks for its part to be undone.
    fn run(&mut self, writer: &mut Writer<'_>) -> bool;
    /// Why `run` asked for its part to be undone.
    fn failure(&self) -> Option<&StoreError>;
    /// Answers the caller: with the job's own result, unless the whole group failed.
    fn finish(self: Box<Self>, group_failed: Option<&StoreError>);
}

/// A job, and where its answer goes.
pub(crate) struct QueuedWrite<F, T> {
    pub(crate) durability: Durability,
    pub(crate) work: Option<F>,
    pub(crate) result: Option<Result<T, StoreError>>,
    pub(crate) answer: oneshot::Sender<Result<T, StoreError>>,
}

impl<F, T> WriteJob for QueuedWrite<F, T>
where
    T: Send,
    F: FnOnce(&mut Writer<'_>) -> Result<T, StoreError> + Send,
{
    fn durability(&self) -> Durability {
        self.durability
    }

    fn run(&mut self, writer: &mut Writer<'_>) -> bool {
        // A panic in one job must not take the writer, and with it the daemon's memory of what was sent, along.
        let result = match self.work.take() {
            Some(work) => catch_unwind(AssertUnwindSafe(|| work(writer))).unwrap_or_else(|_| Err(panicked())),
            None => Err(StoreError::Closed),
        };
        let keep = result.is_ok();
        self.result = Some(result);
        keep
    }

    fn failure(&self) -> Option<&StoreError> {
        self.result.as_ref().and_then(|result| result.as_ref().err())
    }

    fn finish(self: Box<Self>, group_failed: Option<&StoreError>) {
        let result = match (group_failed, self.result) {
            (None, Some(result)) | (Some(_), Some(result @ Err(_))) => result,
            (Some(error), _) => Err(copy_of(error)),
            (None, None) => Err(StoreError::Closed),
        };
        // The caller may have gone away (cancelled); its work is committed all the same.
        let _ = self.answer.send(result);
    }
}

pub(crate) fn panicked() -> StoreError {
    StoreError::Failed {
        fault: Fault::Other,
        cause: "a transaction panicked and was undone".to_owned(),
    }
}

/// The same failure for each job of a group that could not be committed.
fn copy_of(error: &StoreError) -> StoreError {
    match error {
        StoreError::Failed { fault, cause } => StoreError::Failed {
            fault: *fault,
            cause: cause.clone(),
        },
        other => StoreError::Failed {
            fault: Fault::Other,
            cause: other.to_string(),
        },
    }
}
