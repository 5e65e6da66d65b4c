//! Starting the emulator, and holding it.

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

/// Why the emulator does not start, or does not do as told.
#[derive(Debug, thiserror::Error)]
pub enum EmulatorError {
    /// A port is taken, or not ours to take.
    #[error("the emulator cannot start")]
    Listen(#[source] io::Error),
    /// HTTPS is impossible.
    #[error("the emulator cannot offer HTTPS")]
    Tls(#[from] TlsError),
    /// The configured clock is no time.
    #[error("clock = {0:?} is no RFC 3339 date-time such as 2026-11-22T07:00:00Z")]
    Clock(String),
    /// A step of the fault script is impossible.
    #[error("the fault script is refused: {0}")]
    Script(String),
    /// There is no such OAuth client.
    #[error("the emulator knows no client {0:?}")]
    UnknownClient(String),
}

/// The emulator, before it runs.
#[derive(Debug)]
pub struct Emulator;

impl Emulator {
    /// Starts all listeners on the current tokio runtime.
    ///
    /// # Errors
    /// When a port cannot be bound, a certificate cannot be made, or the configured clock is no time.
    pub async fn start(config: EmulatorConfig) -> Result<EmulatorHandle, EmulatorError> {
        let clock = match &config.clock {
            None => Clock::System,
            Some(text) => Clock::manual(
                UtcMillis::parse_rfc3339(text).ok_or_else(|| EmulatorError::Clock(text.clone()))?,
            ),
        };
        Self::start_with_clock(config, clock).await
    }

    /// Like [`Emulator::start`], with a clock that the caller shares with what it tests.
    ///
    /// # Errors
    /// As [`Emulator::start`].
    pub async fn start_with_clock(
        config: EmulatorConfig,
        clock: Clock,
    ) -> Result<EmulatorHandle, EmulatorError> {
        let server = listener::bind(config.listen_server)
            .await
            .map_err(EmulatorError::Listen)?;
        let edge = listener::bind(config.listen_edge)
            .await
            .map_err(EmulatorError::Listen)?;
        let control = listener::bind(config.listen_control)
            .await
            .map_err(EmulatorError::Listen)?;
        let tls = if config.tls {
            Some(Arc::new(Tls::generate()?))
        } else {
            None
        };
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

/// A running emulator. Dropping it stops it; [`EmulatorHandle::shutdown`] also waits until it has stopped.
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
    /// Where the always authenticated host answers; no slash at the end.
    pub fn server_url(&self) -> String {
        self.data_url(self.server)
    }

    /// Where the other host answers.
    pub fn edge_url(&self) -> String {
        self.data_url(self.edge)
    }

    /// The token endpoint.
    pub fn ims_url(&self) -> String {
        format!("{}/ims/token/v3", self.server_url())
    }

    /// The control interface; always plain HTTP.
    pub fn control_url(&self) -> String {
        format!("http://{}", self.control)
    }

    /// The authority that signed the HTTPS certificate, as PEM; `None` without TLS.
    pub fn ca_pem(&self) -> Option<&str> {
        self.tls.as_deref().map(Tls::ca_pem)
    }

    /// Appends to the fault script.
    ///
    /// # Errors
    /// When a step is impossible; then none is appended.
    pub fn script(&self, steps: Vec<FaultStep>) -> Result<(), EmulatorError> {
        self.shared
            .push_script(steps)
            .map(drop)
            .map_err(EmulatorError::Script)
    }

    /// Appends to the fault script, given as JSON: a list of steps (docs/EMULATOR.md).
    ///
    /// # Errors
    /// When it is no list of steps, or a step is impossible.
    pub fn script_json(&self, steps: Value) -> Result<(), EmulatorError> {
        let steps =
            serde_json::from_value(steps).map_err(|error| EmulatorError::Script(error.to_string()))?;
        self.script(steps)
    }

    /// Steps that no request has met yet.
    pub fn pending_script(&self) -> Vec<FaultStep> {
        self.shared.script().steps()
    }

    /// Empties ledger and script; tokens stay valid, the clock stays as it is.
    pub fn reset(&self) {
        self.shared.reset();
    }

    /// The virtual time.
    pub fn now(&self) -> UtcMillis {
        self.shared.now()
    }

    /// Sets the virtual clock; a clock that ran with the machine stands still from here on.
    pub fn set_clock(&self, at: UtcMillis) {
        self.shared.set_clock(at);
    }

    /// Lets every token that was issued so far expire.
    pub fn expire_tokens(&self) {
        self.shared.tokens().expire_all();
    }

    /// Issues a token without the token endpoint.
    ///
    /// # Errors
    /// When there is no such client.
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

    /// Changes the configuration while running. Listeners, TLS and the ledger's detail stay as they were.
    pub fn configure(&self, change: impl FnOnce(&mut EmulatorConfig)) {
        let mut config = EmulatorConfig::clone(&self.shared.config());
        change(&mut config);
        self.shared.set_config(config);
    }

    /// What `GET /__mock/ledger` answers, in one page.
    pub fn ledger(&self) -> Value {
        self.shared.ledger().page(Page {
            since: 0,
            since_request: 0,
            limit: usize::MAX,
        })
    }

    /// Event rows in order of arrival (only with the full ledger).
    pub fn events(&self) -> Vec<EventRow> {
        self.shared.ledger().events().to_vec()
    }

    /// Request rows in order of arrival, token requests included (only with the full ledger).
    pub fn requests(&self) -> Vec<RequestRow> {
        self.shared.ledger().requests().to_vec()
    }

    /// Counters since the last reset.
    pub fn totals(&self) -> Totals {
        self.shared.ledger().totals().clone()
    }

    /// How many different `_id`s were recorded (0 with a ledger of counts).
    pub fn unique_ids(&self) -> usize {
        self.shared.ledger().unique_ids()
    }

    /// The `_id`s that were recorded.
    pub fn ids(&self) -> HashSet<String> {
        self.shared.ledger().ids()
    }

    /// How often an `_id` was recorded.
    pub fn times_recorded(&self, id: &str) -> u32 {
        self.shared.ledger().times_recorded(id)
    }

    /// `_id`s that came again with other bytes.
    pub fn bytes_changed(&self) -> Vec<String> {
        self.shared.ledger().bytes_changed()
    }

    /// Events that were first recorded after a later one of the same order (by timestamp, within datastream and
    /// store view).
    pub fn order_violations(&self) -> Vec<OrderViolation> {
        self.shared.ledger().order_violations()
    }

    /// Requests to a datastream before the pause was over that an answer had asked for.
    pub fn early_requests(&self) -> Vec<EarlyRequest> {
        self.shared.ledger().early_requests()
    }

    /// Events that hold a plain e-mail, `personalEmail` or a street (only with the full ledger).
    pub fn pii_findings(&self) -> Vec<PiiFinding> {
        self.shared.ledger().pii_findings()
    }

    /// The bytes of an event's first recording, with `keep_bodies`.
    pub fn body(&self, id: &str) -> Option<Bytes> {
        self.shared.ledger().body(id)
    }

    /// What `GET /__mock/ledger?summary=1` answers.
    pub fn summary(&self) -> Value {
        self.shared.ledger().summary()
    }

    /// Serves one connection that the caller brings, as the always authenticated host. For fuzzing.
    #[doc(hidden)]
    pub async fn converse_as_server(&self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        listener::http(&self.port(Door::Server), &ConnControl::default(), stream).await;
    }

    /// Serves one connection that the caller brings, as the other host. For fuzzing.
    #[doc(hidden)]
    pub async fn converse_as_edge(&self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        listener::http(&self.port(Door::Edge), &ConnControl::default(), stream).await;
    }

    /// Serves one connection that the caller brings, as the control interface. For fuzzing.
    #[doc(hidden)]
    pub async fn converse_as_control(&self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        control::http(&self.shared, stream).await;
    }

    /// Stops: open connections are dropped where they are.
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
