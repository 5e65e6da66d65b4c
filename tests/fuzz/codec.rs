//! The bytes of a batch: decoding restores what was encoded, and damage is an error, without a panic and without
//! allocating more than a batch can hold.

use orderfeed::store::outbox::{BatchBody, EventKey, append_payload};

use super::feed::Feed;

pub fn check(data: &[u8]) {
    let mut feed = Feed::new(data);
    match feed.byte() % 3 {
        0 => made_up(&mut feed),
        _ => damaged(&mut feed),
    }
}

/// Checks arbitrary bytes as table of contents, body and length.
fn made_up(feed: &mut Feed<'_>) {
    let bytes = match feed.byte() % 4 {
        0 => feed.number() as usize,
        _ => feed.number() as usize % 100_000,
    };
    let contents = feed.bytes();
    read(contents, feed.remainder(), bytes);
}

/// Checks a batch as it is written, then modified.
fn damaged(feed: &mut Feed<'_>) {
    let mut batch = BatchBody::default();
    for _ in 0..feed.below(20) {
        let key = EventKey {
            order: feed.number(),
            kind: feed.byte() % 128,
            document: feed.number(),
            generation: u32::from(feed.byte() % 4) << 9,
        };
        let json = feed.bytes();
        if !json.is_empty() {
            batch.push(key, json, None);
        }
    }
    let (mut contents, mut body) = batch.encode().expect("a batch is packed");
    let bytes = batch.payload.len();
    let whole = read(&contents, &body, bytes).expect("what was packed is unpacked");
    assert_eq!(whole, batch);
    assert!(batch.events().all(|(entry, json)| json.len() == entry.len));
    if feed.is_empty() {
        return;
    }
    for part in [&mut contents, &mut body] {
        for _ in 0..feed.below(4) {
            let (at, to) = (feed.number() as usize, feed.byte());
            let len = part.len().max(1);
            part.get_mut(at % len).into_iter().for_each(|byte| *byte = to);
        }
        let cut = feed.below(8);
        part.truncate(part.len().saturating_sub(cut));
    }
    read(
        &contents,
        &body,
        bytes.wrapping_add(feed.below(3)).wrapping_sub(1),
    );
}

/// Asserts that both decoders agree and that the events have the stated length.
fn read(contents: &[u8], body: &[u8], bytes: usize) -> Option<BatchBody> {
    let mut appended = b"[".to_vec();
    let counted = append_payload(contents, body, bytes, &mut appended);
    let read = BatchBody::decode(contents, body, bytes);
    assert_eq!(counted.is_ok(), read.is_ok());
    let (Ok(counted), Ok(read)) = (counted, read) else {
        return None;
    };
    assert_eq!(read.payload.len(), bytes);
    assert_eq!((appended[0], &appended[1..]), (b'[', &read.payload[..]));
    assert_eq!(counted, read.kinds());
    Some(read)
}
