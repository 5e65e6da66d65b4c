//! Handles one request: picks its fault, routes it to a service, and records it in the ledger.

use std::borrow::Cow;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_LENGTH, DATE, HeaderValue};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Request, Response};
use serde_json::{Value, json};

use crate::config::LedgerDetail;
use crate::edge;
use crate::edge::Served;
use crate::edge::consent;
use crate::edge::envelope;
use crate::edge::envelope::Field;
use crate::edge::hub;
use crate::edge::hub::Shape;
use crate::edge::problem;
use crate::edge::problem::Report;
use crate::faults::script::{CloseAt, FaultStep, Pick, ScriptedEntry, Sighting};
use crate::http::conn::ConnControl;
use crate::http::cors;
use crate::http::reply::{Answer, ReplyBody, Travel, respond};
use crate::http::request::{Door, Inbound, Query, answered_id, header};
use crate::http::route::{Route, is_edge_path};
use crate::ims;
use crate::ledger::fingerprint::{fingerprint, hash};
use crate::ledger::{Outcome, RequestRow};
use crate::state::Shared;

/// The error that drops a connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is dropped without an answer")]
pub(crate) struct Hangup;

/// Serves one request of a data listener.
pub(crate) async fn serve(
    shared: &Shared,
    door: Door,
    control: &ConnControl,
    request: Request<Incoming>,
) -> Result<Response<ReplyBody>, Hangup> {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    let route = Route::of(&head.method, path);
    if let Some(response) = answer_without_body(&head, door, route) {
        return Ok(response);
    }
    let config = shared.config();
    let early = shared.fault_for(Sighting { path, body: None });
    if let Pick::Step(step) = &early
        && step.close == Some(CloseAt::BeforeRead)
    {
        note_unread(shared, &head, route, step);
        control.reset();
        return Err(Hangup);
    }
    let (body, length) = read_body(body, &head.headers, config.max_bytes)
        .await
        .map_err(|_| Hangup)?;
    let step = match early {
        Pick::Step(step) => Some(step),
        Pick::NeedsBody => match shared.fault_for(Sighting {
            path,
            body: Some(&body),
        }) {
            Pick::Step(step) => Some(step),
            Pick::NeedsBody | Pick::Nothing => None,
        },
        Pick::Nothing => None,
    };
    let query = Query::read(head.uri.query().unwrap_or_default(), route);
    let inbound = Inbound {
        door,
        route,
        path,
        request_id: answered_id(query.request_id.as_deref(), &head.headers),
        query,
        headers: &head.headers,
        body,
        length,
        received_at: shared.now(),
        config: &config,
    };
    attend(shared, control, &inbound, step.as_deref()).await
}

/// Returns the answer to a request that no service handles: a preflight, an unknown path, a wrong method.
fn answer_without_body(head: &Parts, door: Door, route: Route<'_>) -> Option<Response<ReplyBody>> {
    let status = match route {
        Route::Preflight if door == Door::Edge => return Some(cors::preflight(&head.headers)),
        Route::Unknown => 404,
        Route::WrongMethod | Route::Preflight => 405,
        _ => return None,
    };
    let mut response = respond(Answer::phrase(status), Travel::default());
    if door == Door::Edge && is_edge_path(head.uri.path()) {
        cors::allow(&head.headers, &mut response);
    }
    Some(response)
}

/// Answers a request that has been read.
async fn attend(
    shared: &Shared,
    control: &ConnControl,
    inbound: &Inbound<'_>,
    step: Option<&FaultStep>,
) -> Result<Response<ReplyBody>, Hangup> {
    let ticket = shared.ledger().arrived(request_row(inbound, step));
    let honest = FaultStep::default();
    let effects = step.unwrap_or(&honest);
    if effects.close == Some(CloseAt::BeforeRead) {
        shared.ledger().answered(
            ticket,
            outcome(inbound, &Served::default(), 0, step),
            inbound.received_at,
        );
        control.reset();
        return Err(Hangup);
    }
    let latency = inbound.config.latency_ms;
    pause(latency / 2).await;
    let recorded_first = effects.record == Some(true);
    if !recorded_first {
        pause(effects.hang_ms.unwrap_or(0)).await;
    }
    if effects.token_expire_now {
        shared.tokens().expire_all();
    }
    let mut served = answer(shared, inbound, effects);
    if recorded_first {
        pause(effects.hang_ms.unwrap_or(0)).await;
    }
    pause(latency - latency / 2).await;
    let dropped = effects.close == Some(CloseAt::AfterRecord);
    let status = if dropped { 0 } else { served.answer.status };
    shared
        .ledger()
        .answered(ticket, outcome(inbound, &served, status, step), shared.now());
    if dropped {
        control.reset();
        return Err(Hangup);
    }
    served.answer.close = shared.script().awaits_handshake();
    let mut response = respond(served.answer, travel(effects));
    if inbound.door == Door::Edge && is_edge_path(inbound.path) && !effects.no_cors {
        cors::allow(inbound.headers, &mut response);
    }
    // The `Date` header shows the virtual clock as well.
    if let Ok(date) = HeaderValue::from_str(&shared.now().http_date()) {
        response.headers_mut().insert(DATE, date);
    }
    Ok(response)
}

/// Returns the regular answer, or the scripted one in its place.
fn answer(shared: &Shared, inbound: &Inbound<'_>, step: &FaultStep) -> Served {
    let Some(status) = step.scripted_status() else {
        return dispatch(shared, inbound);
    };
    if !step.records() {
        return Served {
            answer: scripted(inbound, step, status),
            n_events: count_events(inbound),
            ..Served::default()
        };
    }
    let served = dispatch(shared, inbound);
    // A request that the edge refuses gets that refusal: nothing was recorded.
    if !served.accepted {
        return served;
    }
    Served {
        answer: scripted(inbound, step, status),
        ..served
    }
}

fn dispatch(shared: &Shared, inbound: &Inbound<'_>) -> Served {
    match inbound.route {
        Route::Token => ims::serve(shared, inbound),
        Route::SetConsent => consent::serve(shared, inbound),
        Route::Acquire => edge::acquire(shared, inbound),
        Route::Inlet(id) => hub::serve(shared, inbound, id, Shape::Single),
        Route::InletBatch(id) => hub::serve(shared, inbound, id, Shape::Batch),
        Route::CollectV1 | Route::CollectV2 | Route::InteractV1 | Route::InteractV2 => {
            edge::serve(shared, inbound)
        }
        Route::Unknown | Route::WrongMethod | Route::Preflight => Served {
            answer: Answer::phrase(404),
            ..Served::default()
        },
    }
}

fn scripted(inbound: &Inbound<'_>, step: &FaultStep, status: u16) -> Answer {
    let answer = match step {
        FaultStep { body: Some(text), .. } if text != "plain" => Answer::plain(status, text),
        FaultStep { code: Some(code), .. } => scripted_problem(inbound, code, status),
        FaultStep { errors, warnings, .. } if !errors.is_empty() || !warnings.is_empty() => {
            Answer::json(status, &entries_body(inbound, errors, warnings))
        }
        _ => Answer::phrase(status),
    };
    Answer {
        content_type: step.ctype.clone().or(answer.content_type),
        retry_after: step.retry_after(inbound.received_at),
        location: step.to.clone(),
        ..answer
    }
}

fn scripted_problem(inbound: &Inbound<'_>, code: &str, status: u16) -> Answer {
    let code = problem::lookup(code).map_or(Cow::Borrowed(code), |known| Cow::Borrowed(known.code));
    let report = Report {
        request_id: &inbound.request_id,
        org: None,
        datastream: inbound.query.datastream.as_deref(),
    };
    let mut body = problem::problem(&code, "scripted by the fault script", &[], &report);
    body["status"] = json!(status);
    Answer::problem(status, &inbound.request_id, &body)
}

fn entries_body(inbound: &Inbound<'_>, errors: &[ScriptedEntry], warnings: &[ScriptedEntry]) -> Value {
    let list = |entries: &[ScriptedEntry]| -> Value {
        entries
            .iter()
            .map(|entry| problem::entry(&entry.code, entry.event_index))
            .collect()
    };
    let mut body = json!({ "requestId": inbound.request_id, "handle": [] });
    if !errors.is_empty() {
        body["errors"] = list(errors);
    }
    if !warnings.is_empty() {
        body["warnings"] = list(warnings);
    }
    body
}

fn travel(step: &FaultStep) -> Travel {
    Travel {
        gzip: step.gzip,
        slow_bps: step.slow_bps,
        cut: step.close == Some(CloseAt::MidResponse),
        filler: step.body_bytes,
    }
}

/// Counts the events of a request that is not processed. Only needed if the ledger keeps rows.
fn count_events(inbound: &Inbound<'_>) -> Option<usize> {
    if inbound.config.ledger != LedgerDetail::Full {
        return None;
    }
    match envelope::read(&inbound.body).ok()?.events {
        Field::Here(events) => Some(events.len()),
        Field::Absent | Field::Other => None,
    }
}

fn request_row(inbound: &Inbound<'_>, step: Option<&FaultStep>) -> RequestRow {
    RequestRow {
        path: inbound.path.to_owned(),
        datastream: inbound.query.datastream.clone(),
        received_at: inbound.received_at,
        bytes: inbound.length,
        request_id: inbound.query.request_id.clone(),
        host: inbound.header("host").map(str::to_owned),
        origin: inbound.header("origin").map(str::to_owned),
        silent: inbound.query.silent,
        authorized: inbound.header("authorization").is_some(),
        token_hash: inbound.header("authorization").map(hash),
        body_hash: match inbound.config.ledger {
            LedgerDetail::Full => fingerprint(&inbound.body),
            _ => 0,
        },
        fault: step.map(FaultStep::label),
        ..RequestRow::default()
    }
}

fn outcome<'a>(
    inbound: &'a Inbound<'_>,
    served: &Served,
    status: u16,
    step: Option<&FaultStep>,
) -> Outcome<'a> {
    Outcome {
        status,
        n_events: served.n_events,
        auth_client: served.client.clone(),
        ru: served.ru,
        retry_after: served.answer.retry_after.clone(),
        fault: step.map(FaultStep::label),
        datastream: inbound.query.datastream.as_deref(),
        visitor: served.visitor.as_ref().map(|visitor| visitor.ecid.clone()),
        consent: served.visitor.as_ref().and_then(|visitor| visitor.consent),
    }
}

/// Records a request whose body was never read.
fn note_unread(shared: &Shared, head: &Parts, route: Route<'_>, step: &FaultStep) {
    let query = Query::read(head.uri.query().unwrap_or_default(), route);
    let row = RequestRow {
        path: head.uri.path().to_owned(),
        datastream: query.datastream,
        received_at: shared.now(),
        request_id: query.request_id,
        host: header(&head.headers, "host").map(str::to_owned),
        origin: header(&head.headers, "origin").map(str::to_owned),
        silent: query.silent,
        authorized: header(&head.headers, "authorization").is_some(),
        token_hash: header(&head.headers, "authorization").map(hash),
        fault: Some(step.label()),
        ..RequestRow::default()
    };
    let now = shared.now();
    let mut ledger = shared.ledger();
    let ticket = ledger.arrived(row);
    ledger.answered(
        ticket,
        Outcome {
            fault: Some(step.label()),
            ..Outcome::default()
        },
        now,
    );
}

/// Reads a body. Returns its bytes up to the largest limit of any endpoint, and its whole length.
async fn read_body(mut body: Incoming, headers: &HeaderMap, max: u64) -> Result<(Bytes, u64), hyper::Error> {
    let keep = usize::try_from(max.max(HUB_MAX) + 1).unwrap_or(usize::MAX);
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    let mut kept = BytesMut::new();
    let mut length = 0_u64;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        if length == 0 && body.is_end_stream() && data.len() <= keep {
            return Ok((data.clone(), data.len() as u64));
        }
        if length == 0 {
            kept.reserve(announced.unwrap_or(0).min(keep));
        }
        length += data.len() as u64;
        let room = keep - kept.len();
        kept.extend_from_slice(&data[..data.len().min(room)]);
    }
    Ok((kept.freeze(), length))
}

/// Largest body of any endpoint, which is the hub's.
const HUB_MAX: u64 = 1 << 20;

/// Sleeps in real time, not on the virtual clock, so that the client has to wait.
async fn pause(ms: u64) {
    if ms > 0 {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
}
