//! The parked events in groups and pages, for lists that must stay short however many there are.

use super::parked::{COLUMNS, without_body};
use super::{EventKey, KindCode, ParkedEvent};
use crate::store::meta::WebsiteId;
use crate::store::sql::{count, signed};
use crate::store::{Reader, StoreError};
use orderfeed_model::clock::UtcMillis;

/// Most groups that are returned, the largest first.
const MOST_GROUPS: usize = 50;

/// A selection of parked events; an empty one selects all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParkedQuery {
    pub website: Option<WebsiteId>,
    pub kind: Option<KindCode>,
    pub code: Option<String>,
    /// Parked before this time.
    pub until: Option<UtcMillis>,
}

/// Parked events of one website, kind and code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedGroup {
    pub website: WebsiteId,
    pub kind: KindCode,
    pub code: String,
    pub events: u64,
    /// The oldest of them, without its body.
    pub sample: ParkedEvent,
}

/// A place in the list of parked events: time and key of the last event before it.
pub type ParkedPlace = (UtcMillis, EventKey);

/// The conditions of a [`ParkedQuery`]; the lower byte of a stored kind is the kind itself.
const MATCHES: &str = "(?1 IS NULL OR website_id = ?1) AND (?2 IS NULL OR kind & 255 = ?2)
    AND (?3 IS NULL OR code = ?3) AND (?4 IS NULL OR parked_at < ?4)";

impl Reader<'_> {
    /// Returns the groups of the selected events, the largest first.
    pub fn parked_groups(&self, query: &ParkedQuery) -> Result<Vec<ParkedGroup>, StoreError> {
        // With a single min(), SQLite takes the other columns from the row that has it.
        let sql = format!(
            "SELECT order_id, kind, document_id, website_id, code, detail, status, request_id, attempts, min(parked_at),
               count(*) FROM outbox_parked WHERE {MATCHES} GROUP BY website_id, kind & 255, code
             ORDER BY count(*) DESC, min(parked_at) LIMIT ?5"
        );
        let until = query.until.map(|at| at.0);
        let params = (query.website, query.kind, &query.code, until, signed(MOST_GROUPS));
        self.all(&sql, params, |row| {
            let sample = without_body(row)?;
            Ok(ParkedGroup {
                website: sample.website,
                kind: sample.key.kind,
                code: sample.code.clone(),
                events: count(row, 10)?,
                sample,
            })
        })
    }

    /// Counts the selected events.
    pub fn count_parked(&self, query: &ParkedQuery) -> Result<u64, StoreError> {
        let sql = format!("SELECT count(*) FROM outbox_parked WHERE {MATCHES}");
        let until = query.until.map(|at| at.0);
        self.one(&sql, (query.website, query.kind, &query.code, until), |row| {
            count(row, 0)
        })
    }

    /// Returns the selected events after `place`, oldest first, without their bodies.
    pub fn parked_after(
        &self,
        query: &ParkedQuery,
        place: Option<ParkedPlace>,
        limit: usize,
    ) -> Result<Vec<ParkedEvent>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM outbox_parked WHERE {MATCHES}
             AND (parked_at, order_id, kind, document_id) > (?5, ?6, ?7, ?8)
             ORDER BY parked_at, order_id, kind, document_id LIMIT ?9"
        );
        let until = query.until.map(|at| at.0);
        let (at, key) = place.unwrap_or((UtcMillis(i64::MIN), EventKey::default()));
        let place = (at.0, key.order, key.code(), key.document);
        let params = (
            query.website,
            query.kind,
            &query.code,
            until,
            place.0,
            place.1,
            place.2,
            place.3,
            signed(limit),
        );
        self.all(&sql, params, without_body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Durability, Writer, testing};

    /// Parks events: order, stored kind, website, code, time.
    async fn parked(
        rows: &'static [(i64, i64, i64, &'static str, i64)],
    ) -> (tempfile::TempDir, crate::store::Store) {
        let (dir, store) = testing::fresh();
        let park = move |writer: &mut Writer<'_>| {
            for (order, kind, website, code, at) in rows {
                let sql = "INSERT INTO outbox_parked (order_id, kind, document_id, website_id, code, detail, attempts,
                             parked_at) VALUES (?1, ?2, ?1, ?3, ?4, 'title', 1, ?5)";
                writer.run(sql, (order, kind, website, code, at))?;
            }
            Ok(())
        };
        store.write(Durability::Relaxed, park).await.unwrap();
        (dir, store)
    }

    #[tokio::test]
    async fn groups_are_by_website_kind_and_code_with_the_oldest_as_sample() {
        let rows = &[
            (1, 1, 7, "A", 30),
            (2, 257, 7, "A", 20),
            (3, 2, 7, "A", 10),
            (4, 1, 8, "A", 5),
        ];
        let (_dir, store) = parked(rows).await;
        let of_seven = ParkedQuery {
            website: Some(7),
            ..ParkedQuery::default()
        };
        let count = ParkedQuery {
            kind: Some(1),
            ..of_seven.clone()
        };
        let read =
            move |reader: &Reader<'_>| Ok((reader.parked_groups(&of_seven)?, reader.count_parked(&count)?));
        let (groups, of_kind) = store.read(read).await.unwrap();
        let groups: Vec<_> = groups
            .iter()
            .map(|group| (group.kind, group.events, group.sample.key.order))
            .collect();
        // A second generation of a document is of the same kind.
        assert_eq!((groups, of_kind), (vec![(1, 2, 2), (2, 1, 3)], 2));
    }

    #[tokio::test]
    async fn pages_follow_each_other_without_gap_or_repetition() {
        let rows = &[
            (1, 1, 7, "A", 10),
            (2, 1, 7, "A", 10),
            (3, 1, 7, "B", 10),
            (4, 1, 7, "A", 11),
        ];
        let (_dir, store) = parked(rows).await;
        let read = |reader: &Reader<'_>| {
            let query = ParkedQuery {
                code: Some("A".to_owned()),
                ..ParkedQuery::default()
            };
            let first = reader.parked_after(&query, None, 2)?;
            let place = (first[1].parked_at, first[1].key);
            Ok((first, reader.parked_after(&query, Some(place), 2)?))
        };
        let (first, second) = store.read(read).await.unwrap();
        let orders = |page: &[ParkedEvent]| page.iter().map(|event| event.key.order).collect::<Vec<_>>();
        assert_eq!((orders(&first), orders(&second)), (vec![1, 2], vec![4]));
    }
}
