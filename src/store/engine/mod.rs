//! The writer and the readers. They are threads in production, and in a simulation tasks of its one thread
//! ([`SimulatedLatency`]), with the same group commit, so that a run can be repeated.

pub(crate) mod group;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{mpsc, oneshot, watch};

use crate::store::engine::group::{Committer, GROUP, QueuedWrite, Topics, WriteJob, finish, panicked};
use crate::store::error::StoreError;
use crate::store::file::damage::spawn;
use crate::store::file::open;
use crate::store::transaction::{Durability, Reader, Topic, Writer};

/// Capacity of each queue. When it is full, callers wait, so that memory stays bounded.
const QUEUE: usize = 1024;
const READERS: usize = 2;

/// The duration of the two steps of a simulated transaction: before its work, and between commit and answer.
#[derive(Clone)]
pub struct SimulatedLatency(Arc<dyn Fn() -> Duration + Send + Sync>);

impl SimulatedLatency {
    pub fn new(latency: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self(Arc::new(latency))
    }

    async fn pass(&self) {
        let pause = (self.0)();
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
    }
}

impl fmt::Debug for SimulatedLatency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimulatedLatency")
    }
}

/// The handle of the thread that owns the writing connection.
#[derive(Debug)]
pub(super) struct WriterThread {
    jobs: mpsc::Sender<Box<dyn WriteJob>>,
    topics: Topics,
    fatal: watch::Sender<Option<String>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl WriterThread {
    pub(super) fn start(
        connection: Connection,
        latency: Option<SimulatedLatency>,
    ) -> Result<Self, StoreError> {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let fatal = watch::Sender::new(None);
        let topics = Topics::default();
        let committer = Committer {
            connection,
            topics: topics.clone(),
            fatal: fatal.clone(),
            synchronous: Durability::Durable,
        };
        let thread = match latency {
            None => Some(spawn("store-writer", move || write(committer, queue))?),
            Some(latency) => {
                tokio::spawn(write_simulated(committer, queue, latency));
                None
            }
        };
        Ok(Self {
            jobs,
            topics,
            fatal,
            thread,
        })
    }

    pub(super) async fn run<T, F>(&self, durability: Durability, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Writer<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job = QueuedWrite {
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

    /// Returns the number of waiting jobs.
    pub(super) fn queued(&self) -> usize {
        QUEUE - self.jobs.capacity()
    }

    pub(super) fn subscribe(&self, topic: Topic) -> watch::Receiver<u64> {
        self.topics.subscribe(topic)
    }

    /// Subscribes to the first fatal failure.
    pub(super) fn fatal(&self) -> watch::Receiver<Option<String>> {
        let mut fatal = self.fatal.subscribe();
        // Also one from before the subscription.
        if self.fatal.borrow().is_some() {
            fatal.mark_changed();
        }
        fatal
    }

    /// Returns the channel on which other threads of the store report a fatal failure.
    pub(super) fn fatal_sender(&self) -> watch::Sender<Option<String>> {
        self.fatal.clone()
    }
}

impl Drop for WriterThread {
    fn drop(&mut self) {
        // Closes the queue, which ends the thread. A process that ended before it would leave the write-ahead log behind,
        // and a copy of the store's file alone would be outdated.
        self.jobs = mpsc::channel(1).0;
        // The last clone may be dropped by a job, on the writer's own thread.
        let own = thread::current().id();
        if let Some(writer) = self.thread.take().filter(|writer| writer.thread().id() != own) {
            let _ = writer.join();
        }
    }
}

type WriteQueue = mpsc::Receiver<Box<dyn WriteJob>>;

fn write(mut committer: Committer, mut queue: WriteQueue) {
    let mut group = Vec::with_capacity(GROUP);
    while let Some(first) = queue.blocking_recv() {
        group.push(first);
        take_waiting(&mut queue, &mut group);
        let outcome = committer.commit(&mut group);
        finish(&mut group, &outcome);
    }
    // After a clean shutdown the file alone is the whole store, and can be copied.
    let _ = committer
        .connection
        .execute_batch("PRAGMA optimize; PRAGMA wal_checkpoint(TRUNCATE)");
}

async fn write_simulated(mut committer: Committer, mut queue: WriteQueue, latency: SimulatedLatency) {
    let mut group = Vec::with_capacity(GROUP);
    while let Some(first) = queue.recv().await {
        group.push(first);
        latency.pass().await;
        take_waiting(&mut queue, &mut group);
        let outcome = committer.commit(&mut group);
        // Committed but not answered: the runtime may end here.
        latency.pass().await;
        finish(&mut group, &outcome);
    }
}

fn take_waiting(queue: &mut WriteQueue, group: &mut Vec<Box<dyn WriteJob>>) {
    while group.len() < GROUP
        && let Ok(job) = queue.try_recv()
    {
        group.push(job);
    }
}

type ReadJob = Box<dyn FnOnce(&mut Connection) + Send>;

/// The threads that own the read-only connections.
#[derive(Debug)]
pub(super) struct Readers {
    threads: Vec<ReaderThread>,
}

#[derive(Debug)]
struct ReaderThread {
    jobs: mpsc::Sender<ReadJob>,
    /// Number of jobs that it has not finished.
    busy: Arc<AtomicUsize>,
}

impl Readers {
    pub(super) fn start(path: &Path, latency: Option<&SimulatedLatency>) -> Result<Self, StoreError> {
        let mut threads = Vec::with_capacity(READERS);
        for number in 0..READERS {
            let mut connection = open::read_only(path)?;
            let (jobs, mut queue) = mpsc::channel::<ReadJob>(QUEUE);
            // The threads end when their queue is closed, and nothing waits for them: they only read.
            match latency.cloned() {
                None => {
                    spawn(&format!("store-reader-{number}"), move || {
                        while let Some(job) = queue.blocking_recv() {
                            job(&mut connection);
                        }
                    })?;
                }
                Some(latency) => {
                    tokio::spawn(async move {
                        while let Some(job) = queue.recv().await {
                            latency.pass().await;
                            job(&mut connection);
                        }
                    });
                }
            }
            threads.push(ReaderThread {
                jobs,
                busy: Arc::default(),
            });
        }
        Ok(Self { threads })
    }

    pub(super) async fn run<T, F>(&self, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Reader<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        // The least busy one: a live change must not wait behind a page of history.
        let threads = self.threads.iter();
        let Some(thread) = threads.min_by_key(|thread| thread.busy.load(Ordering::Relaxed)) else {
            return Err(StoreError::Closed);
        };
        let busy = Busy::count(&thread.busy);
        let job: ReadJob = Box::new(move |connection| {
            let read = AssertUnwindSafe(|| read_in_snapshot(connection, job));
            let result = catch_unwind(read).unwrap_or_else(|_| Err(panicked()));
            drop(busy);
            let _ = answer.send(result);
        });
        thread.jobs.send(job).await.map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?
    }
}

/// Counts one job of a reader until it is dropped, even if the caller was cancelled before the reader took the job.
struct Busy(Arc<AtomicUsize>);

impl Busy {
    fn count(jobs: &Arc<AtomicUsize>) -> Self {
        jobs.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(jobs))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing;

    #[tokio::test]
    async fn only_the_job_that_fails_or_panics_is_rolled_back() {
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
    async fn a_full_disk_fails_the_transaction_and_is_reported_with_its_remedy() {
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
