//! The parked events: refused for good, and waiting for an operator's decision.

use rusqlite::Row;

use super::enqueue::{BatchLimits, EnqueueMode, NewEvent, OrderEvents, Refusal};
use super::{BatchId, Class, EdgeAnswer, EventEntry, EventKey, FinalState, RowState, persons};
use crate::store::meta::WebsiteId;
use crate::store::sql::{count, signed};
use crate::store::{Reader, StoreError, Topic, Writer};
use orderfeed_model::clock::UtcMillis;
use orderfeed_model::order::OrderId;

/// A parked event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedEvent {
    pub key: EventKey,
    pub website: WebsiteId,
    /// A stable word or the edge's code.
    pub code: String,
    /// The reason. Of the edge: its title, a line break, and its detail, which may quote the event.
    pub detail: String,
    /// HTTP status of the last answer, if there was one.
    pub status: Option<u16>,
    /// Request id of the last answer.
    pub request_id: Option<String>,
    /// Number of times it was sent.
    pub attempts: u32,
    pub parked_at: UtcMillis,
    /// Its frozen JSON; `None` if it could not be rendered.
    pub body: Option<Vec<u8>>,
}

impl ParkedEvent {
    /// Returns the part of the reason that quotes nothing of the event: the edge's title, or a reason of our own. It is
    /// empty for an answer that an earlier version stored without separating the two.
    pub fn title(&self) -> &str {
        let of_edge = ["EXEG-", "http_"]
            .iter()
            .any(|start| self.code.starts_with(start));
        match self.detail.split_once('\n') {
            Some((title, _)) => title,
            None if of_edge => "",
            None => &self.detail,
        }
    }
}

/// A selection of parked events; an empty filter selects all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParkedFilter {
    pub order: Option<OrderId>,
    pub website: Option<WebsiteId>,
    pub code: Option<String>,
    /// Number of the events' kind.
    pub kind: Option<u8>,
    /// Parked at or after this time.
    pub since: Option<UtcMillis>,
    /// Parked before this time.
    pub until: Option<UtcMillis>,
}

/// The columns that [`without_body`] reads.
pub(super) const COLUMNS: &str =
    "order_id, kind, document_id, website_id, code, detail, status, request_id, attempts, parked_at";

/// True for the events of a [`ParkedFilter`]. The stored number of a kind also holds the generation.
const MATCHES: &str = "(?1 IS NULL OR order_id = ?1) AND (?2 IS NULL OR website_id = ?2)
     AND (?3 IS NULL OR code = ?3) AND (?4 IS NULL OR parked_at >= ?4) AND (?5 IS NULL OR parked_at < ?5)
     AND (?6 IS NULL OR kind & 255 = ?6)";

/// True for events that could not be rendered: without a body, and never sent. An erased body was sent.
const UNRENDERED: &str = "body IS NULL AND attempts = 0";

impl Reader<'_> {
    /// Returns parked events, oldest first, without their bodies.
    pub fn parked(&self, filter: &ParkedFilter, limit: usize) -> Result<Vec<ParkedEvent>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM outbox_parked WHERE {MATCHES} ORDER BY parked_at, order_id, kind LIMIT ?7"
        );
        let (since, until) = (filter.since.map(|at| at.0), filter.until.map(|at| at.0));
        let params = (
            filter.order,
            filter.website,
            &filter.code,
            since,
            until,
            filter.kind,
            signed(limit),
        );
        self.all(&sql, params, without_body)
    }

    /// Counts parked events.
    pub fn parked_count(&self, filter: &ParkedFilter) -> Result<u64, StoreError> {
        let sql = format!("SELECT count(*) FROM outbox_parked WHERE {MATCHES}");
        let (since, until) = (filter.since.map(|at| at.0), filter.until.map(|at| at.0));
        let params = (
            filter.order,
            filter.website,
            &filter.code,
            since,
            until,
            filter.kind,
        );
        self.one(&sql, params, |row| count(row, 0))
    }

    /// Returns the parked events of an order that could not be rendered, and were therefore never sent.
    pub fn unrendered_of(&self, order: OrderId) -> Result<Vec<EventKey>, StoreError> {
        let sql = format!(
            "SELECT order_id, kind, document_id FROM outbox_parked WHERE order_id = ?1 AND {UNRENDERED}"
        );
        self.all(&sql, [order], EventKey::read)
    }

    /// Returns one parked event with its body.
    pub fn parked_event(&self, key: EventKey) -> Result<Option<ParkedEvent>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS}, body FROM outbox_parked WHERE order_id = ?1 AND kind = ?2 AND document_id = ?3"
        );
        self.first(&sql, (key.order, key.code(), key.document), with_body)
    }
}

impl Writer<'_> {
    /// Sends a parked event once more, with the same bytes. Returns false if it is not parked.
    ///
    /// One that could not be rendered stays parked until indexing renders it again, so that it remains visible if the
    /// order was deleted or is withheld by then.
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
            // A retry of all parked events takes those parked before it began, so it does not take this one again.
            let sql = "UPDATE outbox_parked SET parked_at = ?4
                       WHERE order_id = ?1 AND kind = ?2 AND document_id = ?3";
            self.execute(sql, (key.order, key.code(), key.document, at.0))?;
            return Ok(true);
        };
        let person = self
            .reader()
            .person_of_parked(key)?
            .unwrap_or_else(|| persons::named_in(&body));
        self.remove_parked(&parked)?;
        let before = self.reader().batch_of(key)?;
        // Without its row, `enqueue` takes the event as new, behind the pending events of its order.
        let sql = "DELETE FROM outbox_event WHERE order_id = ?1 AND kind = ?2 AND document_id = ?3";
        self.execute(sql, (key.order, key.code(), key.document))?;
        let event = NewEvent {
            kind: key.kind,
            document: key.document,
            generation: key.generation,
            not_before: at,
            person,
            body: Ok(body),
        };
        let order = OrderEvents {
            order: key.order,
            website: parked.website,
            class: Class::Live,
            changed_at: at,
            backfill: None,
            events: vec![event],
        };
        self.enqueue(&[order], EnqueueMode::Insert, limits, at)?;
        self.continue_history(key, before, at)?;
        self.touch(Topic::Outbox);
        Ok(true)
    }

    /// Records why the unrendered events of an order stay parked.
    pub fn explain_unrendered(&mut self, order: OrderId, why: &str) -> Result<(), StoreError> {
        let sql = format!("UPDATE outbox_parked SET detail = ?2 WHERE order_id = ?1 AND {UNRENDERED}");
        self.run(&sql, (order, why))
    }

    /// Takes an event into a batch if it is new, or if it was parked because it could not be rendered until now.
    pub(super) fn insert_or_revive(&mut self, key: EventKey, batch: BatchId) -> Result<bool, StoreError> {
        if self.insert_event(key, batch, RowState::AsBatch)? {
            return Ok(true);
        }
        let parked = self.reader().parked_event(key)?;
        let Some(parked) = parked.filter(|parked| parked.body.is_none() && parked.attempts == 0) else {
            return Ok(false);
        };
        self.remove_parked(&parked)?;
        let sql = "UPDATE outbox_event SET state = ?4, batch_id = ?5
                   WHERE order_id = ?1 AND kind = ?2 AND document_id = ?3";
        let state = RowState::AsBatch;
        self.execute(sql, (key.order, key.code(), key.document, state, batch))?;
        Ok(true)
    }

    pub(super) fn insert_parked(
        &mut self,
        key: EventKey,
        website: WebsiteId,
        refusal: &Refusal,
        at: UtcMillis,
    ) -> Result<(), StoreError> {
        // Without a body there is no person to find; `complete_parked` adds both.
        let sql = "INSERT OR REPLACE INTO outbox_parked
                   (order_id, kind, document_id, website_id, code, detail, attempts, parked_at, person)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, x'')";
        let Refusal { code, detail } = refusal;
        self.execute(
            sql,
            (key.order, key.code(), key.document, website, code, detail, at.0),
        )?;
        self.count_final(website, key.kind, FinalState::Parked, 1)
    }

    /// Adds the body to a parked event that was sent, and the answer to its last request.
    pub(super) fn complete_parked(
        &mut self,
        entry: &EventEntry,
        json: &[u8],
        attempts: u32,
        answer: &EdgeAnswer,
    ) -> Result<(), StoreError> {
        let sql =
            "UPDATE outbox_parked SET body = ?4, person = ?5, attempts = ?6, status = ?7, request_id = ?8
                   WHERE order_id = ?1 AND kind = ?2 AND document_id = ?3";
        let (key, person) = (entry.key, persons::stored(entry.person.as_ref()));
        let (status, request) = (answer.status, &answer.request_id);
        self.run(
            sql,
            (
                key.order,
                key.code(),
                key.document,
                json,
                person,
                attempts,
                status,
                request,
            ),
        )
    }

    /// Updates the reason of an event that still cannot be rendered.
    pub(super) fn repeat_refusal(&mut self, key: EventKey, refusal: &Refusal) -> Result<(), StoreError> {
        let sql = format!(
            "UPDATE outbox_parked SET code = ?4, detail = ?5
             WHERE order_id = ?1 AND kind = ?2 AND document_id = ?3 AND {UNRENDERED}"
        );
        let Refusal { code, detail } = refusal;
        self.run(&sql, (key.order, key.code(), key.document, code, detail))
    }

    /// Gives up a parked event; it ends as suppressed. Returns false if it is not parked.
    pub fn discard_parked(&mut self, key: EventKey, reason: &str, at: UtcMillis) -> Result<bool, StoreError> {
        let Some(parked) = self.reader().parked_event(key)? else {
            return Ok(false);
        };
        self.remove_parked(&parked)?;
        self.set_row_state(key, RowState::Suppressed)?;
        self.insert_suppressed(key, parked.website, reason, at)?;
        Ok(true)
    }

    fn remove_parked(&mut self, parked: &ParkedEvent) -> Result<(), StoreError> {
        let key = parked.key;
        let sql = "DELETE FROM outbox_parked WHERE order_id = ?1 AND kind = ?2 AND document_id = ?3";
        self.execute(sql, (key.order, key.code(), key.document))?;
        self.count_final(parked.website, key.kind, FinalState::Parked, -1)
    }
}

/// Reads [`COLUMNS`].
pub(super) fn without_body(row: &Row<'_>) -> rusqlite::Result<ParkedEvent> {
    Ok(ParkedEvent {
        key: EventKey::read(row)?,
        website: row.get(3)?,
        code: row.get(4)?,
        detail: row.get(5)?,
        status: row.get(6)?,
        request_id: row.get(7)?,
        attempts: row.get(8)?,
        parked_at: UtcMillis(row.get(9)?),
        body: None,
    })
}

/// Reads [`COLUMNS`] and the body after them.
fn with_body(row: &Row<'_>) -> rusqlite::Result<ParkedEvent> {
    Ok(ParkedEvent {
        body: row.get(10)?,
        ..without_body(row)?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parked(code: &str, detail: &str) -> ParkedEvent {
        ParkedEvent {
            key: EventKey {
                order: 1,
                kind: 1,
                document: 1,
                generation: 0,
            },
            website: 1,
            code: code.to_owned(),
            detail: detail.to_owned(),
            status: None,
            request_id: None,
            attempts: 1,
            parked_at: UtcMillis(0),
            body: None,
        }
    }

    #[test]
    fn the_title_contains_nothing_that_the_edge_quoted() {
        let quoting = parked("EXEG-0102-400", "Invalid event\njane@example.com is no number");
        assert_eq!(quoting.title(), "Invalid event");
        let of_earlier_version = parked("http_400", "Bad jane@example.com");
        assert_eq!(of_earlier_version.title(), "");
        assert_eq!(parked("too_large", "70000 bytes").title(), "70000 bytes");
    }
}
