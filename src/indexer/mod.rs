//! Captures changes of the source into the changelog, and turns changed orders into feed rows and events.
//!
//! | module | purpose |
//! |---|---|
//! | [`capture`] | asks the source what changed, and writes the answer to the changelog |
//! | [`update`] | indexes the orders that the changelog lists, those that failed before, and single orders by id |
//! | [`backfill`] | indexes the order history: reindex, resync, first sync |
//! | [`apply`] | derives and commits one batch of orders, for all of the above |
//! | [`intake`] | decides whether more may be captured and indexed |
//! | [`reading`] | reads orders in pages bounded by bytes |
//! | [`reused_ids`] | notices a source that was restored from an older copy |
//! | [`verify`] | compares the source with feed and outbox |
//! | [`late_tables`] | the tables of the source whose changes are late: log lines, and what `doctor` reads |
//! | [`live_traffic`] | whether backfills and verifications must make way for live changes |
//! | [`source_outage`] | logs and stores outages of the source |
//! | [`source_warnings`] | logs and stores the warnings about the source |
//! | [`export_log`], [`progress_log`] | log lines in the form of Commerce's export log |
//!
//! # Design
//!
//! An order is read whole and its events are a pure function of it, so indexing keeps no state beside the store: it may be
//! repeated, interrupted and run twice at once without harm. Each batch of orders is applied in ONE transaction: feed rows,
//! new events, and the position of the view or the backfill (I2).
//!
//! Updates and backfills run side by side; neither holds a lock that the other needs. If both index the same order at once
//! from different snapshots, the outbox accepts each event once and orders later events after those it has. The feed row
//! may then hold the older hash, which costs one more reading of the order and nothing else.
//!
//! # Crash cases
//!
//! Killed while reading: nothing happened. Killed before the commit: the same changes or page are read again. An order
//! that cannot be parsed is recorded and retried alone; its batch continues without it.

mod apply;
pub(crate) mod backfill;
pub mod capture;
mod export_log;
pub mod intake;
mod late_tables;
mod live_traffic;
mod page_size;
mod progress_log;
mod reading;
mod report;
mod reused_ids;
mod source_outage;
mod source_warnings;
mod update;
mod verify;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use tokio::sync::{Mutex, watch};

use crate::commerce::source::{Source, SourceError};
use crate::config::{Config, EventNames};
use crate::ops::outage_log::LogRateLimit;
use crate::store::backfill::BackfillId;
use crate::store::{Store, StoreError};
use orderfeed_events::{EventContext, EventKind, EventTypes, Profile};
use orderfeed_model::clock::Clock;

use crate::indexer::backfill::pace::{BackfillPace, BackfillTimes};
use crate::indexer::intake::{Flow, Intake};
use crate::indexer::live_traffic::LiveTraffic;
use crate::indexer::page_size::PageSize;
use crate::indexer::progress_log::ProgressLog;

pub use crate::indexer::apply::batch_limits;
pub use crate::indexer::apply::routing::exported;
pub use crate::indexer::backfill::options::{BackfillKind, BackfillOptions, Reach};
pub use crate::indexer::backfill::restart::cancel_reindexes;
pub use crate::indexer::report::{BackfillReport, Indexed, Progress, ViewUpdate};
pub use crate::indexer::update::by_ids::OrdersById;
pub use crate::indexer::verify::VerifyTask;
pub use crate::indexer::verify::report::{
    Difference, Differing, EventTally, Finding, VerifyReport, Withheld,
};

/// Lease of the backfill that runs.
pub const FEED_LEASE: &str = "feed_sync_orders";

/// The indexer of the Sales Orders Feed, the only index.
pub struct Indexer {
    store: Store,
    source: Arc<dyn Source>,
    clock: Clock,
    config: watch::Receiver<Arc<Config>>,
    // One update, one backfill and one verification at a time.
    updating: Mutex<()>,
    backfilling: Mutex<()>,
    verifying: Mutex<()>,
    /// Backfill and position of the last line about a start, so that a start that fails again and again logs one.
    logged_start: Mutex<Option<(BackfillId, u64)>>,
    progress_log: std::sync::Mutex<ProgressLog>,
    far_ahead_log: std::sync::Mutex<LogRateLimit>,
    intake: Intake,
    pace: BackfillPace,
    page: PageSize,
    live: LiveTraffic,
}

/// The reason why indexing stopped. Nothing of the current batch was committed.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    #[error("the source cannot be read: {0}")]
    Source(#[source] SourceError),
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The one website that a backfill covers is switched off.
    #[error(
        "back-office events of website {0} are switched off; its first sync resumes when they are enabled again"
    )]
    SwitchedOff(String),
    /// The same work runs already.
    #[error("operation skipped - process locked by \"{0}\"")]
    Busy(String),
    /// Intake is closed; it opens again by itself.
    #[error("intake is paused until the outbox or the disk has room; see `orderfeed status`")]
    Paused,
    #[error("the index is suspended; `orderfeed indexer:set-status valid` resumes it")]
    Suspended,
    /// The daemon shuts down.
    #[error("interrupted by the daemon's shutdown; it resumes after the next start")]
    Stopped,
    /// The options that a backfill was started with cannot be parsed, so what it covers is not known.
    #[error(
        "the stored options of {} backfill {id} cannot be parsed: {cause}; it was started by another version or the store \
         was edited; run the version that started it, or cancel it with `{}`",
        kind.as_str(), kind.cancelled_by()
    )]
    BackfillOptions {
        id: BackfillId,
        kind: BackfillKind,
        cause: String,
    },
    /// Deriving events failed as a whole, which is a bug.
    #[error("deriving events failed: {0}")]
    Derive(String),
}

impl From<SourceError> for IndexError {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Stopped => Self::Stopped,
            error => Self::Source(error),
        }
    }
}

impl Indexer {
    /// Creates an indexer that reads `source` and writes `store`.
    pub fn new(
        store: Store,
        source: Arc<dyn Source>,
        clock: Clock,
        config: watch::Receiver<Arc<Config>>,
    ) -> Self {
        Self {
            store,
            source,
            clock,
            config,
            updating: Mutex::new(()),
            backfilling: Mutex::new(()),
            verifying: Mutex::new(()),
            logged_start: Mutex::new(None),
            progress_log: std::sync::Mutex::default(),
            far_ahead_log: std::sync::Mutex::new(LogRateLimit::new(1)),
            intake: Intake::default(),
            pace: BackfillPace::default(),
            page: PageSize::default(),
            live: LiveTraffic::default(),
        }
    }

    pub fn store(&self) -> &Store {
        &self.store
    }

    pub fn source(&self) -> &Arc<dyn Source> {
        &self.source
    }

    pub fn intake(&self) -> &Intake {
        &self.intake
    }

    /// Returns where the time of this process's backfills went.
    pub fn backfill_times(&self) -> BackfillTimes {
        self.pace.times()
    }

    fn config(&self) -> Arc<Config> {
        self.config.borrow().clone()
    }

    /// Returns the work that may add to the store right now.
    async fn flow(&self) -> Result<Flow, StoreError> {
        self.intake.check(&self.store, &self.config(), &self.clock).await
    }

    /// Returns true if a live change arrived a moment ago.
    fn is_live(&self) -> bool {
        self.live.is_recent(self.clock.now())
    }
}

/// Returns the settings that rendering needs.
pub fn event_context(config: &Config) -> EventContext {
    let mut types = EventTypes::default();
    for kind in EventKind::ALL {
        types.set(kind, name_of(&config.events.names, kind));
    }
    EventContext {
        data_space_id: config.data_space_id(),
        profile: match config.privacy.profile {
            crate::config::PrivacyProfile::Anonymized => Profile::Anonymized,
            crate::config::PrivacyProfile::Full => Profile::Full,
        },
        guest_namespace: config.privacy.guest_namespace.clone(),
        event_types: types,
    }
}

fn name_of(names: &EventNames, kind: EventKind) -> &str {
    match kind {
        EventKind::Placed => &names.placed,
        EventKind::Invoiced => &names.invoiced,
        EventKind::ItemsShipped => &names.items_shipped,
        EventKind::ShipmentCompleted => &names.shipment_completed,
        EventKind::Cancelled => &names.cancelled,
        EventKind::Refunded => &names.refunded,
        EventKind::ReturnInitiated => &names.return_initiated,
        EventKind::ReturnCompleted => &names.return_completed,
    }
}
