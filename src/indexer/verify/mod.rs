//! Verification: the source is read in pages, newest order first, and each order is compared with feed and outbox.
//!
//! # Design
//!
//! A page is one snapshot of the source and, after it, one of the store; nothing is locked, and nobody waits for it. So a
//! change in between looks like a difference. What differs is therefore only suspected: it is looked at again when a
//! capture has had the time to see it, and what the changelog then holds, or a backfill will still meet, waits and is no
//! difference ([`crate::indexer::verify::pending`]).
//!
//! A repair goes through the changelog: the ordinary indexer derives what is missing, so that a repair cannot do what a
//! change could not. Memory holds a page and the suspects, both bounded; the cost follows the range.

pub(crate) mod pending;
pub(crate) mod reconcile;
pub(crate) mod report;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::report::Progress;
use super::{IndexError, Indexer};
use crate::commerce::source::OrderFilter;
use crate::config::Config;
use crate::first_sync::history;
use crate::indexer::verify::pending::{PendingChanges, Settling, settling};
use crate::indexer::verify::reconcile::{Compared, compare};
use crate::indexer::verify::report::{Difference, Finding, VerifyReport, Withheld};
use crate::store::feed::Exported;
use crate::store::outbox::{EventKey, EventState};
use crate::store::{Durability, Reader, Writer};
use orderfeed_events::EventKind;
use orderfeed_model::clock::UtcMillis;
use orderfeed_model::order::OrderId;

/// Orders read together.
const PAGE: usize = 500;
/// Suspects that are kept until they are looked at again.
const MOST_SUSPECTS: usize = 1_000;
/// Longest rest between two pages beside live changes.
const LONGEST_REST: Duration = Duration::from_millis(200);
/// While so many changes wait, a repair adds none, so that live changes do not queue behind it.
const BACKLOG: i64 = 5_000;
/// A backlog that does not shrink for so long is not worked on; what is repaired then waits with it.
const STUCK: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// `source_table` of what a repair puts into the changelog.
const REPAIR: &str = "verify";

/// What to verify.
#[derive(Clone, Debug, Default)]
pub struct VerifyTask {
    /// Which orders.
    pub filter: OrderFilter,
    /// Only these, whatever the filter says.
    pub only: Option<Vec<OrderId>>,
    /// Only orders below this id: where an earlier part ended.
    pub below: Option<OrderId>,
    /// At most about so many orders.
    pub most: Option<u64>,
    /// What happens to orders that differ.
    pub repair: Repair,
    /// How many orders each list of the report may have.
    pub listed: usize,
}

/// What happens to orders that differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Repair {
    /// They are told.
    #[default]
    No,
    /// They are put into the changelog.
    Yes,
}

impl Indexer {
    /// Compares the source with feed and outbox. Ends early, with what it has, when `stop` says so.
    ///
    /// # Errors
    /// `Busy` if a verification runs already; if source or store fail.
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
        let floors_of = config.clone();
        let floors = self
            .store
            .read(move |reader: &Reader<'_>| history::floors(reader, &floors_of, started))
            .await?;
        let mut verification = Verification {
            indexer: self,
            settling: settling(&config),
            config,
            floors,
            report: VerifyReport {
                complete: true,
                ..VerifyReport::default()
            },
            suspects: Vec::new(),
            look_again_at: Instant::now(),
            is_stuck: false,
            task,
        };
        verification.go(&stop, &mut progress, started).await?;
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
    settling: Settling,
    report: VerifyReport,
    /// Orders that differed at the first look.
    suspects: Vec<OrderId>,
    /// When a capture has had the time to see all of them.
    look_again_at: Instant,
    /// Nobody works on the changelog.
    is_stuck: bool,
}

impl Verification<'_> {
    async fn go(
        &mut self,
        stop: &impl Fn() -> bool,
        progress: &mut (impl FnMut(Progress) + Send),
        started: UtcMillis,
    ) -> Result<(), IndexError> {
        let total = self.total().await?;
        let (mut looked, mut below) = (0, self.task.below);
        loop {
            if stop() {
                self.report.complete = false;
                break;
            }
            let most = self
                .task
                .most
                .map_or(u64::MAX, |most| most.saturating_sub(looked));
            if most == 0 {
                break;
            }
            let begun = Instant::now();
            let size = PAGE.min(usize::try_from(most).unwrap_or(PAGE));
            let ids = self.next_ids(below, size).await?;
            let Some(lowest) = ids.iter().min().copied() else {
                self.find_deleted(0, below).await?;
                self.report.reached_end = true;
                break;
            };
            self.look(&ids).await?;
            self.find_deleted(lowest, below).await?;
            looked += ids.len() as u64;
            below = Some(lowest);
            self.report.lowest = below;
            progress(Progress {
                total: total.max(looked),
                done: looked,
                events: self.report.events.iter().map(|row| row.expected).sum(),
                elapsed_ms: self.indexer.clock.now().millis_since(started),
            });
            if self.suspects.len() >= MOST_SUSPECTS {
                self.recheck().await?;
            }
            self.rest(begun.elapsed()).await;
        }
        self.recheck().await
    }

    /// How many orders it will be. Also narrows a range to its ids, so that no page looks beyond it.
    async fn total(&mut self) -> Result<u64, IndexError> {
        if let Some(only) = &self.task.only {
            return Ok(only.len() as u64);
        }
        let (source, filter) = (&self.indexer.source, &mut self.task.filter);
        if filter.created_from.is_some() || filter.created_before.is_some() {
            let range = source.id_range(filter).await?;
            let (low, high) = range.unwrap_or((OrderId::MAX, 0));
            filter.lowest = Some(low);
            self.task.below = Some(high.saturating_add(1));
        }
        let counted = source.count_orders(filter).await?;
        Ok(self.task.most.map_or(counted, |most| most.min(counted)))
    }

    async fn next_ids(&mut self, below: Option<OrderId>, size: usize) -> Result<Vec<OrderId>, IndexError> {
        match &mut self.task.only {
            Some(rest) => Ok(rest.drain(..rest.len().min(size)).collect()),
            None => Ok(self
                .indexer
                .source
                .order_ids(&self.task.filter, below, size)
                .await?),
        }
    }

    /// The first look: what is as it should be is counted, the rest is suspected.
    async fn look(&mut self, ids: &[OrderId]) -> Result<(), IndexError> {
        for one in self.compared(ids).await? {
            match one.finding {
                None => self.count(&one, Unknown::Missing),
                Some(_) => self.suspect(one.id, self.settling.of(&one)),
            }
        }
        Ok(())
    }

    fn suspect(&mut self, order: OrderId, moment: Duration) {
        self.suspects.push(order);
        self.look_again_at = self.look_again_at.max(Instant::now() + moment);
    }

    /// Feed rows from `low` up to `above` whose order does not exist. Only where the filter says which ids it covers.
    async fn find_deleted(&mut self, low: OrderId, above: Option<OrderId>) -> Result<(), IndexError> {
        let filter = &self.task.filter;
        if self.task.only.is_some() || filter.updated_from.is_some() || filter.website.is_some() {
            return Ok(());
        }
        let mut low = low.max(filter.lowest.unwrap_or(0));
        while let Some((gone, next)) = self.indexer.deleted_from(low, above, PAGE).await? {
            for order in gone {
                self.suspect(order, self.settling.moment);
            }
            if self.suspects.len() >= MOST_SUSPECTS {
                self.recheck().await?;
            }
            low = next;
        }
        Ok(())
    }

    async fn compared(&self, ids: &[OrderId]) -> Result<Vec<Compared>, IndexError> {
        let orders = self.indexer.read_beside_live(ids).await?;
        let prior = self.indexer.prior(ids.to_vec()).await?;
        let (asked, config, floors) = (ids.to_vec(), self.config.clone(), self.floors.clone());
        let work = move || compare(&asked, orders, &prior, &config, &floors);
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|cause| IndexError::Derive(cause.to_string()))
    }

    /// The second look at the suspects, once a capture has had the time to see what they look like.
    async fn recheck(&mut self) -> Result<(), IndexError> {
        let suspects = std::mem::take(&mut self.suspects);
        if suspects.is_empty() {
            return Ok(());
        }
        tokio::time::sleep_until(self.look_again_at).await;
        for ids in suspects.chunks(PAGE) {
            self.judge(ids).await?;
        }
        Ok(())
    }

    async fn judge(&mut self, ids: &[OrderId]) -> Result<(), IndexError> {
        let store = &self.indexer.store;
        // Before the source is read: what is indexed meanwhile was changed meanwhile.
        let version = store.read(|reader: &Reader<'_>| reader.view_version()).await?;
        let compared = self.compared(ids).await?;
        let asked: HashSet<OrderId> = ids.iter().copied().collect();
        let way = store
            .read(move |reader: &Reader<'_>| PendingChanges::read(reader, version, &asked))
            .await?;
        let now = self.indexer.clock.now();
        let mut repairable = Vec::new();
        for one in compared {
            let Some(finding) = one.finding else {
                self.count(&one, Unknown::Missing);
                continue;
            };
            if way.holds(&one, self.settling, now) {
                self.report.waiting += 1;
                self.count(&one, Unknown::Waiting);
                continue;
            }
            self.count(&one, Unknown::Missing);
            if finding != Finding::Unreadable {
                repairable.push(one.id);
            }
            self.tell(one, finding);
        }
        if self.task.repair == Repair::Yes {
            self.repair(repairable).await?;
        }
        Ok(())
    }

    fn tell(&mut self, one: Compared, finding: Finding) {
        self.report.differing.count(finding);
        if self.report.differences.len() >= self.task.listed {
            return;
        }
        let missing = one.events.iter().filter(|(_, state)| state.is_none());
        self.report.differences.push(Difference {
            order: one.id,
            number: one.number,
            website: one.website,
            finding,
            missing_events: missing
                .map(|(key, _)| format!("{}:{}", word(key), key.document))
                .collect(),
            detail: one.detail,
        });
    }

    fn count(&mut self, one: &Compared, unknown: Unknown) {
        let report = &mut self.report;
        report.orders += u64::from(one.in_source);
        report.in_feed += u64::from(one.in_feed && one.in_source);
        if one.exported != Exported::Yes {
            let reason = one.exported.as_str();
            *report.not_exported.entry(reason.to_owned()).or_default() += 1;
            if report.withheld.len() < self.task.listed {
                report.withheld.push(Withheld {
                    order: one.id,
                    number: one.number.clone(),
                    reason: reason.to_owned(),
                });
            }
        }
        let website = one.website.as_deref().unwrap_or_default();
        for (key, state) in &one.events {
            let row = report.tally(website, word(key));
            row.expected += 1;
            *match (state, unknown) {
                (Some(EventState::Delivered), _) => &mut row.delivered,
                (Some(EventState::Pending), _) => &mut row.pending,
                (Some(EventState::Suppressed), _) => &mut row.suppressed,
                (Some(EventState::Parked), _) => &mut row.parked,
                (None, Unknown::Waiting) => &mut row.waiting,
                (None, Unknown::Missing) => &mut row.missing,
            } += 1;
        }
    }

    async fn repair(&mut self, orders: Vec<OrderId>) -> Result<(), IndexError> {
        if orders.is_empty() {
            return Ok(());
        }
        self.wait_for_backlog().await?;
        let (at, count) = (self.indexer.clock.now(), orders.len() as u64);
        let recheck = move |writer: &mut Writer<'_>| writer.recheck_orders(&orders, REPAIR, at);
        self.indexer.store.write(Durability::Durable, recheck).await?;
        self.report.repaired += count;
        Ok(())
    }

    /// A repair is many changes at once; live ones must not wait behind all of them.
    async fn wait_for_backlog(&mut self) -> Result<(), IndexError> {
        let (mut moved_at, mut before) = (Instant::now(), -1);
        while !self.is_stuck {
            let read = |reader: &Reader<'_>| Ok((reader.view_version()?, reader.changelog_head()?));
            let (version, head) = self.indexer.store.read(read).await?;
            if head - version < BACKLOG {
                break;
            }
            if version != before {
                (moved_at, before) = (Instant::now(), version);
            }
            self.is_stuck = moved_at.elapsed() > STUCK;
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok(())
    }

    /// Live changes come first: beside them, it rests as long as it works.
    async fn rest(&self, worked: Duration) {
        if self.indexer.is_live() {
            tokio::time::sleep(worked.min(LONGEST_REST)).await;
        } else {
            tokio::task::yield_now().await;
        }
    }
}

/// What an event is that the outbox does not know.
#[derive(Clone, Copy)]
enum Unknown {
    Missing,
    Waiting,
}

fn word(key: &EventKey) -> &'static str {
    EventKind::from_code(key.kind).map_or("unknown", EventKind::as_str)
}
