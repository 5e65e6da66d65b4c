//! Accepts connections on the data listeners, with or without TLS.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use crate::http::conn::{ConnControl, FaultStream};
use crate::http::request::Door;
use crate::http::service;
use crate::http::tls::Tls;
use crate::state::Shared;

/// Time limit of a TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// The state that all connections of a listener share.
#[derive(Clone)]
pub(crate) struct Port {
    pub(crate) shared: Arc<Shared>,
    pub(crate) tls: Option<Arc<Tls>>,
    pub(crate) door: Door,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

/// Accepts connections until it is stopped, and then drops open ones.
pub(crate) async fn run(port: Port, listener: TcpListener) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = port.stop.cancelled() => return,
        };
        match accepted {
            Ok((stream, _)) => {
                let connection = port.clone();
                port.tasks.spawn(async move {
                    tokio::select! {
                        () = serve(&connection, stream) => {}
                        () = connection.stop.cancelled() => {}
                    }
                });
            }
            Err(error) => {
                // Most likely the process is out of file descriptors: give connections time to close.
                warn!(
                    log_code = "OF08-01",
                    %error,
                    "The emulator could not accept a connection, retrying in 50 ms",
                );
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn serve(port: &Port, stream: TcpStream) {
    let control = Arc::new(ConnControl::default());
    stream.set_nodelay(true).ok();
    let stream = FaultStream::new(stream, Arc::clone(&control));
    let Some(tls) = &port.tls else {
        return http(port, &control, stream).await;
    };
    let fault = port.shared.script().pick_tls();
    match tokio::time::timeout(HANDSHAKE, tls.acceptor(fault).accept(stream)).await {
        Ok(Ok(stream)) => http(port, &control, stream).await,
        Ok(Err(error)) => {
            debug!(%error, "a TLS handshake with the emulator failed; the connection is closed")
        }
        Err(_) => debug!("a TLS handshake with the emulator took too long; the connection is closed"),
    }
}

/// Serves HTTP on one connection until it closes.
pub(crate) async fn http<S>(port: &Port, control: &ConnControl, stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let service = service_fn(|request| service::serve(&port.shared, port.door, control, request));
    let connection = http1::Builder::new()
        .max_buf_size(256 * 1024)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        debug!(%error, "a connection to the emulator ended early");
    }
}

/// Binds a listener. Errors name the address.
pub(crate) async fn bind(address: std::net::SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}")))
}
