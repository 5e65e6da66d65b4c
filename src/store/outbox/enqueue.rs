//! Events enter the outbox.

use std::collections::HashMap;

use rusqlite::params;

use super::{BatchBody, BatchId, Class, EventKey, KindCode, codec};
use crate::store::backfill::BackfillId;
use crate::store::meta::WebsiteId;
use crate::store::suppression::Person;
use crate::store::{StoreError, Topic, Writer};
use orderfeed_model::clock::UtcMillis;
use orderfeed_model::order::OrderId;

/// Due whatever the clock says: one that is set back must not hold up what waits for nothing.
const AT_ONCE: UtcMillis = UtcMillis(0);

/// The events of one order that are to enter, in the order in which they are to be sent.
#[derive(Clone, Debug)]
pub struct OrderEvents {
    /// The order.
    pub order: OrderId,
    /// Where its events go.
    pub website: WebsiteId,
    /// Live or history.
    pub class: Class,
    /// When the change that led to them was noticed: what lag is measured from.
    pub changed_at: UtcMillis,
    /// Whose order it is, by the e-mail address; without one, no suppression list can name them.
    pub person: Option<Person>,
    /// The backfill that met the order, if one did.
    pub backfill: Option<BackfillId>,
    /// The events.
    pub events: Vec<NewEvent>,
}

/// An event that is to enter.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// Its kind.
    pub kind: KindCode,
    /// Its document.
    pub document: i64,
    /// Not to be sent before this: its timestamp, if that lies in the future.
    pub not_before: UtcMillis,
    /// Its JSON, frozen from here on; or why it can never be sent: it is parked at once.
    pub body: Result<Vec<u8>, Refusal>,
}

/// Why an event is parked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// A stable word or the edge's code, such as `too_large` or `EXEG-0102-400`.
    pub code: String,
    /// A sentence.
    pub detail: String,
}

/// How much travels together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchLimits {
    /// Bytes of all events with their commas.
    pub bytes: usize,
    /// Number of events.
    pub events: usize,
}

/// What entering an event means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnqueueMode {
    /// It enters if the outbox never held it.
    Insert,
    /// A forced resend: one that was delivered is sent once more; others are left alone.
    Resend,
}

/// What entered.
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
    /// Takes events into the outbox. What it already holds stays as it is, so entering twice changes nothing (I3).
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn enqueue(
        &mut self,
        orders: &[OrderEvents],
        entry: EnqueueMode,
        limits: BatchLimits,
        at: UtcMillis,
    ) -> Result<Enqueued, StoreError> {
        let mut open = HashMap::new();
        let mut result = Enqueued::default();
        let listed = self.reader().has_suppressions()?;
        for order in orders {
            if listed && self.suppresses(order)? {
                result.suppressed += self.suppress_order(order, entry, at)?;
                continue;
            }
            self.enqueue_order(order, entry, limits, at, &mut open, &mut result)?;
        }
        let mut rest: Vec<_> = open.into_values().collect();
        rest.sort_by_key(|batch: &OpenBatch| batch.id);
        for batch in rest {
            self.close_batch(batch)?;
        }
        Ok(result)
    }

    fn enqueue_order(
        &mut self,
        order: &OrderEvents,
        entry: EnqueueMode,
        limits: BatchLimits,
        at: UtcMillis,
        open: &mut HashMap<(WebsiteId, Class), OpenBatch>,
        result: &mut Enqueued,
    ) -> Result<(), StoreError> {
        let mut waits_for = self.open_batches_of(order.order)?;
        if order.class == Class::Live {
            self.promote_to_live(&waits_for, at)?;
        }
        let size: usize = order.events.iter().map(NewEvent::size).sum();
        let plain = waits_for.is_empty()
            && order.events.iter().all(|event| event.not_before <= at)
            && size <= limits.bytes
            && order.events.len() <= limits.events;
        if plain {
            let batch = self.shared_batch(order, size, limits, at, open)?;
            for event in &order.events {
                self.enter(event, order, entry, batch, at, result)?;
            }
            return Ok(());
        }
        // Batches of its own, each waiting for the one before.
        let mut rest = order.events.as_slice();
        while !rest.is_empty() {
            let (chunk, tail) = rest.split_at(chunk_len(rest, limits, at));
            rest = tail;
            let due = chunk.iter().map(|event| event.not_before).max();
            let due = due.filter(|due| *due > at).unwrap_or(AT_ONCE);
            let mut batch = self.open_batch(order, due, at)?;
            self.add_dependencies(batch.id, &waits_for)?;
            for event in chunk {
                self.enter(event, order, entry, &mut batch, at, result)?;
            }
            // A chunk of which nothing was new leaves no batch: what it would have waited for, the next one waits for.
            if !batch.body.entries.is_empty() {
                waits_for = vec![batch.id];
            }
            self.close_batch(batch)?;
        }
        Ok(())
    }

    /// The batch of this website and class that is being filled, with room for one more order.
    fn shared_batch<'b>(
        &mut self,
        order: &OrderEvents,
        size: usize,
        limits: BatchLimits,
        at: UtcMillis,
        open: &'b mut HashMap<(WebsiteId, Class), OpenBatch>,
    ) -> Result<&'b mut OpenBatch, StoreError> {
        let key = (order.website, order.class);
        let full = open.get(&key).is_some_and(|batch| {
            batch.body.payload.len() + 1 + size > limits.bytes
                || batch.body.entries.len() + order.events.len() > limits.events
        });
        if full && let Some(batch) = open.remove(&key) {
            self.close_batch(batch)?;
        }
        match open.entry(key) {
            std::collections::hash_map::Entry::Occupied(slot) => Ok(slot.into_mut()),
            std::collections::hash_map::Entry::Vacant(slot) => {
                Ok(slot.insert(self.open_batch(order, AT_ONCE, at)?))
            }
        }
    }

    fn enter(
        &mut self,
        event: &NewEvent,
        order: &OrderEvents,
        entry: EnqueueMode,
        batch: &mut OpenBatch,
        at: UtcMillis,
        result: &mut Enqueued,
    ) -> Result<(), StoreError> {
        let key = EventKey {
            order: order.order,
            kind: event.kind,
            document: event.document,
        };
        match (&event.body, entry) {
            (Ok(json), EnqueueMode::Insert) => {
                if !self.insert_or_revive(key, batch.id, codec::body_hash(json))? {
                    return Ok(());
                }
                batch.body.push(key, json);
            }
            (Ok(json), EnqueueMode::Resend) if self.repoint_delivered(key, order.website, batch.id)? => {
                batch.body.push(key, json);
            }
            (Err(refusal), EnqueueMode::Insert) => {
                if self.insert_event(key, batch.id, 2, 0)? {
                    self.insert_parked(key, order.website, refusal, at)?;
                    result.parked += 1;
                } else {
                    self.repeat_refusal(key, refusal)?;
                }
                return Ok(());
            }
            (_, EnqueueMode::Resend) => return Ok(()),
        }
        batch.changed_at = batch.changed_at.min(order.changed_at);
        result.events += 1;
        Ok(())
    }

    pub(super) fn insert_event(
        &mut self,
        key: EventKey,
        batch: BatchId,
        state: i64,
        hash: i64,
    ) -> Result<bool, StoreError> {
        let sql = "INSERT INTO outbox_event VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.execute(params![key.order, key.kind, key.document, batch, state, hash])? == 1)
    }

    /// A delivered event goes into another batch: it is pending again, and is not counted as delivered meanwhile. One whose
    /// body was erased is left alone for good.
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
        let changed = self.connection.prepare_cached(sql)?.execute(params![
            key.order,
            key.kind,
            key.document,
            batch
        ])?;
        if changed == 1 {
            self.count_outcome(website, key.kind, "delivered", -1)?;
        }
        Ok(changed == 1)
    }

    pub(super) fn insert_parked(
        &mut self,
        key: EventKey,
        website: WebsiteId,
        refusal: &Refusal,
        at: UtcMillis,
    ) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO outbox_parked
                   (order_id, kind, document_id, website_id, code, detail, attempts, parked_at)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7)";
        self.connection.prepare_cached(sql)?.execute(params![
            key.order,
            key.kind,
            key.document,
            website,
            refusal.code,
            refusal.detail,
            at.0
        ])?;
        self.count_outcome(website, key.kind, "parked", 1)
    }

    /// Batches that hold events of this order and are not final.
    fn open_batches_of(&self, order: OrderId) -> Result<Vec<BatchId>, StoreError> {
        let sql = "SELECT DISTINCT e.batch_id FROM outbox_event e JOIN outbox_batch b ON b.id = e.batch_id
                   WHERE e.order_id = ?1 AND e.state = 0 AND b.state = 0";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([order], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// A live change overtakes history, but never its own order's earlier events: so those become live, with all that
    /// they wait for.
    fn promote_to_live(&mut self, batches: &[BatchId], at: UtcMillis) -> Result<(), StoreError> {
        let sql = "WITH RECURSIVE earlier (id) AS (
                     SELECT ?1 UNION SELECT d.after_id FROM outbox_dependency d JOIN earlier e ON d.batch_id = e.id)
                   UPDATE outbox_batch SET class = 0, changed_at = ?2
                   WHERE class = 1 AND state = 0 AND id IN (SELECT id FROM earlier)";
        let mut statement = self.connection.prepare_cached(sql)?;
        for batch in batches {
            statement.execute(params![batch, at.0])?;
        }
        Ok(())
    }

    pub(super) fn add_dependencies(&mut self, batch: BatchId, after: &[BatchId]) -> Result<(), StoreError> {
        let sql = "INSERT INTO outbox_dependency VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        let mut statement = self.connection.prepare_cached(sql)?;
        for earlier in after {
            statement.execute([earlier, &batch])?;
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
        self.connection.prepare_cached(sql)?.execute(params![
            order.website,
            order.class as i64,
            at.0,
            due.0,
            order.backfill
        ])?;
        let id = self.connection.last_insert_rowid();
        Ok(OpenBatch {
            id,
            body: BatchBody::default(),
            changed_at: at,
        })
    }

    /// Freezes a batch. One into which nothing new came leaves no trace.
    fn close_batch(&mut self, batch: OpenBatch) -> Result<(), StoreError> {
        if batch.body.entries.is_empty() {
            self.connection
                .prepare_cached("DELETE FROM outbox_batch WHERE id = ?1")?
                .execute([batch.id])?;
            let sql = "DELETE FROM outbox_dependency WHERE batch_id = ?1 OR after_id = ?1";
            self.connection.prepare_cached(sql)?.execute([batch.id])?;
            return Ok(());
        }
        self.write_body(batch.id, &batch.body)?;
        self.connection
            .prepare_cached("UPDATE outbox_batch SET changed_at = ?2 WHERE id = ?1")?
            .execute(params![batch.id, batch.changed_at.0])?;
        self.touch(Topic::Outbox);
        Ok(())
    }

    pub(super) fn write_body(&mut self, id: BatchId, body: &BatchBody) -> Result<(), StoreError> {
        let (contents, packed) = body.encode()?;
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO outbox_body VALUES (?1, ?2, ?3)")?
            .execute(params![id, contents, packed])?;
        let size = |length: usize| i64::try_from(length).unwrap_or(i64::MAX);
        self.connection
            .prepare_cached("UPDATE outbox_batch SET events = ?2, bytes = ?3 WHERE id = ?1")?
            .execute(params![id, size(body.entries.len()), size(body.payload.len())])?;
        Ok(())
    }
}

impl NewEvent {
    /// What it takes in a batch, with its comma.
    fn size(&self) -> usize {
        self.body.as_ref().map_or(0, |json| json.len() + 1)
    }
}

/// A batch that still takes events in.
struct OpenBatch {
    id: BatchId,
    body: BatchBody,
    changed_at: UtcMillis,
}

/// How many of `events` go into the next batch: as many as fit; those that are due now apart from those that are not.
fn chunk_len(events: &[NewEvent], limits: BatchLimits, at: UtcMillis) -> usize {
    let due_now = |event: &NewEvent| event.not_before <= at;
    let mut bytes = 0;
    let fits = events.iter().take(limits.events).take_while(|event| {
        bytes += event.size();
        bytes <= limits.bytes + 1 && due_now(event) == due_now(&events[0])
    });
    fits.count().max(1)
}
