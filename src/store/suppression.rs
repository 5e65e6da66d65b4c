//! The local suppression list: persons whose events are not sent, whoever asked for it.
//!
//! A person is the SHA-256 of the trimmed, lower-case e-mail address, the very value that an event's identity has; an
//! address never comes here. The hash is not keyed: a key would lie in the same file or get lost with a backup (and the
//! opt-outs with it), and the same value is in the events that wait in this file anyway. `docs/PRIVACY.md` says what
//! that means for whoever holds a copy.
//!
//! An empty list costs one look at an empty table for each transaction that enters events and for each request.

use rusqlite::{OptionalExtension, params};

use super::{Reader, StoreError, Writer};
use orderfeed_model::clock::UtcMillis;

/// SHA-256 of a trimmed, lower-case e-mail address.
pub type Person = [u8; 32];

/// Finds the person in an event's frozen JSON; `None` if it carries no e-mail identity.
pub type PersonOf = fn(&[u8]) -> Option<Person>;

/// A row of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppression {
    /// Whose events are not sent.
    pub person: Person,
    /// Since when.
    pub added_at: UtcMillis,
    /// Where it came from, in the operator's words.
    pub note: String,
}

impl Reader<'_> {
    /// Whether the list holds anybody.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn has_suppressions(&self) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM suppression)";
        Ok(self
            .connection
            .prepare_cached(sql)?
            .query_row([], |row| row.get(0))?)
    }

    /// Whether the list holds this person.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn is_suppressed(&self, person: &Person) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM suppression WHERE person = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let found = statement.query_row([person], |_| Ok(())).optional()?;
        Ok(found.is_some())
    }

    /// A page of the list, by hash, after `after`.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn suppressions(&self, after: Option<Person>, limit: usize) -> Result<Vec<Suppression>, StoreError> {
        let sql = "SELECT person, added_at, note FROM suppression WHERE ?1 IS NULL OR person > ?1
                   ORDER BY person LIMIT ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = statement.query_map(params![after, limit], |row| {
            Ok(Suppression {
                person: row.get(0)?,
                added_at: UtcMillis(row.get(1)?),
                note: row.get(2)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How many persons the list holds. Reads all of it: for commands only.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn suppression_count(&self) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM suppression";
        let count: i64 = self.connection.query_row(sql, [], |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or_default())
    }
}

impl Writer<'_> {
    /// Adds persons; one who is on the list already keeps date and note. Returns how many are new.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn add_suppressions(
        &mut self,
        persons: &[Person],
        note: &str,
        at: UtcMillis,
    ) -> Result<u64, StoreError> {
        let sql = "INSERT INTO suppression VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut added = 0;
        for person in persons {
            added += statement.execute(params![person, at.0, note])? as u64;
        }
        Ok(added)
    }

    /// Removes persons. What was suppressed meanwhile stays final. Returns how many were on the list.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn remove_suppressions(&mut self, persons: &[Person]) -> Result<u64, StoreError> {
        let mut statement = self
            .connection
            .prepare_cached("DELETE FROM suppression WHERE person = ?1")?;
        let mut removed = 0;
        for person in persons {
            removed += statement.execute([person])? as u64;
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
    async fn adding_twice_keeps_the_first_date_and_removing_forgets() {
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
