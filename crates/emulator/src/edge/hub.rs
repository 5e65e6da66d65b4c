//! Streaming ingestion at the hub: `/collection/{inlet}` for one message, `/collection/batch/{inlet}` for many.
//!
//! The daemon does not use this interface; it lets other clients be tested. Messages are parsed as plain JSON values: this
//! path is not built for load.

use serde_json::{Value, json};

use crate::config::InletConfig;
use crate::edge::Served;
use crate::http::reply::Answer;
use crate::http::request::Inbound;
use crate::ledger::fingerprint::{fingerprint, hash};
use crate::ledger::{Carrier, NewEvent, Verdict, findings};
use crate::state::Shared;
use orderfeed_model::clock::UtcMillis;

/// Largest request, in bytes (Adobe, streaming ingestion).
const MAX_BYTES: u64 = 1 << 20;

/// The form of a request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Single,
    Batch,
}

/// Serves a request to an inlet.
pub(crate) fn serve(shared: &Shared, inbound: &Inbound<'_>, id: &str, shape: Shape) -> Served {
    let mut served = Served::default();
    served.answer = match admit(shared, inbound, id, &mut served) {
        Ok((inlet, body)) => match shape {
            Shape::Single => single(shared, inbound, id, inlet, &body, &mut served),
            Shape::Batch => batch(shared, inbound, id, inlet, &body, &mut served),
        },
        Err(answer) => *answer,
    };
    served
}

fn admit<'c>(
    shared: &Shared,
    inbound: &Inbound<'c>,
    id: &str,
    served: &mut Served,
) -> Result<(&'c InletConfig, Value), Box<Answer>> {
    let Some(inlet) = inbound.config.inlets.get(id) else {
        return Err(refusal(400, &format!("inletId: [{id}] does not exist")));
    };
    if inlet.authenticated {
        let authorization = inbound
            .header("authorization")
            .ok_or_else(|| refusal(401, "authorization is missing"))?;
        let bearer = authorization.strip_prefix("Bearer ").unwrap_or_default();
        let tokens = shared.tokens();
        let valid = tokens
            .find(bearer)
            .filter(|token| token.expires_at > inbound.received_at);
        let token = valid.ok_or_else(|| refusal(403, "the token is invalid or has expired"))?;
        served.client = Some(token.client_id.clone());
    }
    if inbound.length > MAX_BYTES {
        return Err(refusal(413, "the request is larger than 1 MB"));
    }
    if inbound.query.sync_validation {
        return Err(refusal(501, "synchronous validation is not available here"));
    }
    let body = serde_json::from_slice(&inbound.body).map_err(|error| refusal(400, &error.to_string()))?;
    Ok((inlet, body))
}

fn single(
    shared: &Shared,
    inbound: &Inbound<'_>,
    id: &str,
    inlet: &InletConfig,
    body: &Value,
    served: &mut Served,
) -> Answer {
    served.n_events = Some(1);
    if let Err(why) = check(body, inlet) {
        return message(400, &sentence(id, inlet, why));
    }
    served.accepted = true;
    record(shared, inbound, id, body);
    let reply = json!({
        "inletId": id,
        "xactionId": transaction_id(),
        "receivedTimeMs": inbound.received_at,
        "syncValidation": { "skipped": true },
    });
    Answer::json(200, &reply)
}

fn batch(
    shared: &Shared,
    inbound: &Inbound<'_>,
    id: &str,
    inlet: &InletConfig,
    body: &Value,
    served: &mut Served,
) -> Answer {
    let Some(messages) = body["messages"]
        .as_array()
        .filter(|messages| !messages.is_empty())
    else {
        return message(400, "messages must be an array that is not empty");
    };
    served.n_events = Some(messages.len());
    served.accepted = true;
    let one = |entry: &Value| match check(entry, inlet) {
        Ok(()) => {
            record(shared, inbound, id, entry);
            json!({ "xactionId": transaction_id() })
        }
        Err(why) => json!({ "statusCode": 400, "message": sentence(id, inlet, why) }),
    };
    let responses: Vec<Value> = messages.iter().map(one).collect();
    let reply = json!({
        "inletId": id,
        "batchId": transaction_id(),
        "receivedTimeMs": inbound.received_at,
        "responses": responses,
    });
    Answer::json(207, &reply)
}

fn check(entry: &Value, inlet: &InletConfig) -> Result<(), &'static str> {
    let (header, body) = (&entry["header"], &entry["body"]);
    if header["imsOrgId"].as_str() != Some(&inlet.org) {
        return Err("header.imsOrgId does not fit the inlet");
    }
    if header["datasetId"].as_str().is_none_or(str::is_empty) {
        return Err("header.datasetId is missing");
    }
    if !header["schemaRef"]["id"].is_string() || header["schemaRef"] != body["xdmMeta"]["schemaRef"] {
        return Err("Message has unknown xdm format");
    }
    let entity = &body["xdmEntity"];
    if !entity["_id"].is_string()
        || entity["timestamp"]
            .as_str()
            .and_then(UtcMillis::parse_rfc3339)
            .is_none()
    {
        return Err("xdmEntity needs _id and timestamp");
    }
    Ok(())
}

fn record(shared: &Shared, inbound: &Inbound<'_>, id: &str, entry: &Value) {
    let entity = &entry["body"]["xdmEntity"];
    let bytes = entity.to_string().into_bytes();
    let event = NewEvent {
        id: entity["_id"].as_str(),
        event_type: entity["eventType"].as_str(),
        purchase_id: entity["commerce"]["order"]["purchaseID"].as_str(),
        order_key: hash(&(id, entity["commerce"]["order"]["purchaseID"].as_str())),
        timestamp: entity["timestamp"].as_str().and_then(UtcMillis::parse_rfc3339),
        bytes: &bytes,
        hash: fingerprint(&bytes),
        personal: findings(&bytes),
        verdict: Verdict::Recorded,
    };
    let carrier = Carrier {
        datastream: id,
        request_id: &inbound.request_id,
        visitor: None,
        at: inbound.received_at,
    };
    shared.ledger().record(carrier, std::iter::once(event));
}

fn sentence(id: &str, inlet: &InletConfig, why: &str) -> String {
    format!("inletId: [{id}] imsOrgId: [{}] {why}", inlet.org)
}

fn message(status: u16, text: &str) -> Answer {
    Answer::json(status, &json!({ "status": status, "message": text }))
}

fn refusal(status: u16, text: &str) -> Box<Answer> {
    Box::new(message(status, text))
}

fn transaction_id() -> String {
    format!("{}:{:016x}", fastrand::u32(..), fastrand::u64(..))
}
