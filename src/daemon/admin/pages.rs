//! What the admin endpoint shows, one function a page. Nothing is read or computed while nobody asks.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::daemon::admin::metrics;
use crate::daemon::admin::metrics::{Process, Scene};
use crate::daemon::admin::snapshots::Snapshots;
use crate::daemon::lifecycle::liveness::Liveness;
use crate::ops::openmetrics::Format;
use crate::store::StoreError;
use orderfeed_model::clock::Clock;

/// How long the store may take to answer before `/healthz` says that it does not.
const PATIENCE: Duration = Duration::from_secs(10);
const TEXT: &str = "text/plain; charset=utf-8";

/// What the pages are made of.
#[derive(Debug)]
pub(crate) struct Pages {
    pub(crate) clock: Clock,
    pub(crate) liveness: Liveness,
    pub(crate) snapshots: Arc<Snapshots>,
    pub(crate) stop: CancellationToken,
}

/// A page.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) text: String,
}

impl Pages {
    /// 200 if the daemon works, 503 and what hangs if not: the judgement that feeds systemd's watchdog.
    pub(crate) async fn health(&self) -> Shown {
        // Between the start and the first tick, and while it stops, the schedules need not tick.
        let busy = !self.liveness.vitals.is_scheduled() || self.stop.is_cancelled();
        match self.liveness.hangs(PATIENCE).await {
            Some(what) if !busy => text(503, format!("hangs: {what}\n")),
            _ => text(200, "ok\n".to_owned()),
        }
    }

    /// 200 once store, source configuration and schedules are up, 503 before and while the daemon drains.
    pub(crate) fn readiness(&self) -> Shown {
        if self.stop.is_cancelled() {
            return text(503, "not ready: the daemon drains\n".to_owned());
        }
        if !self.liveness.vitals.is_scheduled() {
            return text(503, "not ready: the schedules are not up yet\n".to_owned());
        }
        text(200, "ready\n".to_owned())
    }

    /// The snapshot, in the shape of `orderfeed status --json`.
    pub(crate) async fn status(&self) -> Shown {
        let snapshot = match self.snapshots.latest().await {
            Ok(snapshot) => snapshot,
            Err(error) => return failed(&error),
        };
        match serde_json::to_string_pretty(&*snapshot) {
            Ok(json) => Shown {
                status: 200,
                content_type: "application/json",
                text: json + "\n",
            },
            Err(error) => failed(&error),
        }
    }

    /// The numbers for Prometheus. Those that need no store are there even if it cannot be read.
    pub(crate) async fn metrics(&self, format: Format) -> Shown {
        let snapshot: Result<_, StoreError> = self.snapshots.latest().await;
        if let Err(error) = &snapshot {
            tracing::debug!(%error, "Metrics are shown without those of the store");
        }
        let config = self.liveness.config.borrow().clone();
        let scene = Scene {
            now: self.clock.now(),
            ready: self.readiness().status == 200,
            snapshot: snapshot.ok(),
            delivery: self.liveness.stats.snapshot(),
            jobs: self.liveness.vitals.jobs(),
            reloads: self.liveness.vitals.reloads(),
            started_at: self.liveness.vitals.started_at(),
            queued_writes: self.liveness.store.queued_writes(),
            units_per_second: config.delivery.request_units_per_second,
            process: Process::measure(&config.store.path),
        };
        Shown {
            status: 200,
            content_type: format.content_type(),
            text: metrics::render(&scene, format),
        }
    }
}

fn text(status: u16, text: String) -> Shown {
    Shown {
        status,
        content_type: TEXT,
        text,
    }
}

fn failed(error: &dyn std::fmt::Display) -> Shown {
    text(503, format!("the store cannot be read: {error}\n"))
}
