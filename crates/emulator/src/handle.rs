//! Starts the emulator and holds it while it runs.

use std::collections::HashSet;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{DatastreamConfig, EmulatorConfig};
use crate::control;
use crate::faults::script::FaultStep;
use crate::http::conn::ConnControl;
use crate::http::listener;
use crate::http::listener::Port;
use crate::http::request::Door;
use crate::http::tls::{Tls, TlsError};
use crate::ims::tokens::Token;
use crate::ledger::{EarlyRequest, EventRow, OrderViolation, Page, PiiFinding, RequestRow, Totals};
use crate::state::Shared;
use orderfeed_model::clock::{Clock, UtcMillis};

/// An error of starting or controlling the emulator.
#[derive(Debug, thiserror::Error)]
pub enum EmulatorError {
    /// A listener could not bind its address.
    #[error("the emulator cannot start")]
    Listen(#[source] io::Error),
    #[error("the emulator cannot offer HTTPS")]
    Tls(#[from] TlsError),
    #[error("clock = {0:?} is not an RFC 3339 date-time such as 2026-11-22T07:00:00Z")]
    Clock(String),
    #[error("the fault script is refused: {0}")]
    Script(String),
    #[error("the emulator has no client {0:?}")]
    UnknownClient(String),
}

/// Starts emulators.
#[derive(Debug)]
pub struct Emulator;

impl Emulator {
    /// Starts all listeners on the current tokio runtime.
    ///
    /// # Errors
    /// If a port cannot be bound, a certificate cannot be made, or the configured clock is invalid.
    pub async fn start(config: EmulatorConfig) -> Result<EmulatorHandle, EmulatorError> {
        let clock = match &config.clock {
            None => Clock::System,
            Some(text) => Clock::manual(
                UtcMillis::parse_rfc3339(text).ok_or_else(|| EmulatorError::Clock(text.clone()))?,
            ),
        };
        Self::start_with_clock(config, clock).await
    }

    /// Starts the emulator with a clock that the caller shares with the program under test.
    pub async fn start_with_clock(
        config: EmulatorConfig,
        clock: Clock,
    ) -> Result<EmulatorHandle, EmulatorError> {
        let bind = async |address| listener::bind(address).await.map_err(EmulatorError::Listen);
        let server = bind(config.listen_server).await?;
        let edge = bind(config.listen_edge).await?;
        let control = bind(config.listen_control).await?;
        let tls = config.tls.then(Tls::generate).transpose()?.map(Arc::new);
        let address =
            |listener: &tokio::net::TcpListener| listener.local_addr().map_err(EmulatorError::Listen);
        let handle = EmulatorHandle {
            server: address(&server)?,
            edge: address(&edge)?,
            control: address(&control)?,
            shared: Arc::new(Shared::new(config, clock)),
            tls,
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        handle
            .tasks
            .spawn(listener::run(handle.port(Door::Server), server));
        handle.tasks.spawn(listener::run(handle.port(Door::Edge), edge));
        let control = control::run(
            Arc::clone(&handle.shared),
            control,
            handle.stop.clone(),
            handle.tasks.clone(),
        );
        handle.tasks.spawn(control);
        Ok(handle)
    }
}

/// A running emulator. Dropping the handle stops it; [`EmulatorHandle::shutdown`] also waits until it has stopped.
pub struct EmulatorHandle {
    server: SocketAddr,
    edge: SocketAddr,
    control: SocketAddr,
    shared: Arc<Shared>,
    tls: Option<Arc<Tls>>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl EmulatorHandle {
    /// Returns the URL of the host that always authenticates, without a trailing slash.
    pub fn server_url(&self) -> String {
        self.data_url(self.server)
    }

    /// Returns the address of the other host, on which the Web SDK's requests arrive.
    pub fn edge_address(&self) -> SocketAddr {
        self.edge
    }

    /// Returns the URL of the other host.
    pub fn edge_url(&self) -> String {
        self.data_url(self.edge)
    }

    pub fn ims_url(&self) -> String {
        format!("{}/ims/token/v3", self.server_url())
    }

    /// Returns the URL of the control interface, which is always plain HTTP.
    pub fn control_url(&self) -> String {
        format!("http://{}", self.control)
    }

    /// Returns the certificate authority as PEM, or `None` without TLS.
    pub fn ca_pem(&self) -> Option<&str> {
        self.tls.as_deref().map(Tls::ca_pem)
    }

    /// Returns the SHA-256 of the server certificate's public key in Base64, as Chromium's option
    /// `--ignore-certificate-errors-spki-list` takes it. `None` without TLS.
    pub fn certificate_pin(&self) -> Option<&str> {
        self.tls.as_deref().map(Tls::pin)
    }

    /// Appends to the fault script.
    ///
    /// # Errors
    /// If a step is invalid. None is appended then.
    pub fn script(&self, steps: Vec<FaultStep>) -> Result<(), EmulatorError> {
        self.shared
            .push_script(steps)
            .map(drop)
            .map_err(EmulatorError::Script)
    }

    /// Appends a JSON list of steps (docs/EMULATOR.md) to the fault script.
    ///
    /// # Errors
    /// If it is not a list of steps, or a step is invalid.
    pub fn script_json(&self, steps: Value) -> Result<(), EmulatorError> {
        let steps =
            serde_json::from_value(steps).map_err(|error| EmulatorError::Script(error.to_string()))?;
        self.script(steps)
    }

    /// Returns the steps no request has taken yet.
    pub fn pending_script(&self) -> Vec<FaultStep> {
        self.shared.script().steps()
    }

    /// Clears ledger and script. Tokens stay valid and the clock does not change.
    pub fn reset(&self) {
        self.shared.reset();
    }

    pub fn now(&self) -> UtcMillis {
        self.shared.now()
    }

    /// Sets the virtual clock. It no longer follows the machine's clock afterwards.
    pub fn set_clock(&self, at: UtcMillis) {
        self.shared.set_clock(at);
    }

    /// Expires every issued token.
    pub fn expire_tokens(&self) {
        self.shared.tokens().expire_all();
    }

    /// Issues a token without the token endpoint.
    pub fn issue_token(&self, client_id: &str) -> Result<String, EmulatorError> {
        let config = self.shared.config();
        let unknown = || EmulatorError::UnknownClient(client_id.to_owned());
        let client = config.clients.get(client_id).ok_or_else(unknown)?;
        let now = self.shared.now();
        let token = Token {
            client_id: client_id.to_owned(),
            org: client.org.clone(),
            scopes: config.required_scopes.clone(),
            expires_at: now.plus_millis(config.token_ttl_s.saturating_mul(1000)),
        };
        self.shared.tokens().issue(token, 0, now).ok_or_else(unknown)
    }

    /// Adds or replaces a datastream.
    pub fn add_datastream(&self, id: &str, datastream: DatastreamConfig) {
        self.configure(|config| drop(config.datastreams.insert(id.to_owned(), datastream)));
    }

    /// Changes the configuration at run time. Listeners, TLS and the ledger's detail do not change.
    pub fn configure(&self, change: impl FnOnce(&mut EmulatorConfig)) {
        let mut config = EmulatorConfig::clone(&self.shared.config());
        change(&mut config);
        self.shared.set_config(config);
    }

    /// Returns the body of `GET /__mock/ledger`, as one page.
    pub fn ledger(&self) -> Value {
        self.shared.ledger().page(Page {
            since: 0,
            since_request: 0,
            limit: usize::MAX,
        })
    }

    /// Returns the event rows in order of arrival. Empty unless the ledger is full.
    pub fn events(&self) -> Vec<EventRow> {
        self.shared.ledger().events.clone()
    }

    /// Returns the event rows that `is_wanted` selects, in order of arrival. Does not copy the others.
    pub fn events_where(&self, is_wanted: impl Fn(&EventRow) -> bool) -> Vec<EventRow> {
        let ledger = self.shared.ledger();
        ledger
            .events
            .iter()
            .filter(|row| is_wanted(row))
            .cloned()
            .collect()
    }

    /// Returns the request rows in order of arrival, including token requests. Empty unless the ledger is full.
    pub fn requests(&self) -> Vec<RequestRow> {
        self.shared.ledger().requests.clone()
    }

    /// Returns the counters since the last reset.
    pub fn totals(&self) -> Totals {
        self.shared.ledger().totals.clone()
    }

    /// Returns the number of distinct `_id`s recorded. 0 with a ledger of counts.
    pub fn unique_ids(&self) -> usize {
        self.shared.ledger().ids.len()
    }

    /// Returns the `_id`s recorded.
    pub fn ids(&self) -> HashSet<String> {
        self.shared.ledger().ids()
    }

    /// Returns the number of times an `_id` was recorded.
    pub fn times_recorded(&self, id: &str) -> u32 {
        self.shared.ledger().times_recorded(id)
    }

    /// Returns the `_id`s that were received again with other bytes.
    pub fn bytes_changed(&self) -> Vec<String> {
        self.shared.ledger().changed.clone()
    }

    /// Returns the events first recorded after a later one of the same order (by timestamp, within datastream and
    /// store view).
    pub fn order_violations(&self) -> Vec<OrderViolation> {
        self.shared.ledger().order.kept.clone()
    }

    /// Returns the requests sent to a datastream before the end of a `Retry-After`.
    pub fn early_requests(&self) -> Vec<EarlyRequest> {
        self.shared.ledger().pace.kept.clone()
    }

    /// Returns the events that contain a plain e-mail address, `personalEmail` or a street. Empty unless the ledger
    /// is full.
    pub fn pii_findings(&self) -> Vec<PiiFinding> {
        self.shared.ledger().pii.clone()
    }

    /// Returns the bytes of an event's first recording. `None` without `keep_bodies`.
    pub fn body(&self, id: &str) -> Option<Bytes> {
        self.shared.ledger().bodies.get(id).cloned()
    }

    /// Returns the body of `GET /__mock/ledger?summary=1`.
    pub fn summary(&self) -> Value {
        self.shared.ledger().summary()
    }

    /// Serves the caller's connection as the host that always authenticates. For fuzzing.
    #[doc(hidden)]
    pub async fn converse_as_server(&self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        listener::http(&self.port(Door::Server), &ConnControl::default(), stream).await;
    }

    /// Serves the caller's connection as the other host. For fuzzing.
    #[doc(hidden)]
    pub async fn converse_as_edge(&self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        listener::http(&self.port(Door::Edge), &ConnControl::default(), stream).await;
    }

    /// Serves the caller's connection as the control interface. For fuzzing.
    #[doc(hidden)]
    pub async fn converse_as_control(&self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        control::http(&self.shared, stream).await;
    }

    /// Stops the emulator and drops open connections.
    pub async fn shutdown(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn port(&self, door: Door) -> Port {
        Port {
            shared: Arc::clone(&self.shared),
            tls: self.tls.clone(),
            door,
            stop: self.stop.clone(),
            tasks: self.tasks.clone(),
        }
    }

    fn data_url(&self, address: SocketAddr) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{address}")
    }
}

impl fmt::Debug for EmulatorHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmulatorHandle")
            .field("server", &self.server)
            .field("edge", &self.edge)
            .field("control", &self.control)
            .finish_non_exhaustive()
    }
}

impl Drop for EmulatorHandle {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
