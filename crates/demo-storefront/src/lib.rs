//! The pages of the demo shop: products, a checkout, and a page that shows what arrived at the edge.
//!
//! A visitor's clicks go from the browser to the emulator, as a real shop's go to Adobe. Each order of a visitor is placed
//! in the demo shop, so that the daemon sends its back-office events too. [`edge_page`] shows both side by side.
//!
//! The Web SDK calls `https://edge.adobedc.net` and takes no port. `assets/redirect.js`, which no real shop has, leads
//! these calls to the emulator, so that the pages work in any browser without a certificate.

mod edge_page;
mod options;
mod pages;
mod server;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use crate::options::{BundleFile, CheckOut, StorefrontOptions};

/// Serves the pages on `listener` until `stop`.
pub async fn serve(listener: TcpListener, options: StorefrontOptions, stop: CancellationToken) {
    server::run(listener, Arc::new(options), stop).await;
}

/// Binds the usual port, or any other if that is in use.
pub async fn bind(usual: SocketAddr) -> io::Result<TcpListener> {
    match TcpListener::bind(usual).await {
        Ok(listener) => Ok(listener),
        Err(_) => TcpListener::bind(SocketAddr::new(usual.ip(), 0)).await,
    }
}
