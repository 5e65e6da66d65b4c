//! The parts of the demo that the pages connect.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use orderfeed_demo_shop::shop::checkout::PlacedOrder;
use orderfeed_emulator::EmulatorHandle;

/// A file of the Web SDK's bundle.
#[derive(Clone, Debug)]
pub struct BundleFile {
    /// Path on the shop's host, such as `/storefront/base/loader.js`.
    pub path: String,
    pub content_type: &'static str,
    pub bytes: Bytes,
}

/// An order that a visitor places.
#[derive(Debug)]
pub struct CheckOut {
    /// SKUs, with the number of pieces.
    pub lines: Vec<(String, u32)>,
    /// Receives the order, or `None` if it is refused.
    pub reply: oneshot::Sender<Option<PlacedOrder>>,
}

/// The parts of the demo that the pages connect.
#[derive(Clone)]
pub struct StorefrontOptions {
    /// HTML that loads the Web SDK, for the head of each page. Empty: the pages send no events.
    pub snippet: String,
    /// Files that the snippet names.
    pub bundle: Vec<BundleFile>,
    /// Takes the orders of visitors.
    pub orders: mpsc::Sender<CheckOut>,
    pub edge: Arc<EmulatorHandle>,
    /// URL of the daemon's web pages, without a trailing slash.
    pub daemon: String,
}
