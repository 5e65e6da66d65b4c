//! Handles one request: picks its fault, authenticates it, answers it, and records it.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::{Method, Request, Response};

use crate::auth;
use crate::auth::encoding::decode_form;
use crate::auth::ims;
use crate::auth::oauth::{Signed, nonce_failed, nonce_used};
use crate::endpoints;
use crate::endpoints::{Endpoint, Served};
use crate::faults::Effect;
use crate::http::reply::{Answer, ReplyBody, respond};
use crate::http::route::{ApiPath, Route};
use crate::journal;
use crate::journal::{Ask, Page};
use crate::ledger::RequestRow;
use crate::problem::{Problem, ProblemBody};
use crate::search::query::Parameter;
use crate::state::Shared;
use orderfeed_model::clock::UtcMillis;

/// Largest form of a token request.
const MAX_FORM: usize = 64 * 1024;
/// Time for which an endless request is silent.
const SILENCE: Duration = Duration::from_secs(3600);

/// The error that drops a connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is dropped without an answer")]
pub(crate) struct Hangup;

/// The record of a request. Dropping it enters the request into the ledger, also if the client went away before.
struct Record<'a> {
    shared: &'a Shared,
    row: RequestRow,
}

impl Drop for Record<'_> {
    fn drop(&mut self) {
        self.shared.ledger().ended(std::mem::take(&mut self.row));
    }
}

/// Serves one request.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<ReplyBody>, Hangup> {
    let (head, body) = request.into_parts();
    let config = shared.config();
    let in_flight = shared.ledger().arrived();
    let mut record = Record {
        shared: &shared,
        row: row(&head, in_flight, shared.now()),
    };
    tokio::time::sleep(config.latency).await;
    let route = Route::of(head.uri.path(), &config);
    if let Route::Api(path) = &route {
        record.row.path = format!("/V1/{}", path.rest);
    }
    let effect = match route {
        Route::Unknown => None,
        _ => shared.fault_for(&record.row.path),
    };
    record.row.fault = effect.as_ref().map(Effect::label);
    if let Some(Effect::Delay(pause)) = effect {
        tokio::time::sleep(pause).await;
    }
    let answer = match route {
        _ if config.maintenance => Err(Problem::html(503)),
        Route::Token => token(&shared, &head, body).await?,
        Route::Journal => events(&shared, &head),
        Route::Version => Ok(Answer::page(config.release.published())),
        Route::Api(path) => api(&shared, &head, path, effect.as_ref(), &mut record.row).await,
        Route::Unknown => Err(Problem::no_route()),
    };
    let answer = match answer {
        Err(Problem {
            body: ProblemBody::Silence,
            ..
        }) => {
            tokio::time::sleep(SILENCE).await;
            return Err(Hangup);
        }
        Err(problem) => Answer::from(problem),
        Ok(answer) => answer,
    };
    let answer = replaced(answer, effect.as_ref(), &mut record.row);
    record.row.status = answer.status;
    record.row.bytes = answer.body.len();
    Ok(respond(answer, effect.as_ref(), shared.server_time()))
}

fn row(head: &Parts, in_flight: usize, now: UtcMillis) -> RequestRow {
    let query = head.uri.query().unwrap_or_default();
    let (page_size, current_page) = endpoints::asked_page(&Parameter::parse(query));
    RequestRow {
        received_at: now,
        path: head.uri.path().to_owned(),
        query: decode_form(query),
        page_size,
        current_page,
        in_flight,
        ..RequestRow::default()
    }
}

async fn token(shared: &Shared, head: &Parts, body: Incoming) -> Result<Result<Answer, Problem>, Hangup> {
    if head.method != Method::POST {
        return Ok(Err(Problem::no_route()));
    }
    let body = http_body_util::Limited::new(body, MAX_FORM);
    let form = body.collect().await.map_err(|_| Hangup)?.to_bytes();
    let issued = ims::token(shared, &String::from_utf8_lossy(&form));
    Ok(issued.map(|body| Answer::json(200, body.to_text())))
}

/// Serves the journal.
fn events(shared: &Shared, head: &Parts) -> Result<Answer, Problem> {
    ims::check_journal(shared, &head.headers)?;
    let config = shared.config();
    let query = Parameter::parse(head.uri.query().unwrap_or_default());
    let ask = Ask {
        since: query.text(&["since"]),
        latest: query.text(&["latest"]) == Some("true"),
        from: query
            .text(&["seek"])
            .map(|seek| shared.now().plus_millis(-seconds(seek) * 1000)),
        limit: query.text(&["limit"]).and_then(|text| text.parse().ok()),
    };
    Ok(match shared.journal().page(head.uri.path(), ask) {
        Page::Events { body, next } => Answer {
            link: Some(next),
            ..Answer::json(200, body)
        },
        Page::End { next } => Answer {
            link: Some(next),
            retry_after: Some(config.journal_pause_s.to_string()),
            ..Answer::json(204, String::new())
        },
        Page::Gone => Answer::json(410, journal::gone().to_text()),
    })
}

/// Parses the ISO 8601 durations of `seek`: `-PT2H`, `-PT90M`, `-PT30S`.
fn seconds(seek: &str) -> i64 {
    let text = seek.trim_start_matches('-').trim_start_matches("PT");
    let number: i64 = text
        .trim_end_matches(|c: char| c.is_ascii_alphabetic())
        .parse()
        .unwrap_or_default();
    match text.chars().last() {
        Some('H') => number * 3600,
        Some('M') => number * 60,
        _ => number,
    }
}

/// Serves the API: route, authentication, answer, in this order.
async fn api(
    shared: &Arc<Shared>,
    head: &Parts,
    path: ApiPath<'_>,
    effect: Option<&Effect>,
    row: &mut RequestRow,
) -> Result<Answer, Problem> {
    let config = shared.config();
    if head.method != Method::GET {
        return Err(Problem::no_route());
    }
    check_store(shared, path.store).await?;
    let endpoint = Endpoint::of(path.rest, &config)?;
    match effect {
        Some(Effect::NonceUsed) => return Err(nonce_used()),
        Some(Effect::NonceFailed) => return Err(nonce_failed()),
        _ => {}
    }
    let host = ims::text(&head.headers, "host").unwrap_or_default();
    let origin = config.seen_as.clone().unwrap_or_else(|| format!("http://{host}"));
    let query = head.uri.query().unwrap_or_default();
    let signed = Signed {
        method: head.method.as_str(),
        origin: &origin,
        path: head.uri.path(),
        query,
        authorization: ims::text(&head.headers, "authorization").unwrap_or_default(),
    };
    auth::check(shared, path.door, &head.headers, signed, endpoint.permission())?;
    let (worker, parameters, effect) = (Arc::clone(shared), Parameter::parse(query), effect.cloned());
    let served = tokio::task::spawn_blocking(move || {
        let served = endpoints::serve(&worker.shop, &config, &endpoint, &parameters, effect.as_ref());
        if let Some(Effect::Then(statements)) = &effect {
            worker.shop.write(statements).map_err(|_| Problem::fatal())?;
        }
        served
    });
    let Served { body, rows } = served.await.unwrap_or_else(|_| Err(Problem::fatal()))?;
    row.rows = rows;
    Ok(Answer::json(200, body.to_text()))
}

/// Checks that a store view with this code exists.
async fn check_store(shared: &Arc<Shared>, store: Option<&str>) -> Result<(), Problem> {
    let Some(code) = store.filter(|code| !matches!(*code, "all" | "default")) else {
        return Ok(());
    };
    let (worker, code) = (Arc::clone(shared), code.to_owned());
    let found = tokio::task::spawn_blocking(move || {
        worker.shop.read(|reading| {
            let views = reading.all("store")?;
            Ok(views.iter().any(|view| view.text("code").as_ref() == Some(&code)))
        })
    });
    match found.await {
        Ok(Ok(true)) => Ok(()),
        _ => Err(Problem::unknown_store()),
    }
}

/// Returns the answer of a fault that replaces the regular one.
fn replaced(answer: Answer, effect: Option<&Effect>, row: &mut RequestRow) -> Answer {
    let fault = match effect {
        Some(Effect::Html(status)) => Answer::from(Problem::html(*status)),
        Some(Effect::Masked(status)) => Answer::from(Problem::masked_with(*status)),
        Some(Effect::Fatal) => Answer::from(Problem::fatal()),
        Some(Effect::BadSignature) => Answer::from(Problem::plain(
            401,
            "The signature is invalid. Verify and try again.",
        )),
        Some(Effect::TooMany { retry_after }) => Answer {
            retry_after: retry_after.map(|seconds| seconds.to_string()),
            ..Answer::from(Problem::plain(429, "Too Many Requests"))
        },
        Some(Effect::Redirect) => Answer {
            status: 302,
            location: Some("https://www.shop.example/".to_owned()),
            ..Answer::from(Problem::html(200))
        },
        Some(Effect::EmptyList) => Answer::json(200, "[]".to_owned()),
        _ => return answer,
    };
    row.rows = 0;
    fault
}
