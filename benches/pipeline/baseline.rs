//! Baselines of the machine without the daemon: rows into SQLite, requests over loopback. The daemon's figures are
//! compared with these.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::say;

const ROWS: usize = 200_000;
const ROW_BYTES: usize = 1_260;
const ROWS_AT_ONCE: usize = 1_000;
const REQUESTS: usize = 4_000;
const EVENTS: usize = 50;
const LANES: usize = 32;

/// Measures both in sequence.
pub fn baseline() -> anyhow::Result<()> {
    let rows = sqlite()?;
    say(&format!(
        "baseline: {rows:.0} rows/s of {ROW_BYTES} bytes into SQLite, {ROWS_AT_ONCE} a transaction, synchronous FULL"
    ))?;
    let runtime = tokio::runtime::Runtime::new()?;
    let events = runtime.block_on(http())?;
    say(&format!(
        "baseline: {events:.0} events/s in requests of {EVENTS} over {LANES} connections, client and server in one process"
    ))
}

fn sqlite() -> anyhow::Result<f64> {
    let dir = tempfile::tempdir()?;
    let mut connection = rusqlite::Connection::open(dir.path().join("rows.db"))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute_batch("CREATE TABLE rows (id INTEGER PRIMARY KEY, body BLOB NOT NULL)")?;
    let body = vec![b'x'; ROW_BYTES];
    let began = Instant::now();
    for _ in 0..ROWS / ROWS_AT_ONCE {
        let transaction = connection.transaction()?;
        let mut insert = transaction.prepare_cached("INSERT INTO rows (body) VALUES (?1)")?;
        for _ in 0..ROWS_AT_ONCE {
            insert.execute([&body])?;
        }
        drop(insert);
        transaction.commit()?;
    }
    Ok(ROWS as f64 / began.elapsed().as_secs_f64())
}

async fn http() -> anyhow::Result<f64> {
    // The client requires a provider although nothing here uses TLS.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let serving = tokio::spawn(serve(listener));
    let (body, left) = (
        Bytes::from(vec![b'x'; EVENTS * ROW_BYTES]),
        Arc::new(AtomicUsize::new(REQUESTS)),
    );
    let began = Instant::now();
    let lanes: Vec<_> = (0..LANES)
        .map(|_| tokio::spawn(lane(address, body.clone(), Arc::clone(&left))))
        .collect();
    for lane in lanes {
        lane.await??;
    }
    let took = began.elapsed();
    serving.abort();
    Ok((REQUESTS * EVENTS) as f64 / took.as_secs_f64())
}

async fn serve(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(swallow)));
    }
}

async fn swallow(request: Request<Incoming>) -> Result<Response<Empty<Bytes>>, hyper::Error> {
    let mut body = request.into_body();
    while let Some(frame) = body.frame().await {
        frame?;
    }
    let mut response = Response::new(Empty::new());
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a measurement of the bare client, on loopback"
)]
async fn lane(address: SocketAddr, body: Bytes, left: Arc<AtomicUsize>) -> anyhow::Result<()> {
    let client = reqwest::Client::builder()
        .no_proxy()
        .http1_only()
        .tls_certs_only([])
        .build()?;
    let take = |left: usize| left.checked_sub(1);
    while left
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, take)
        .is_ok()
    {
        let request = client.post(format!("http://{address}/")).body(body.clone());
        let response = request.send().await.context("no answer")?;
        anyhow::ensure!(response.status() == 202, "status {}", response.status());
    }
    Ok(())
}
