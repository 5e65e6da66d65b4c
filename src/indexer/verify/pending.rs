//! Recognizes orders that are captured and not indexed yet: an order whose indexing is pending is no difference.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use crate::config::{CaptureMode, Config, SourceKind};
use crate::indexer::backfill::open::stored_options;
use crate::indexer::backfill::options::BackfillKind;
use crate::indexer::verify::reconcile::ComparedOrder;
use crate::indexer::verify::report::Finding;
use crate::store::backfill::Backfill;
use crate::store::changelog::VersionId;
use crate::store::first_sync::SyncState;
use crate::store::views::IndexerStatus;
use crate::store::{Reader, StoreError};
use orderfeed_model::clock::UtcMillis;
use orderfeed_model::order::OrderId;

/// Time that a poll takes, in addition to the pause before it.
const MARGIN: Duration = Duration::from_millis(500);
/// Longest wait for a capture: a source that is polled rarely does not hold up a verification for longer.
const LONGEST_DELAY: Duration = Duration::from_secs(30);
/// The same for returns.
const LONGEST_DELAY_OF_RETURNS: Duration = Duration::from_secs(90);

/// Times that capture needs to notice a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CaptureDelay {
    /// For an ordinary change.
    pub(crate) usual: Duration,
    /// For a change of a return alone.
    pub(crate) returns: Duration,
    /// For a change with the timestamp of an earlier one, or one that was committed late; in milliseconds.
    pub(crate) overlap_ms: i64,
}

impl CaptureDelay {
    /// Returns the delays of the configured source.
    pub(crate) fn of(config: &Config) -> Self {
        let mysql = &config.source.mysql;
        let (interval, overlap, returns) = match (config.source.kind, mysql.capture) {
            (SourceKind::Sqlite, _) => (
                config.source.sqlite.poll_interval.get(),
                Duration::ZERO,
                Duration::ZERO,
            ),
            (SourceKind::Mysql, capture) => {
                let overlap = match capture {
                    CaptureMode::Poll => mysql.poll_overlap.get(),
                    CaptureMode::Changelog | CaptureMode::Triggers => Duration::ZERO,
                };
                // Of the three, only our triggers report changes of returns.
                let returns = match capture {
                    CaptureMode::Poll | CaptureMode::Changelog => mysql.returns_interval.get(),
                    CaptureMode::Triggers => Duration::ZERO,
                };
                (mysql.poll_interval.get(), overlap, returns)
            }
            (SourceKind::Rest, _) => {
                let rest = &config.source.rest;
                (
                    rest.poll_interval.get(),
                    rest.poll_overlap.get(),
                    rest.returns_interval.get(),
                )
            }
        };
        let usual = (interval * 2 + MARGIN).min(LONGEST_DELAY);
        Self {
            usual,
            returns: (returns + usual).min(LONGEST_DELAY_OF_RETURNS),
            overlap_ms: i64::try_from((overlap + usual).as_millis()).unwrap_or(i64::MAX),
        }
    }

    /// Returns the time after which a differing order is compared again.
    pub(crate) fn for_order(&self, order: &ComparedOrder) -> Duration {
        match order.finding {
            Some(Finding::Stale) if order.has_returns => self.returns,
            _ => self.usual,
        }
    }
}

/// Indexing that is pending at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct PendingChanges {
    /// Orders that changed after a version of the changelog.
    changed: HashSet<OrderId>,
    reindex: Reindex,
    /// Websites whose first sync is still reading.
    syncing: BTreeSet<String>,
}

/// The orders that a full reindex will index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Reindex {
    #[default]
    None,
    All,
    Below(OrderId),
}

impl PendingChanges {
    /// Reads the changelog after `version`, and the backfills.
    pub(crate) fn read(
        reader: &Reader<'_>,
        version: VersionId,
        orders: &HashSet<OrderId>,
    ) -> Result<Self, StoreError> {
        let status = reader.indexer_state()?.map(|state| state.status);
        let codes = reader.websites()?;
        let reads = |state: SyncState| matches!(state, SyncState::NotStarted | SyncState::Reindexing);
        let syncing = reader.first_syncs()?.into_iter().filter(|sync| reads(sync.state));
        let code_of = |website| codes.iter().find(|(id, _)| *id == website);
        Ok(Self {
            changed: reader.changed_after(version, orders)?,
            reindex: reindex(status, &reader.running_backfills()?),
            syncing: syncing
                .filter_map(|sync| code_of(sync.website).map(|(_, code)| code.clone()))
                .collect(),
        })
    }

    /// Returns true if this order will be indexed without a repair.
    pub(crate) fn covers(&self, order: &ComparedOrder, delay: CaptureDelay, now: UtcMillis) -> bool {
        // A backfill finds a missing event only if the hash differs too.
        let is_unseen = matches!(
            order.finding,
            Some(Finding::Stale | Finding::MissingOrder | Finding::ReusedId)
        );
        let is_fresh = order
            .updated_at
            .is_some_and(|at| now.millis_since(at) < delay.overlap_ms);
        let is_ahead = match self.reindex {
            Reindex::None => false,
            Reindex::All => true,
            Reindex::Below(below) => order.id < below,
        };
        let is_syncing = order
            .website
            .as_ref()
            .is_some_and(|code| self.syncing.contains(code));
        self.changed.contains(&order.id) || (is_unseen && (is_fresh || is_ahead || is_syncing))
    }
}

fn reindex(status: Option<IndexerStatus>, backfills: &[Backfill]) -> Reindex {
    if !matches!(
        status,
        None | Some(IndexerStatus::Invalid | IndexerStatus::Working)
    ) {
        return Reindex::None;
    }
    let covers_all = |backfill: &&Backfill| {
        backfill.kind == BackfillKind::Reindex
            && stored_options(backfill).is_ok_and(|options| options.covers_all())
    };
    let position = backfills.iter().find(covers_all).and_then(|one| one.below);
    // Without one that runs, the invalid index makes one due.
    position.map_or(Reindex::All, Reindex::Below)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::feed::Exported;

    const NOW: UtcMillis = UtcMillis(1_000_000);

    fn stale(id: OrderId, updated_at: UtcMillis) -> ComparedOrder {
        ComparedOrder {
            id,
            number: String::new(),
            website: Some("base".to_owned()),
            in_source: true,
            in_feed: true,
            exported: Exported::Yes,
            updated_at: Some(updated_at),
            has_returns: false,
            events: Vec::new(),
            reused: 0,
            births: Vec::new(),
            hash: None,
            finding: Some(Finding::Stale),
            detail: String::new(),
        }
    }

    #[test]
    fn what_capture_or_a_backfill_will_still_find_is_pending() {
        let delay = CaptureDelay {
            usual: Duration::ZERO,
            returns: Duration::ZERO,
            overlap_ms: 120_000,
        };
        let old = UtcMillis(0);
        let nothing = PendingChanges::default();
        assert!(!nothing.covers(&stale(7, old), delay, NOW));
        assert!(nothing.covers(&stale(7, NOW.plus_millis(-119_999)), delay, NOW));
        let mut pending = PendingChanges {
            changed: [8].into(),
            reindex: Reindex::Below(7),
            syncing: BTreeSet::new(),
        };
        assert!(!pending.covers(&stale(7, old), delay, NOW));
        assert!(pending.covers(&stale(6, old), delay, NOW) && pending.covers(&stale(8, old), delay, NOW));
        pending.syncing.insert("base".to_owned());
        assert!(pending.covers(&stale(7, old), delay, NOW));
        let lost = ComparedOrder {
            finding: Some(Finding::MissingEvent),
            ..stale(6, NOW)
        };
        assert!(
            !pending.covers(&lost, delay, NOW),
            "no backfill reads behind an equal hash"
        );
    }

    #[test]
    fn polling_takes_its_overlap_and_triggers_do_not() {
        let mut config = Config::default();
        let polling = CaptureDelay::of(&config);
        assert_eq!(polling.usual, Duration::from_millis(4_500));
        assert_eq!(polling.overlap_ms, 124_500);
        config.source.mysql.capture = CaptureMode::Triggers;
        assert_eq!(CaptureDelay::of(&config).overlap_ms, 4_500);
    }

    #[test]
    fn a_change_of_a_return_alone_has_the_time_until_returns_are_polled() {
        let mut config = Config::default();
        let plain = stale(7, NOW);
        let returned = ComparedOrder {
            has_returns: true,
            ..stale(7, NOW)
        };
        let polling = CaptureDelay::of(&config);
        assert_eq!(polling.for_order(&plain), Duration::from_millis(4_500));
        assert_eq!(polling.for_order(&returned), Duration::from_millis(64_500));
        let lost = ComparedOrder {
            finding: Some(Finding::MissingEvent),
            has_returns: true,
            ..stale(7, NOW)
        };
        assert_eq!(polling.for_order(&lost), polling.usual);
        config.source.mysql.capture = CaptureMode::Triggers;
        assert_eq!(CaptureDelay::of(&config).for_order(&returned), polling.usual);
    }
}
