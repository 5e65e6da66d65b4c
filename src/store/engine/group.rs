//! Group commit: the queued jobs of the writer become one transaction, with a savepoint for each job.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{oneshot, watch};

use crate::store::error::{Fault, StoreError};
use crate::store::transaction::{Durability, Topic, Writer};

/// Largest number of jobs in one transaction; it bounds the wait of the first one.
pub(crate) const GROUP: usize = 256;

/// The subscribers of each topic.
///
/// Each has a channel of its own. The waiters of a shared channel would wake in random order, and a simulation could not
/// be repeated.
#[derive(Clone, Debug, Default)]
pub(crate) struct Topics(Arc<Mutex<[Vec<watch::Sender<u64>>; 2]>>);

impl Topics {
    pub(crate) fn subscribe(&self, topic: Topic) -> watch::Receiver<u64> {
        let (sender, receiver) = watch::channel(0);
        let mut subscribers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        subscribers[topic as usize].push(sender);
        receiver
    }

    fn announce(&self, touched: [bool; 2]) {
        let mut subscribers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (topic, _) in subscribers
            .iter_mut()
            .zip(touched)
            .filter(|(_, touched)| *touched)
        {
            topic.retain(|subscriber| {
                subscriber.send_modify(|generation| *generation += 1);
                !subscriber.is_closed()
            });
        }
    }
}

/// The writing connection, and the subscribers of its commits.
pub(crate) struct Committer {
    pub(crate) connection: Connection,
    pub(crate) topics: Topics,
    pub(crate) fatal: watch::Sender<Option<String>>,
    pub(crate) synchronous: Durability,
}

impl Committer {
    /// Runs the jobs as one transaction. The caller passes the result to [`finish`], which answers the jobs.
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
            // A failed job is rolled back alone; the others of the group are committed.
            writer.connection.execute_batch("SAVEPOINT job")?;
            let before = writer.touched;
            if job.run(&mut writer) {
                writer.connection.execute_batch("RELEASE job")?;
                continue;
            }
            // After "disk full" and similar errors, SQLite has already rolled back the whole transaction.
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

    fn set_synchronous(&mut self, wanted: Durability) -> Result<(), StoreError> {
        if self.synchronous != wanted {
            let level = match wanted {
                Durability::Durable => "FULL",
                Durability::Relaxed => "NORMAL",
            };
            // It has no effect inside a transaction, so it is set before one begins.
            self.connection.pragma_update(None, "synchronous", level)?;
            self.synchronous = wanted;
        }
        Ok(())
    }

    fn report(&self, outcome: &Result<[bool; 2], StoreError>) {
        match outcome {
            Ok(touched) => self.topics.announce(*touched),
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

/// Answers every job of a group.
pub(crate) fn finish(group: &mut Vec<Box<dyn WriteJob>>, outcome: &Result<(), StoreError>) {
    for job in group.drain(..) {
        job.finish(outcome.as_ref().err());
    }
}

/// A queued job with its result type erased.
pub(crate) trait WriteJob: Send {
    fn durability(&self) -> Durability;
    /// Runs the job. Returns false if it failed and must be rolled back.
    fn run(&mut self, writer: &mut Writer<'_>) -> bool;
    /// Returns the error of a job that failed.
    fn failure(&self) -> Option<&StoreError>;
    /// Sends the job's result to the caller, or the error of the whole group.
    fn finish(self: Box<Self>, group_failed: Option<&StoreError>);
}

/// A queued job, its result, and the channel of its caller.
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
        // A panic in one job must not end the writer: answers of the edge could no longer be stored.
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
        // A caller that was cancelled has dropped its end; its work is committed all the same.
        let _ = self.answer.send(result);
    }
}

pub(crate) fn panicked() -> StoreError {
    StoreError::failed(Fault::Other, "a transaction panicked and was undone")
}

/// Copies the error of a group for each of its jobs.
fn copy_of(error: &StoreError) -> StoreError {
    match error {
        StoreError::Failed { fault, cause } => StoreError::failed(*fault, cause),
        other => StoreError::failed(Fault::Other, other),
    }
}
