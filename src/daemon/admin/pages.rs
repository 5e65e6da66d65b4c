//! The pages of the admin endpoint. Nothing is read or computed between requests.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::{from_fn_with_state, map_request, map_response};
use axum::response::Response;
use axum::routing::{Router, get};
use tokio_util::sync::CancellationToken;

use crate::daemon::admin::access::{Access, guard, hosts, login};
use crate::daemon::admin::actions;
use crate::daemon::admin::actions::Actions;
use crate::daemon::admin::metrics;
use crate::daemon::admin::metrics::{MetricsInput, ProcessStats};
use crate::daemon::admin::snapshots::Snapshots;
use crate::daemon::admin::storefront::{self, StorefrontFiles};
use crate::daemon::admin::views;
use crate::daemon::admin::views::data::ViewData;
use crate::daemon::lifecycle::liveness::Liveness;
use crate::ops::openmetrics::Format;
use crate::store::StoreError;
use orderfeed_model::clock::Clock;

const STORE_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct Pages {
    pub(crate) clock: Clock,
    pub(crate) liveness: Liveness,
    pub(crate) snapshots: Arc<Snapshots>,
    pub(crate) stop: CancellationToken,
    pub(crate) views: Arc<ViewData>,
    pub(crate) access: Arc<Access>,
    pub(crate) actions: Arc<Actions>,
    pub(crate) storefront: Arc<StorefrontFiles>,
}

/// A body with a content type; a lone `String` is `text/plain; charset=utf-8`.
type Typed = ([(HeaderName, &'static str); 1], String);

/// The names under which the endpoint may be requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HostCheck {
    Any,
    /// `localhost`, addresses and `admin.hosts`.
    OwnOnly,
}

/// Returns the routes.
pub(crate) fn router(pages: Arc<Pages>, names: HostCheck) -> Router {
    let access = &pages.access;
    let web = views::routes()
        .with_state(Arc::clone(&pages.views))
        .merge(login::routes().with_state(Arc::clone(access)))
        .merge(actions::routes().with_state(Arc::clone(&pages.actions)))
        .layer(from_fn_with_state(Arc::clone(access), guard::guard));
    let more = Router::new()
        .route("/status", get(status))
        .route("/metrics", get(metrics_page))
        .merge(web)
        .merge(storefront::routes().with_state(Arc::clone(&pages.storefront)))
        .fallback(refuse);
    finished(more, pages, names)
}

/// Returns the routes of the health checks.
pub(crate) fn health_router(pages: Arc<Pages>, names: HostCheck) -> Router {
    let busy = async || {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "too many connections; try again\n",
        )
    };
    finished(Router::new().fallback(busy), pages, names)
}

/// Adds the health checks and what all pages share. `get` also answers HEAD.
fn finished(router: Router<Arc<Pages>>, pages: Arc<Pages>, names: HostCheck) -> Router {
    let access = Arc::clone(&pages.access);
    let check = move |request| check_host(names, Arc::clone(&access), request);
    router
        .route("/healthz", get(health))
        .route("/readyz", get(readiness))
        .method_not_allowed_fallback(refuse)
        .layer(map_request(check))
        .layer(map_response(no_store))
        .with_state(pages)
}

async fn check_host(
    names: HostCheck,
    access: Arc<Access>,
    request: Request,
) -> Result<Request, (StatusCode, &'static str)> {
    let own = &access.config().admin.hosts;
    match names == HostCheck::Any || hosts::is_accepted(request.headers(), request.uri(), own) {
        true => Ok(request),
        false => Err((StatusCode::MISDIRECTED_REQUEST, hosts::REFUSAL)),
    }
}

/// Returns 200 if the daemon works, 503 and the part that hangs if not: the check that feeds systemd's watchdog.
async fn health(State(pages): State<Arc<Pages>>) -> (StatusCode, String) {
    // Before the first tick and while the daemon stops, the schedules need not tick.
    let busy = !pages.liveness.vitals.is_scheduled() || pages.stop.is_cancelled();
    match pages.liveness.hangs(STORE_TIMEOUT).await {
        Some(what) if !busy => (StatusCode::SERVICE_UNAVAILABLE, format!("hangs: {what}\n")),
        _ => (StatusCode::OK, "ok\n".to_owned()),
    }
}

/// Returns 200 while store, source configuration and schedules are up, 503 before that and while the daemon drains.
async fn readiness(State(pages): State<Arc<Pages>>) -> (StatusCode, String) {
    match pages.not_ready() {
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")),
        None => (StatusCode::OK, "ready\n".to_owned()),
    }
}

/// Returns the snapshot, as `orderfeed status --json` prints it.
async fn status(State(pages): State<Arc<Pages>>) -> Result<Typed, (StatusCode, String)> {
    let snapshot = pages.snapshots.latest().await.map_err(unreadable)?;
    // Pretty, as the command prints it: people read it with curl.
    let json = serde_json::to_string_pretty(&*snapshot).map_err(unreadable)?;
    Ok(([(CONTENT_TYPE, "application/json")], json + "\n"))
}

async fn metrics_page(State(pages): State<Arc<Pages>>, headers: HeaderMap) -> Typed {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    let format = Format::wanted(accept);
    (
        [(CONTENT_TYPE, format.content_type())],
        pages.metrics(format).await,
    )
}

/// Answers an unknown path, or a method other than GET and HEAD.
async fn refuse(method: Method) -> (StatusCode, &'static str) {
    match method {
        Method::GET | Method::HEAD => (
            StatusCode::NOT_FOUND,
            "the pages are /healthz, /readyz, /status and /metrics\n",
        ),
        _ => (StatusCode::METHOD_NOT_ALLOWED, "only GET is supported\n"),
    }
}

/// Forbids caching of what does not allow it.
async fn no_store(mut response: Response) -> Response {
    response
        .headers_mut()
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

fn unreadable(error: impl std::fmt::Display) -> (StatusCode, String) {
    let text = format!("the store cannot be read: {error}\n");
    (StatusCode::SERVICE_UNAVAILABLE, text)
}

impl Pages {
    /// Returns the reason for which the daemon is not ready, if it is not.
    fn not_ready(&self) -> Option<&'static str> {
        if self.stop.is_cancelled() {
            return Some("the daemon drains");
        }
        (!self.liveness.vitals.is_scheduled()).then_some("the schedules are not up yet")
    }

    /// Renders `/metrics`. Metrics that need no store are complete even if it cannot be read.
    async fn metrics(&self, format: Format) -> String {
        let snapshot: Result<_, StoreError> = self.snapshots.latest().await;
        if let Err(error) = &snapshot {
            tracing::debug!(%error, "Metrics are rendered without those of the store");
        }
        let config = self.liveness.config.borrow().clone();
        let input = MetricsInput {
            now: self.clock.now(),
            ready: self.not_ready().is_none(),
            snapshot: snapshot.ok(),
            delivery: self.liveness.stats.snapshot(),
            jobs: self.liveness.vitals.jobs(),
            reloads: self.liveness.vitals.reloads(),
            started_at: self.liveness.vitals.started_at(),
            queued_writes: self.liveness.store.queued_writes(),
            units_per_second: config.delivery.request_units_per_second,
            process: ProcessStats::measure(&config.store.path),
        };
        metrics::render(&input, format)
    }
}
