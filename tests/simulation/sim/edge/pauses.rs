//! The pauses requested by the edge, and those the daemon must have stored.

use std::collections::BTreeMap;

use orderfeed::delivery::http::transport::RawResponse;
use orderfeed::store::Store;
use orderfeed::store::outbox::PauseScope;
use orderfeed_model::clock::UtcMillis;

use super::super::world::World;

/// Longest time from an answer to its commit, in milliseconds: a running transaction and then its own, each with two
/// steps of up to 400 ms.
const MAX_COMMIT_MS: i64 = 2_000;

/// Pauses by owner, in virtual milliseconds since the beginning.
#[derive(Debug, Default)]
pub struct Pauses(BTreeMap<Owner, Pause>);

/// The owner of a pause: the datastream that the edge names, the organization of a quota, or the token client.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    Datastream(String),
    Organization,
    TokenClient,
}

#[derive(Clone, Copy, Debug, Default)]
struct Pause {
    until: i64,
    /// The pause without the last answer.
    earlier: i64,
    answered_at: i64,
}

impl Pauses {
    /// Records a pause requested by an answer.
    fn ask(&mut self, owner: Owner, now: i64, until: i64) {
        let pause = self.0.entry(owner).or_default();
        // Answers within the time of one commit may be lost together.
        if now - pause.answered_at > MAX_COMMIT_MS {
            pause.earlier = pause.until;
        }
        pause.answered_at = now;
        pause.until = pause.until.max(until);
    }

    /// Returns the remaining milliseconds of a pause.
    fn left(&self, owner: &Owner, now: i64) -> Option<i64> {
        let pause = self.0.get(owner)?;
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

/// Checks that no pause of this owner is in force.
pub fn check(world: &World, owner: &Owner) {
    let now = world.elapsed();
    if let Some(left) = world.with(|state| state.edge.pauses.left(owner, now)) {
        world.fail(format!(
            "a request {left} ms before the end of a pause of {owner:?}"
        ));
    }
}

/// Records a pause of this owner from now on.
pub fn ask(world: &World, owner: Owner, seconds: i64) {
    let now = world.elapsed();
    world.with(|state| state.edge.pauses.ask(owner, now, now + seconds * 1000));
}

/// Returns the seconds that an answer asks to wait.
pub fn seconds(reply: &RawResponse) -> Option<i64> {
    reply.retry_after.as_deref()?.parse().ok()
}

/// Adds the time of the peer's clock to an answer, and writes every other `Retry-After` as a date of that clock.
pub fn dated(world: &World, mut reply: RawResponse) -> RawResponse {
    let (skew, as_date) = world.with(|state| (state.edge.skew_ms, state.rng.bool()));
    let date = UtcMillis((world.now().0 + skew).div_euclid(1000) * 1000);
    if let Some(seconds) = seconds(&reply).filter(|_| as_date) {
        reply.retry_after = Some(date.plus_millis(seconds * 1000).http_date());
    }
    reply.date = Some(date);
    reply
}

/// After a crash, drops the pauses of answers received too shortly before it to be committed. Those in the store
/// remain.
pub async fn drop_uncommitted(world: &World, store: &Store) {
    if !world.with(|state| state.crashed) {
        return;
    }
    let Ok(stored) = store.read(|reader| reader.pauses()).await else {
        return world.fail("the store cannot be read after a crash");
    };
    let owner = |scope, owner: &str| match scope {
        PauseScope::Datastream => Owner::Datastream(owner.to_owned()),
        PauseScope::TokenClient => Owner::TokenClient,
        PauseScope::Organization | PauseScope::Website => Owner::Organization,
    };
    let known: BTreeMap<Owner, UtcMillis> = stored
        .iter()
        .map(|pause| (owner(pause.key.scope, &pause.key.owner), pause.until))
        .collect();
    let (now, wall) = (world.elapsed(), world.now());
    world.with(|state| {
        for (owner, pause) in &mut state.edge.pauses.0 {
            let is_known = known.get(owner).is_some_and(|until| *until > wall);
            if now - pause.answered_at <= MAX_COMMIT_MS && !is_known {
                pause.until = pause.earlier;
            }
        }
    });
}
