//! Starts the mock and holds it while it runs.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::MockConfig;
use crate::faults::Fault;
use crate::http::listener;
use crate::journal::order_event;
use crate::ledger::Ledger;
use crate::shop::Shop;
use crate::state::Shared;

/// An error of starting the mock, or of changing its shop.
#[derive(Debug, thiserror::Error)]
pub enum MockError {
    #[error("the mock Commerce cannot start")]
    Listen(#[source] io::Error),
    /// The file is missing, or has no tables of Commerce.
    #[error(
        "{path} is not the file of a shop: {cause}; orderfeed demo --keep DIR creates one as DIR/shop.db"
    )]
    Shop {
        path: PathBuf,
        #[source]
        cause: rusqlite::Error,
    },
    #[error("the shop refused a statement")]
    Statement(#[source] rusqlite::Error),
}

/// Starts mocks.
#[derive(Debug)]
pub struct MockCommerce;

impl MockCommerce {
    /// Starts a mock over a shop's file on the current tokio runtime.
    ///
    /// # Errors
    /// If the file is no shop, or the address cannot be bound.
    pub async fn start(shop: &Path, config: MockConfig) -> Result<MockHandle, MockError> {
        let opened = Shop::open(shop).map_err(|cause| MockError::Shop {
            path: shop.to_owned(),
            cause,
        })?;
        let socket = listener::bind(config.listen).await.map_err(MockError::Listen)?;
        let handle = MockHandle {
            address: socket.local_addr().map_err(MockError::Listen)?,
            shared: Arc::new(Shared::new(config, opened)),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        let (shared, stop) = (Arc::clone(&handle.shared), handle.stop.clone());
        handle
            .tasks
            .spawn(listener::run(shared, socket, stop, handle.tasks.clone()));
        Ok(handle)
    }
}

/// A running mock. Dropping the handle stops it; [`MockHandle::shutdown`] also waits until it has stopped.
pub struct MockHandle {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl MockHandle {
    /// Returns the URL of the installation, without a trailing slash; its API is below `/rest/all/V1`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the URL of the cloud service's tenant; its API is below `/V1`.
    pub fn cloud_url(&self) -> String {
        format!("{}/{}", self.url(), self.shared.config().cloud.tenant)
    }

    pub fn ims_url(&self) -> String {
        format!("{}/ims/token/v3", self.url())
    }

    /// Returns the URL of the journal.
    pub fn journal_url(&self) -> String {
        format!("{}/events/organizations/1/integrations/2/3", self.url())
    }

    /// Changes the configuration. The address does not change.
    pub fn configure(&self, change: impl FnOnce(&mut MockConfig)) {
        self.shared.configure(change);
    }

    pub fn config(&self) -> Arc<MockConfig> {
        self.shared.config()
    }

    /// Appends to the script of faults.
    pub fn script(&self, faults: impl IntoIterator<Item = Fault>) {
        self.shared.script().push(faults.into_iter().collect());
    }

    /// Returns the faults no request has met yet.
    pub fn pending_faults(&self) -> Vec<Fault> {
        self.shared.script().faults()
    }

    /// Removes the faults no request has met yet.
    pub fn clear_faults(&self) {
        self.shared.script().clear();
    }

    /// Returns a copy of the ledger.
    pub fn ledger(&self) -> Ledger {
        self.shared.ledger().clone()
    }

    /// Clears the ledger.
    pub fn reset_ledger(&self) {
        self.shared.ledger().reset();
    }

    /// Expires the tokens that IMS issued.
    pub fn expire_tokens(&self) {
        self.shared.tokens().clear();
    }

    /// Executes statements on the shop in one transaction. Blocks.
    ///
    /// # Errors
    /// If the shop refuses one of them; none is executed then.
    pub fn change_shop(&self, statements: &[String]) -> Result<(), MockError> {
        self.shared.shop.write(statements).map_err(MockError::Statement)
    }

    /// Appends an event to the journal. Returns its position.
    pub fn push_event(&self, event: Value) -> String {
        let now = self.shared.now();
        self.shared.journal().push(now, event)
    }

    /// Appends the event that Commerce sends after an order is saved. Returns its position.
    pub fn push_order_event(&self, order: i64, number: &str) -> String {
        self.push_event(order_event(order, number))
    }

    /// Drops all events of the journal but the last `keep`.
    pub fn expire_events(&self, keep: usize) {
        self.shared.journal().expire(keep);
    }

    /// Stops the mock and drops open connections.
    pub async fn shutdown(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl fmt::Debug for MockHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockHandle")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Drop for MockHandle {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
