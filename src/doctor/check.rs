//! The list of checks. Their ids are part of the contract of `doctor --json`: they stay and keep their meaning.

use orderfeed_model::words;

words! {
    /// A check, in the order of the report. Its id is `group.name`; `docs/OPERATIONS.md` has a row for each.
    #[derive(Hash, PartialOrd, Ord)]
    pub enum Check {
        Configuration = "configuration.valid",
        Credentials = "configuration.credentials",
        Storefront = "configuration.storefront",
        Directory = "files.directory",
        StoreFiles = "files.store",
        Disk = "files.disk",
        StoreOpens = "store.opens",
        Integrity = "store.integrity",
        Locked = "store.locked",
        Consistent = "store.consistent",
        Running = "daemon.running",
        Answers = "daemon.answers",
        Healthy = "daemon.healthy",
        Limits = "daemon.limits",
        Expression = "schedules.expression",
        LastRun = "schedules.last_run",
        Stuck = "schedules.stuck",
        SourceReachable = "source.reachable",
        Encryption = "source.encryption",
        Schema = "source.schema",
        Capture = "source.capture",
        Position = "source.position",
        Identity = "source.identity",
        Websites = "source.websites",
        ClockDatabase = "clock.database",
        ClockEdge = "clock.edge",
        ClockTokens = "clock.tokens",
        ClockStore = "clock.store",
        EdgeAddress = "edge.address",
        TokenAddress = "edge.token_address",
        Token = "edge.token",
        Datastream = "edge.datastream",
        IndexStatus = "index.status",
        IndexLag = "index.lag",
        IndexFailures = "index.failures",
        Intake = "index.intake",
        FirstSync = "index.first_sync",
        Sender = "delivery.sender",
        DeliveryLag = "delivery.lag",
        Parked = "delivery.parked",
        SwitchedOff = "delivery.website",
    }
}

impl Check {
    pub fn of_groups<'a>(groups: &'a [&str]) -> impl Iterator<Item = Self> + 'a {
        let all = Self::ALL.into_iter();
        all.filter(|check| groups.contains(&check.group()))
    }

    /// Returns the part of the id before the dot, by which the output is grouped.
    pub fn group(self) -> &'static str {
        self.as_str().split('.').next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_are_unique_and_checks_of_a_group_are_adjacent() {
        let ids: BTreeSet<_> = Check::ALL.iter().map(|check| check.as_str()).collect();
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
            .map(|check| check.as_str())
            .filter(|id| !runbook.contains(&format!("| `{id}` |")))
            .collect();
        assert!(
            missing.is_empty(),
            "without a row in docs/OPERATIONS.md: {missing:?}"
        );
    }
}
