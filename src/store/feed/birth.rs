//! The stored birth marks, and the generation of each document.
//!
//! The first mark seen under an id stays for good, in the feed row of an order and in `document_birth` for all others. A
//! document with another mark is found, or gets the next generation, in `later_birth`. So a database that changes back
//! and forth, such as a failover to a replica that lags, gives each document the generation that it had before.

use crate::store::sql::count;
use crate::store::{Reader, StoreError, Writer};
use orderfeed_model::birth::{BirthMark, Document, DocumentKind, Generation};
use orderfeed_model::clock::UtcMillis;

/// A document and what the store holds of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownBirth {
    pub document: Document,
    pub generation: Generation,
    /// The stored mark, completed by the one that was seen.
    pub mark: BirthMark,
    /// True if the store does not hold this mark yet.
    pub is_new: bool,
}

impl KnownBirth {
    /// Returns true if another document had the id before, and this one was never seen.
    pub const fn is_reborn(&self) -> bool {
        self.is_new && self.generation > 0
    }
}

fn stored(document: Document) -> i64 {
    document.id.wrapping_mul(8).wrapping_add(document.kind as i64)
}

impl Reader<'_> {
    /// Returns the generation of a document with the mark `seen`.
    pub fn birth(&self, document: Document, seen: BirthMark) -> Result<KnownBirth, StoreError> {
        self.birth_after(self.first_mark(document)?, document, seen)
    }

    /// Returns the same if the first mark under the document's id is known already.
    pub fn birth_after(
        &self,
        first: BirthMark,
        document: Document,
        seen: BirthMark,
    ) -> Result<KnownBirth, StoreError> {
        let known = |generation, mark: BirthMark| {
            let completed = mark.completed_by(seen);
            KnownBirth {
                document,
                generation,
                mark: completed,
                is_new: completed != mark,
            }
        };
        if first.matches(seen, document.kind) {
            return Ok(known(0, first));
        }
        let sql = "SELECT generation, mark FROM later_birth WHERE document = ?1 ORDER BY generation";
        let later: Vec<(Generation, BirthMark)> = self.all(sql, [stored(document)], |row| {
            Ok((row.get(0)?, BirthMark(row.get(1)?)))
        })?;
        let found = later.iter().find(|(_, mark)| mark.matches(seen, document.kind));
        Ok(match found {
            Some((generation, mark)) => known(*generation, *mark),
            None => known(
                later.last().map_or(0, |(last, _)| *last) + 1,
                BirthMark::default(),
            ),
        })
    }

    /// Counts the documents whose id belonged to another one before, and returns when the last of them was first seen.
    pub fn reborn(&self) -> Result<(u64, Option<UtcMillis>), StoreError> {
        let sql = "SELECT count(*), max(first_seen_at) FROM later_birth";
        self.one(sql, [], |row| {
            Ok((count(row, 0)?, row.get::<_, Option<i64>>(1)?.map(UtcMillis)))
        })
    }

    fn first_mark(&self, document: Document) -> Result<BirthMark, StoreError> {
        let (sql, id) = match document.kind {
            DocumentKind::Order => (
                "SELECT birth_mark FROM sales_data_exporter_orders_v2 WHERE id = ?1",
                document.id,
            ),
            _ => (
                "SELECT mark FROM document_birth WHERE document = ?1",
                stored(document),
            ),
        };
        let mark = self.first(sql, [id], |row| row.get::<_, Option<i64>>(0))?;
        Ok(BirthMark(mark.flatten().unwrap_or_default()))
    }
}

impl Writer<'_> {
    /// Removes all marks, as in a store of an earlier version.
    #[cfg(test)]
    pub(crate) fn forget_births_for_test(&mut self) -> Result<(), StoreError> {
        for sql in [
            "UPDATE sales_data_exporter_orders_v2 SET birth_mark = NULL",
            "DELETE FROM document_birth",
        ] {
            self.run(sql, [])?;
        }
        Ok(())
    }

    /// Stores the mark of a document whose id had none. Returns false, and stores nothing, if the id has one by now.
    ///
    /// The mark of an order is in its feed row ([`Writer::upsert_feed`]).
    pub fn claim_birth(&mut self, birth: &KnownBirth) -> Result<bool, StoreError> {
        if birth.generation > 0 || birth.document.kind == DocumentKind::Order {
            return Ok(false);
        }
        let sql = "INSERT INTO document_birth VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        Ok(self.execute(sql, (stored(birth.document), birth.mark.0))? == 1)
    }

    /// Returns true if the store, as it is in this transaction, gives the document the same generation.
    pub fn holds_birth(&self, birth: &KnownBirth) -> Result<bool, StoreError> {
        let now = self.reader().birth(birth.document, birth.mark)?;
        Ok(now.generation == birth.generation)
    }

    /// Stores the marks of documents. The feed must hold the row of an order.
    pub fn store_births(&mut self, births: &[KnownBirth], at: UtcMillis) -> Result<(), StoreError> {
        for birth in births {
            let KnownBirth {
                document,
                generation,
                mark,
                ..
            } = birth;
            match (generation, document.kind) {
                (0, DocumentKind::Order) => {
                    let sql = "UPDATE sales_data_exporter_orders_v2 SET birth_mark = ?2 WHERE id = ?1";
                    self.run(sql, (document.id, mark.0))?
                }
                (0, _) => {
                    let sql = "INSERT OR REPLACE INTO document_birth VALUES (?1, ?2)";
                    self.run(sql, (stored(*document), mark.0))?
                }
                _ => {
                    let sql = "INSERT INTO later_birth VALUES (?1, ?2, ?3, ?4)
                               ON CONFLICT DO UPDATE SET mark = excluded.mark";
                    self.run(sql, (stored(*document), generation, mark.0, at.0))?
                }
            };
        }
        Ok(())
    }
}
