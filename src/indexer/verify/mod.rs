//! Verification: reads the source in pages, newest order first, and compares each order with feed and outbox.
//!
//! # Design
//!
//! A page is one snapshot of the source and, after it, one of the store; nothing is locked and nothing waits for it. So a
//! change in between looks like a difference. An order that differs is therefore only a suspect ([`suspects`]). It is compared
//! again once capture has had the time to notice a change. It is no difference if it changed in the meantime, if the changelog
//! holds it, or if a backfill will still index it ([`pending`]).
//!
//! A repair goes through the changelog: the ordinary indexer derives what is missing, so a repair cannot do what a change
//! could not. Memory holds a page and the suspects, both bounded; the cost follows the range.

mod deleted;
mod pending;
mod reconcile;
pub(crate) mod report;
mod suspects;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::report::Progress;
use super::{IndexError, Indexer};
use crate::commerce::source::OrderFilter;
use crate::config::Config;
use crate::first_sync::history;
use crate::indexer::verify::pending::{CaptureDelay, PendingChanges};
use crate::indexer::verify::reconcile::{ComparedOrder, compare};
use crate::indexer::verify::report::{Difference, Finding, VerifyReport, Withheld};
use crate::indexer::verify::suspects::{Suspects, Suspicion};
use crate::ops::sentence::event_key;
use crate::store::feed::Exported;
use crate::store::outbox::{EventKey, EventState};
use crate::store::{Durability, Reader, Writer};
use orderfeed_events::EventKind;
use orderfeed_model::clock::UtcMillis;
use orderfeed_model::order::OrderId;

/// Orders read together.
const PAGE: usize = 500;
/// Suspects kept in memory before they are compared again.
const MAX_SUSPECTS: usize = 1_000;
/// Comparisons after the first. An order that changes between any two of them is left to capture.
const MAX_RECHECKS: u32 = 3;
/// Longest rest between two pages beside live changes.
const LONGEST_REST: Duration = Duration::from_millis(200);
/// Backlog at which a repair waits, so that live changes do not queue behind it.
const MAX_BACKLOG: i64 = 5_000;
/// Time after which a backlog that does not shrink counts as stuck; then a repair joins it without waiting.
const STUCK: Duration = Duration::from_secs(10);
const BACKLOG_POLL: Duration = Duration::from_millis(250);
/// `source_table` of changes that a repair puts into the changelog.
const REPAIR_TABLE: &str = "verify";

/// The range of a verification, and what it does about differences.
#[derive(Clone, Debug, Default)]
pub struct VerifyTask {
    pub filter: OrderFilter,
    /// Only these orders, whatever `filter` is.
    pub ids: Option<Vec<OrderId>>,
    /// Only orders below this id: where an earlier part ended.
    pub below: Option<OrderId>,
    pub max_orders: Option<u64>,
    /// True if differing orders are put into the changelog.
    pub repair: bool,
    /// Entries that each list of the report may have.
    pub list_limit: usize,
}

impl Indexer {
    /// Compares the source with feed and outbox. When `stop` returns true it ends early, with an incomplete report.
    ///
    /// # Errors
    /// `Busy` if a verification runs already; otherwise if source or store fail.
    pub async fn verify(
        &self,
        task: VerifyTask,
        stop: impl Fn() -> bool,
        mut progress: impl FnMut(Progress) + Send,
    ) -> Result<VerifyReport, IndexError> {
        let Ok(_guard) = self.verifying.try_lock() else {
            return Err(IndexError::Busy("verification".to_owned()));
        };
        let (config, started) = (self.config(), self.clock.now());
        let settings = config.clone();
        let floors = self
            .store
            .read(move |reader: &Reader<'_>| history::floors(reader, &settings, started))
            .await?;
        let mut verification = Verification {
            indexer: self,
            delay: CaptureDelay::of(&config),
            config,
            floors,
            report: VerifyReport {
                complete: true,
                ..VerifyReport::default()
            },
            suspects: Suspects::default(),
            is_stuck: false,
            task,
        };
        verification.run(&stop, &mut progress, started).await?;
        let mut report = verification.report;
        report.elapsed_ms = self.clock.now().millis_since(started);
        Ok(report)
    }
}

struct Verification<'a> {
    indexer: &'a Indexer,
    task: VerifyTask,
    config: Arc<Config>,
    floors: BTreeMap<String, UtcMillis>,
    delay: CaptureDelay,
    report: VerifyReport,
    suspects: Suspects,
    /// True if nothing drains the changelog.
    is_stuck: bool,
}

/// The meaning of a required event that the outbox does not hold.
#[derive(Clone, Copy)]
enum AbsentEvent {
    Missing,
    Waiting,
}

impl Verification<'_> {
    async fn run(
        &mut self,
        stop: &impl Fn() -> bool,
        progress: &mut (impl FnMut(Progress) + Send),
        started: UtcMillis,
    ) -> Result<(), IndexError> {
        let total = self.total().await?;
        let (mut done, mut below) = (0, self.task.below);
        loop {
            if stop() {
                self.report.complete = false;
                break;
            }
            let left = self.task.max_orders.unwrap_or(u64::MAX).saturating_sub(done);
            if left == 0 {
                break;
            }
            let begun = Instant::now();
            let size = PAGE.min(usize::try_from(left).unwrap_or(PAGE));
            let ids = self.next_ids(below, size).await?;
            let Some(lowest) = ids.iter().min().copied() else {
                // Below the last order of the source, the feed may hold deleted ones.
                self.find_deleted(0, below).await?;
                self.report.reached_end = true;
                break;
            };
            self.compare_first(&ids).await?;
            self.find_deleted(lowest, below).await?;
            done += ids.len() as u64;
            below = Some(lowest);
            self.report.lowest = below;
            progress(Progress {
                total: total.max(done),
                done,
                events: self.report.events.iter().map(|row| row.expected).sum(),
                elapsed_ms: self.indexer.clock.now().millis_since(started),
            });
            if self.suspects.len() >= MAX_SUSPECTS {
                self.recheck().await?;
            }
            self.rest(begun.elapsed()).await;
        }
        // Also after a stop: the report contains only differences that were compared twice.
        self.recheck().await
    }

    /// Counts the orders of the task. Narrows a range of times to its ids as well, so that no page reads beyond it.
    async fn total(&mut self) -> Result<u64, IndexError> {
        if let Some(ids) = &self.task.ids {
            return Ok(ids.len() as u64);
        }
        let (source, filter) = (&self.indexer.source, &mut self.task.filter);
        if filter.created_from.is_some() || filter.created_before.is_some() {
            let range = source.id_range(filter).await?;
            let (low, high) = range.unwrap_or((OrderId::MAX, 0));
            filter.lowest = Some(low);
            self.task.below = Some(high.saturating_add(1));
        }
        let counted = source.count_orders(filter).await?;
        Ok(self.task.max_orders.map_or(counted, |most| most.min(counted)))
    }

    async fn next_ids(&mut self, below: Option<OrderId>, size: usize) -> Result<Vec<OrderId>, IndexError> {
        if let Some(rest) = &mut self.task.ids {
            return Ok(rest.drain(..rest.len().min(size)).collect());
        }
        let source = &self.indexer.source;
        Ok(source.order_ids(&self.task.filter, below, size).await?)
    }

    /// Compares orders for the first time: those that do not differ are counted, the others become suspects.
    async fn compare_first(&mut self, ids: &[OrderId]) -> Result<(), IndexError> {
        let mut unmarked = Vec::new();
        for order in self.compared(ids).await? {
            match Suspicion::of(&order) {
                None => {
                    self.count(&order, AbsentEvent::Missing);
                    unmarked.extend(order.births.into_iter().filter(|_| order.in_feed));
                }
                Some(found) => self.suspects.add(order.id, found, self.delay.for_order(&order)),
            }
        }
        self.indexer.adopt_births(unmarked).await
    }

    /// Suspects feed rows from `low` up to `above` whose order does not exist.
    async fn find_deleted(&mut self, low: OrderId, above: Option<OrderId>) -> Result<(), IndexError> {
        let filter = &self.task.filter;
        // The feed does not hold what these filters ask for, so its rows cannot be restricted to their range.
        if self.task.ids.is_some() || filter.updated_from.is_some() || filter.website.is_some() {
            return Ok(());
        }
        let mut low = low.max(filter.lowest.unwrap_or(0));
        while let Some((deleted, next)) = self.indexer.deleted_from(low, above, PAGE).await? {
            for order in deleted {
                self.suspects.add(order, Suspicion::DELETED, self.delay.usual);
            }
            if self.suspects.len() >= MAX_SUSPECTS {
                self.recheck().await?;
            }
            low = next;
        }
        Ok(())
    }

    async fn compared(&self, ids: &[OrderId]) -> Result<Vec<ComparedOrder>, IndexError> {
        let (mut left, mut compared) = (ids, Vec::with_capacity(ids.len()));
        while !left.is_empty() {
            let (read, orders) = self.indexer.read_beside_live(left).await?;
            let (page, rest) = left.split_at(read);
            let prior = self.indexer.prior(page.to_vec(), &orders).await?;
            let (page, config, floors) = (page.to_vec(), self.config.clone(), self.floors.clone());
            let work = move || compare(&page, orders, &prior, &config, &floors);
            let done = tokio::task::spawn_blocking(work).await;
            compared.append(&mut done.map_err(|cause| IndexError::Derive(cause.to_string()))?);
            left = rest;
        }
        Ok(compared)
    }

    /// Compares the suspects again, and once more those that changed in the meantime.
    async fn recheck(&mut self) -> Result<(), IndexError> {
        for round in 1..=MAX_RECHECKS {
            let suspects = std::mem::take(&mut self.suspects);
            for ids in suspects.wait().await.chunks(PAGE) {
                self.recheck_page(ids, &suspects, round == MAX_RECHECKS).await?;
            }
        }
        Ok(())
    }

    async fn recheck_page(
        &mut self,
        ids: &[OrderId],
        suspects: &Suspects,
        is_last: bool,
    ) -> Result<(), IndexError> {
        let store = &self.indexer.store;
        // Read before the source is: then an order that is indexed in between counts as changed.
        let version = store.read(|reader: &Reader<'_>| reader.view_version()).await?;
        let compared = self.compared(ids).await?;
        let orders: HashSet<OrderId> = ids.iter().copied().collect();
        let pending = store
            .read(move |reader: &Reader<'_>| PendingChanges::read(reader, version, &orders))
            .await?;
        let now = self.indexer.clock.now();
        let mut repairable = Vec::new();
        for order in compared {
            let Some(found) = Suspicion::of(&order) else {
                self.count(&order, AbsentEvent::Missing);
                continue;
            };
            let is_pending = pending.covers(&order, self.delay, now);
            if !is_pending && suspects.confirm(order.id, found) {
                self.count(&order, AbsentEvent::Missing);
                if found.finding != Finding::Unreadable {
                    repairable.push(order.id);
                }
                self.record(order, found.finding);
            } else if is_pending || is_last {
                self.count(&order, AbsentEvent::Waiting);
                self.report.waiting += 1;
            } else {
                self.suspects.add(order.id, found, self.delay.for_order(&order));
            }
        }
        if self.task.repair {
            self.repair(repairable).await?;
        }
        Ok(())
    }

    fn record(&mut self, order: ComparedOrder, finding: Finding) {
        self.report.differing.count(finding);
        if self.report.differences.len() >= self.task.list_limit {
            return;
        }
        let missing = order.events.iter().filter(|(_, state)| state.is_none());
        self.report.differences.push(Difference {
            order: order.id,
            number: order.number,
            website: order.website,
            finding,
            // Without the order.
            missing_events: missing
                .map(|(key, _)| event_key(*key).splitn(2, ':').skip(1).collect())
                .collect(),
            detail: order.detail,
        });
    }

    fn count(&mut self, order: &ComparedOrder, absent: AbsentEvent) {
        let report = &mut self.report;
        report.orders += u64::from(order.in_source);
        report.in_feed += u64::from(order.in_feed && order.in_source);
        report.reused_ids += order.reused;
        if order.exported != Exported::Yes {
            let reason = order.exported.as_str();
            *report.not_exported.entry(reason.to_owned()).or_default() += 1;
            if report.withheld.len() < self.task.list_limit {
                report.withheld.push(Withheld {
                    order: order.id,
                    number: order.number.clone(),
                    reason: reason.to_owned(),
                });
            }
        }
        let website = order.website.as_deref().unwrap_or_default();
        for (key, state) in &order.events {
            let row = report.tally(website, kind_name(key));
            row.expected += 1;
            *match (state, absent) {
                (Some(EventState::Delivered), _) => &mut row.delivered,
                (Some(EventState::Pending), _) => &mut row.pending,
                (Some(EventState::Suppressed), _) => &mut row.suppressed,
                (Some(EventState::Parked), _) => &mut row.parked,
                (None, AbsentEvent::Waiting) => &mut row.waiting,
                (None, AbsentEvent::Missing) => &mut row.missing,
            } += 1;
        }
    }

    async fn repair(&mut self, orders: Vec<OrderId>) -> Result<(), IndexError> {
        if orders.is_empty() {
            return Ok(());
        }
        self.wait_for_backlog().await?;
        let (at, count) = (self.indexer.clock.now(), orders.len() as u64);
        let recheck = move |writer: &mut Writer<'_>| writer.recheck_orders(&orders, REPAIR_TABLE, at);
        self.indexer.store.write(Durability::Durable, recheck).await?;
        self.report.repaired += count;
        Ok(())
    }

    /// Waits while the backlog is long: a repair is many changes at once, and live ones must not wait behind all of them.
    async fn wait_for_backlog(&mut self) -> Result<(), IndexError> {
        let (mut moved_at, mut before) = (Instant::now(), -1);
        while !self.is_stuck {
            let read = |reader: &Reader<'_>| Ok((reader.view_version()?, reader.changelog_head()?));
            let (version, head) = self.indexer.store.read(read).await?;
            if head - version < MAX_BACKLOG {
                break;
            }
            if version != before {
                (moved_at, before) = (Instant::now(), version);
            }
            self.is_stuck = moved_at.elapsed() > STUCK;
            tokio::time::sleep(BACKLOG_POLL).await;
        }
        Ok(())
    }

    /// Rests as long as it worked beside live changes, which go first.
    async fn rest(&self, worked: Duration) {
        if self.indexer.is_live() {
            tokio::time::sleep(worked.min(LONGEST_REST)).await;
        } else {
            tokio::task::yield_now().await;
        }
    }
}

fn kind_name(key: &EventKey) -> &'static str {
    EventKind::from_code(key.kind).map_or("unknown", EventKind::as_str)
}
