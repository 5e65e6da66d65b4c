//! The index of recorded `_id`s, compact enough for millions: UUIDs are stored as 16 bytes, other texts as they are.

use std::collections::HashMap;

use uuid::Uuid;

/// The recordings of one `_id`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    /// Hash of the bytes recorded first.
    pub(super) hash: u64,
    /// Sequence number of the first recording.
    pub(super) first_seq: u64,
    pub(super) count: u32,
    /// True if a later recording differed.
    pub(super) changed: bool,
}

#[derive(Debug, Default)]
pub(crate) struct IdIndex {
    uuids: HashMap<[u8; 16], Known>,
    texts: HashMap<Box<str>, Known>,
}

/// The relation of a recording to earlier ones of its `_id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sighting {
    First,
    /// Recorded before, with the same bytes.
    Again,
    /// Recorded before, with other bytes. `newly` is true the first time they differ.
    Changed {
        newly: bool,
    },
}

impl IdIndex {
    /// Adds a recording. Returns its relation to earlier ones and the number of recordings.
    pub(super) fn note(&mut self, id: &str, hash: u64, seq: u64) -> (Sighting, u32) {
        let fresh = Known {
            hash,
            first_seq: seq,
            count: 0,
            changed: false,
        };
        let known = match canonical_uuid(id) {
            Some(bytes) => self.uuids.entry(bytes).or_insert(fresh),
            None => self.texts.entry(id.into()).or_insert(fresh),
        };
        known.count = known.count.saturating_add(1);
        let sighting = match known {
            Known { count: 1, .. } => Sighting::First,
            Known { hash: first, .. } if *first == hash => Sighting::Again,
            Known { changed, .. } => Sighting::Changed {
                newly: !std::mem::replace(changed, true),
            },
        };
        (sighting, known.count)
    }

    pub(crate) fn len(&self) -> usize {
        self.uuids.len() + self.texts.len()
    }

    /// Iterates over all `_id`s.
    pub(super) fn iter(&self) -> impl Iterator<Item = (String, Known)> {
        let uuids = self
            .uuids
            .iter()
            .map(|(bytes, known)| (Uuid::from_bytes(*bytes).to_string(), *known));
        let texts = self.texts.iter().map(|(text, known)| (text.to_string(), *known));
        uuids.chain(texts)
    }

    pub(super) fn get(&self, id: &str) -> Option<Known> {
        match canonical_uuid(id) {
            Some(bytes) => self.uuids.get(&bytes).copied(),
            None => self.texts.get(id).copied(),
        }
    }
}

/// Parses a UUID in canonical form. `_id`s are case-sensitive, so one with capitals is stored as text.
fn canonical_uuid(id: &str) -> Option<[u8; 16]> {
    if id.len() != 36 || id.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    Uuid::try_parse(id).ok().map(Uuid::into_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_and_other_ids_are_told_apart_and_given_back() {
        let mut index = IdIndex::default();
        let uuid = "ae28204e-2c4b-592f-8fd4-ef0aaddc94b4";
        for id in [uuid, &uuid.to_uppercase(), "x"] {
            assert_eq!(index.note(id, 1, 1), (Sighting::First, 1));
        }
        let mut ids: Vec<String> = index.iter().map(|(id, _)| id).collect();
        ids.sort();
        assert_eq!(ids, [uuid.to_uppercase(), uuid.to_owned(), "x".to_owned()]);
    }

    #[test]
    fn a_resend_is_compared_with_the_first_recording() {
        let mut index = IdIndex::default();
        index.note("x", 1, 5);
        assert_eq!(index.note("x", 1, 6), (Sighting::Again, 2));
        assert_eq!(index.note("x", 2, 7), (Sighting::Changed { newly: true }, 3));
        assert_eq!(index.note("x", 2, 8), (Sighting::Changed { newly: false }, 4));
        assert_eq!(index.get("x").unwrap().first_seq, 5);
    }
}
