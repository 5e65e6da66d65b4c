//! The requests about persons: the suppression list and `privacy erase`. Senders may run meanwhile: batches in flight are
//! skipped, and processed once their senders have settled them.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::daemon::control::persons::{
    EraseOptions, Erased, PersonId, Screening, SuppressOptions, Suppressed,
};
use crate::daemon::control::{Outcome, Reply};
use crate::daemon::requests::progress::Reporter;
use crate::store::outbox::in_flight::InFlightBatches;
use crate::store::outbox::{BatchId, Class, EventKey, PersonEvents};
use crate::store::suppression::Person;
use crate::store::{Durability, Reader, Store, StoreError, Writer};
use orderfeed_model::clock::Clock;
use orderfeed_model::order::OrderId;

/// Batches or parked events processed at a time, so that senders do not wait long for writer and readers.
const PAGE: usize = 64;
const IN_FLIGHT_WAIT: Duration = Duration::from_secs(10);
const POLL_INTERVAL: Duration = Duration::from_millis(50);
const REPORT_EVERY: Duration = Duration::from_secs(5);

pub(crate) struct PrivacyRequests {
    store: Store,
    clock: Clock,
}

impl PrivacyRequests {
    pub(crate) fn new(store: Store, clock: Clock) -> Self {
        Self { store, clock }
    }

    pub(crate) async fn suppress(
        &self,
        options: &SuppressOptions,
        reporter: &Reporter,
    ) -> anyhow::Result<Outcome> {
        let persons = hashes(&options.persons);
        let total = persons.len() as u64;
        let added = self.add(persons, &options.note).await?;
        let mut suppressed = Suppressed {
            added,
            known: total - added,
            ..Suppressed::default()
        };
        if options.screening == Screening::Now {
            self.screen(&mut suppressed, reporter).await?;
            tracing::info!(
                persons = added,
                events = suppressed.events,
                "The suppression list was changed; pending events of the persons on it are not sent"
            );
        }
        Ok(Outcome::Suppressed(suppressed))
    }

    pub(crate) async fn unsuppress(&self, persons: &[PersonId]) -> anyhow::Result<Outcome> {
        let (persons, total) = (hashes(persons), persons.len() as u64);
        let removed = self
            .store
            .write(Durability::Durable, move |w| w.remove_suppressions(&persons))
            .await?;
        Ok(Outcome::Unsuppressed {
            removed,
            missing: total - removed,
        })
    }

    pub(crate) async fn erase(&self, options: &EraseOptions, reporter: &Reporter) -> anyhow::Result<Outcome> {
        let persons = hashes(&options.persons);
        let mut erasure = Erasure {
            store: &self.store,
            clock: &self.clock,
            report: Erased {
                dry_run: options.dry_run,
                ..Erased::default()
            },
            orders: BTreeSet::new(),
            skipped: Vec::new(),
            searched: SearchLog::new(reporter),
            persons,
        };
        // Before the search: events indexed from here on are suppressed, earlier ones are found by it.
        if options.suppress && !options.dry_run {
            erasure.report.listed = self.add(erasure.persons.clone(), "erased").await?;
        }
        erasure.run().await?;
        if !options.dry_run {
            erasure.report.log_emptied = self.store.truncate_wal().await?;
            tracing::info!(
                waiting = erasure.report.waiting,
                sent = erasure.report.sent,
                parked = erasure.report.parked,
                "Bodies of events were erased at a person's request"
            );
        }
        erasure.report.orders = erasure.orders.len() as u64;
        Ok(Outcome::Erased(erasure.report))
    }

    async fn add(&self, persons: Vec<Person>, note: &str) -> Result<u64, StoreError> {
        let (note, at) = (note.to_owned(), self.clock.now());
        self.store
            .write(Durability::Durable, move |w| {
                w.add_suppressions(&persons, &note, at)
            })
            .await
    }

    /// Screens every pending batch. History goes first: a batch that is promoted to live meanwhile is found among the live
    /// ones.
    async fn screen(&self, suppressed: &mut Suppressed, reporter: &Reporter) -> Result<(), StoreError> {
        let mut searched = SearchLog::new(reporter);
        let mut skipped = Vec::new();
        for (website, _) in self.store.read(|r| r.websites()).await? {
            for class in [Class::History, Class::Live] {
                let mut after = 0;
                loop {
                    let page = self
                        .store
                        .read(move |r| r.pending_ids(website, class, after, PAGE))
                        .await?;
                    let Some(last) = page.last() else { break };
                    after = *last;
                    searched.add(page.len());
                    suppressed.events += self.screen_page(page, &mut skipped).await?;
                }
            }
        }
        // Batches whose sender has settled them may be pending again, and are searched once more.
        let (free, held) = when_free(self.store.in_flight(), skipped).await;
        suppressed.in_flight = held.len() as u64;
        for page in free.chunks(PAGE) {
            suppressed.events += self.screen_page(page.to_vec(), &mut Vec::new()).await?;
        }
        Ok(())
    }

    async fn screen_page(&self, page: Vec<BatchId>, skipped: &mut Vec<BatchId>) -> Result<u64, StoreError> {
        let concerned = self
            .store
            .read(move |r| {
                let mut concerned = Vec::new();
                for id in page {
                    // Searched by a reader: the writer is busy only with batches that hold events to suppress.
                    if r.holds_suppressed(id)? {
                        concerned.push(id);
                    }
                }
                Ok(concerned)
            })
            .await?;
        if concerned.is_empty() {
            return Ok(0);
        }
        let (in_flight, at) = (self.store.in_flight().clone(), self.clock.now());
        let screened = move |w: &mut Writer<'_>| {
            let (mut events, mut held) = (0, Vec::new());
            for id in concerned {
                match in_flight.contains(id) {
                    true => held.push(id),
                    false => events += w.screen_batch(id, at)?,
                }
            }
            Ok((events, held))
        };
        let (events, held) = self.store.write(Durability::Durable, screened).await?;
        skipped.extend(held);
        Ok(events)
    }
}

struct Erasure<'a> {
    store: &'a Store,
    clock: &'a Clock,
    persons: Vec<Person>,
    report: Erased,
    orders: BTreeSet<OrderId>,
    skipped: Vec<BatchId>,
    searched: SearchLog<'a>,
}

impl Erasure<'_> {
    /// Erases parked events and batches. Repeats it while batches are in flight: a settled batch may have become parked events
    /// or two batches.
    async fn run(&mut self) -> Result<(), StoreError> {
        let deadline = Instant::now() + IN_FLIGHT_WAIT;
        self.convert().await?;
        loop {
            // Again from the first skipped batch: the batches that replace it have larger ids.
            let first = self.skipped.iter().min().map_or(0, |id| id - 1);
            self.skipped.clear();
            self.parked_events().await?;
            self.bodies(first).await?;
            if self.skipped.is_empty() || Instant::now() > deadline {
                break;
            }
            when_free(self.store.in_flight(), self.skipped.clone()).await;
        }
        self.report.in_flight = self.skipped.len() as u64;
        Ok(())
    }

    /// Stores the persons of bodies that an earlier version wrote: the searches below use an index that lacks them.
    async fn convert(&mut self) -> Result<(), StoreError> {
        let step = |w: &mut Writer<'_>| w.convert_persons(PAGE);
        while self.store.write(Durability::Relaxed, step).await? {
            self.searched.add(PAGE);
        }
        Ok(())
    }

    async fn parked_events(&mut self) -> Result<(), StoreError> {
        let persons = self.persons.clone();
        let found = self.store.read(move |r| r.parked_of(&persons)).await?;
        self.orders.extend(found.iter().map(|key| key.order));
        for page in found.chunks(PAGE) {
            self.report.parked += match self.report.dry_run {
                true => page.len() as u64,
                false => self.erase_parked(page.to_vec()).await?,
            };
        }
        Ok(())
    }

    async fn erase_parked(&self, keys: Vec<EventKey>) -> Result<u64, StoreError> {
        let at = self.clock.now();
        let erase = move |w: &mut Writer<'_>| {
            keys.into_iter()
                .try_fold(0, |erased, key| Ok(erased + u64::from(w.erase_parked(key, at)?)))
        };
        self.store.write(Durability::Durable, erase).await
    }

    async fn bodies(&mut self, mut after: BatchId) -> Result<(), StoreError> {
        loop {
            let persons = self.persons.clone();
            let read = move |r: &Reader<'_>| {
                let Some((ids, upto)) = r.batches_of(&persons, after)? else {
                    return Ok(None);
                };
                let mut concerned = Vec::new();
                for id in ids {
                    concerned.push((id, r.find_in_batch(id, &persons)?));
                }
                Ok(Some((concerned, upto)))
            };
            let Some((concerned, upto)) = self.store.read(read).await? else {
                return Ok(());
            };
            after = upto;
            self.searched.add(concerned.len());
            match self.report.dry_run {
                true => concerned.into_iter().for_each(|(_, found)| self.count(&found)),
                false => {
                    self.erase_page(concerned.into_iter().map(|(id, _)| id).collect())
                        .await?
                }
            }
        }
    }

    async fn erase_page(&mut self, ids: Vec<BatchId>) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        let (in_flight, persons, at) = (
            self.store.in_flight().clone(),
            self.persons.clone(),
            self.clock.now(),
        );
        let erase = move |w: &mut Writer<'_>| {
            let (mut erased, mut held) = (Vec::new(), Vec::new());
            for id in ids {
                match in_flight.contains(id) {
                    true => held.push(id),
                    false => erased.push(w.erase_from_batch(id, &persons, at)?),
                }
            }
            Ok((erased, held))
        };
        let (erased, held) = self.store.write(Durability::Durable, erase).await?;
        self.skipped.extend(held);
        erased.iter().for_each(|found| self.count(found));
        Ok(())
    }

    fn count(&mut self, found: &PersonEvents) {
        let events = found.events.len() as u64;
        match found.pending {
            true => self.report.waiting += events,
            false => self.report.sent += events,
        }
        self.report.bytes += found.bytes;
        self.report.texts += found.texts;
        self.orders.extend(found.events.iter().map(|key| key.order));
    }
}

/// Reports the number of searched batches now and then.
struct SearchLog<'a> {
    reporter: &'a Reporter,
    batches: usize,
    reported: Instant,
}

impl<'a> SearchLog<'a> {
    fn new(reporter: &'a Reporter) -> Self {
        Self {
            reporter,
            batches: 0,
            reported: Instant::now(),
        }
    }

    fn add(&mut self, batches: usize) {
        self.batches += batches;
        if self.reported.elapsed() >= REPORT_EVERY {
            self.reported = Instant::now();
            let text = format!("{} batches searched so far", self.batches);
            self.reporter.send(Reply::Line { text });
        }
    }
}

/// Waits a bounded time until no batch is in flight any more. Returns the settled ones and those still in flight.
async fn when_free(in_flight: &InFlightBatches, ids: Vec<BatchId>) -> (Vec<BatchId>, Vec<BatchId>) {
    let deadline = Instant::now() + IN_FLIGHT_WAIT;
    while ids.iter().any(|id| in_flight.contains(*id)) && Instant::now() < deadline {
        sleep(POLL_INTERVAL).await;
    }
    ids.into_iter().partition(|id| !in_flight.contains(*id))
}

fn hashes(persons: &[PersonId]) -> Vec<Person> {
    persons.iter().map(|person| person.0).collect()
}
