//! The admin endpoint: `/healthz`, `/readyz`, `/status`, `/metrics` over HTTP, on loopback or a Unix socket alone (anything
//! else is refused by the configuration). It only shows; it changes nothing.
//!
//! The daemon does not depend on it: an address that is taken is said in the log and tried again each minute. It answers
//! until the very end, so that `/readyz` can say that the daemon drains.

pub(crate) mod metrics;
pub(crate) mod pages;
pub(crate) mod snapshots;

use std::convert::Infallible;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::Semaphore;

use crate::config::AdminListen;
use crate::daemon::admin::pages::Pages;
use crate::ops::openmetrics::Format;
use crate::ops::outage_log::{OutageLine, OutageLog};
use orderfeed_model::clock::Clock;

/// Connections at the same time; more wait.
const CONNECTIONS: usize = 32;
/// How long a connection may be silent; longer than the usual pause between two scrapes.
const SILENCE: Duration = Duration::from_secs(75);
/// Pause before an address that could not be had is tried again.
const RETRY: Duration = Duration::from_secs(60);
/// Pause after a failed accept (such as too many open files), so that it does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Serves `pages` at `listen` until it is dropped.
pub(super) async fn serve(listen: AdminListen, pages: Arc<Pages>, clock: Clock) {
    let mut outage = OutageLog::default();
    loop {
        let bound = match &listen {
            AdminListen::Off => return,
            AdminListen::Tcp(address) => TcpListener::bind(address).await.map(Door::Tcp),
            AdminListen::Unix(path) => unix_door(path).await,
        };
        match bound {
            Ok(door) => {
                tracing::info!(listen = %listen, "The admin endpoint answers");
                answer_all(door, &pages).await;
            }
            Err(error) => complain(&mut outage, &listen, &error, &clock),
        }
        tokio::time::sleep(RETRY).await;
    }
}

fn complain(outage: &mut OutageLog, listen: &AdminListen, error: &io::Error, clock: &Clock) {
    match outage.failed(clock.now()) {
        Some(OutageLine::Start) => tracing::warn!(
            log_code = "OF02-09",
            listen = %listen, %error,
            "The admin endpoint has no address; the daemon works without it and tries again each minute",
        ),
        Some(OutageLine::Reminder { failures, .. }) => {
            tracing::warn!(
                log_code = "OF02-10",
                listen = %listen, failures, %error,
                "The admin endpoint still has no address",
            );
        }
        Some(OutageLine::Recovery { .. }) | None => {}
    }
}

enum Door {
    Tcp(TcpListener),
    Unix {
        listener: UnixListener,
        _file: SocketFile,
    },
}

/// Goes away with the value.
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// A socket that somebody answers on is theirs; one that a killed daemon left behind is replaced.
async fn unix_door(path: &Path) -> io::Result<Door> {
    if UnixStream::connect(path).await.is_ok() {
        return Err(io::ErrorKind::AddrInUse.into());
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    let file = SocketFile(path.to_owned());
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(Door::Unix {
        listener,
        _file: file,
    })
}

async fn answer_all(door: Door, pages: &Arc<Pages>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let pages = Arc::clone(pages);
        let accepted = match &door {
            Door::Tcp(listener) => listener.accept().await.map(|(stream, _)| {
                tokio::spawn(async move {
                    converse(stream, &pages).await;
                    drop(place);
                })
            }),
            Door::Unix { listener, .. } => listener.accept().await.map(|(stream, _)| {
                tokio::spawn(async move {
                    converse(stream, &pages).await;
                    drop(place);
                })
            }),
        };
        if let Err(error) = accepted {
            tracing::debug!(%error, "The admin endpoint could not take a connection");
            tokio::time::sleep(ACCEPT_PAUSE).await;
        }
    }
}

async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin, pages: &Pages) {
    let service = service_fn(async |request| Ok::<_, Infallible>(answer(&request, pages).await));
    let conversation = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(SILENCE)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = conversation.await {
        tracing::debug!(%error, "A conversation with the admin endpoint ended early");
    }
}

async fn answer(request: &Request<Incoming>, pages: &Pages) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return response(
            405,
            "text/plain; charset=utf-8",
            "only GET is answered here\n".to_owned(),
        );
    }
    let shown = match request.uri().path() {
        "/healthz" => pages.health().await,
        "/readyz" => pages.readiness(),
        "/status" => pages.status().await,
        "/metrics" => pages.metrics(format_for(request)).await,
        _ => {
            let known = "there are /healthz, /readyz, /status and /metrics\n";
            return response(404, "text/plain; charset=utf-8", known.to_owned());
        }
    };
    response(shown.status, shown.content_type, shown.text)
}

fn format_for(request: &Request<Incoming>) -> Format {
    let accept = request.headers().get("accept");
    Format::wanted(accept.and_then(|accept| accept.to_str().ok()))
}

fn response(status: u16, content_type: &'static str, text: String) -> Response<Full<Bytes>> {
    let built = Response::builder()
        .status(status)
        .header("content-type", content_type)
        .header("cache-control", "no-store")
        .body(Full::from(text));
    // It cannot fail: the headers are constants and the status is one of ours.
    built.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_left_behind_is_replaced_and_one_in_use_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("admin.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let door = unix_door(&path).await.unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        let refused = unix_door(&path).await.err().unwrap();
        assert_eq!(refused.kind(), io::ErrorKind::AddrInUse);
        drop(door);
        assert!(!path.exists());
    }
}
