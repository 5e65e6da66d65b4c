//! Accepts connections.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::debug;

use crate::http::service;
use crate::state::Shared;

/// Accepts connections until it is stopped, and then drops open ones.
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
        let Ok((stream, _)) = accepted else {
            // Most likely the process is out of file descriptors: give connections time to close.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (shared, stop) = (Arc::clone(&shared), stop.clone());
        tasks.spawn(async move {
            tokio::select! {
                () = serve(shared, stream) => {}
                () = stop.cancelled() => {}
            }
        });
    }
}

async fn serve(shared: Arc<Shared>, stream: TcpStream) {
    stream.set_nodelay(true).ok();
    let service = service_fn(move |request| service::serve(Arc::clone(&shared), request));
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        debug!(%error, "a connection to the mock Commerce ended early");
    }
}

/// Binds the listener. Errors name the address.
pub(crate) async fn bind(address: std::net::SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}")))
}
