//! The writer thread with its group commit, and the reader threads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{mpsc, oneshot, watch};

use crate::store::error::{Fault, StoreError};
use crate::store::open;
use crate::store::transaction::{Durability, Reader, Topic, Writer};

/// Jobs that may wait for the writer. Beyond it, callers wait for a place: memory stays bounded.
const QUEUE: usize = 1024;
/// Jobs in one transaction at most, so that the first of them does not wait for ever.
const GROUP: usize = 256;
const READERS: usize = 2;

/// The thread that owns the writing connection.
#[derive(Debug)]
pub(super) struct WriterThread {
    jobs: mpsc::Sender<Box<dyn WriteJob>>,
    topics: [watch::Receiver<u64>; 2],
    fatal: watch::Sender<Option<String>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl WriterThread {
    pub(super) fn start(connection: Connection) -> Result<Self, StoreError> {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let ((changelog, changelog_seen), (outbox, outbox_seen)) = (watch::channel(0), watch::channel(0));
        let fatal = watch::Sender::new(None);
        let work = WriterLoop {
            connection,
            queue,
            topics: [changelog, outbox],
            fatal: fatal.clone(),
            synchronous: Durability::Durable,
        };
        let thread = spawn("store-writer", move || work.run())?;
        Ok(Self {
            thread: Some(thread),
            jobs,
            topics: [changelog_seen, outbox_seen],
            fatal,
        })
    }

    pub(super) async fn run<T, F>(&self, durability: Durability, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Writer<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job = Job {
            durability,
            work: Some(job),
            result: None,
            answer,
        };
        self.jobs
            .send(Box::new(job))
            .await
            .map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?
    }

    /// Jobs that wait.
    pub(super) fn queued(&self) -> usize {
        QUEUE - self.jobs.capacity()
    }

    pub(super) fn subscribe(&self, topic: Topic) -> watch::Receiver<u64> {
        self.topics[topic as usize].clone()
    }

    /// Whoever is there first, hears of it all the same.
    pub(super) fn fatal(&self) -> watch::Receiver<Option<String>> {
        let mut fatal = self.fatal.subscribe();
        if self.fatal.borrow().is_some() {
            fatal.mark_changed();
        }
        fatal
    }

    /// Where other threads of the store say what ends it.
    pub(super) fn announce_fatal(&self) -> watch::Sender<Option<String>> {
        self.fatal.clone()
    }
}

/// The last handle waits for the end of the writer: a process that ended before it would leave the write-ahead log
/// behind, and a copy of the store's file alone would be an old one.
impl Drop for WriterThread {
    fn drop(&mut self) {
        self.jobs = mpsc::channel(1).0;
        let own = thread::current().id();
        if let Some(writer) = self.thread.take().filter(|writer| writer.thread().id() != own) {
            let _ = writer.join();
        }
    }
}

struct WriterLoop {
    connection: Connection,
    queue: mpsc::Receiver<Box<dyn WriteJob>>,
    topics: [watch::Sender<u64>; 2],
    fatal: watch::Sender<Option<String>>,
    synchronous: Durability,
}

impl WriterLoop {
    fn run(mut self) {
        let mut group = Vec::with_capacity(GROUP);
        while let Some(first) = self.queue.blocking_recv() {
            group.push(first);
            while group.len() < GROUP {
                match self.queue.try_recv() {
                    Ok(job) => group.push(job),
                    Err(_) => break,
                }
            }
            let outcome = self.commit_group(&mut group);
            self.report(&outcome);
            for job in group.drain(..) {
                job.finish(outcome.as_ref().err());
            }
        }
        // After a clean end the file alone is the whole store: it can be copied.
        let _ = self
            .connection
            .execute_batch("PRAGMA optimize; PRAGMA wal_checkpoint(TRUNCATE)");
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
                for (topic, _) in self.topics.iter().zip(touched).filter(|(_, touched)| **touched) {
                    topic.send_modify(|generation| *generation += 1);
                }
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

/// A job with its result type erased.
trait WriteJob: Send {
    fn durability(&self) -> Durability;
    /// Does the work; `false` asks for its part to be undone.
    fn run(&mut self, writer: &mut Writer<'_>) -> bool;
    /// Why `run` asked for its part to be undone.
    fn failure(&self) -> Option<&StoreError>;
    /// Answers the caller: with the job's own result, unless the whole group failed.
    fn finish(self: Box<Self>, group_failed: Option<&StoreError>);
}

struct Job<F, T> {
    durability: Durability,
    work: Option<F>,
    result: Option<Result<T, StoreError>>,
    answer: oneshot::Sender<Result<T, StoreError>>,
}

impl<F, T> WriteJob for Job<F, T>
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

fn panicked() -> StoreError {
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

type ReadJob = Box<dyn FnOnce(&mut Connection) + Send>;

/// The threads that own the read-only connections.
#[derive(Debug)]
pub(super) struct Readers {
    threads: Vec<mpsc::Sender<ReadJob>>,
    next: AtomicUsize,
}

impl Readers {
    pub(super) fn start(path: &Path) -> Result<Self, StoreError> {
        let mut threads = Vec::with_capacity(READERS);
        for number in 0..READERS {
            let mut connection = open::read_only(path)?;
            let (jobs, mut queue) = mpsc::channel::<ReadJob>(QUEUE);
            spawn(&format!("store-reader-{number}"), move || {
                while let Some(job) = queue.blocking_recv() {
                    job(&mut connection);
                }
            })?;
            threads.push(jobs);
        }
        Ok(Self {
            threads,
            next: AtomicUsize::new(0),
        })
    }

    pub(super) async fn run<T, F>(&self, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Reader<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job: ReadJob = Box::new(move |connection| {
            let read = AssertUnwindSafe(|| read_in_snapshot(connection, job));
            let _ = answer.send(catch_unwind(read).unwrap_or_else(|_| Err(panicked())));
        });
        let thread = self.next.fetch_add(1, Ordering::Relaxed) % self.threads.len();
        self.threads[thread]
            .send(job)
            .await
            .map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?
    }
}

pub(super) fn read_in_snapshot<T>(
    connection: &mut Connection,
    job: impl FnOnce(&Reader<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
    let result = job(&Reader {
        connection: &transaction,
    });
    transaction.commit()?;
    result
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<thread::JoinHandle<()>, StoreError> {
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(work);
    spawned.map_err(|cause| StoreError::Failed {
        fault: Fault::Other,
        cause: format!("no thread {name}: {cause}"),
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    #[tokio::test]
    async fn a_job_that_fails_or_panics_is_undone_alone() {
        let (_dir, store) = testing::fresh();
        let good = store.write(Durability::Relaxed, |w| w.set_meta("a", "1"));
        let bad = store.write(Durability::Durable, |w| {
            w.set_meta("b", "1")?;
            Err::<(), _>(StoreError::Closed)
        });
        let worse = store.write(Durability::Durable, |w| {
            w.set_meta("c", "1")?;
            if w.reader().meta("c")?.is_some() {
                panic!("made up")
            } else {
                Ok(())
            }
        });
        let (good, bad, worse) = tokio::join!(good, bad, worse);
        assert!(good.is_ok() && bad.is_err() && worse.is_err());
        let kept = store
            .read(|r| Ok((r.meta("a")?, r.meta("b")?, r.meta("c")?)))
            .await
            .unwrap();
        assert_eq!(kept, (Some("1".to_owned()), None, None));
    }

    #[tokio::test]
    async fn a_full_disk_fails_the_transaction_with_a_sentence_and_is_announced_once() {
        let (_dir, store) = testing::fresh();
        let mut fatal = store.fatal();
        store
            .write(Durability::Durable, |w| w.limit_pages_for_test(30))
            .await
            .unwrap();
        let error = store
            .write(Durability::Durable, |w| w.set_meta("big", &"x".repeat(1 << 20)))
            .await
            .unwrap_err();
        assert!(
            error.is_fatal() && error.to_string().contains("no space left"),
            "{error}"
        );
        fatal.changed().await.unwrap();
        assert!(fatal.borrow().as_deref().unwrap().contains("free some space"));
    }
}
