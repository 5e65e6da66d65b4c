//! Which checks there are. The ids are part of the contract of `doctor --json`: they stay, and mean the same.

/// Makes the enum, the list of all and the ids from one table.
macro_rules! checks {
    ($($(#[doc = $doc:literal])+ $name:ident = $id:literal),+ $(,)?) => {
        /// One check. Its id is `group.name`; `docs/OPERATIONS.md` has a line for each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Check {
            $($(#[doc = $doc])+ $name),+
        }

        impl Check {
            /// All of them, in the order in which they are shown.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The stable id.
            pub const fn id(self) -> &'static str {
                match self { $(Self::$name => $id),+ }
            }
        }
    };
}

checks! {
    /// The configuration is usable, and what it warns of.
    Configuration = "configuration.valid",
    /// The secrets that are needed are there.
    Credentials = "configuration.credentials",
    /// The store's directory can be used, and only by whom it should be.
    Directory = "files.directory",
    /// The store's files belong to whom they should.
    StoreFiles = "files.store",
    /// There is space.
    Disk = "files.disk",
    /// The store can be opened.
    StoreOpens = "store.opens",
    /// The store is sound.
    Integrity = "store.integrity",
    /// Nobody else keeps SQLite's locks.
    Locked = "store.locked",
    /// The view is not ahead of its changelog, and the store is bound to this data space.
    Consistent = "store.consistent",
    /// A daemon runs.
    Running = "daemon.running",
    /// It answers.
    Answers = "daemon.answers",
    /// It makes progress.
    Healthy = "daemon.healthy",
    /// It may open enough files.
    Limits = "daemon.limits",
    /// Schedules that hardly ever fire.
    Expression = "schedules.expression",
    /// Jobs that did not run when they should have, or failed.
    LastRun = "schedules.last_run",
    /// Jobs and leases that hang.
    Stuck = "schedules.stuck",
    /// The source can be reached.
    SourceReachable = "source.reachable",
    /// Tables, columns and rights are there.
    Schema = "source.schema",
    /// The triggers or the changelog that capture lives on work.
    Capture = "source.capture",
    /// Capture is neither ahead of the source nor far behind.
    Position = "source.position",
    /// It is the database that the store was filled from.
    Identity = "source.identity",
    /// The configured websites are those of the shop.
    Websites = "source.websites",
    /// This clock against the database's.
    ClockDatabase = "clock.database",
    /// This clock against the edge's.
    ClockEdge = "clock.edge",
    /// This clock against the token service's.
    ClockTokens = "clock.tokens",
    /// This clock against the store's own past.
    ClockStore = "clock.store",
    /// The edge can be reached.
    EdgeAddress = "edge.address",
    /// The token service can be reached.
    TokenAddress = "edge.token_address",
    /// The token service gives a token.
    Token = "edge.token",
    /// The edge takes the website's datastream.
    Datastream = "edge.datastream",
    /// The index is kept up to date.
    IndexStatus = "index.status",
    /// Captured changes do not wait long to be indexed.
    IndexLag = "index.lag",
    /// Orders that cannot be indexed.
    IndexFailures = "index.failures",
    /// What may flow in.
    Intake = "index.intake",
    /// First syncs within their window.
    FirstSync = "index.first_sync",
    /// Nothing holds a website's delivery.
    Sender = "delivery.sender",
    /// Events do not wait long to be sent.
    DeliveryLag = "delivery.lag",
    /// Events that need a decision.
    Parked = "delivery.parked",
    /// Websites whose events are not sent.
    SwitchedOff = "delivery.website",
}

impl Check {
    /// The part of the id before the dot: what the human output is grouped by.
    pub fn group(self) -> &'static str {
        self.id().split('.').next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_are_unique_and_groups_stand_together() {
        let ids: BTreeSet<_> = Check::ALL.iter().map(|check| check.id()).collect();
        assert_eq!(ids.len(), Check::ALL.len());
        let mut groups: Vec<_> = Check::ALL.iter().map(|check| check.group()).collect();
        groups.dedup();
        let distinct: BTreeSet<_> = groups.iter().collect();
        assert_eq!(distinct.len(), groups.len());
    }

    #[test]
    fn the_runbook_has_a_line_for_each_check() {
        let runbook = include_str!("../../docs/OPERATIONS.md");
        let missing: Vec<_> = Check::ALL
            .iter()
            .map(|check| check.id())
            .filter(|id| !runbook.contains(&format!("| `{id}` |")))
            .collect();
        assert!(
            missing.is_empty(),
            "without a line in docs/OPERATIONS.md: {missing:?}"
        );
    }
}
