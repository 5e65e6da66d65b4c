//! The stored form of a batch: a table of contents, and the events joined by commas and compressed.

use std::cell::RefCell;
use std::io;

use zstd::bulk::{Compressor, Decompressor};

use super::{EventKey, KindCode};
use crate::store::suppression::Person;
use crate::store::{Fault, StoreError};
use orderfeed_model::birth::Generation;

/// Fast, and small enough: fifty events shrink to about a sixth.
const ZSTD_LEVEL: i32 = 1;

/// A longer batch is damage. Both the largest event and the largest batch of several events have 64 KiB.
const MAX_BYTES: usize = 1 << 20;
/// Set in the kind of an event of a later generation.
const LATER: KindCode = 0x80;
const MISMATCH: &str = "its length does not match its table of contents";

/// One event of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventEntry {
    pub key: EventKey,
    /// Length of its JSON in bytes.
    pub len: usize,
    /// The person whom its JSON names. Stored in `outbox_person`, not in the table of contents.
    pub person: Option<Person>,
}

/// The events of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BatchBody {
    /// The events, in the order in which they are sent.
    pub entries: Vec<EventEntry>,
    /// Their JSON objects joined by commas: the array of the request without its brackets.
    pub payload: Vec<u8>,
}

impl BatchBody {
    /// Appends an event that names `person`.
    pub fn push(&mut self, key: EventKey, json: &[u8], person: Option<Person>) {
        if !self.payload.is_empty() {
            self.payload.push(b',');
        }
        self.payload.extend_from_slice(json);
        let len = json.len();
        self.entries.push(EventEntry { key, len, person });
    }

    /// Returns each event with its JSON, in order.
    pub fn events(&self) -> impl Iterator<Item = (&EventEntry, &[u8])> {
        let mut start = 0;
        self.entries.iter().map(move |entry| {
            let json = self.payload.get(start..start + entry.len).unwrap_or_default();
            start += entry.len + 1;
            (entry, json)
        })
    }

    /// Counts the events of each kind.
    pub fn kinds(&self) -> Vec<(KindCode, u64)> {
        let mut counts = [0u64; 256];
        for entry in &self.entries {
            counts[usize::from(entry.key.kind)] += 1;
        }
        present(&counts)
    }

    /// Returns the table of contents and the compressed events.
    #[doc(hidden)]
    pub fn encode(&self) -> Result<(Vec<u8>, Vec<u8>), StoreError> {
        let mut contents = Vec::with_capacity(self.entries.len() * 8);
        let mut last = EventKey::default();
        // Differences to the entry before are small, so most of them take one byte.
        for entry in &self.entries {
            put_signed(&mut contents, entry.key.order.wrapping_sub(last.order));
            put_kind(&mut contents, entry.key);
            put_signed(&mut contents, entry.key.document.wrapping_sub(last.document));
            put_varint(&mut contents, entry.len as u64);
            last = entry.key;
        }
        let body = pack(&self.payload).map_err(|cause| damaged(&cause.to_string()))?;
        Ok((contents, body))
    }

    /// Reverses [`BatchBody::encode`], without persons; `bytes` is the length of the payload.
    #[doc(hidden)]
    pub fn decode(contents: &[u8], body: &[u8], bytes: usize) -> Result<Self, StoreError> {
        let mut entries = Vec::new();
        let expected = for_each_entry(contents, |entry| entries.push(entry))?;
        let mut payload = Vec::new();
        append_unpacked(body, expected, bytes, &mut payload)?;
        Ok(Self { entries, payload })
    }
}

/// Appends the events of a batch to `payload` and counts them by kind, without building a list of them.
///
/// # Errors
/// If any of it is damaged; the earlier content of `payload` stays in it.
#[doc(hidden)]
pub fn append_payload(
    contents: &[u8],
    body: &[u8],
    bytes: usize,
    payload: &mut Vec<u8>,
) -> Result<Vec<(KindCode, u64)>, StoreError> {
    let mut counts = [0u64; 256];
    let expected = for_each_entry(contents, |entry| counts[usize::from(entry.key.kind)] += 1)?;
    append_unpacked(body, expected, bytes, payload)?;
    Ok(present(&counts))
}

fn append_unpacked(
    body: &[u8],
    expected: usize,
    bytes: usize,
    payload: &mut Vec<u8>,
) -> Result<(), StoreError> {
    // Checked before anything is allocated: a damaged length must not claim all memory.
    if expected != bytes || bytes > MAX_BYTES {
        return Err(damaged(MISMATCH));
    }
    let start = payload.len();
    payload.resize(start + bytes, 0);
    let unpacked = unpack(body, &mut payload[start..]).map_err(|cause| damaged(&cause.to_string()))?;
    match unpacked == expected {
        true => Ok(()),
        false => Err(damaged(MISMATCH)),
    }
}

thread_local! {
    // A context takes some hundred kilobytes, which would be allocated, zeroed and freed for each batch. Only the
    // writer's thread packs and only the readers' threads unpack, so there are few of them.
    static PACKER: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static UNPACKER: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

fn pack(payload: &[u8]) -> io::Result<Vec<u8>> {
    PACKER.with_borrow_mut(|packer| match packer {
        Some(packer) => packer.compress(payload),
        None => packer.insert(Compressor::new(ZSTD_LEVEL)?).compress(payload),
    })
}

fn unpack(body: &[u8], into: &mut [u8]) -> io::Result<usize> {
    UNPACKER.with_borrow_mut(|unpacker| match unpacker {
        Some(unpacker) => unpacker.decompress_to_buffer(body, into),
        None => unpacker
            .insert(Decompressor::new()?)
            .decompress_to_buffer(body, into),
    })
}

/// Passes every entry to `visit`, and returns the length of the payload that they describe.
fn for_each_entry(contents: &[u8], mut visit: impl FnMut(EventEntry)) -> Result<usize, StoreError> {
    let (mut rest, mut bytes) = (contents, 0usize);
    let mut last = EventKey::default();
    while !rest.is_empty() {
        let parsed =
            take_entry(&mut rest, last).ok_or_else(|| damaged("its table of contents ends early"))?;
        last = parsed.key;
        let comma = usize::from(bytes > 0);
        bytes = bytes
            .checked_add(comma)
            .and_then(|bytes| bytes.checked_add(parsed.len))
            .ok_or_else(|| damaged(MISMATCH))?;
        visit(parsed);
    }
    Ok(bytes)
}

fn present(counts: &[u64; 256]) -> Vec<(KindCode, u64)> {
    (0..=u8::MAX)
        .zip(*counts)
        .filter(|(_, count)| *count > 0)
        .collect()
}

fn damaged(cause: &str) -> StoreError {
    StoreError::failed(
        Fault::Corrupt,
        format!("a batch in the outbox cannot be unpacked: {cause}"),
    )
}

fn take_entry(rest: &mut &[u8], last: EventKey) -> Option<EventEntry> {
    let order = last.order.wrapping_add(take_signed(rest)?);
    let (kind, generation) = take_kind(rest)?;
    let document = last.document.wrapping_add(take_signed(rest)?);
    let len = usize::try_from(take_varint(rest)?).ok()?;
    Some(EventEntry {
        key: EventKey {
            order,
            kind,
            document,
            generation,
        },
        len,
        person: None,
    })
}

/// Writes the kind, which is below 128; its highest bit announces a generation other than the first.
fn put_kind(out: &mut Vec<u8>, key: EventKey) {
    match key.generation {
        0 => out.push(key.kind),
        generation => {
            out.push(key.kind | LATER);
            put_varint(out, generation.into());
        }
    }
}

fn take_kind(rest: &mut &[u8]) -> Option<(KindCode, Generation)> {
    let (kind, tail) = rest.split_first()?;
    *rest = tail;
    Some(match kind & LATER {
        0 => (*kind, 0),
        _ => (kind & !LATER, take_varint(rest)?.try_into().ok()?),
    })
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Writes a number in zigzag form, in which small numbers of either sign are short.
fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_varint(out, ((value << 1) ^ (value >> 63)) as u64);
}

fn take_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    // More bytes than a u64 has bits are damage.
    for shift in (0..64).step_by(7) {
        let (byte, tail) = rest.split_first()?;
        *rest = tail;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn take_signed(rest: &mut &[u8]) -> Option<i64> {
    let value = take_varint(rest)?;
    Some(((value >> 1) as i64) ^ -((value & 1) as i64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn decoding_reverses_encoding(
            events in prop::collection::vec(
                (any::<i64>(), 0..128_u8, any::<i64>(), 0..3_u32, prop::collection::vec(any::<u8>(), 1..200)), 1..40)
        ) {
            let mut body = BatchBody::default();
            for (order, kind, document, generation, json) in &events {
                let generation = generation.saturating_mul(u32::MAX / 2);
                body.push(EventKey { order: *order, kind: *kind, document: *document, generation }, json, None);
            }
            let (contents, packed) = body.encode().unwrap();
            let back = BatchBody::decode(&contents, &packed, body.payload.len()).unwrap();
            prop_assert_eq!(&back, &body);
            let jsons: Vec<_> = back.events().map(|(_, json)| json.to_vec()).collect();
            let expected: Vec<_> = events.into_iter().map(|(.., json)| json).collect();
            prop_assert_eq!(jsons, expected);
            let mut appended = b"[".to_vec();
            let kinds = append_payload(&contents, &packed, body.payload.len(), &mut appended).unwrap();
            prop_assert_eq!(&appended[1..], &body.payload);
            prop_assert_eq!(kinds, body.kinds());
        }

        #[test]
        fn damage_is_an_error_and_no_panic(contents in prop::collection::vec(any::<u8>(), 0..60),
                                           packed in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = BatchBody::decode(&contents, &packed, 1000);
            let _ = append_payload(&contents, &packed, 1000, &mut Vec::new());
        }
    }
}
