//! The admin endpoint: `/healthz`, `/readyz`, `/status` and `/metrics` over HTTP. The configuration allows only a loopback
//! address or a Unix socket, and every page is read-only.
//!
//! The daemon does not depend on it: an address in use is logged, and tried again each minute. The endpoint answers until
//! the very end, so that `/readyz` can report the drain.

pub(crate) mod metrics;
pub(crate) mod pages;
pub(crate) mod snapshots;

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio_util::either::Either;

use crate::config::AdminListen;
use crate::daemon::admin::pages::Pages;
use crate::ops::outage_log::{OutageLine, OutageLog};
use orderfeed_model::clock::Clock;

/// Most connections at the same time; further ones wait.
const MAX_CONNECTIONS: usize = 32;
/// Longest wait for the header of a request, longer than the usual pause between two scrapes.
const HEADER_TIMEOUT: Duration = Duration::from_secs(75);
const RETRY: Duration = Duration::from_secs(60);
/// Pause after a failed accept (such as too many open files), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Serves `pages` at `listen` until it is dropped.
pub(super) async fn serve(listen: AdminListen, pages: Arc<Pages>, clock: Clock) {
    // The address is fixed until the next start.
    if listen == AdminListen::Off {
        return;
    }
    let (router, mut outage) = (pages::router(pages), OutageLog::default());
    loop {
        match Listener::bind(&listen).await {
            Ok(listener) => {
                tracing::info!(listen = %listen, "The admin endpoint answers");
                accept_all(listener, &router).await;
            }
            Err(error) => log_bind_failure(&mut outage, &listen, &error, &clock),
        }
        tokio::time::sleep(RETRY).await;
    }
}

fn log_bind_failure(outage: &mut OutageLog, listen: &AdminListen, error: &io::Error, clock: &Clock) {
    match outage.failed(clock.now()) {
        Some(OutageLine::Start) => tracing::warn!(
            log_code = "OF02-09",
            listen = %listen, %error,
            "The admin endpoint cannot listen; the daemon works without it and tries again each minute",
        ),
        Some(OutageLine::Reminder { failures, .. }) => tracing::warn!(
            log_code = "OF02-10",
            listen = %listen, failures, %error,
            "The admin endpoint still cannot listen",
        ),
        None => {}
    }
}

enum Listener {
    Tcp(TcpListener),
    Unix {
        listener: UnixListener,
        _file: SocketFile,
    },
}

/// The file of a Unix socket. Dropping it removes the file.
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

impl Listener {
    async fn bind(listen: &AdminListen) -> io::Result<Self> {
        match listen {
            AdminListen::Off => Err(io::ErrorKind::InvalidInput.into()),
            AdminListen::Tcp(address) => TcpListener::bind(address).await.map(Self::Tcp),
            AdminListen::Unix(path) => Self::bind_unix(path).await,
        }
    }

    async fn bind_unix(path: &Path) -> io::Result<Self> {
        // A socket that answers belongs to another process. One that does not was left by a killed daemon.
        if UnixStream::connect(path).await.is_ok() {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        let _file = SocketFile(path.to_owned());
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        Ok(Self::Unix { listener, _file })
    }

    async fn accept(&self) -> io::Result<Either<TcpStream, UnixStream>> {
        match self {
            Self::Tcp(listener) => Ok(Either::Left(listener.accept().await?.0)),
            Self::Unix { listener, .. } => Ok(Either::Right(listener.accept().await?.0)),
        }
    }
}

async fn accept_all(listener: Listener, router: &Router) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        // Before the accept, so that further clients wait in the queue of the socket.
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok(stream) => {
                let router = router.clone();
                tokio::spawn(async move {
                    serve_connection(stream, router).await;
                    drop(slot);
                });
            }
            Err(error) => {
                tracing::debug!(%error, "The admin endpoint could not accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve_connection(stream: impl AsyncRead + AsyncWrite + Unpin, router: Router) {
    // Not `axum::serve`, which has no limits on connections and no timeout for headers.
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    if let Err(error) = connection.await {
        tracing::debug!(%error, "A connection to the admin endpoint ended early");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::daemon::admin::snapshots::Snapshots;
    use crate::daemon::lifecycle::liveness::Liveness;
    use crate::daemon::lifecycle::vitals::Vitals;
    use orderfeed_model::clock::UtcMillis;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::watch;
    use tokio_util::sync::CancellationToken;

    #[tokio::test]
    async fn pages_answer_get_and_head_and_everything_else_is_refused() {
        let (_dir, store) = crate::store::testing::fresh();
        let clock = Clock::manual(UtcMillis(1));
        let (_keep, config) = watch::channel(Arc::new(Config::default()));
        let router = pages::router(Arc::new(Pages {
            clock: clock.clone(),
            snapshots: Snapshots::new(config.clone(), clock),
            liveness: Liveness {
                store,
                vitals: Vitals::new(UtcMillis(1)),
                stats: Arc::default(),
                config,
            },
            stop: CancellationToken::new(),
        }));
        for (request, status, end) in [
            ("GET /healthz", "200 OK", "\r\n\r\nok\n"),
            ("HEAD /healthz", "200 OK", "\r\n\r\n"),
            ("GET /readyz", "503 ", "not ready: the schedules are not up yet\n"),
            ("GET /", "404 ", "/metrics\n"),
            ("POST /healthz", "405 ", "only GET is supported\n"),
            ("DELETE /", "405 ", "only GET is supported\n"),
        ] {
            let (mut client, server) = tokio::io::duplex(4096);
            let serving = tokio::spawn(serve_connection(server, router.clone()));
            let text = format!("{request} HTTP/1.0\r\n\r\n");
            client.write_all(text.as_bytes()).await.unwrap();
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.unwrap();
            serving.await.unwrap();
            assert!(
                answer.starts_with(&format!("HTTP/1.0 {status}")),
                "{request}: {answer}"
            );
            assert!(answer.ends_with(end), "{request}: {answer}");
            assert!(answer.contains("cache-control: no-store\r\n"), "{answer}");
            assert!(
                answer.contains("content-type: text/plain; charset=utf-8\r\n"),
                "{answer}"
            );
            assert!(answer.contains("content-length: "), "{answer}");
        }
    }

    #[tokio::test]
    async fn a_socket_left_behind_is_replaced_and_one_in_use_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("admin.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let listener = Listener::bind_unix(&path).await.unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        let refused = Listener::bind_unix(&path).await.err().unwrap();
        assert_eq!(refused.kind(), io::ErrorKind::AddrInUse);
        drop(listener);
        assert!(!path.exists());
    }
}
