//! The dead letters: events that need a decision by a person.

use rusqlite::{OptionalExtension, Row, params};

use super::enqueue::{BatchLimits, EnqueueMode, NewEvent, OrderEvents, Refusal};
use super::{BatchId, Class, EventKey};
use crate::store::meta::WebsiteId;
use crate::store::{Reader, StoreError, Topic, Writer};
use orderfeed_model::clock::UtcMillis;
use orderfeed_model::order::OrderId;

/// A dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedEvent {
    /// Which event.
    pub key: EventKey,
    /// Where it was to go.
    pub website: WebsiteId,
    /// A stable word or the edge's code.
    pub code: String,
    /// A sentence.
    pub detail: String,
    /// HTTP status of the last answer, if there was one.
    pub status: Option<u16>,
    /// Request id of the last answer.
    pub request_id: Option<String>,
    /// How often it was sent.
    pub attempts: u32,
    /// Since when.
    pub parked_at: UtcMillis,
    /// Its frozen JSON; `None` if it could not be rendered.
    pub body: Option<Vec<u8>>,
}

/// Which dead letters; an empty filter means all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParkedFilter {
    /// Of this order.
    pub order: Option<OrderId>,
    /// Of this website.
    pub website: Option<WebsiteId>,
    /// With this code.
    pub code: Option<String>,
    /// Parked at or after this.
    pub since: Option<UtcMillis>,
    /// Parked before this.
    pub until: Option<UtcMillis>,
}

const COLUMNS: &str =
    "order_id, kind, document_id, website_id, code, detail, status, request_id, attempts, parked_at";

/// It has no bytes, and never had: what the edge refused was sent.
const UNRENDERED: &str = "body IS NULL AND attempts = 0";

impl Reader<'_> {
    /// Dead letters, oldest first, without their bodies.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn parked(&self, filter: &ParkedFilter, limit: usize) -> Result<Vec<ParkedEvent>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS}, NULL FROM outbox_parked WHERE (?1 IS NULL OR order_id = ?1)
             AND (?2 IS NULL OR website_id = ?2) AND (?3 IS NULL OR code = ?3) AND (?4 IS NULL OR parked_at >= ?4)
             AND (?5 IS NULL OR parked_at < ?5) ORDER BY parked_at, order_id, kind LIMIT ?6"
        );
        let (since, until) = (filter.since.map(|at| at.0), filter.until.map(|at| at.0));
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(
            params![filter.order, filter.website, filter.code, since, until, limit],
            read_parked,
        )?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The dead letters of an order that could not be rendered. They were never sent.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn unrendered_of(&self, order: OrderId) -> Result<Vec<EventKey>, StoreError> {
        let sql = format!("SELECT kind, document_id FROM outbox_parked WHERE order_id = ?1 AND {UNRENDERED}");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map([order], |row| {
            Ok(EventKey {
                order,
                kind: row.get(0)?,
                document: row.get(1)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// One dead letter with its body.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn parked_event(&self, key: EventKey) -> Result<Option<ParkedEvent>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS}, body FROM outbox_parked WHERE order_id = ?1 AND kind = ?2 AND document_id = ?3"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        Ok(statement
            .query_row(params![key.order, key.kind, key.document], read_parked)
            .optional()?)
    }
}

impl Writer<'_> {
    /// Sends a dead letter once more: the same bytes. One that could not be rendered stays where it is until the next
    /// indexing renders it anew, so that it stays visible if that finds the order gone or withheld. `false` if it is not
    /// parked.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn retry_parked(
        &mut self,
        key: EventKey,
        limits: BatchLimits,
        at: UtcMillis,
    ) -> Result<bool, StoreError> {
        let Some(parked) = self.reader().parked_event(key)? else {
            return Ok(false);
        };
        let Some(body) = parked.body.clone() else {
            self.recheck_orders(&[key.order], "outbox_parked", at)?;
            // Not earlier than a retry of all that is under way began: it has had its turn.
            let sql = "UPDATE outbox_parked SET parked_at = ?4
                       WHERE order_id = ?1 AND kind = ?2 AND document_id = ?3";
            self.connection
                .prepare_cached(sql)?
                .execute(params![key.order, key.kind, key.document, at.0])?;
            return Ok(true);
        };
        self.remove_parked(&parked)?;
        let before = self.batch_of(key)?;
        let sql = "DELETE FROM outbox_event WHERE order_id = ?1 AND kind = ?2 AND document_id = ?3";
        self.connection
            .prepare_cached(sql)?
            .execute(params![key.order, key.kind, key.document])?;
        let event = NewEvent {
            kind: key.kind,
            document: key.document,
            not_before: at,
            body: Ok(body),
        };
        let order = OrderEvents {
            order: key.order,
            website: parked.website,
            class: Class::Live,
            changed_at: at,
            // The sender looks into the body before it sends.
            person: None,
            backfill: None,
            events: vec![event],
        };
        self.enqueue(&[order], EnqueueMode::Insert, limits, at)?;
        self.continue_history(key, before, at)?;
        self.touch(Topic::Outbox);
        Ok(true)
    }

    /// Says of the dead letters of an order that could not be rendered why that stays so.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn explain_unrendered(&mut self, order: OrderId, why: &str) -> Result<(), StoreError> {
        let sql = format!("UPDATE outbox_parked SET detail = ?2 WHERE order_id = ?1 AND {UNRENDERED}");
        self.connection
            .prepare_cached(&sql)?
            .execute(params![order, why])?;
        Ok(())
    }

    /// Takes an event into a batch: a new one, or a dead letter that could not be rendered until now. `false` if it is
    /// neither.
    pub(super) fn insert_or_revive(
        &mut self,
        key: EventKey,
        batch: BatchId,
        hash: i64,
    ) -> Result<bool, StoreError> {
        if self.insert_event(key, batch, 0, hash)? {
            return Ok(true);
        }
        let Some(parked) = self.unrendered(key)? else {
            return Ok(false);
        };
        self.remove_parked(&parked)?;
        let sql = "UPDATE outbox_event SET state = 0, batch_id = ?4, body_hash = ?5
                   WHERE order_id = ?1 AND kind = ?2 AND document_id = ?3";
        self.connection.prepare_cached(sql)?.execute(params![
            key.order,
            key.kind,
            key.document,
            batch,
            hash
        ])?;
        Ok(true)
    }

    /// A dead letter that could not be rendered still cannot be: perhaps for another reason.
    pub(super) fn repeat_refusal(&mut self, key: EventKey, refusal: &Refusal) -> Result<(), StoreError> {
        let sql = format!(
            "UPDATE outbox_parked SET code = ?4, detail = ?5
             WHERE order_id = ?1 AND kind = ?2 AND document_id = ?3 AND {UNRENDERED}"
        );
        self.connection.prepare_cached(&sql)?.execute(params![
            key.order,
            key.kind,
            key.document,
            refusal.code,
            refusal.detail
        ])?;
        Ok(())
    }

    fn unrendered(&self, key: EventKey) -> Result<Option<ParkedEvent>, StoreError> {
        let parked = self.reader().parked_event(key)?;
        Ok(parked.filter(|parked| parked.body.is_none() && parked.attempts == 0))
    }

    /// Gives a dead letter up: it ends as suppressed. `false` if it is not parked.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn discard_parked(&mut self, key: EventKey, reason: &str, at: UtcMillis) -> Result<bool, StoreError> {
        let Some(parked) = self.reader().parked_event(key)? else {
            return Ok(false);
        };
        self.remove_parked(&parked)?;
        self.set_event_state(key, 1)?;
        self.insert_suppressed(key, parked.website, reason, at)?;
        Ok(true)
    }

    fn remove_parked(&mut self, parked: &ParkedEvent) -> Result<(), StoreError> {
        let key = parked.key;
        let sql = "DELETE FROM outbox_parked WHERE order_id = ?1 AND kind = ?2 AND document_id = ?3";
        self.connection
            .prepare_cached(sql)?
            .execute(params![key.order, key.kind, key.document])?;
        self.count_outcome(parked.website, key.kind, "parked", -1)
    }
}

fn read_parked(row: &Row<'_>) -> rusqlite::Result<ParkedEvent> {
    Ok(ParkedEvent {
        key: EventKey {
            order: row.get(0)?,
            kind: row.get(1)?,
            document: row.get(2)?,
        },
        website: row.get(3)?,
        code: row.get(4)?,
        detail: row.get(5)?,
        status: row.get(6)?,
        request_id: row.get(7)?,
        attempts: row.get(8)?,
        parked_at: UtcMillis(row.get(9)?),
        body: row.get(10)?,
    })
}
