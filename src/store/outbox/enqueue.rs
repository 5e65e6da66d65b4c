//! The entry of events into the outbox.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::{BatchBody, BatchId, Class, EventKey, FinalState, KindCode, LOCAL, RowState};
use crate::store::backfill::BackfillId;
use crate::store::meta::WebsiteId;
use crate::store::suppression::Person;
use crate::store::{Reader, StoreError, Topic, Writer};
use orderfeed_model::birth::Generation;
use orderfeed_model::clock::UtcMillis;
use orderfeed_model::order::OrderId;

/// Due at any time of the clock: a clock that is set back must not delay what waits for nothing.
const AT_ONCE: UtcMillis = UtcMillis(0);
/// The batch of an event that never was in one; ids begin with 1.
const NO_BATCH: BatchId = 0;

/// The events of one order that are to enter, in the order in which they are to be sent.
#[derive(Clone, Debug)]
pub struct OrderEvents {
    pub order: OrderId,
    pub website: WebsiteId,
    pub class: Class,
    /// Time at which the change behind them was captured; lag is measured from it.
    pub changed_at: UtcMillis,
    /// The backfill that read the order, if one did.
    pub backfill: Option<BackfillId>,
    pub events: Vec<NewEvent>,
}

/// An event that is to enter.
#[derive(Clone, Debug)]
pub struct NewEvent {
    pub kind: KindCode,
    /// See [`EventKey::document`].
    pub document: i64,
    pub generation: Generation,
    /// Time before which it must not be sent: its timestamp, if that is in the future.
    pub not_before: UtcMillis,
    /// The person whom the body names; without one, no suppression list applies.
    pub person: Option<Person>,
    /// Its JSON, frozen from here on; or the reason why it can never be sent, and is parked at once.
    pub body: Result<Vec<u8>, Refusal>,
}

/// The reason why an event is parked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// A stable word or the edge's code, such as `too_large` or `EXEG-0102-400`.
    pub code: String,
    pub detail: String,
}

/// The largest batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchLimits {
    /// Bytes of all events with their commas.
    pub bytes: usize,
    pub events: usize,
}

/// The treatment of events that the outbox holds already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnqueueMode {
    /// They are left alone; only new events enter.
    Insert,
    /// A forced resend: delivered events are sent once more; all others are left alone, and nothing new enters.
    Resend,
}

/// Numbers of events that entered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Enqueued {
    /// Events that will be sent.
    pub events: u64,
    /// Events that were parked at once.
    pub parked: u64,
    /// Events of persons on the suppression list, which are final at once.
    pub suppressed: u64,
}

impl Writer<'_> {
    /// Takes events into the outbox. Entering the same events twice changes nothing (I3).
    pub fn enqueue(
        &mut self,
        orders: &[OrderEvents],
        mode: EnqueueMode,
        limits: BatchLimits,
        at: UtcMillis,
    ) -> Result<Enqueued, StoreError> {
        let mut entry = BatchFiller {
            // Checked once: with an empty list, no person is looked up.
            listed: self.reader().has_suppressions()?,
            writer: self,
            mode,
            limits,
            at,
            shared: HashMap::new(),
            entered: Enqueued::default(),
        };
        for order in orders {
            entry.enter_order(order)?;
        }
        entry.finish()
    }

    pub(super) fn insert_event(
        &mut self,
        key: EventKey,
        batch: BatchId,
        state: RowState,
    ) -> Result<bool, StoreError> {
        // body_hash, the last column, is not used.
        let sql = "INSERT INTO outbox_event VALUES (?1, ?2, ?3, ?4, ?5, 0) ON CONFLICT DO NOTHING";
        Ok(self.execute(sql, (key.order, key.code(), key.document, batch, state))? == 1)
    }

    /// Moves a delivered event into another batch: it is pending again, and not counted as delivered meanwhile. Returns
    /// false if it was not delivered, or if its body was erased: such an event is never sent again.
    fn repoint_delivered(
        &mut self,
        key: EventKey,
        website: WebsiteId,
        batch: BatchId,
    ) -> Result<bool, StoreError> {
        let sql =
            "UPDATE outbox_event SET batch_id = ?4 WHERE order_id = ?1 AND kind = ?2 AND document_id = ?3
                   AND state = 0 AND NOT EXISTS
                   (SELECT 1 FROM outbox_batch WHERE id = outbox_event.batch_id AND state = 0) AND NOT EXISTS
                   (SELECT 1 FROM outbox_erased o WHERE o.order_id = ?1 AND o.kind = ?2 AND o.document_id = ?3)";
        // Delivered means: as its batch, and the batch is final or was removed.
        let moved = self.execute(sql, (key.order, key.code(), key.document, batch))? == 1;
        if moved {
            self.count_final(website, key.kind, FinalState::Delivered, -1)?;
        }
        Ok(moved)
    }

    /// Makes the pending batches live, with all batches that they wait for: a live change overtakes history, but never
    /// the earlier events of its own order.
    fn promote_to_live(&mut self, batches: &[BatchId], at: UtcMillis) -> Result<(), StoreError> {
        let sql = "WITH RECURSIVE earlier (id) AS (
                     SELECT ?1 UNION SELECT d.after_id FROM outbox_dependency d JOIN earlier e ON d.batch_id = e.id)
                   UPDATE outbox_batch SET class = 0, changed_at = ?2
                   WHERE class = 1 AND state = 0 AND id IN (SELECT id FROM earlier)";
        for batch in batches {
            self.execute(sql, (batch, at.0))?;
        }
        Ok(())
    }

    pub(super) fn add_dependencies(&mut self, batch: BatchId, after: &[BatchId]) -> Result<(), StoreError> {
        let sql = "INSERT INTO outbox_dependency VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        for earlier in after {
            self.execute(sql, (earlier, batch))?;
        }
        Ok(())
    }

    fn open_batch(
        &mut self,
        order: &OrderEvents,
        due: UtcMillis,
        at: UtcMillis,
    ) -> Result<OpenBatch, StoreError> {
        let sql = "INSERT INTO outbox_batch
                   (website_id, class, state, events, bytes, created_at, changed_at, due_at, walk_id)
                   VALUES (?1, ?2, 0, 0, 0, ?3, ?3, ?4, ?5)";
        self.execute(sql, (order.website, order.class, at.0, due.0, order.backfill))?;
        Ok(OpenBatch {
            id: self.connection.last_insert_rowid(),
            body: BatchBody::default(),
            changed_at: at,
        })
    }

    /// Freezes a batch, or removes it if nothing entered it.
    fn close_batch(&mut self, batch: &OpenBatch) -> Result<(), StoreError> {
        if batch.body.entries.is_empty() {
            self.execute("DELETE FROM outbox_batch WHERE id = ?1", [batch.id])?;
            let sql = "DELETE FROM outbox_dependency WHERE batch_id = ?1 OR after_id = ?1";
            self.execute(sql, [batch.id])?;
            return Ok(());
        }
        self.write_body(batch.id, &batch.body)?;
        let sql = "UPDATE outbox_batch SET changed_at = ?2 WHERE id = ?1";
        self.execute(sql, (batch.id, batch.changed_at.0))?;
        self.touch(Topic::Outbox);
        Ok(())
    }
}

impl Reader<'_> {
    /// Returns the pending batches that hold events of this order.
    fn open_batches_of(&self, order: OrderId) -> Result<Vec<BatchId>, StoreError> {
        let sql = "SELECT DISTINCT e.batch_id FROM outbox_event e JOIN outbox_batch b ON b.id = e.batch_id
                   WHERE e.order_id = ?1 AND e.state = 0 AND b.state = 0";
        self.all(sql, [order], |row| row.get(0))
    }
}

/// One call of [`Writer::enqueue`].
struct BatchFiller<'a, 'b> {
    writer: &'a mut Writer<'b>,
    mode: EnqueueMode,
    limits: BatchLimits,
    at: UtcMillis,
    /// True if the suppression list has entries.
    listed: bool,
    /// The batch of each website and class that is being filled.
    shared: HashMap<(WebsiteId, Class), OpenBatch>,
    entered: Enqueued,
}

/// A batch that still takes events.
struct OpenBatch {
    id: BatchId,
    body: BatchBody,
    changed_at: UtcMillis,
}

impl BatchFiller<'_, '_> {
    fn enter_order(&mut self, order: &OrderEvents) -> Result<(), StoreError> {
        let events = self.without_suppressed(order)?;
        if events.is_empty() {
            return Ok(());
        }
        // Also batches that this call has opened: their events are in `outbox_event` already.
        let mut waits_for = self.writer.reader().open_batches_of(order.order)?;
        if order.class == Class::Live {
            self.writer.promote_to_live(&waits_for, self.at)?;
        }
        let size: usize = events.iter().map(|event| event.size()).sum();
        let plain = waits_for.is_empty()
            && events.iter().all(|event| event.not_before <= self.at)
            && size <= self.limits.bytes
            && events.len() <= self.limits.events;
        if plain {
            let key = (order.website, order.class);
            let mut batch = self.shared_batch(order, size, events.len())?;
            for event in &events {
                self.enter(event, order, &mut batch)?;
            }
            self.shared.insert(key, batch);
            return Ok(());
        }
        // Batches of its own, each waiting for the one before.
        let mut rest = events.as_slice();
        while !rest.is_empty() {
            let (chunk, tail) = rest.split_at(chunk_len(rest, self.limits, self.at));
            rest = tail;
            // A chunk is due when its last event is.
            let due = chunk.iter().map(|event| event.not_before).max();
            let due = due.filter(|due| *due > self.at).unwrap_or(AT_ONCE);
            let mut batch = self.writer.open_batch(order, due, self.at)?;
            self.writer.add_dependencies(batch.id, &waits_for)?;
            for event in chunk {
                self.enter(event, order, &mut batch)?;
            }
            // A chunk without anything new leaves no batch: the next one waits for what it would have waited for.
            if !batch.body.entries.is_empty() {
                waits_for = vec![batch.id];
            }
            self.writer.close_batch(&batch)?;
        }
        Ok(())
    }

    /// Returns the events that may be sent. New events of a person on the suppression list become final at once;
    /// delivered ones stay delivered.
    fn without_suppressed<'e>(&mut self, order: &'e OrderEvents) -> Result<Vec<&'e NewEvent>, StoreError> {
        let mut sent = Vec::with_capacity(order.events.len());
        for event in &order.events {
            let suppressed = match event.person.filter(|_| self.listed) {
                Some(person) => self.writer.reader().is_suppressed(&person)?,
                None => false,
            };
            if !suppressed {
                sent.push(event);
            } else if self.mode == EnqueueMode::Insert {
                let key = event.key(order.order);
                if self.writer.insert_event(key, NO_BATCH, RowState::Suppressed)? {
                    self.writer
                        .insert_suppressed(key, order.website, LOCAL, self.at)?;
                    self.entered.suppressed += 1;
                }
            }
        }
        Ok(sent)
    }

    /// Returns the batch of this website and class that is being filled, if the order fits in, or a new one.
    fn shared_batch(
        &mut self,
        order: &OrderEvents,
        bytes: usize,
        events: usize,
    ) -> Result<OpenBatch, StoreError> {
        if let Entry::Occupied(slot) = self.shared.entry((order.website, order.class)) {
            let batch = slot.remove();
            let fits = batch.body.payload.len() + 1 + bytes <= self.limits.bytes
                && batch.body.entries.len() + events <= self.limits.events;
            if fits {
                return Ok(batch);
            }
            self.writer.close_batch(&batch)?;
        }
        self.writer.open_batch(order, AT_ONCE, self.at)
    }

    fn enter(
        &mut self,
        event: &NewEvent,
        order: &OrderEvents,
        batch: &mut OpenBatch,
    ) -> Result<(), StoreError> {
        let key = event.key(order.order);
        let json = match (&event.body, self.mode) {
            (Ok(json), EnqueueMode::Insert) => self.writer.insert_or_revive(key, batch.id)?.then_some(json),
            (Ok(json), EnqueueMode::Resend) => self
                .writer
                .repoint_delivered(key, order.website, batch.id)?
                .then_some(json),
            (Err(refusal), EnqueueMode::Insert) => {
                if self.writer.insert_event(key, batch.id, RowState::Parked)? {
                    self.writer.insert_parked(key, order.website, refusal, self.at)?;
                    self.entered.parked += 1;
                } else {
                    // Rendered again because of a retry, and refused again, perhaps for another reason.
                    self.writer.repeat_refusal(key, refusal)?;
                }
                None
            }
            (Err(_), EnqueueMode::Resend) => None,
        };
        if let Some(json) = json {
            batch.body.push(key, json, event.person);
            batch.changed_at = batch.changed_at.min(order.changed_at);
            self.entered.events += 1;
        }
        Ok(())
    }

    fn finish(self) -> Result<Enqueued, StoreError> {
        let mut rest: Vec<_> = self.shared.into_values().collect();
        // A hash map has no order, and a simulation must write the same file in each run.
        rest.sort_by_key(|batch| batch.id);
        for batch in &rest {
            self.writer.close_batch(batch)?;
        }
        Ok(self.entered)
    }
}

impl NewEvent {
    pub fn key(&self, order: OrderId) -> EventKey {
        EventKey {
            order,
            kind: self.kind,
            document: self.document,
            generation: self.generation,
        }
    }

    /// Bytes that it takes in a batch, with its comma.
    fn size(&self) -> usize {
        self.body.as_ref().map_or(0, |json| json.len() + 1)
    }
}

/// Returns the number of `events` in the next batch: as many as fit, without mixing those that are due now with later
/// ones.
fn chunk_len(events: &[&NewEvent], limits: BatchLimits, at: UtcMillis) -> usize {
    let due_now = |event: &NewEvent| event.not_before <= at;
    let mut bytes = 0;
    let fits = events.iter().take(limits.events).take_while(|event| {
        bytes += event.size();
        // The last event has no comma.
        bytes <= limits.bytes + 1 && due_now(event) == due_now(events[0])
    });
    fits.count().max(1)
}
