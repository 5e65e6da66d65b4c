//! The pauses that the edge asked for, and who can know of them.

use std::collections::BTreeMap;

use orderfeed::store::{Reader, Store};

use super::super::DATASTREAMS;
use super::super::world::World;

/// The longest time from an answer to its commit: one transaction may be under way, then come its own, each with two
/// steps of up to 400 ms.
const UNHEARD_MS: i64 = 2_000;

/// By datastream, in time that has passed.
#[derive(Debug, Default)]
pub struct Pauses(BTreeMap<String, Pause>);

#[derive(Clone, Copy, Debug, Default)]
struct Pause {
    until: i64,
    /// Without the last answer.
    earlier: i64,
    answered_at: i64,
}

impl Pauses {
    /// An answer asks for one.
    pub fn ask(&mut self, stream: &str, now: i64, until: i64) {
        let pause = self.0.entry(stream.to_owned()).or_default();
        // What came within the time of one commit may be lost together.
        if now - pause.answered_at > UNHEARD_MS {
            pause.earlier = pause.until;
        }
        pause.answered_at = now;
        pause.until = pause.until.max(until);
    }

    /// How much of it is left.
    pub fn left(&self, stream: &str, now: i64) -> Option<i64> {
        let pause = self.0.get(stream)?;
        (now < pause.until).then(|| pause.until - now)
    }

    /// What is waited for by a clock that is set forward comes so much earlier.
    pub fn come_earlier(&mut self, by: i64) {
        for pause in self.0.values_mut() {
            pause.until -= by;
            pause.earlier -= by;
        }
    }
}

/// After a crash: an answer that came so shortly before that nobody could write it down binds nobody. What the store
/// holds does.
pub async fn forget_unheard(world: &World, store: &Store) {
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
            if now - pause.answered_at <= UNHEARD_MS && until.is_none_or(|until| until <= wall) {
                pause.until = pause.earlier;
            }
        }
    });
}
