//! `collect`, `interact` and `identity/acquire`: applies the rules in order and records the events that pass.

pub(crate) mod auth;
pub(crate) mod consent;
pub(crate) mod envelope;
pub(crate) mod hub;
pub(crate) mod problem;
pub(crate) mod rate;
pub(crate) mod scan;
pub(crate) mod validate;
pub(crate) mod visitor;

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::config::{DatastreamConfig, LedgerDetail};
use crate::edge::auth::{Credentials, needs_token};
use crate::edge::envelope::RawEvent;
use crate::edge::problem::Refusal;
use crate::edge::rate::request_units;
use crate::edge::scan::{Identities, Object, Text};
use crate::edge::validate::IdentityRules;
use crate::edge::visitor::{REGION, Visitor};
use crate::http::reply::Answer;
use crate::http::request::Inbound;
use crate::http::route::Route;
use crate::ledger::fingerprint::{fingerprint, hash};
use crate::ledger::{Carrier, Consent, EventStatus, NewEvent, Verdict, findings};
use crate::state::Shared;
use crate::xdm;
use orderfeed_model::clock::UtcMillis;
use uuid::Uuid;

/// Largest event the profile store takes, in bytes (Adobe, ingestion guardrails).
const PROFILE_MAX_BYTES: usize = 10 * 1024;

/// An answer, with the data the ledger records about it.
#[derive(Debug, Default)]
pub(crate) struct Served {
    pub(crate) answer: Answer,
    pub(crate) accepted: bool,
    /// Number of events, if the body was parsed.
    pub(crate) n_events: Option<usize>,
    /// Client whose token was accepted.
    pub(crate) client: Option<String>,
    pub(crate) ru: u64,
    /// Browser that sent the request.
    pub(crate) visitor: Option<Visitor>,
}

/// A request that passed rules 2 to 8, which apply to every request to a datastream.
pub(crate) struct Admitted<'c> {
    pub(crate) datastream: &'c DatastreamConfig,
    pub(crate) client: Option<String>,
    /// Browser that sent the request, if a page did.
    pub(crate) visitor: Option<Visitor>,
}

/// Serves `collect` and `interact`.
pub(crate) fn serve(shared: &Shared, inbound: &Inbound<'_>) -> Served {
    let mut served = Served::default();
    let mut n_events = (inbound.length == 0).then_some(0);
    served.answer = match admit(shared, inbound, &mut served) {
        Ok(admitted) => match accept(shared, inbound, &admitted, &mut n_events) {
            Ok(ignored) => {
                served.accepted = true;
                success(inbound, &admitted, &ignored, n_events.unwrap_or_default())
            }
            Err(refusal) => refused(inbound, &refusal),
        },
        Err(answer) => *answer,
    };
    served.n_events = n_events;
    served
}

/// Serves `identity/acquire`, with which a page asks for an identity before it has an event.
pub(crate) fn acquire(shared: &Shared, inbound: &Inbound<'_>) -> Served {
    let mut served = Served::default();
    served.answer = match admit(shared, inbound, &mut served) {
        Ok(admitted) => match serde_json::from_slice::<Value>(&inbound.body) {
            Ok(_) => {
                served.accepted = true;
                handled(inbound, handles(&admitted, None))
            }
            Err(error) => refused(inbound, &Refusal::new("0101-400", error.to_string())),
        },
        Err(answer) => *answer,
    };
    served
}

/// Applies rules 2 to 8.
pub(crate) fn admit<'c>(
    shared: &Shared,
    inbound: &Inbound<'c>,
    served: &mut Served,
) -> Result<Admitted<'c>, Box<Answer>> {
    let config = inbound.config;
    let id = inbound.query.datastream.as_deref();
    if let Some(known) = id.and_then(|id| config.datastreams.get(id)) {
        served.ru = request_units(inbound.length, known.upstreams);
        let within_quota = shared
            .meter()
            .spend(&known.org, served.ru, config.ru_per_s, inbound.received_at);
        if !within_quota {
            let wait = Answer {
                retry_after: Some("1".to_owned()),
                ..Answer::phrase(429)
            };
            return Err(Box::new(wait));
        }
    }
    let checked = validate::content_type(inbound.header("content-type"))
        .and_then(|()| validate::length(inbound.length, config.max_bytes))
        .and_then(|()| validate::datastream(config, inbound.route, id))
        .and_then(|datastream| authenticate(shared, inbound, datastream));
    let admitted = checked.map_err(|refusal| Box::new(refused(inbound, &refusal)))?;
    served.client.clone_from(&admitted.client);
    served.visitor.clone_from(&admitted.visitor);
    Ok(admitted)
}

fn authenticate<'c>(
    shared: &Shared,
    inbound: &Inbound<'c>,
    datastream: &'c DatastreamConfig,
) -> Result<Admitted<'c>, Refusal> {
    let client = match needs_token(inbound.door, datastream.access) {
        true => {
            let (tokens, now) = (shared.tokens(), inbound.received_at);
            Some(Credentials::of(inbound).check(datastream, inbound.config, &tokens, now)?)
        }
        false => None,
    };
    Ok(Admitted {
        datastream,
        client,
        visitor: Visitor::of(inbound, &datastream.org),
    })
}

/// Builds a problem+json answer.
pub(crate) fn refused(inbound: &Inbound<'_>, refusal: &Refusal) -> Answer {
    let id = inbound.query.datastream.as_deref();
    let org = id
        .and_then(|id| inbound.config.datastreams.get(id))
        .map(|datastream| datastream.org.as_str());
    let body = refusal.body(&inbound.request_id, org, id);
    let status = problem::status_of(refusal.code);
    Answer::problem(status, &inbound.request_id, &body)
}

/// Applies rules 9 to 12: parses, checks and records the events. Returns the indices of events ignored for lack of consent.
fn accept(
    shared: &Shared,
    inbound: &Inbound<'_>,
    admitted: &Admitted<'_>,
    n_events: &mut Option<usize>,
) -> Result<Vec<usize>, Refusal> {
    let mut envelope = envelope::read(&inbound.body).map_err(|why| Refusal::new("0101-400", why))?;
    let mut common = match std::mem::take(&mut envelope.shared) {
        Object::Here(xdm) => xdm.identity_map,
        Object::Absent | Object::Other => Identities::default(),
    };
    let visitor = admitted.visitor.as_ref();
    common.list.extend(visitor.map(Visitor::identity));
    *n_events = Some(0);
    let events = validate::events(envelope, inbound.route)?;
    *n_events = Some(events.len());
    let rules = IdentityRules {
        namespaces: &admitted.datastream.namespaces,
        is_from_page: visitor.is_some(),
    };
    for (index, event) in events.iter().enumerate() {
        validate::event(index, event, &common, &rules)?;
    }
    let datastream = inbound.query.datastream.as_deref().unwrap_or_default();
    let opted_out = shared.opted_out();
    let judge = Judge {
        inbound,
        common: &common,
        opted_out: &opted_out,
        datastream,
    };
    let assigned: Vec<Option<String>> = events
        .iter()
        .map(|event| visitor.and_then(|_| missing_id(event)))
        .collect();
    let rows: Vec<NewEvent<'_>> = events
        .iter()
        .zip(&assigned)
        .map(|(event, id)| judge.row(event, id.as_deref()))
        .collect();
    let ignored = rows
        .iter()
        .enumerate()
        .filter(|(_, row)| row.verdict == Verdict::Ignored)
        .map(|(index, _)| index)
        .collect();
    let carrier = Carrier {
        datastream,
        request_id: &inbound.request_id,
        visitor: visitor.map(|visitor| visitor.ecid.as_str()),
        at: inbound.received_at,
    };
    shared.ledger().record(carrier, rows.into_iter());
    Ok(ignored)
}

/// Returns an id for an event without `_id`, which the edge assigns to events of pages.
fn missing_id(event: &RawEvent<'_>) -> Option<String> {
    let xdm = validate::xdm(event)?;
    matches!(xdm.id, Text::Absent).then(|| Uuid::new_v4().to_string())
}

struct Judge<'j, 'a> {
    inbound: &'j Inbound<'a>,
    common: &'j Identities<'j>,
    opted_out: &'j HashSet<String>,
    datastream: &'j str,
}

impl Judge<'_, '_> {
    /// Builds the ledger's row of an event. `assigned` is the id of an event that has none of its own.
    fn row<'e>(&self, event: &'e RawEvent<'_>, assigned: Option<&'e str>) -> NewEvent<'e> {
        let xdm = validate::xdm(event);
        let commerce = xdm.and_then(|xdm| xdm.commerce.get());
        let scope = commerce.and_then(|commerce| commerce.scope.get());
        let purchase_id = commerce.and_then(|commerce| commerce.order.get()?.purchase_id.get());
        let timestamp = xdm.and_then(|xdm| UtcMillis::parse_rfc3339(xdm.timestamp.get()?));
        let space = scope.map(|scope| (scope.environment_id.get(), scope.store_view.get()));
        NewEvent {
            id: assigned.or_else(|| xdm.and_then(|xdm| xdm.id.get())),
            event_type: xdm.and_then(|xdm| xdm.event_type.get()),
            purchase_id,
            order_key: hash(&(self.datastream, space, purchase_id)),
            timestamp,
            bytes: event.bytes,
            hash: fingerprint(event.bytes),
            personal: match self.inbound.config.ledger {
                LedgerDetail::Full => findings(event.bytes),
                LedgerDetail::Compact | LedgerDetail::Counts => Vec::new(),
            },
            verdict: self.verdict(event, timestamp, assigned),
        }
    }

    fn verdict(&self, event: &RawEvent<'_>, timestamp: Option<UtcMillis>, assigned: Option<&str>) -> Verdict {
        let own = validate::xdm(event)
            .map(|xdm| xdm.identity_map.list.as_slice())
            .unwrap_or_default();
        let opted_out = |id: Option<&str>| id.is_some_and(|id| self.opted_out.contains(id));
        if !self.opted_out.is_empty()
            && own
                .iter()
                .chain(&self.common.list)
                .any(|identity| opted_out(identity.id.get()))
        {
            return Verdict::Ignored;
        }
        if !self.inbound.config.strict_xdm {
            return Verdict::Recorded;
        }
        let text = serde_json::from_slice::<Value>(event.bytes).map(|mut value| {
            if let Some(id) = assigned {
                value["xdm"]["_id"] = json!(id);
            }
            value
        });
        strictly(text, event.bytes.len(), timestamp, self.inbound.received_at)
    }
}

/// Predicts the result of the platform's asynchronous validation.
fn strictly(
    event: serde_json::Result<Value>,
    length: usize,
    timestamp: Option<UtcMillis>,
    now: UtcMillis,
) -> Verdict {
    let mut why = match event {
        Ok(event) => xdm::validate(&event),
        Err(error) => vec![error.to_string()],
    };
    if timestamp.is_some_and(|at| at > now) {
        why.push("xdm.timestamp: is in the future".to_owned());
    }
    if !why.is_empty() {
        return Verdict::Failed {
            status: EventStatus::FailedBatch,
            why,
        };
    }
    if length > PROFILE_MAX_BYTES {
        let why = vec![format!(
            "event: {length} bytes are more than a profile store's 10 KB"
        )];
        return Verdict::Failed {
            status: EventStatus::ProfileRejected,
            why,
        };
    }
    Verdict::Recorded
}

/// Builds the answer to an accepted request. `ignored` lists the events whose person opted out.
fn success(inbound: &Inbound<'_>, admitted: &Admitted<'_>, ignored: &[usize], n_events: usize) -> Answer {
    let request_id = Some(inbound.request_id.clone());
    let answer = match inbound.route {
        Route::CollectV1 => Answer::empty(204),
        Route::CollectV2 if inbound.query.silent => Answer::empty(204),
        Route::CollectV2 if ignored.is_empty() => {
            Answer::json(202, &json!({ "requestId": inbound.request_id }))
        }
        Route::CollectV2 => Answer::json(202, &with_warnings(inbound, json!([]), ignored, n_events)),
        _ => {
            let handles = handles(admitted, None);
            Answer::json(200, &with_warnings(inbound, handles, ignored, n_events))
        }
    };
    Answer { request_id, ..answer }
}

fn with_warnings(inbound: &Inbound<'_>, handle: Value, ignored: &[usize], n_events: usize) -> Value {
    let mut body = json!({ "requestId": inbound.request_id, "handle": handle });
    if !ignored.is_empty() {
        let entries = ignored
            .iter()
            .map(|index| problem::entry("0301-200", (n_events > 1).then_some(*index)));
        body["warnings"] = entries.collect();
    }
    body
}

/// Builds the answer to a request that carries no events.
pub(crate) fn handled(inbound: &Inbound<'_>, handles: Value) -> Answer {
    let body = json!({ "requestId": inbound.request_id, "handle": handles });
    Answer {
        request_id: Some(inbound.request_id.clone()),
        ..Answer::json(200, &body)
    }
}

/// Builds the handles of an answer: the edge region that a client reached and, for a page, identity and cookies.
/// `decided` is the consent that the request transmitted.
pub(crate) fn handles(admitted: &Admitted<'_>, decided: Option<Consent>) -> Value {
    let region = json!({ "type": "locationHint:result",
        "payload": [{ "scope": "EdgeNetwork", "hint": REGION, "ttlSeconds": 1800 }] });
    match &admitted.visitor {
        None => json!([region]),
        Some(visitor) => {
            let [identity, cookies] = visitor.handles(decided);
            json!([identity, region, cookies])
        }
    }
}
