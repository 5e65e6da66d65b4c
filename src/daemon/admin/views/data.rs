//! The sources that the pages read.

use std::sync::Arc;

use tokio::sync::watch;

use crate::config::Config;
use crate::daemon::admin::snapshots::Snapshots;
use crate::daemon::admin::views::rates::Rates;
use crate::daemon::lifecycle::vitals::Vitals;
use crate::daemon::page_sources::PageSources;
use crate::ops::status::Snapshot;
use crate::store::{Store, StoreError};
use crate::web::Frame;
use orderfeed_model::clock::Clock;

#[derive(Debug)]
pub(crate) struct ViewData {
    pub(crate) clock: Clock,
    pub(crate) config: watch::Receiver<Arc<Config>>,
    pub(crate) store: Store,
    pub(crate) snapshots: Arc<Snapshots>,
    pub(crate) vitals: Arc<Vitals>,
    pub(crate) rates: Rates,
    pub(crate) sources: PageSources,
}

impl ViewData {
    /// Returns the snapshot of a page. After an action, which left a notice, it is a new one.
    pub(crate) async fn snapshot(&self, frame: &Frame) -> Result<Arc<Snapshot>, StoreError> {
        if frame.notice.is_some() {
            self.snapshots.expire().await;
        }
        self.snapshots.latest().await
    }
}
