//! The control interface (`/__mock/…`). It has a port of its own and is never reachable through the data listeners.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::EmulatorConfig;
use crate::faults::script::FaultStep;
use crate::http::reply::{Answer, ReplyBody, Travel, respond};
use crate::ledger::Page;
use crate::state::Shared;
use orderfeed_model::clock::UtcMillis;

/// Largest control request, in bytes.
const MAX_BODY: usize = 4 << 20;
/// Default number of rows on a page of the ledger.
const PAGE: usize = 10_000;

/// Serves the control interface until it is stopped.
pub(crate) async fn run(
    shared: Arc<Shared>,
    listener: TcpListener,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        let Ok((stream, _)) = accepted else { continue };
        let (shared, stop) = (Arc::clone(&shared), stop.clone());
        tasks.spawn(async move {
            tokio::select! {
                () = http(&shared, stream) => {}
                () = stop.cancelled() => {}
            }
        });
    }
}

/// Serves HTTP on one connection until it closes.
pub(crate) async fn http(shared: &Shared, stream: impl AsyncRead + AsyncWrite + Unpin) {
    let service = service_fn(|request| serve(shared, request));
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // A client that closed its connection early needs no answer.
    drop(connection.await);
}

async fn serve(shared: &Shared, request: Request<Incoming>) -> Result<Response<ReplyBody>, Infallible> {
    let (head, body) = request.into_parts();
    let answer = match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => {
            let query = head.uri.query().unwrap_or_default();
            handle(shared, &head.method, head.uri.path(), query, &body.to_bytes())
        }
        Err(error) => Err((400, error.to_string())),
    };
    let answer = match answer {
        Ok(body) => Answer::json(200, &body),
        Err((status, why)) => Answer::json(status, &json!({ "error": why })),
    };
    Ok(respond(answer, Travel::default()))
}

type Handled = Result<Value, (u16, String)>;

fn handle(shared: &Shared, method: &Method, path: &str, query: &str, body: &Bytes) -> Handled {
    match (method.as_str(), path) {
        ("GET", "/__mock/ledger") => ledger(shared, query),
        ("GET", "/__mock/script") => Ok(json!({ "steps": shared.script().steps() })),
        ("POST", "/__mock/script") => script(shared, body),
        ("POST", "/__mock/reset") => {
            shared.reset();
            Ok(json!({ "reset": true }))
        }
        ("GET", "/__mock/clock") => Ok(json!({ "now": shared.now().rfc3339() })),
        ("POST", "/__mock/clock") => clock(shared, body),
        ("GET", "/__mock/config") => Ok(json!(*shared.config())),
        ("POST", "/__mock/config") => configure(shared, body),
        (_, "/__mock/ledger" | "/__mock/script" | "/__mock/reset" | "/__mock/clock" | "/__mock/config") => {
            Err((405, format!("{path} does not take {method}")))
        }
        _ => Err((
            404,
            format!("{path} is none of /__mock/ledger, script, reset, clock, config"),
        )),
    }
}

fn ledger(shared: &Shared, query: &str) -> Handled {
    let params: HashMap<_, _> = url::form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    let flag = |name: &str| {
        params
            .get(name)
            .is_some_and(|value| value != "0" && value != "false")
    };
    let number = |name: &str| match params.get(name) {
        None => Ok(None),
        Some(text) => text
            .parse::<u64>()
            .map(Some)
            .map_err(|_| (400, format!("{name}={text} is no number"))),
    };
    let page = Page {
        since: number("since")?.unwrap_or(0),
        since_request: number("since_request")?.unwrap_or(0),
        limit: number("limit")?.map_or(PAGE, |limit| usize::try_from(limit).unwrap_or(usize::MAX)),
    };
    let ledger = shared.ledger();
    if let Some(id) = params.get("id") {
        return ledger
            .one(id)
            .ok_or_else(|| (404, format!("no event with _id {id} was recorded")));
    }
    if flag("summary") {
        return Ok(ledger.summary());
    }
    if flag("findings") {
        return Ok(ledger.findings());
    }
    Ok(ledger.page(page))
}

/// A single step, or a list of steps.
#[derive(Deserialize)]
#[serde(untagged)]
enum Steps {
    Many(Vec<Value>),
    One(Value),
}

fn script(shared: &Shared, body: &Bytes) -> Handled {
    let steps = match parse::<Steps>(body)? {
        Steps::Many(steps) => steps,
        Steps::One(step) => vec![step],
    };
    let read = |(index, step)| {
        serde_json::from_value::<FaultStep>(step).map_err(|error| (400, format!("step {index}: {error}")))
    };
    let steps = steps
        .into_iter()
        .enumerate()
        .map(read)
        .collect::<Result<Vec<_>, _>>()?;
    let queued = shared.push_script(steps).map_err(|why| (400, why))?;
    Ok(json!({ "queued": queued }))
}

/// A request to change the clock.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockChange {
    now: Option<String>,
    advance_ms: Option<i64>,
    system: Option<bool>,
}

fn clock(shared: &Shared, body: &Bytes) -> Handled {
    match parse::<ClockChange>(body)? {
        ClockChange {
            now: Some(text),
            advance_ms: None,
            system: None,
        } => {
            let at =
                UtcMillis::parse_rfc3339(&text).ok_or((400, format!("{text:?} is no RFC 3339 date-time")))?;
            shared.set_clock(at);
        }
        ClockChange {
            now: None,
            advance_ms: Some(ms),
            system: None,
        } => {
            shared.set_clock(shared.now().plus_millis(ms));
        }
        ClockChange {
            now: None,
            advance_ms: None,
            system: Some(true),
        } => shared.run_clock(),
        _ => return Err((400, "give one of now, advance_ms, system=true".to_owned())),
    }
    Ok(json!({ "now": shared.now().rfc3339() }))
}

/// Merges a patch into the configuration (RFC 7396: null removes). Rejects changes to settings that are fixed at start.
fn configure(shared: &Shared, body: &Bytes) -> Handled {
    let patch = parse::<Value>(body)?;
    let fixed = [
        "listen_server",
        "listen_edge",
        "listen_control",
        "tls",
        "ledger",
        "keep_bodies",
        "clock",
    ];
    if let Some(key) = fixed.iter().find(|key| patch.get(**key).is_some()) {
        return Err((400, format!("{key} is decided at start")));
    }
    let before = shared.config();
    let mut merged = json!(*before);
    // Serialization omits secrets, so they are restored before the merge.
    for (id, client) in &before.clients {
        merged["clients"][id]["secret"] = json!(client.secret);
    }
    merge(&mut merged, &patch);
    let config: EmulatorConfig = serde_json::from_value(merged).map_err(|error| (400, error.to_string()))?;
    shared.set_config(config);
    Ok(json!(*shared.config()))
}

fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let Some(map) = target.as_object_mut() else { return };
    for (key, value) in patch {
        if value.is_null() {
            map.remove(key);
        } else {
            merge(map.entry(key.as_str()).or_insert(Value::Null), value);
        }
    }
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, (u16, String)> {
    serde_json::from_slice(body).map_err(|error| (400, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_changes_what_it_names_and_null_removes() {
        let mut target = json!({ "a": { "b": 1, "c": 2 }, "d": 3 });
        merge(&mut target, &json!({ "a": { "b": 9, "c": null }, "e": [1] }));
        assert_eq!(target, json!({ "a": { "b": 9 }, "d": 3, "e": [1] }));
    }
}
