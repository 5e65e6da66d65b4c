//! The pauses requested by the edge, and those the daemon must have stored.

use std::collections::BTreeMap;

use orderfeed::store::{Reader, Store};

use super::super::DATASTREAMS;
use super::super::world::World;

/// Longest time from an answer to its commit, in milliseconds: a running transaction and then its own, each with two
/// steps of up to 400 ms.
const MAX_COMMIT_MS: i64 = 2_000;

/// Pauses by datastream, in virtual milliseconds since the beginning.
#[derive(Debug, Default)]
pub struct Pauses(BTreeMap<String, Pause>);

#[derive(Clone, Copy, Debug, Default)]
struct Pause {
    until: i64,
    /// The pause without the last answer.
    earlier: i64,
    answered_at: i64,
}

impl Pauses {
    /// Records a pause requested by an answer.
    pub fn ask(&mut self, stream: &str, now: i64, until: i64) {
        let pause = self.0.entry(stream.to_owned()).or_default();
        // Answers within the time of one commit may be lost together.
        if now - pause.answered_at > MAX_COMMIT_MS {
            pause.earlier = pause.until;
        }
        pause.answered_at = now;
        pause.until = pause.until.max(until);
    }

    /// Returns the remaining milliseconds of a pause.
    pub fn left(&self, stream: &str, now: i64) -> Option<i64> {
        let pause = self.0.get(stream)?;
        (now < pause.until).then(|| pause.until - now)
    }

    /// Shortens the pauses after the wall clock was set forward.
    pub fn shorten(&mut self, by: i64) {
        for pause in self.0.values_mut() {
            pause.until -= by;
            pause.earlier -= by;
        }
    }
}

/// After a crash, drops the pauses of answers received too shortly before it to be committed. Those in the store
/// remain.
pub async fn drop_uncommitted(world: &World, store: &Store) {
    if !world.with(|state| state.crashed) {
        return;
    }
    let known = |reader: &Reader<'_>| {
        let websites = reader.websites()?.into_iter();
        let asked = websites.map(|(id, code)| Ok((code, reader.edge_pause(id)?)));
        asked.collect::<Result<BTreeMap<_, _>, _>>()
    };
    let Ok(known) = store.read(known).await else {
        return world.fail("the store cannot be read after a crash");
    };
    let (now, wall) = (world.elapsed(), world.now());
    world.with(|state| {
        for (stream, pause) in &mut state.edge.pauses.0 {
            let website = DATASTREAMS.iter().find(|(_, known)| known == stream);
            let until = website.and_then(|(code, _)| known.get(*code).copied().flatten());
            if now - pause.answered_at <= MAX_COMMIT_MS && until.is_none_or(|until| until <= wall) {
                pause.until = pause.earlier;
            }
        }
    });
}
