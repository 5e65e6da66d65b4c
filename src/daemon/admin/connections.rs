//! The connections of the endpoint. When as many are open as may be, a new one replaces the oldest that waits for its
//! client: slow clients displace each other, and no other client waits for them.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Bytes, HttpBody};
use axum::http::Request;
use axum::{Extension, Router};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::daemon::admin::access::Peer;

/// Longest wait for the header of a request, also between two requests of a connection. A client that scrapes more seldom
/// connects again.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
/// Time that each client has to send a request, even if others are waiting.
const GRACE: Duration = Duration::from_millis(50);

/// True while a request that arrived completely is worked on.
#[derive(Clone, Debug, Default)]
pub(super) struct Working(Arc<AtomicBool>);

impl Working {
    fn set(&self, working: bool) {
        self.0.store(working, Ordering::Relaxed);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A bounded number of open connections, oldest first.
#[derive(Default)]
pub(super) struct Connections {
    open: VecDeque<OpenConnection>,
}

struct OpenConnection {
    since: Instant,
    working: Working,
    task: AbortHandle,
}

impl Connections {
    /// Makes room for one more connection among `limit`. Returns false if all of them work on a request.
    pub(super) async fn make_room(&mut self, limit: usize) -> bool {
        self.open.retain(|connection| !connection.task.is_finished());
        while self.open.len() >= limit {
            let Some(oldest) = self
                .open
                .iter()
                .position(|connection| !connection.working.is_set())
            else {
                return false;
            };
            tokio::time::sleep_until(self.open[oldest].since + GRACE).await;
            // Its request may have arrived by now.
            if self.open[oldest].working.is_set() {
                continue;
            }
            if let Some(connection) = self.open.remove(oldest) {
                connection.task.abort();
            }
        }
        true
    }

    /// Serves a connection beside the others.
    pub(super) fn serve(
        &mut self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        peer: Peer,
        router: Router,
    ) {
        let working = Working::default();
        let serving = serve_connection(stream, peer, router, working.clone());
        self.open.push_back(OpenConnection {
            since: Instant::now(),
            working,
            task: tokio::spawn(serving).abort_handle(),
        });
    }
}

/// Serves one connection to its end.
pub(super) async fn serve_connection(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: Peer,
    router: Router,
    working: Working,
) {
    let router = TowerToHyperService::new(router.layer(Extension(peer)));
    let answer = service_fn(|request: Request<Incoming>| {
        let working = working.clone();
        let request = request.map(|body| Arriving::new(body, working.clone()));
        let answering = router.call(request);
        async move {
            let answer = answering.await;
            // From now on the client is awaited again, who may read slowly.
            working.set(false);
            answer
        }
    });
    // Not `axum::serve`, which has no limits on connections and no timeout for headers.
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), answer);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "A connection to the admin endpoint ended early");
    }
}

/// A request's body that reports its end.
struct Arriving {
    body: Incoming,
    working: Working,
}

impl Arriving {
    fn new(body: Incoming, working: Working) -> Self {
        working.set(body.is_end_stream());
        Self { body, working }
    }
}

impl HttpBody for Arriving {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if frame.is_none() {
            self.working.set(true);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::{get, post};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::sync::Notify;

    /// Returns pages of which one answers at once, one when the test lets it, and one after its body.
    fn router(answer: &Arc<Notify>) -> Router {
        let answer = Arc::clone(answer);
        let held = get(async move || answer.notified().await);
        Router::new()
            .route("/now", get(async || "now"))
            .route("/held", held)
            .route("/form", post(async |body: Bytes| body))
    }

    /// The client's end of a connection on which `sent` was sent.
    async fn connect(connections: &mut Connections, router: &Router, sent: &str) -> DuplexStream {
        let (mut client, server) = duplex(4096);
        connections.serve(server, Peer::Network, router.clone());
        client.write_all(sent.as_bytes()).await.unwrap();
        // The request is read before the next connection comes.
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        client
    }

    async fn read(mut client: DuplexStream) -> String {
        let mut text = String::new();
        let _ = client.read_to_string(&mut text).await;
        text
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_connection_that_waits_for_its_client_makes_room() {
        let answer = Arc::new(Notify::new());
        let (mut connections, router) = (Connections::default(), router(&answer));
        let held = connect(&mut connections, &router, "GET /held HTTP/1.0\r\n\r\n").await;
        let half = "POST /form HTTP/1.0\r\nContent-Length: 9\r\n\r\nhal";
        let slow_body = connect(&mut connections, &router, half).await;
        let slow_header = connect(&mut connections, &router, "GET /now HTT").await;
        let begun = Instant::now();
        assert!(connections.make_room(3).await);
        assert_eq!(begun.elapsed(), GRACE);
        assert_eq!(read(slow_body).await, "", "the first that waits");
        let now = connect(&mut connections, &router, "GET /now HTTP/1.0\r\n\r\n").await;
        assert!(read(now).await.ends_with("now"));
        let last = connect(&mut connections, &router, "").await;
        assert!(connections.make_room(3).await);
        assert_eq!(read(slow_header).await, "");
        drop(last);
        // The request that is worked on was not touched.
        answer.notify_one();
        assert!(read(held).await.starts_with("HTTP/1.0 200 "));
    }

    #[tokio::test(start_paused = true)]
    async fn no_room_is_made_while_all_connections_work() {
        let answer = Arc::new(Notify::new());
        let (mut connections, router) = (Connections::default(), router(&answer));
        let held = connect(&mut connections, &router, "GET /held HTTP/1.0\r\n\r\n").await;
        assert!(!connections.make_room(1).await);
        answer.notify_one();
        assert!(read(held).await.starts_with("HTTP/1.0 200 "));
        assert!(connections.make_room(1).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_complete_form_counts_as_work() {
        let answer = Arc::new(Notify::new());
        let form = "POST /form HTTP/1.0\r\nContent-Length: 4\r\n\r\nform";
        let mut connections = Connections::default();
        let waiting = Arc::clone(&answer);
        let slow = post(async move |body: Bytes| {
            waiting.notified().await;
            body
        });
        let router = Router::new().route("/form", slow);
        let client = connect(&mut connections, &router, form).await;
        assert!(!connections.make_room(1).await);
        answer.notify_one();
        assert!(read(client).await.ends_with("form"));
    }
}
