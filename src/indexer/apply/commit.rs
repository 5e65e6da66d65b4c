//! Everything that one transaction writes of a batch of orders (I2).

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::indexer::apply::advance::Advance;
use crate::indexer::apply::derive::Derived;
use crate::indexer::report::Indexed;
use crate::indexer::update::index_backoff::next_attempt;
use crate::store::feed::{Exported, FeedRow, IndexFailure};
use crate::store::first_sync::SyncStep;
use crate::store::meta::WebsiteId;
use crate::store::outbox::{BatchLimits, Class, EnqueueMode, NewEvent, OrderEvents};
use crate::store::suppression::Person;
use crate::store::{StoreError, Writer};
use orderfeed_model::clock::UtcMillis;
use orderfeed_model::order::OrderId;

/// Of a dead letter that waited to be rendered.
const ORDER_GONE: &str =
    "it could not be rendered, and cannot be any more: the source no longer holds its order; discard it";

/// What was derived, and how it enters the store.
pub(crate) struct Commit {
    pub(crate) asked: Vec<OrderId>,
    pub(crate) vanished: Vec<OrderId>,
    pub(crate) derived: Vec<Derived>,
    pub(crate) class: Class,
    pub(crate) changed_at: UtcMillis,
    pub(crate) advance: Advance,
    pub(crate) resend: bool,
    /// Whether `first_sync.history` limits what failed here.
    pub(crate) limited: bool,
    pub(crate) limits: BatchLimits,
    pub(crate) at: UtcMillis,
}

/// What a batch holds for one website.
#[derive(Default)]
struct Share {
    id: Option<WebsiteId>,
    /// Orders whose events go there, changed or not.
    orders: u64,
    entering: Vec<OrderEvents>,
}

impl Share {
    fn id(&mut self, writer: &mut Writer<'_>, code: &str) -> Result<WebsiteId, StoreError> {
        let id = match self.id {
            Some(id) => id,
            None => writer.website_id(code)?,
        };
        self.id = Some(id);
        Ok(id)
    }
}

impl Commit {
    /// Feed rows, events, and what moves with them.
    pub(crate) fn write(mut self, writer: &mut Writer<'_>) -> Result<Indexed, StoreError> {
        let mut indexed = Indexed {
            orders: self.asked.len() as u64,
            ..Indexed::default()
        };
        let mut missing = self.missing();
        let (mut rows, mut failed) = (Vec::new(), Vec::new());
        let mut shares: BTreeMap<String, Share> = BTreeMap::new();
        let mut passed_over = BTreeSet::new();
        for derived in std::mem::take(&mut self.derived) {
            match derived {
                Derived::Unchanged {
                    website, exported, ..
                } => {
                    if let Some(code) = website {
                        note_passed_over(&mut passed_over, &code, exported);
                        shares.entry(code).or_default().orders += u64::from(exported == Exported::Yes);
                    }
                }
                Derived::Failed { id, reason } => failed.push((id, reason)),
                Derived::Changed {
                    mut row,
                    website,
                    person,
                    events,
                    rerendered,
                } => {
                    indexed.changed += 1;
                    if row.exported != Exported::Yes {
                        let why = format!(
                            "it could not be rendered, and is not any more: {}",
                            row.exported.as_sentence()
                        );
                        writer.explain_unrendered(row.order, &why)?;
                    }
                    if rerendered > 0 && !is_suppressed(writer, person)? {
                        warn_rerendered(&row.number, rerendered);
                    }
                    if let Some(code) = website {
                        note_passed_over(&mut passed_over, &code, row.exported);
                        let share = shares.entry(code.clone()).or_default();
                        let id = share.id(writer, &code)?;
                        row.website = Some(id);
                        self.share(&row, id, events, share);
                    }
                    rows.push(row);
                }
            }
        }
        missing.extend(&self.vanished);
        indexed.deleted = missing.len() as u64;
        indexed.failed = failed.len() as u64;
        writer.upsert_feed(&rows)?;
        writer.mark_deleted(&missing, self.at)?;
        for order in &missing {
            writer.explain_unrendered(*order, ORDER_GONE)?;
        }
        record_failures(writer, &self.asked, failed, self.limited, self.at)?;
        if let Some(backfill) = self.advance.backfill() {
            for code in passed_over {
                writer.unassign_backfill(backfill, &code)?;
            }
        }
        for (code, share) in shares {
            self.enter(writer, &code, share, &mut indexed)?;
        }
        match self.advance {
            Advance::View(version) => writer.advance_view(version, self.at)?,
            Advance::Backfill(step) => writer.advance_backfill(step, indexed.events, self.at)?,
            Advance::Nothing => {}
        }
        Ok(indexed)
    }

    fn share(&self, row: &FeedRow, website: WebsiteId, events: Vec<NewEvent>, share: &mut Share) {
        share.orders += u64::from(row.exported == Exported::Yes);
        if !events.is_empty() {
            share.entering.push(OrderEvents {
                order: row.order,
                website,
                class: self.class,
                changed_at: self.changed_at,
                backfill: self.advance.backfill(),
                events,
            });
        }
    }

    fn enter(
        &self,
        writer: &mut Writer<'_>,
        code: &str,
        mut share: Share,
        indexed: &mut Indexed,
    ) -> Result<(), StoreError> {
        // A forced resend also takes what is new.
        let entries: &[EnqueueMode] = match self.resend {
            true => &[EnqueueMode::Resend, EnqueueMode::Insert],
            false => &[EnqueueMode::Insert],
        };
        let mut queued = 0;
        for entry in entries {
            let entered = writer.enqueue(&share.entering, *entry, self.limits, self.at)?;
            queued += entered.events;
            indexed.resent += if *entry == EnqueueMode::Resend {
                entered.events
            } else {
                0
            };
            indexed.parked += entered.parked;
        }
        indexed.events += queued;
        if let Some(backfill) = self.advance.backfill().filter(|_| share.orders > 0) {
            let step = SyncStep {
                orders: share.orders,
                events: queued,
            };
            let website = share.id(writer, code)?;
            writer.advance_first_sync(backfill, website, step)?;
        }
        Ok(())
    }

    /// Orders that were asked for and do not exist.
    fn missing(&self) -> Vec<OrderId> {
        let found: HashSet<OrderId> = self.derived.iter().map(Derived::id).collect();
        self.asked
            .iter()
            .copied()
            .filter(|id| !found.contains(id))
            .collect()
    }
}

/// Remembers websites of whose orders a backfill cannot take everything: this backfill is not their first sync any more.
fn note_passed_over(passed_over: &mut BTreeSet<String>, code: &str, exported: Exported) {
    let is_for_now = matches!(
        exported,
        Exported::WebsiteUnknown | Exported::WebsiteOff | Exported::OutboxFull
    );
    if is_for_now && !passed_over.contains(code) {
        passed_over.insert(code.to_owned());
    }
}

fn record_failures(
    writer: &mut Writer<'_>,
    asked: &[OrderId],
    failed: Vec<(OrderId, String)>,
    limited: bool,
    at: UtcMillis,
) -> Result<(), StoreError> {
    let mut earlier = BTreeMap::new();
    for (order, _) in &failed {
        if let Some(failure) = writer.reader().index_failure(*order)? {
            earlier.insert(*order, failure);
        }
    }
    writer.clear_index_failures(asked)?;
    for (order, reason) in failed {
        let earlier = earlier.get(&order);
        let attempts = earlier.map_or(1, |failure| failure.attempts + 1);
        tracing::warn!(
            log_code = "OF05-02",
            order,
            attempts,
            error = %reason,
            "An order could not be indexed; it is tried again by itself while the others go on",
        );
        let failure = IndexFailure {
            order,
            attempts,
            due_at: next_attempt(attempts, at),
            reason,
            limited: limited && earlier.is_none_or(|failure| failure.limited),
        };
        writer.record_index_failure(&failure, at)?;
    }
    Ok(())
}

/// What is rendered for somebody on the suppression list goes nowhere.
fn is_suppressed(writer: &Writer<'_>, person: Option<Person>) -> Result<bool, StoreError> {
    match person {
        Some(person) => writer.reader().is_suppressed(&person),
        None => Ok(false),
    }
}

fn warn_rerendered(number: &str, events: u64) {
    if events > 0 {
        tracing::warn!(
            log_code = "OF05-03",
            order_number = number,
            events,
            "A forced resend renders events anew because their frozen bytes are past store.body_retention; \
             the _ids stay, the bytes may differ",
        );
    }
}
