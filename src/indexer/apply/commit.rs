//! Writes a batch of orders in one transaction (I2).

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::indexer::apply::births::Births;
use crate::indexer::apply::derive::Derived;
use crate::indexer::apply::failures::{record_failures, record_partial};
use crate::indexer::backfill::options::Reach;
use crate::indexer::report::Indexed;
use crate::store::backfill::{BackfillId, BackfillStep};
use crate::store::changelog::VersionId;
use crate::store::feed::{Exported, FeedRow};
use crate::store::first_sync::SyncStep;
use crate::store::meta::WebsiteId;
use crate::store::outbox::{BatchLimits, Class, EnqueueMode, NewEvent, OrderEvents};
use crate::store::suppression::Person;
use crate::store::{StoreError, Writer};
use orderfeed_model::clock::UtcMillis;
use orderfeed_model::order::OrderId;

/// Detail of a parked event that waited to be rendered.
const ORDER_DELETED: &str =
    "it could not be rendered, and cannot be any more: the source no longer holds its order; discard it";

/// `source_table` of orders whose id was given to another one while they were derived.
const OVERTAKEN_TABLE: &str = "birth";

/// The position that moves in the transaction of a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Advance {
    /// The view is indexed up to this version.
    View(VersionId),
    Backfill(BackfillStep),
    /// None: single orders.
    Nothing,
}

impl Advance {
    pub(crate) fn backfill(self) -> Option<BackfillId> {
        match self {
            Self::Backfill(step) => Some(step.id),
            Self::View(_) | Self::Nothing => None,
        }
    }
}

/// The origin of a batch of orders, which decides how it enters the store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) class: Class,
    /// Time at which the oldest of the changes was noticed.
    pub(crate) changed_at: UtcMillis,
    pub(crate) reach: Reach,
    /// True if delivered events are sent again.
    pub(crate) resend: bool,
    pub(crate) advance: Advance,
}

/// A derived batch and everything that its transaction needs.
pub(crate) struct Commit {
    /// Orders that were requested from the source.
    pub(crate) ids: Vec<OrderId>,
    /// Orders of the feed that a backfill found to be deleted.
    pub(crate) deleted: Vec<OrderId>,
    pub(crate) derived: Vec<Derived>,
    /// Orders that were read without the rows of this table.
    pub(crate) partial: Vec<(OrderId, &'static str)>,
    pub(crate) origin: Origin,
    pub(crate) limits: BatchLimits,
    pub(crate) at: UtcMillis,
}

/// The part of a batch that belongs to one website.
#[derive(Default)]
struct Share {
    id: Option<WebsiteId>,
    /// Orders whose events are sent there, changed or not.
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
    /// Writes feed rows, events, failures and the position.
    pub(crate) fn write(mut self, writer: &mut Writer<'_>) -> Result<Indexed, StoreError> {
        let mut indexed = Indexed {
            orders: self.ids.len() as u64,
            ..Indexed::default()
        };
        let mut deleted = self.missing();
        let (mut rows, mut failed) = (Vec::new(), Vec::new());
        // Sorted, so that the same orders always enter the outbox in the same order.
        let mut shares: BTreeMap<String, Share> = BTreeMap::new();
        let mut passed_over = BTreeSet::new();
        let (mut births, mut overtaken) = (Births::default(), Vec::new());
        for derived in std::mem::take(&mut self.derived) {
            if !births.admit(writer, &derived)? {
                overtaken.push(derived.id());
                continue;
            }
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
                    ..
                } => {
                    indexed.changed += 1;
                    // Its unrendered events stay parked, from now on for this reason.
                    if row.exported != Exported::Yes {
                        let why = format!(
                            "it could not be rendered, and is not any more: {}",
                            row.exported.as_sentence()
                        );
                        writer.explain_unrendered(row.order, &why)?;
                    }
                    // Events of a suppressed person are not sent, so their bytes do not matter.
                    if rerendered > 0 && !is_suppressed(writer, person)? {
                        tracing::warn!(
                            log_code = "OF05-03",
                            order_number = row.number,
                            events = rerendered,
                            "A resend renders events again because their frozen bytes are past store.body_retention; \
                             the _ids stay, the bytes may differ",
                        );
                    }
                    if let Some(code) = website {
                        note_passed_over(&mut passed_over, &code, row.exported);
                        let share = shares.entry(code.clone()).or_default();
                        let id = share.id(writer, &code)?;
                        // Ids of new websites are assigned in this transaction, so the derivation could not set it.
                        row.website = Some(id);
                        self.add_to_share(&row, id, events, share);
                    }
                    rows.push(row);
                }
            }
        }
        deleted.extend(&self.deleted);
        indexed.deleted = deleted.len() as u64;
        indexed.failed = failed.len() as u64;
        // A backfill reads the newest order first. Rows inserted in falling order leave half of each of SQLite's pages empty.
        rows.sort_unstable_by_key(|row| row.order);
        writer.upsert_feed(&rows)?;
        births.store(writer, self.at)?;
        writer.recheck_orders(&overtaken, OVERTAKEN_TABLE, self.at)?;
        writer.mark_deleted(&deleted, self.at)?;
        for order in &deleted {
            writer.explain_unrendered(*order, ORDER_DELETED)?;
        }
        let is_history = self.origin.reach == Reach::History;
        record_failures(writer, &self.ids, failed, is_history, self.at)?;
        record_partial(writer, &self.partial, self.at)?;
        if let Some(backfill) = self.origin.advance.backfill() {
            for code in passed_over {
                writer.unassign_backfill(backfill, &code)?;
            }
        }
        for (code, share) in shares {
            self.enqueue(writer, &code, share, &mut indexed)?;
        }
        // In the transaction of the rows that it covers, or a crash would skip or repeat them (I2).
        match self.origin.advance {
            Advance::View(version) => writer.advance_view(version, self.at)?,
            Advance::Backfill(step) => writer.advance_backfill(step, indexed.events, self.at)?,
            Advance::Nothing => {}
        }
        Ok(indexed)
    }

    fn add_to_share(&self, row: &FeedRow, website: WebsiteId, events: Vec<NewEvent>, share: &mut Share) {
        share.orders += u64::from(row.exported == Exported::Yes);
        if !events.is_empty() {
            share.entering.push(OrderEvents {
                order: row.order,
                website,
                class: self.origin.class,
                changed_at: self.origin.changed_at,
                backfill: self.origin.advance.backfill(),
                events,
            });
        }
    }

    fn enqueue(
        &self,
        writer: &mut Writer<'_>,
        code: &str,
        mut share: Share,
        indexed: &mut Indexed,
    ) -> Result<(), StoreError> {
        // A resend also inserts the events that the outbox does not hold yet.
        let modes: &[EnqueueMode] = match self.origin.resend {
            true => &[EnqueueMode::Resend, EnqueueMode::Insert],
            false => &[EnqueueMode::Insert],
        };
        let mut queued = 0;
        for mode in modes {
            let entered = writer.enqueue(&share.entering, *mode, self.limits, self.at)?;
            queued += entered.events;
            indexed.parked += entered.parked;
            if *mode == EnqueueMode::Resend {
                indexed.resent += entered.events;
            }
        }
        indexed.events += queued;
        if let Some(backfill) = self.origin.advance.backfill().filter(|_| share.orders > 0) {
            let step = SyncStep {
                orders: share.orders,
                events: queued,
            };
            let website = share.id(writer, code)?;
            writer.advance_first_sync(backfill, website, step)?;
        }
        Ok(())
    }

    /// Returns the requested orders that the source does not have.
    fn missing(&self) -> Vec<OrderId> {
        let found: HashSet<OrderId> = self.derived.iter().map(Derived::id).collect();
        let ids = self.ids.iter().copied();
        ids.filter(|id| !found.contains(id)).collect()
    }
}

/// Notes a website if an order of it is skipped for now. The backfill is not its first sync any more, because it will not
/// come back to this order.
fn note_passed_over(passed_over: &mut BTreeSet<String>, code: &str, exported: Exported) {
    let is_for_now = matches!(
        exported,
        Exported::WebsiteUnknown | Exported::WebsiteOff | Exported::OutboxFull
    );
    if is_for_now && !passed_over.contains(code) {
        passed_over.insert(code.to_owned());
    }
}

fn is_suppressed(writer: &Writer<'_>, person: Option<Person>) -> Result<bool, StoreError> {
    match person {
        Some(person) => writer.reader().is_suppressed(&person),
        None => Ok(false),
    }
}
