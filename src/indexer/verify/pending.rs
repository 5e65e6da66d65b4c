//! What is known and not indexed yet. An order that differs and is on its way is no difference.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use crate::config::{Capture, Config, SourceKind};
use crate::indexer::backfill::options::{BackfillKind, BackfillOptions};
use crate::indexer::verify::reconcile::Compared;
use crate::indexer::verify::report::Finding;
use crate::store::backfill::Backfill;
use crate::store::changelog::VersionId;
use crate::store::first_sync::SyncState;
use crate::store::views::IndexerStatus;
use crate::store::{Reader, StoreError};
use orderfeed_model::clock::UtcMillis;
use orderfeed_model::order::OrderId;

/// What a look takes beside the pause before it.
const MARGIN: Duration = Duration::from_millis(500);
/// A source that is looked at rarely does not hold up a verification for longer than this.
const LONGEST_MOMENT: Duration = Duration::from_secs(30);
/// Nor do returns that are looked at rarely: for longer than this.
const LONGEST_FOR_RETURNS: Duration = Duration::from_secs(90);

/// How long a change takes to be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settling {
    /// Until an ordinary change is in the changelog.
    pub(crate) moment: Duration,
    /// The same for a change of a return alone.
    pub(crate) returns: Duration,
    /// Until one is that looks exactly like an earlier one, or committed late; in milliseconds.
    pub(crate) overlap_ms: i64,
}

impl Settling {
    /// When to look again at an order that differs.
    pub(crate) fn of(&self, one: &Compared) -> Duration {
        match one.finding {
            Some(Finding::Stale) if one.has_returns => self.returns,
            _ => self.moment,
        }
    }
}

/// How long a change takes to be seen, with this source.
pub(crate) fn settling(config: &Config) -> Settling {
    let mysql = &config.source.mysql;
    let (interval, overlap, returns) = match (config.source.kind, mysql.capture) {
        (SourceKind::Sqlite, _) => (
            config.source.sqlite.poll_interval.get(),
            Duration::ZERO,
            Duration::ZERO,
        ),
        (SourceKind::Mysql, capture) => {
            let overlap = match capture {
                Capture::Poll => mysql.poll_overlap.get(),
                Capture::Changelog | Capture::Triggers => Duration::ZERO,
            };
            // Only our triggers tell of returns.
            let returns = match capture {
                Capture::Poll | Capture::Changelog => mysql.returns_interval.get(),
                Capture::Triggers => Duration::ZERO,
            };
            (mysql.poll_interval.get(), overlap, returns)
        }
    };
    let moment = (interval * 2 + MARGIN).min(LONGEST_MOMENT);
    Settling {
        moment,
        returns: (returns + moment).min(LONGEST_FOR_RETURNS),
        overlap_ms: i64::try_from((overlap + moment).as_millis()).unwrap_or(i64::MAX),
    }
}

/// What is on its way, at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct PendingChanges {
    /// Changed since the look before.
    changed: HashSet<OrderId>,
    reindex: Reindex,
    /// Websites whose first sync still reads.
    syncing: BTreeSet<String>,
}

/// Which orders a full reindex will meet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Reindex {
    #[default]
    None,
    All,
    Below(OrderId),
}

impl PendingChanges {
    /// Looks at the changelog after `version`, and at the backfills.
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

    /// Whether this order is indexed without anybody's help.
    pub(crate) fn holds(&self, one: &Compared, settling: Settling, now: UtcMillis) -> bool {
        let unseen = matches!(one.finding, Some(Finding::Stale | Finding::MissingOrder));
        let fresh = one
            .updated_at
            .is_some_and(|at| now.millis_since(at) < settling.overlap_ms);
        let met = match self.reindex {
            Reindex::None => false,
            Reindex::All => true,
            Reindex::Below(below) => one.id < below,
        };
        let syncing = one
            .website
            .as_ref()
            .is_some_and(|code| self.syncing.contains(code));
        self.changed.contains(&one.id) || (unseen && (fresh || met || syncing))
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
        let options = serde_json::from_str::<BackfillOptions>(&backfill.options);
        backfill.kind == BackfillKind::Reindex.as_str() && options.is_ok_and(|options| options.covers_all())
    };
    match backfills
        .iter()
        .find(covers_all)
        .and_then(|backfill| backfill.below)
    {
        Some(below) => Reindex::Below(below),
        None => Reindex::All,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::feed::Exported;

    const NOW: UtcMillis = UtcMillis(1_000_000);

    fn stale(id: OrderId, updated_at: UtcMillis) -> Compared {
        Compared {
            id,
            number: String::new(),
            website: Some("base".to_owned()),
            in_source: true,
            in_feed: true,
            exported: Exported::Yes,
            updated_at: Some(updated_at),
            has_returns: false,
            events: Vec::new(),
            finding: Some(Finding::Stale),
            detail: String::new(),
        }
    }

    #[test]
    fn what_capture_or_a_backfill_will_still_meet_waits() {
        let settling = Settling {
            moment: Duration::ZERO,
            returns: Duration::ZERO,
            overlap_ms: 120_000,
        };
        let old = UtcMillis(0);
        let nothing = PendingChanges::default();
        assert!(!nothing.holds(&stale(7, old), settling, NOW));
        assert!(nothing.holds(&stale(7, NOW.plus_millis(-119_999)), settling, NOW));
        let mut way = PendingChanges {
            changed: [8].into(),
            reindex: Reindex::Below(7),
            syncing: BTreeSet::new(),
        };
        assert!(!way.holds(&stale(7, old), settling, NOW));
        assert!(way.holds(&stale(6, old), settling, NOW) && way.holds(&stale(8, old), settling, NOW));
        way.syncing.insert("base".to_owned());
        assert!(way.holds(&stale(7, old), settling, NOW));
        let lost = Compared {
            finding: Some(Finding::MissingEvent),
            ..stale(6, NOW)
        };
        assert!(
            !way.holds(&lost, settling, NOW),
            "no walk looks behind an equal hash"
        );
    }

    #[test]
    fn polling_takes_its_overlap_and_triggers_do_not() {
        let mut config = Config::default();
        let polling = settling(&config);
        assert_eq!(polling.moment, Duration::from_millis(4_500));
        assert_eq!(polling.overlap_ms, 124_500);
        config.source.mysql.capture = Capture::Triggers;
        assert_eq!(settling(&config).overlap_ms, 4_500);
    }

    #[test]
    fn a_change_of_a_return_alone_has_the_time_until_polling_looks_at_returns() {
        let mut config = Config::default();
        let plain = stale(7, NOW);
        let returned = Compared {
            has_returns: true,
            ..stale(7, NOW)
        };
        let polling = settling(&config);
        assert_eq!(polling.of(&plain), Duration::from_millis(4_500));
        assert_eq!(polling.of(&returned), Duration::from_millis(64_500));
        let lost = Compared {
            finding: Some(Finding::MissingEvent),
            has_returns: true,
            ..stale(7, NOW)
        };
        assert_eq!(polling.of(&lost), polling.moment);
        config.source.mysql.capture = Capture::Triggers;
        assert_eq!(settling(&config).of(&returned), polling.moment);
    }
}
