//! The list of checks. Their ids are part of the contract of `doctor --json`: they stay and keep their meaning.

/// Declares the enum, its list and the ids in one table.
macro_rules! checks {
    ($($(#[doc = $doc:literal])+ $name:ident = $id:literal),+ $(,)?) => {
        /// A check. Its id is `group.name`; `docs/OPERATIONS.md` has a row for each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Check {
            $($(#[doc = $doc])+ $name),+
        }

        impl Check {
            /// All checks, in the order of the report.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Returns the stable id.
            pub const fn id(self) -> &'static str {
                match self { $(Self::$name => $id),+ }
            }
        }
    };
}

checks! {
    /// The configuration is valid; its warnings.
    Configuration = "configuration.valid",
    /// The required secrets exist.
    Credentials = "configuration.credentials",
    /// The store's directory can be used, and by no other user than intended.
    Directory = "files.directory",
    /// The store's files belong to the right user.
    StoreFiles = "files.store",
    /// The disk has enough free space.
    Disk = "files.disk",
    /// The store can be opened.
    StoreOpens = "store.opens",
    /// The store's file is intact.
    Integrity = "store.integrity",
    /// No other process keeps SQLite's locks.
    Locked = "store.locked",
    /// The view is not ahead of its changelog, and the store is bound to this data space.
    Consistent = "store.consistent",
    /// A daemon is running.
    Running = "daemon.running",
    /// The daemon answers on its socket.
    Answers = "daemon.answers",
    /// The daemon makes progress.
    Healthy = "daemon.healthy",
    /// The daemon may open enough files.
    Limits = "daemon.limits",
    /// Schedules that rarely fire.
    Expression = "schedules.expression",
    /// Jobs that did not run when they should have, or failed.
    LastRun = "schedules.last_run",
    /// Jobs and leases that hang.
    Stuck = "schedules.stuck",
    /// The source can be reached.
    SourceReachable = "source.reachable",
    /// Tables, columns and privileges exist.
    Schema = "source.schema",
    /// The triggers or the changelog that capture reads work.
    Capture = "source.capture",
    /// Capture is neither ahead of the source nor far behind.
    Position = "source.position",
    /// The database is the one that the store was filled from.
    Identity = "source.identity",
    /// The configured websites are those of the shop.
    Websites = "source.websites",
    /// The machine's clock against the database's.
    ClockDatabase = "clock.database",
    /// The machine's clock against the edge's.
    ClockEdge = "clock.edge",
    /// The machine's clock against the token service's.
    ClockTokens = "clock.tokens",
    /// The machine's clock against times in the store.
    ClockStore = "clock.store",
    /// The edge can be reached.
    EdgeAddress = "edge.address",
    /// The token service can be reached.
    TokenAddress = "edge.token_address",
    /// The token service issues a token.
    Token = "edge.token",
    /// The edge accepts the website's datastream.
    Datastream = "edge.datastream",
    /// The index is kept up to date.
    IndexStatus = "index.status",
    /// Captured changes do not wait long to be indexed.
    IndexLag = "index.lag",
    /// Orders that cannot be indexed.
    IndexFailures = "index.failures",
    /// Capture and indexing may add to the store.
    Intake = "index.intake",
    /// First syncs within their window.
    FirstSync = "index.first_sync",
    /// Nothing blocks a website's delivery.
    Sender = "delivery.sender",
    /// Events do not wait long to be sent.
    DeliveryLag = "delivery.lag",
    /// Events that need a decision.
    Parked = "delivery.parked",
    /// Websites whose events are not sent.
    SwitchedOff = "delivery.website",
}

impl Check {
    /// Returns the part of the id before the dot, by which the output is grouped.
    pub fn group(self) -> &'static str {
        self.id().split('.').next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_are_unique_and_checks_of_a_group_are_adjacent() {
        let ids: BTreeSet<_> = Check::ALL.iter().map(|check| check.id()).collect();
        assert_eq!(ids.len(), Check::ALL.len());
        let mut groups: Vec<_> = Check::ALL.iter().map(|check| check.group()).collect();
        groups.dedup();
        let distinct: BTreeSet<_> = groups.iter().collect();
        assert_eq!(distinct.len(), groups.len());
    }

    #[test]
    fn the_runbook_has_a_row_for_each_check() {
        let runbook = include_str!("../../docs/OPERATIONS.md");
        let missing: Vec<_> = Check::ALL
            .iter()
            .map(|check| check.id())
            .filter(|id| !runbook.contains(&format!("| `{id}` |")))
            .collect();
        assert!(
            missing.is_empty(),
            "without a row in docs/OPERATIONS.md: {missing:?}"
        );
    }
}
