//! Connections, routes and answers.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderValue, ORIGIN};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::options::{CheckOut, StorefrontOptions};
use crate::{edge_page, pages};
use orderfeed_demo_shop::shop::checkout::PlacedOrder;

/// Largest order, in bytes.
const MAX_BODY: usize = 16 << 10;
const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// An answer before its common headers.
struct Reply {
    status: StatusCode,
    content_type: &'static str,
    body: Bytes,
}

impl Reply {
    fn ok(content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self {
            status: StatusCode::OK,
            content_type,
            body: body.into(),
        }
    }

    fn error(status: StatusCode, why: &'static str) -> Self {
        Self {
            status,
            content_type: "text/plain; charset=utf-8",
            body: Bytes::from_static(why.as_bytes()),
        }
    }

    fn json(body: &Value) -> Self {
        Self::ok("application/json", body.to_string())
    }
}

/// Accepts connections until it is stopped.
pub(crate) async fn run(listener: TcpListener, options: Arc<StorefrontOptions>, stop: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        let Ok((stream, _)) = accepted else { continue };
        let (options, stop) = (Arc::clone(&options), stop.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = connection(&options, stream) => {}
                () = stop.cancelled() => {}
            }
        });
    }
}

async fn connection(options: &StorefrontOptions, stream: TcpStream) {
    let service = service_fn(async |request| Ok::<_, Infallible>(respond(options, request).await));
    let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    if let Err(error) = served.await {
        tracing::debug!(%error, "a connection to the demo shop's pages ended early");
    }
}

async fn respond(options: &StorefrontOptions, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let reply = match is_own_host(request.headers()) {
        true => route(options, request).await,
        // Another site's name that resolves to this machine must not reach the pages.
        false => Reply::error(
            StatusCode::MISDIRECTED_REQUEST,
            "open this page at localhost or 127.0.0.1\n",
        ),
    };
    let mut response = Response::new(Full::new(reply.body));
    *response.status_mut() = reply.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(reply.content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Strict, as on a payment page: no inline script, and events to the edge alone.
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self' {}; \
         form-action 'none'; base-uri 'none'",
        options.edge.edge_url()
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

async fn route(options: &StorefrontOptions, request: Request<Incoming>) -> Reply {
    let path = request.uri().path().to_owned();
    match (request.method(), path.as_str()) {
        (&Method::POST, "/order") => order(options, request).await,
        (&Method::GET, path) => page(options, path),
        _ => Reply::error(StatusCode::METHOD_NOT_ALLOWED, "this method is not supported\n"),
    }
}

fn page(options: &StorefrontOptions, path: &str) -> Reply {
    let html = match path {
        "/" => Some(pages::home(options)),
        "/checkout" => Some(pages::checkout(options)),
        "/success" => Some(pages::success(options)),
        "/edge" => Some(edge_page::page(options)),
        "/edge/rows" => Some(edge_page::rows(options)),
        _ => path
            .strip_prefix("/product/")
            .and_then(|sku| pages::product(options, sku)),
    };
    if let Some(html) = html {
        return Reply::ok(HTML, html);
    }
    let asset = match path {
        "/assets/shop.js" => Some((SCRIPT, include_str!("../assets/shop.js"))),
        "/assets/edge.js" => Some((SCRIPT, include_str!("../assets/edge.js"))),
        "/assets/redirect.js" => Some((SCRIPT, include_str!("../assets/redirect.js"))),
        "/assets/shop.css" => Some((STYLE, include_str!("../assets/shop.css"))),
        _ => None,
    };
    if let Some((kind, text)) = asset {
        return Reply::ok(kind, text);
    }
    match options.bundle.iter().find(|file| file.path == path) {
        Some(file) => Reply::ok(file.content_type, file.bytes.clone()),
        None => Reply::error(StatusCode::NOT_FOUND, "there is no such page\n"),
    }
}

/// The order that a page posts.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PostedOrder {
    lines: Vec<PostedLine>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PostedLine {
    sku: String,
    quantity: u32,
}

async fn order(options: &StorefrontOptions, request: Request<Incoming>) -> Reply {
    if !is_own_origin(request.headers()) {
        return Reply::error(StatusCode::FORBIDDEN, "only the shop's own pages can order\n");
    }
    let Ok(body) = Limited::new(request.into_body(), MAX_BODY).collect().await else {
        return Reply::error(StatusCode::PAYLOAD_TOO_LARGE, "the order is too large\n");
    };
    let Ok(posted) = serde_json::from_slice::<PostedOrder>(&body.to_bytes()) else {
        return Reply::error(StatusCode::BAD_REQUEST, "the order cannot be read\n");
    };
    let lines = posted.lines.into_iter().map(|line| (line.sku, line.quantity));
    let (reply, placed) = oneshot::channel();
    let check_out = CheckOut {
        lines: lines.collect(),
        reply,
    };
    if options.orders.send(check_out).await.is_err() {
        return Reply::error(StatusCode::SERVICE_UNAVAILABLE, "the demo is ending\n");
    }
    match placed.await {
        Ok(Some(order)) => Reply::json(&placed_body(&order)),
        Ok(None) => Reply::error(StatusCode::BAD_REQUEST, "the shop has no such product\n"),
        Err(_) => Reply::error(StatusCode::SERVICE_UNAVAILABLE, "the order could not be placed\n"),
    }
}

fn placed_body(order: &PlacedOrder) -> Value {
    json!({
        "number": order.number,
        "grandTotal": order.grand_total.to_string(),
        "tax": order.tax.to_string(),
        "discount": order.discount.to_string(),
        "shipping": order.shipping.to_string(),
        "payment": order.payment,
    })
}

fn is_own_host(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let name = host.map(|host| host.rsplit_once(':').map_or(host, |(name, _)| name));
    matches!(name, Some("localhost" | "127.0.0.1"))
}

fn is_own_origin(headers: &HeaderMap) -> bool {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    match (text(ORIGIN), text(HOST)) {
        (Some(origin), Some(host)) => origin.strip_prefix("http://") == Some(host),
        _ => false,
    }
}
