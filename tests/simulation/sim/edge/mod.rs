//! The edge and the token service: their answers, their records, and the checks of each request.

mod body;
pub mod pauses;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use orderfeed::delivery::http::transport::{
    ExchangeFuture, OutboundRequest, RawResponse, Transport, TransportError, TransportErrorKind,
};

use body::{Xdm, fnv, read};
use pauses::{Owner, Pauses};

use super::condition::{Condition, Fate, no_reply, problem};
use super::world::World;

/// State of the edge.
#[derive(Debug, Default)]
pub struct Edge {
    pub events: BTreeMap<String, Seen>,
    pub condition: BTreeMap<String, Condition>,
    pub pauses: Pauses,
    /// Milliseconds by which the clocks of the edge and the token service are ahead of the daemon's.
    pub skew_ms: i64,
    /// Expiry of each token, in virtual time.
    tokens: BTreeMap<String, i64>,
    /// Largest accepted body, in bytes.
    pub limit: usize,
    /// One event in this many is always refused.
    pub poison: u64,
    seed: u64,
    pub requests: u64,
    pub repeats: u64,
    arrivals: u64,
    /// Orders whose events were refused alone, or resent by an operator. Their sequence is not checked.
    pub tainted: BTreeSet<i64>,
    pub all_tainted: bool,
}

/// An event received by the edge.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub order: i64,
    pub event_type: String,
    body: u64,
    /// Request of its first arrival, and its position within it.
    pub first: (u64, usize),
    /// True if the edge stored it.
    pub recorded: bool,
    /// True if it was accepted.
    pub accepted: bool,
    /// True if it was accepted with the warning that it was ignored.
    pub suppressed: bool,
    /// True if an answer refused it while it was alone in its request.
    pub refused_alone: bool,
    /// True if it is in flight, or was sent and not accepted.
    outstanding: bool,
}

/// The connection to the edge.
#[derive(Debug)]
pub struct EdgeConnection(pub Arc<World>);

/// A request in flight. If it is dropped, the client cannot know if it arrives.
struct InFlight {
    world: Arc<World>,
    ids: Vec<String>,
    arrived: bool,
}

impl Edge {
    pub fn new(seed: u64, rng: &mut Rng) -> Self {
        let limit = if rng.u8(..4) == 0 {
            rng.usize(2_500..20_000)
        } else {
            65_536
        };
        Self {
            limit,
            skew_ms: [0, 300_000, -300_000, rng.i64(-5_000..5_000)][rng.usize(..4)],
            poison: if rng.bool() { 40 } else { u64::MAX },
            seed,
            ..Self::default()
        }
    }

    pub fn is_poison(&self, id: &str) -> bool {
        self.poison != u64::MAX
            && fnv(id.as_bytes())
                .wrapping_add(self.seed)
                .is_multiple_of(self.poison)
    }
}

impl Transport for EdgeConnection {
    fn exchange(&self, call: OutboundRequest) -> ExchangeFuture<'_> {
        if call.url.path().ends_with("/collect") {
            return Box::pin(self.collect(call));
        }
        Box::pin(self.token())
    }
}

impl EdgeConnection {
    async fn token(&self) -> Result<RawResponse, TransportError> {
        let world = &self.0;
        pauses::check(world, &Owner::TokenClient);
        let (pause, trouble, life, wait) = world.with(|state| {
            let trouble = if state.calm { 0 } else { state.rng.u8(..12) };
            let wait = state.rng.i64(1..60);
            (state.rng.u64(1..100), trouble, state.rng.i64(5..600), wait)
        });
        tokio::time::sleep(Duration::from_millis(pause)).await;
        match trouble {
            1 => return Err(no_reply(TransportErrorKind::Network)),
            2 => {
                let status = if wait % 2 == 0 { 503 } else { 429 };
                let reply = problem(status, "none", Some(wait.to_string()));
                pauses::ask(world, Owner::TokenClient, wait);
                return Ok(pauses::dated(world, reply));
            }
            3 => return Ok(problem(400, "none", None)),
            _ => {}
        }
        let token = world.with(|state| format!("token-{}", state.rng.u32(..)));
        let until = world.elapsed() + life * 1000;
        world.with(|state| state.edge.tokens.insert(token.clone(), until));
        world.note(|| format!("a token for {life} s"));
        let body = format!(r#"{{"access_token":"{token}","expires_in":{life}}}"#);
        Ok(RawResponse {
            status: 200,
            body: body.into_bytes(),
            complete: true,
            ..RawResponse::default()
        })
    }

    async fn collect(&self, call: OutboundRequest) -> Result<RawResponse, TransportError> {
        let world = &self.0;
        let stream = call
            .url
            .query_pairs()
            .next()
            .map(|(_, id)| id.into_owned())
            .unwrap_or_default();
        let events = match read(&call.body) {
            Ok(events) => events,
            Err(words) => {
                world.fail(format!("a request cannot be read: {words}"));
                return Ok(problem(400, "EXEG-0104-422", None));
            }
        };
        let ids: Vec<String> = events.iter().map(|(xdm, _)| xdm.id.clone()).collect();
        let suspects = self.begin(&stream, events);
        for (order, id) in suspects {
            super::checks::must_be_final(world, order, &id);
        }
        let (fate, there, back) = world.with(|state| {
            let condition = state.edge.condition.get(&stream).copied().unwrap_or_default();
            let fate = if state.calm {
                Fate::Served
            } else {
                Fate::draw(condition, &mut state.rng)
            };
            let slow = if state.rng.u8(..30) == 0 { 3_000 } else { 120 };
            (fate, state.rng.u64(1..slow), state.rng.u64(1..60))
        });
        world.note(|| {
            format!(
                "{} {} events, {} bytes: {fate:?}",
                &stream[..4],
                ids.len(),
                call.body.len()
            )
        });
        let mut way = InFlight {
            world: Arc::clone(world),
            ids,
            arrived: false,
        };
        tokio::time::sleep(Duration::from_millis(there)).await;
        way.arrived = true;
        let reply = self.serve(&call, &fate, &way.ids);
        let seconds = reply
            .retry_after
            .as_deref()
            .and_then(|text| text.parse::<i64>().ok());
        let reply = pauses::dated(world, reply);
        if let Fate::Lost { cause, after_ms, .. } = fate {
            tokio::time::sleep(Duration::from_millis(after_ms)).await;
            return Err(no_reply(cause));
        }
        tokio::time::sleep(Duration::from_millis(back)).await;
        self.answered(&stream, &way.ids, &reply, seconds);
        Ok(reply)
    }

    /// Records the start of a request. Returns the events that must be final by then, since later events of their
    /// orders are in it.
    fn begin(&self, stream: &str, events: Vec<(Xdm, u64)>) -> Vec<(i64, String)> {
        let world = &self.0;
        for owner in [Owner::Datastream(stream.to_owned()), Owner::Organization] {
            pauses::check(world, &owner);
        }
        let mut wrong = Vec::new();
        let suspects = world.with(|state| {
            let edge = &mut state.edge;
            edge.requests += 1;
            edge.arrivals += 1;
            let own: BTreeSet<String> = events.iter().map(|(xdm, _)| xdm.id.clone()).collect();
            if own.len() != events.len() {
                wrong.push("an event twice in a request".to_owned());
            }
            let orders: BTreeSet<i64> = events.iter().filter_map(|(xdm, _)| xdm.order()).collect();
            let suspects = edge.outstanding_of(&orders, &own);
            let before: BTreeMap<i64, (u64, usize)> = edge.first_of(&own);
            let suspects = suspects
                .into_iter()
                .filter(|(order, _, first)| before.get(order).is_none_or(|own| first < own))
                .map(|(order, id, _)| (order, id))
                .collect();
            for (place, (xdm, body)) in events.into_iter().enumerate() {
                let first = (edge.arrivals, place);
                let order = xdm.order().unwrap_or_default();
                let id = xdm.id.clone();
                let seen = edge.events.entry(id).or_insert_with(|| Seen {
                    order,
                    event_type: xdm.event_type,
                    body,
                    first,
                    ..Seen::default()
                });
                if seen.body != body {
                    wrong.push(format!("{} came again with other bytes", xdm.id));
                }
                edge.repeats += u64::from(seen.first != first);
                seen.outstanding = true;
            }
            suspects
        });
        for what in wrong {
            world.fail(what);
        }
        suspects
    }

    /// Decides the answer to a request.
    fn serve(&self, call: &OutboundRequest, fate: &Fate, ids: &[String]) -> RawResponse {
        let now = self.0.elapsed();
        self.0.with(|state| {
            let refusal = state.edge.refusal(call, ids, now);
            match (fate, refusal) {
                (Fate::Refused(reply) | Fate::FalseYes(reply), _) => reply.clone(),
                (Fate::Lost { recorded: false, .. }, _) => RawResponse::default(),
                (_, Some(reply)) => reply,
                _ => {
                    state.edge.record(ids);
                    fate.yes(ids.len(), &mut state.rng)
                }
            }
        })
    }

    /// Records the arrival of an answer.
    fn answered(&self, stream: &str, ids: &[String], reply: &RawResponse, seconds: Option<i64>) {
        let status = status(reply);
        let accepted = (200..300).contains(&status) && reply.complete;
        let consent = String::from_utf8_lossy(&reply.body).contains("EXEG-0301");
        if let Some(seconds) = seconds.filter(|seconds| *seconds > 0 && !accepted && can_pause(status, reply))
        {
            let owner = match status {
                429 => Owner::Organization,
                _ => Owner::Datastream(stream.to_owned()),
            };
            pauses::ask(&self.0, owner, seconds);
        }
        self.0.with(|state| {
            let edge = &mut state.edge;
            for id in ids {
                let Some(seen) = edge.events.get_mut(id) else {
                    continue;
                };
                if accepted {
                    (seen.accepted, seen.outstanding) = (true, false);
                    seen.suppressed |= consent;
                } else if ids.len() == 1 {
                    seen.refused_alone = true;
                    edge.tainted.insert(seen.order);
                }
            }
        });
        self.0
            .note(|| format!("{} answers {} to {}", &stream[..4], reply.status, ids.len()));
    }
}

/// Returns the status of an answer, or that of the error in its body.
fn status(reply: &RawResponse) -> u16 {
    let body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let of_body = body["status"]
        .as_u64()
        .and_then(|status| u16::try_from(status).ok());
    of_body.unwrap_or(reply.status)
}

/// Returns true if delivery applies the `Retry-After` of this answer. Answers that an event may have caused cannot
/// request a pause.
fn can_pause(status: u16, reply: &RawResponse) -> bool {
    matches!(status, 408 | 429 | 502..=504) && !String::from_utf8_lossy(&reply.body).contains("EXEG-0202-502")
}

impl Edge {
    /// Returns the first arrival among these events, by order.
    fn first_of(&self, own: &BTreeSet<String>) -> BTreeMap<i64, (u64, usize)> {
        let mut first = BTreeMap::new();
        for seen in own.iter().filter_map(|id| self.events.get(id)) {
            let slot = first.entry(seen.order).or_insert(seen.first);
            *slot = seen.first.min(*slot);
        }
        first
    }

    /// Returns the events of these orders that were sent and not accepted, except those of this request.
    fn outstanding_of(
        &self,
        orders: &BTreeSet<i64>,
        own: &BTreeSet<String>,
    ) -> Vec<(i64, String, (u64, usize))> {
        if self.all_tainted {
            return Vec::new();
        }
        let waits = |(id, seen): &(&String, &Seen)| {
            seen.outstanding
                && orders.contains(&seen.order)
                && !own.contains(*id)
                && !self.tainted.contains(&seen.order)
        };
        let found = self.events.iter().filter(waits);
        found
            .map(|(id, seen)| (seen.order, id.clone(), seen.first))
            .collect()
    }

    fn refusal(&mut self, call: &OutboundRequest, ids: &[String], now: i64) -> Option<RawResponse> {
        let bearer = call
            .headers
            .get("authorization")
            .and_then(|value| value.to_str().ok());
        let token = bearer
            .and_then(|value| value.strip_prefix("Bearer "))
            .unwrap_or_default();
        if self.tokens.get(token).is_none_or(|until| now >= *until) {
            return Some(problem(401, "EXEG-0500-401", None));
        }
        if call.body.len() > self.limit {
            let mut reply = problem(413, "EXEG-0112-413", None);
            reply.body = String::from_utf8_lossy(&reply.body)
                .replace("by lot", &format!("at most {}", self.limit))
                .into();
            return Some(reply);
        }
        let poisoned = ids.iter().any(|id| self.is_poison(id));
        poisoned.then(|| problem(422, "EXEG-0104-422", None))
    }

    fn record(&mut self, ids: &[String]) {
        for id in ids {
            if let Some(seen) = self.events.get_mut(id) {
                seen.recorded = true;
            }
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.arrived {
            return;
        }
        let ids = std::mem::take(&mut self.ids);
        self.world.with(|state| {
            if state.rng.bool() && !ids.iter().any(|id| state.edge.is_poison(id)) {
                state.edge.record(&ids);
            }
        });
    }
}
