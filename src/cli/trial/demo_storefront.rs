//! The pages of the demo's shop, with the Web SDK as `orderfeed storefront build` makes it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::Context;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::storefront;
use crate::storefront::packages::Packages;
use orderfeed_demo_shop::shop::checkout::store_view;
use orderfeed_demo_storefront::{BundleFile, CheckOut, StorefrontOptions};
use orderfeed_emulator::EmulatorHandle;

/// The port of the shop's pages, unless it is in use.
const USUAL_PORT: u16 = 9188;
/// Orders of visitors that wait for the shop.
const QUEUE: usize = 16;

/// The running pages.
pub(crate) struct ShopPages {
    pub(crate) address: SocketAddr,
    /// Orders that visitors place.
    pub(crate) orders: mpsc::Receiver<CheckOut>,
    /// The reason for which the pages send no events.
    pub(crate) silent: Option<String>,
}

/// Serves the pages until `stop`. They send events if Adobe's packages are there.
pub(crate) async fn start(
    config: &Config,
    edge: &Arc<EmulatorHandle>,
    daemon: SocketAddr,
    stop: CancellationToken,
) -> anyhow::Result<ShopPages> {
    let listener = orderfeed_demo_storefront::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, USUAL_PORT)))
        .await
        .context("the pages of the demo's shop need a port on 127.0.0.1")?;
    let address = listener.local_addr()?;
    let (snippet, bundle, silent) = match web_sdk(config) {
        Ok((snippet, bundle)) => (snippet, bundle, None),
        Err(error) => (String::new(), Vec::new(), Some(error.to_string())),
    };
    let (sender, orders) = mpsc::channel(QUEUE);
    let options = StorefrontOptions {
        snippet,
        bundle,
        orders: sender,
        edge: Arc::clone(edge),
        daemon: format!("http://{daemon}"),
    };
    tokio::spawn(orderfeed_demo_storefront::serve(listener, options, stop));
    Ok(ShopPages {
        address,
        orders,
        silent,
    })
}

/// Returns the snippet and the files of the website whose pages the demo serves.
fn web_sdk(config: &Config) -> anyhow::Result<(String, Vec<BundleFile>)> {
    let packages = Packages::read(&config.storefront.packages)?;
    let view = store_view();
    let bundle = storefront::build(config, None, &packages, Some(view.website))?;
    let snippet = bundle.snippet(view.website, false);
    let snippet = snippet.context("the bundle has no snippet")?.to_owned();
    let file = |(path, file): (String, storefront::BundleFile)| BundleFile {
        path: format!("{}{path}", config.storefront.url),
        content_type: file.media_type,
        bytes: file.content.into(),
    };
    Ok((snippet, bundle.files.into_iter().map(file).collect()))
}
