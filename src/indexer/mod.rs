//! From the source into the changelog ([`capture`]), and from the changelog into feed rows and events.
//!
//! # Design
//!
//! An order is read whole and its events are a pure function of it, so indexing has no memory beside the store: it may
//! be repeated, interrupted and run twice at once without harm. Each batch of orders is applied in ONE transaction
//! ([`apply`]): feed rows, new events, and how far the view or the backfill has come (I2). A kill repeats one batch.
//!
//! Live changes ([`update`]) and backfills ([`backfill`]) run beside each other; neither holds a lock that the other
//! needs. If both index the same order at once from different snapshots, the outbox takes each event once and orders
//! what comes later after what is already there; the feed row may then carry the older hash, which costs one more look
//! at the order and nothing else.
//!
//! # Crash cases
//!
//! Killed while reading: nothing happened. Killed before the commit: the same window or page is read again. An order that
//! cannot be understood is noted and retried alone; the range goes on without it.

mod apply;
pub(crate) mod backfill;
pub mod capture;
mod export_log;
pub mod intake;
mod report;
mod update;
mod verify;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use tokio::sync::{Mutex, watch};

use crate::commerce::source::{Source, SourceError};
use crate::config::{Config, EventNames};
use crate::store::backfill::BackfillId;
use crate::store::{Store, StoreError};
use orderfeed_events::{EventContext, EventKind, EventTypes, Profile};
use orderfeed_model::clock::Clock;

use crate::indexer::backfill::pace::{BackfillPace, BackfillTimes};
use crate::indexer::capture::live_traffic::LiveTraffic;
use intake::Intake;

pub use crate::indexer::apply::routing::exported;
pub use crate::indexer::backfill::options::{BackfillKind, BackfillOptions, Reach};
pub use crate::indexer::update::by_ids::OrdersById;
pub use crate::indexer::verify::report::{
    Difference, Differing, EventTally, Finding, VerifyReport, Withheld,
};
pub use apply::batch_limits;
pub use report::{BackfillReport, Indexed, Progress};
pub use update::ViewUpdate;
pub use verify::{Repair, VerifyTask};

/// The name of the lease that says who indexes.
pub const FEED_LEASE: &str = "feed_sync_orders";

/// The indexer of the one index there is.
pub struct Indexer {
    store: Store,
    source: Arc<dyn Source>,
    clock: Clock,
    config: watch::Receiver<Arc<Config>>,
    /// One drain of the changelog at a time.
    updating: Mutex<()>,
    /// One backfill at a time.
    backfilling: Mutex<()>,
    /// One verification at a time.
    verifying: Mutex<()>,
    /// The backfill that was told last, and how far it had come.
    told: Mutex<Option<(BackfillId, u64)>>,
    /// What changes did since the log last spoke of them.
    progress_log: std::sync::Mutex<crate::indexer::update::progress_log::ProgressLog>,
    intake: Arc<Intake>,
    pace: BackfillPace,
    live: Arc<LiveTraffic>,
}

/// Why indexing stopped. Nothing of the current batch was kept.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The source did not answer.
    #[error("the source cannot be read: {0}")]
    Source(#[from] SourceError),
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The one website that was asked for is switched off.
    #[error(
        "back-office events of website {0} are switched off; its first sync goes on when they are enabled again"
    )]
    SwitchedOff(String),
    /// Somebody else does the same work right now.
    #[error("operation skipped - process locked by \"{0}\"")]
    Busy(String),
    /// Nothing may flow in right now; it goes on by itself.
    #[error("intake is paused until the outbox or the disk has room; see `orderfeed status`")]
    Paused,
    /// The index is suspended.
    #[error("the index is suspended; `orderfeed indexer:set-status valid` lets it work again")]
    Suspended,
    /// The daemon stops.
    #[error("interrupted by the daemon's stop; it goes on where it is after the next start")]
    Stopped,
    /// Deriving events failed as a whole: a bug.
    #[error("deriving events failed: {0}")]
    Derive(String),
}

impl Indexer {
    /// An indexer over a store that is open and a source.
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
            told: Mutex::new(None),
            progress_log: std::sync::Mutex::default(),
            intake: Arc::default(),
            pace: BackfillPace::default(),
            live: Arc::default(),
        }
    }

    /// The store that it writes.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The source that it reads.
    pub fn source(&self) -> &Arc<dyn Source> {
        &self.source
    }

    /// Whether live changes come in.
    pub fn live(&self) -> &Arc<LiveTraffic> {
        &self.live
    }

    /// What may flow in.
    pub fn intake(&self) -> &Arc<Intake> {
        &self.intake
    }

    /// Where the time of backfills goes.
    pub fn backfill_times(&self) -> BackfillTimes {
        self.pace.times()
    }

    fn config(&self) -> Arc<Config> {
        self.config.borrow().clone()
    }
}

/// What rendering takes from the configuration.
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
