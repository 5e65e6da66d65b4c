//! The local suppression list: persons whose events are not sent.
//!
//! A person is the SHA-256 of the trimmed, lower-case e-mail address, the value that the person's events carry; an address
//! is never stored. The hash is not keyed: a key in the same file would protect nothing, a key elsewhere could be lost with
//! a backup (and the opt-outs with it), and pending events contain the same value. `docs/PRIVACY.md` explains what that
//! means for a copy of the file.
//!
//! An empty list costs one probe of an empty table for each transaction that enters events and for each request.

use super::sql::{count, signed};
use super::{Reader, StoreError, Writer};
use orderfeed_model::clock::UtcMillis;

/// SHA-256 of a trimmed, lower-case e-mail address.
pub type Person = [u8; 32];

/// A row of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppression {
    pub person: Person,
    pub added_at: UtcMillis,
    /// The origin of the entry, in the operator's words.
    pub note: String,
}

impl Reader<'_> {
    /// Returns true if the list has entries.
    pub fn has_suppressions(&self) -> Result<bool, StoreError> {
        self.one("SELECT EXISTS (SELECT 1 FROM suppression)", [], |row| row.get(0))
    }

    /// Returns true if the person is on the list.
    pub fn is_suppressed(&self, person: &Person) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM suppression WHERE person = ?1)";
        self.one(sql, [person], |row| row.get(0))
    }

    /// Returns a page of the list, by hash, after `after`.
    pub fn suppressions(&self, after: Option<Person>, limit: usize) -> Result<Vec<Suppression>, StoreError> {
        let sql = "SELECT person, added_at, note FROM suppression WHERE ?1 IS NULL OR person > ?1
                   ORDER BY person LIMIT ?2";
        self.all(sql, (after, signed(limit)), |row| {
            Ok(Suppression {
                person: row.get(0)?,
                added_at: UtcMillis(row.get(1)?),
                note: row.get(2)?,
            })
        })
    }

    /// Counts the persons on the list. Reads all of it: for commands only.
    pub fn suppression_count(&self) -> Result<u64, StoreError> {
        self.one("SELECT count(*) FROM suppression", [], |row| count(row, 0))
    }
}

impl Writer<'_> {
    /// Adds persons. One that is already on the list keeps date and note. Returns the number of new entries.
    pub fn add_suppressions(
        &mut self,
        persons: &[Person],
        note: &str,
        at: UtcMillis,
    ) -> Result<u64, StoreError> {
        // DO NOTHING keeps the date of the first request, which may be evidence.
        let sql = "INSERT INTO suppression VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
        let mut added = 0;
        for person in persons {
            added += self.execute(sql, (person, at.0, note))? as u64;
        }
        Ok(added)
    }

    /// Removes persons. Events that were suppressed meanwhile stay suppressed. Returns the number of removed entries.
    pub fn remove_suppressions(&mut self, persons: &[Person]) -> Result<u64, StoreError> {
        let mut removed = 0;
        for person in persons {
            removed += self.execute("DELETE FROM suppression WHERE person = ?1", [person])? as u64;
        }
        Ok(removed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Durability, testing};

    fn person(number: u8) -> Person {
        [number; 32]
    }

    #[tokio::test]
    async fn adding_twice_keeps_the_first_date_and_removing_deletes_the_entry() {
        let (_dir, store) = testing::fresh();
        let add = |persons: Vec<Person>, at| {
            store.write(Durability::Durable, move |w| {
                w.add_suppressions(&persons, "by mail", UtcMillis(at))
            })
        };
        assert!(!store.read(|r| r.has_suppressions()).await.unwrap());
        assert_eq!(add(vec![person(1), person(2)], 5).await.unwrap(), 2);
        assert_eq!(add(vec![person(2), person(3)], 9).await.unwrap(), 1);
        let page = store.read(|r| r.suppressions(Some(person(1)), 1)).await.unwrap();
        assert_eq!(
            page,
            [Suppression {
                person: person(2),
                added_at: UtcMillis(5),
                note: "by mail".to_owned()
            }]
        );
        let removed = store
            .write(Durability::Durable, |w| {
                w.remove_suppressions(&[person(2), person(8)])
            })
            .await
            .unwrap();
        assert_eq!(removed, 1);
        let left = store
            .read(|r| {
                Ok((
                    r.suppression_count()?,
                    r.is_suppressed(&person(2))?,
                    r.is_suppressed(&person(3))?,
                ))
            })
            .await
            .unwrap();
        assert_eq!(left, (2, false, true));
    }
}
