//! `/storefront/`: the files for a shop's pages, as `orderfeed storefront build` writes them. They are built at the first
//! request, and again when the configuration or the shop's store views may have changed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Path, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{Router, get};
use tokio::sync::{Mutex, watch};

use crate::commerce::source::Source;
use crate::commerce::stores::ShopStoreView;
use crate::config::Config;
use crate::storefront::packages::Packages;
use crate::storefront::{Bundle, BundleFile, StorefrontError, build};

/// Age at which the shop's store views are read again.
const MAX_AGE: Duration = Duration::from_secs(600);
/// Age at which a failed build is repeated.
const RETRY: Duration = Duration::from_secs(10);
/// Longest wait for the shop's database.
const SHOP_TIMEOUT: Duration = Duration::from_secs(5);

/// A file whose name holds a hash of its content never changes.
const FOR_GOOD: &str = "public, max-age=31536000, immutable";
/// Settings reach the pages within five minutes.
const SHORT: &str = "public, max-age=300";

/// The files of the route, built from the configuration in force.
pub(crate) struct StorefrontFiles {
    config: watch::Receiver<Arc<Config>>,
    source: Option<Arc<dyn Source>>,
    built: Mutex<Option<Built>>,
}

impl std::fmt::Debug for StorefrontFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StorefrontFiles").finish_non_exhaustive()
    }
}

/// The result of a build, with what it was built from.
struct Built {
    config: Arc<Config>,
    /// `None` if the shop was never read.
    shop: Option<Vec<ShopStoreView>>,
    /// The files, or the reason for which there are none.
    files: Result<Arc<Bundle>, String>,
    at: Instant,
}

impl StorefrontFiles {
    /// Creates the state without building anything. Without a source, only the store views of the configuration are known.
    pub(crate) fn new(config: watch::Receiver<Arc<Config>>, source: Option<Arc<dyn Source>>) -> Arc<Self> {
        Arc::new(Self {
            config,
            source,
            built: Mutex::default(),
        })
    }

    /// Returns the files as of now.
    async fn files(&self) -> Result<Arc<Bundle>, String> {
        let config = self.config.borrow().clone();
        // Held during the build, so that simultaneous requests wait for one.
        let mut built = self.built.lock().await;
        if let Some(last) = built.as_ref().filter(|last| last.is_current(&config)) {
            return last.files.clone();
        }
        let (known, failure) = built
            .take()
            .map_or((None, None), |last| (last.shop, last.files.err()));
        let shop = self.read_shop().await.or(known);
        let files = build_files(Arc::clone(&config), shop.clone()).await;
        if let Ok(bundle) = &files {
            tracing::debug!(warnings = ?bundle.warnings, "The storefront's files were built");
        }
        if let Err(error) = files.as_ref()
            && failure.as_ref() != Some(error)
        {
            tracing::warn!(
                log_code = "OF09-06",
                %error,
                "The storefront's files cannot be built; /storefront/ answers 503",
            );
        }
        *built = Some(Built {
            config,
            shop,
            files: files.clone(),
            at: Instant::now(),
        });
        files
    }

    async fn read_shop(&self) -> Option<Vec<ShopStoreView>> {
        let read = self.source.as_ref()?.store_views();
        match tokio::time::timeout(SHOP_TIMEOUT, read).await {
            Ok(Ok(views)) => Some(views),
            Ok(Err(error)) => {
                tracing::debug!(%error, "The shop's store views were not read");
                None
            }
            Err(_) => None,
        }
    }
}

impl Built {
    fn is_current(&self, config: &Arc<Config>) -> bool {
        let max_age = if self.files.is_ok() { MAX_AGE } else { RETRY };
        Arc::ptr_eq(&self.config, config) && self.at.elapsed() < max_age
    }
}

async fn build_files(config: Arc<Config>, shop: Option<Vec<ShopStoreView>>) -> Result<Arc<Bundle>, String> {
    let work = move || -> Result<Bundle, StorefrontError> {
        let packages = Packages::needed(&config)?;
        build(&config, shop.as_deref(), &packages, None)
    };
    let built = tokio::task::spawn_blocking(work).await;
    let built = built.map_err(|error| error.to_string())?;
    built.map(Arc::new).map_err(|error| error.to_string())
}

/// Returns the route of the files.
pub(crate) fn routes() -> Router<Arc<StorefrontFiles>> {
    Router::new().route("/storefront/{*path}", get(file))
}

async fn file(
    State(files): State<Arc<StorefrontFiles>>,
    Path(path): Path<String>,
    headers: HeaderMap,
) -> Response {
    match files.files().await {
        // Not the reason itself, which names paths of this host: a proxy may pass the answer on to everyone.
        Err(_) => {
            let text = "the files cannot be built; `orderfeed storefront build` and the log report why\n";
            (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
        }
        Ok(bundle) => match bundle.files.get(&path) {
            None => (StatusCode::NOT_FOUND, "there is no such file\n").into_response(),
            Some(file) => answer(file, &headers),
        },
    }
}

fn answer(file: &BundleFile, request: &HeaderMap) -> Response {
    let tag = file.entity_tag();
    let is_known = request
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|known| known.trim().trim_start_matches("W/") == tag);
    let caching = if file.immutable { FOR_GOOD } else { SHORT };
    let mut response = match is_known {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => file.content.clone().into_response(),
    };
    let fixed: [(HeaderName, &'static str); 4] = [
        (CONTENT_TYPE, file.media_type),
        (CACHE_CONTROL, caching),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Integrity is checked for a script of another host only if that host allows it to be read.
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    ];
    let headers = response.headers_mut();
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(ETAG, tag);
    }
    response
}
