//! The connector page.

use std::sync::Arc;

use axum::extract::State;

use crate::config::{ConfigErrors, LoadedConfig, load, process_environment};
use crate::daemon::admin::views::data::ViewData;
use crate::daemon::admin::views::framed::Framed;
use crate::daemon::admin::views::page::{Page, found, unreadable};
use crate::daemon::admin::views::query::Query;
use crate::web::connector::{Connector, connector_page};

pub(super) async fn connector(
    State(data): State<Arc<ViewData>>,
    Framed(frame): Framed,
    query: Query,
) -> Page {
    let snapshot = match data.snapshot(&frame).await {
        Ok(snapshot) => snapshot,
        Err(error) => return unreadable(&frame, &error),
    };
    let of_shop = match data.store.read(|reader| reader.websites()).await {
        Ok(websites) => websites.into_iter().map(|(_, code)| code).collect::<Vec<_>>(),
        Err(error) => return unreadable(&frame, &error),
    };
    let config = data.config.borrow().clone();
    let loaded = files_now(&data).await;
    found(connector_page(
        &frame,
        &Connector {
            config: &config,
            loaded: loaded.as_ref(),
            of_shop: &of_shop,
            website: query.get("website"),
            first_syncs: &snapshot.first_syncs,
        },
    ))
}

/// Reads the configuration as its files are now, which may differ from the one in force.
async fn files_now(data: &ViewData) -> Option<Result<LoadedConfig, ConfigErrors>> {
    let path = data.sources.config_path.clone()?;
    let read = move || load(&path, process_environment(&path));
    tokio::task::spawn_blocking(read).await.ok()
}
