//! The admin endpoint: `/healthz`, `/readyz`, `/status` and `/metrics`, the web pages, and the storefront's files. The
//! configuration allows only a loopback address or a Unix socket. [`access`] decides what a reader may see and do.
//!
//! The daemon does not depend on it: an address in use is logged, and tried again each minute. The endpoint answers until
//! the very end, so that `/readyz` can report the drain.

pub(crate) mod access;
pub(crate) mod actions;
mod connections;
pub(crate) mod form;
pub(crate) mod metrics;
pub(crate) mod pages;
pub(crate) mod snapshots;
pub(crate) mod storefront;
pub(crate) mod views;

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio_util::either::Either;

use crate::config::AdminListen;
use crate::daemon::admin::access::Peer;
use crate::daemon::admin::connections::Connections;
use crate::daemon::admin::pages::{HostCheck, Pages};
use crate::daemon::control::socket::remove_socket;
use crate::ops::outage_log::{OutageLine, OutageLog};
use orderfeed_model::clock::Clock;

/// Most connections at the same time. Beyond them, a new one replaces one that waits for its client.
const MAX_CONNECTIONS: usize = 128;
/// Further connections, for health checks alone.
const RESERVED_CONNECTIONS: usize = 16;
const RETRY: Duration = Duration::from_secs(60);
/// Pause after a failed accept (such as too many open files), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Serves `pages` at `listen` until it is dropped.
pub(super) async fn serve(listen: AdminListen, pages: Arc<Pages>, clock: Clock) {
    // The address is fixed until the next start.
    if listen == AdminListen::Off {
        return;
    }
    // A browser cannot open a Unix socket itself. One that is forwarded to a port it can, so the web pages always check.
    let names = match listen {
        AdminListen::Unix(_) => HostCheck::Any,
        _ => HostCheck::OwnOnly,
    };
    let routers = [
        pages::router(Arc::clone(&pages), names),
        pages::health_router(pages, names),
    ];
    let mut outage = OutageLog::default();
    loop {
        match Listener::bind(&listen).await {
            Ok(listener) => {
                tracing::info!(listen = %listen, "The admin endpoint answers");
                accept_all(listener, &routers).await;
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
        let _ = remove_socket(&self.0);
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
        remove_socket(path)?;
        let listener = UnixListener::bind(path)?;
        let _file = SocketFile(path.to_owned());
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        Ok(Self::Unix { listener, _file })
    }

    async fn accept(&self) -> io::Result<(Either<TcpStream, UnixStream>, Peer)> {
        match self {
            Self::Tcp(listener) => Ok((Either::Left(listener.accept().await?.0), Peer::Network)),
            Self::Unix { listener, .. } => {
                let (stream, _) = listener.accept().await?;
                // The kernel's record of the process that connected.
                let peer = Peer::Local(stream.peer_cred()?.uid());
                Ok((Either::Right(stream), peer))
            }
        }
    }
}

/// Serves connections with the first router, and with the second while [`MAX_CONNECTIONS`] work on a request.
async fn accept_all(listener: Listener, [all, health]: &[Router; 2]) {
    let (mut pages, mut reserve) = (Connections::default(), Connections::default());
    loop {
        match listener.accept().await {
            Ok((stream, peer)) if pages.make_room(MAX_CONNECTIONS).await => {
                pages.serve(stream, peer, all.clone());
            }
            Ok((stream, peer)) => {
                // A health check works on nothing for long.
                if reserve.make_room(RESERVED_CONNECTIONS).await {
                    reserve.serve(stream, peer, health.clone());
                }
            }
            Err(error) => {
                tracing::debug!(%error, "The admin endpoint could not accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::daemon::admin::access::Access;
    use crate::daemon::admin::actions::Actions;
    use crate::daemon::admin::connections::{Working, serve_connection};
    use crate::daemon::admin::snapshots::Snapshots;
    use crate::daemon::admin::storefront::StorefrontFiles;
    use crate::daemon::admin::views::data::ViewData;
    use crate::daemon::admin::views::rates::Rates;
    use crate::daemon::lifecycle::liveness::Liveness;
    use crate::daemon::lifecycle::vitals::Vitals;
    use crate::daemon::page_sources::PageSources;
    use crate::daemon::requests::Requests;
    use axum::routing::get;
    use orderfeed_model::clock::UtcMillis;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::{Semaphore, watch};
    use tokio_util::sync::CancellationToken;

    /// Returns the pages of a daemon that has not started its schedules.
    fn pages() -> (tempfile::TempDir, Arc<Pages>) {
        let (dir, store) = crate::store::testing::fresh();
        let clock = Clock::manual(UtcMillis(1));
        let (_, config) = watch::channel(Arc::new(Config::default()));
        let snapshots = Snapshots::new(config.clone(), clock.clone());
        let vitals = Vitals::new(UtcMillis(1));
        let views = ViewData {
            clock: clock.clone(),
            config: config.clone(),
            store: store.clone(),
            snapshots: snapshots.clone(),
            vitals: vitals.clone(),
            rates: Rates::default(),
            sources: PageSources::default(),
        };
        let access = Access::new(config.clone(), clock.clone());
        let requests = Requests::without_source(store.clone(), clock.clone(), config.clone());
        let stop = CancellationToken::new();
        let actions = Actions::new(
            Arc::clone(&access),
            Arc::new(requests),
            store.clone(),
            clock.clone(),
            stop.clone(),
            None,
        );
        let pages = Pages {
            clock: clock.clone(),
            access,
            actions,
            snapshots,
            storefront: StorefrontFiles::new(config.clone(), None),
            liveness: Liveness {
                store,
                vitals,
                stats: Arc::default(),
                config,
            },
            stop,
            views: Arc::new(views),
        };
        (dir, Arc::new(pages))
    }

    /// Sends a request head over a connection of its own, and returns the whole answer.
    async fn answer(router: &Router, head: &str) -> String {
        let (mut client, server) = tokio::io::duplex(4096);
        let serving = tokio::spawn(serve_connection(
            server,
            Peer::Network,
            router.clone(),
            Working::default(),
        ));
        client.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        serving.await.unwrap();
        answer
    }

    #[tokio::test]
    async fn a_name_of_another_host_is_refused_where_a_browser_can_connect() {
        let (_dir, pages) = pages();
        let checked = pages::router(Arc::clone(&pages), HostCheck::OwnOnly);
        let unchecked = pages::router(pages, HostCheck::Any);
        for (host, accepted) in [
            ("localhost", true),
            ("LOCALHOST:9187", true),
            ("127.0.0.1:9187", true),
            ("[::1]:9187", true),
            ("10.0.0.5", true),
            ("rebound.example:9187", false),
            ("localhost.example", false),
            ("127.0.0.1.example", false),
        ] {
            let head = format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
            let status = if accepted {
                "HTTP/1.1 200 "
            } else {
                "HTTP/1.1 421 "
            };
            let answered = answer(&checked, &head).await;
            assert!(answered.starts_with(status), "{host}: {answered}");
            assert!(answer(&unchecked, &head).await.starts_with("HTTP/1.1 200 "));
        }
    }

    /// Serves at a socket. Returns its path.
    async fn serving(dir: &tempfile::TempDir, routers: [Router; 2]) -> PathBuf {
        let path = dir.path().join("admin.sock");
        let listener = Listener::bind_unix(&path).await.unwrap();
        tokio::spawn(async move { accept_all(listener, &routers).await });
        path
    }

    async fn request(path: &Path, page: &str) -> UnixStream {
        let mut client = UnixStream::connect(path).await.unwrap();
        let head = format!("GET {page} HTTP/1.0\r\n\r\n");
        client.write_all(head.as_bytes()).await.unwrap();
        client
    }

    async fn read(mut client: UnixStream) -> String {
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn idle_clients_keep_no_page_waiting() {
        let dir = tempfile::tempdir().unwrap();
        let (_store, pages) = pages();
        let routers = [
            pages::router(Arc::clone(&pages), HostCheck::Any),
            pages::health_router(pages, HostCheck::Any),
        ];
        let path = serving(&dir, routers).await;
        let mut idle = Vec::new();
        for _ in 0..MAX_CONNECTIONS + 3 * RESERVED_CONNECTIONS {
            idle.push(UnixStream::connect(&path).await.unwrap());
        }
        for page in ["/healthz", "/metrics"] {
            let answer = read(request(&path, page).await).await;
            assert!(answer.starts_with("HTTP/1.0 200 "), "{page}: {answer}");
        }
    }

    #[tokio::test]
    async fn health_checks_answer_while_all_connections_work() {
        let dir = tempfile::tempdir().unwrap();
        let (_store, pages) = pages();
        let (begun, answered) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let (begin, answer) = (Arc::clone(&begun), Arc::clone(&answered));
        let held = get(async move || {
            begin.add_permits(1);
            let _ = answer.acquire().await;
        });
        let routers = [
            Router::new().route("/held", held),
            pages::health_router(pages, HostCheck::Any),
        ];
        let path = serving(&dir, routers).await;
        let mut working = Vec::new();
        for _ in 0..MAX_CONNECTIONS {
            working.push(request(&path, "/held").await);
        }
        let all = u32::try_from(MAX_CONNECTIONS).unwrap();
        begun.acquire_many(all).await.unwrap().forget();
        let health = read(request(&path, "/healthz").await).await;
        assert!(health.starts_with("HTTP/1.0 200 "), "{health}");
        answered.add_permits(MAX_CONNECTIONS);
        for client in working {
            let answer = read(client).await;
            assert!(answer.starts_with("HTTP/1.0 200 "), "{answer}");
        }
    }

    #[tokio::test]
    async fn pages_answer_get_and_head_and_everything_else_is_refused() {
        let (_dir, pages) = pages();
        let router = pages::router(pages, HostCheck::OwnOnly);
        for (request, status, end) in [
            ("GET /healthz", "200 OK", "\r\n\r\nok\n"),
            ("HEAD /healthz", "200 OK", "\r\n\r\n"),
            ("GET /readyz", "503 ", "not ready: the schedules are not up yet\n"),
            ("GET /nothing", "404 ", "/metrics\n"),
            ("POST /healthz", "405 ", "only GET is supported\n"),
            ("DELETE /", "405 ", "only GET is supported\n"),
        ] {
            let answer = answer(&router, &format!("{request} HTTP/1.0\r\n\r\n")).await;
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

    #[tokio::test]
    async fn a_file_that_is_not_a_socket_stays() {
        let dir = tempfile::tempdir().unwrap();
        let (path, link) = (dir.path().join("orderfeed.db"), dir.path().join("link"));
        fs::write(&path, "precious").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        for path in [&path, &link] {
            let refused = Listener::bind_unix(path).await.err().unwrap().to_string();
            assert!(refused.contains("not a socket"), "{refused}");
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }
}
