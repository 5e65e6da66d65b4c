//! The options of `saas:resync`, and the check that they do not contradict each other. Pure.

use serde::{Deserialize, Serialize};

use orderfeed_model::clock::UtcMillis;

/// Most orders in `by_ids`; a range can have more.
pub const MAX_IDS: usize = 10_000;
pub const MAX_BATCH: u32 = 10_000;
pub const MAX_THREADS: u32 = 32;

// The docs of the fields are also the help of the command; those of the type would replace the command's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::Args)]
#[serde(default)]
pub struct ResyncOptions {
    /// Do not read the source: retry parked events and those that wait for a retry
    #[arg(long)]
    pub no_reindex: bool,
    /// Report what would be sent; store and send nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Only these orders: order numbers or entity ids, separated by commas
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    pub by_ids: Vec<String>,
    /// Only orders created at or after this: 2026-11-01, "2026-11-01 08:00:00" (UTC) or RFC 3339
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub from: Option<UtcMillis>,
    /// Only orders created before this
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub to: Option<UtcMillis>,
    /// Only orders of this website
    #[arg(long, value_name = "CODE")]
    pub website: Option<String>,
    /// Continue an interrupted resync
    #[arg(long)]
    pub continue_resync: bool,
    /// Resend delivered events, with the same ids and bytes
    #[arg(long)]
    pub force: bool,
    /// Clear the hashes of the feed first, so that no order counts as unchanged
    #[arg(long)]
    pub cleanup_feed: bool,
    /// Orders in one batch, instead of index.batch_size
    #[arg(long, value_name = "N")]
    pub batch_size: Option<u32>,
    /// Number of batches read in parallel
    #[arg(long, value_name = "N")]
    pub thread_count: Option<u32>,
    /// Return when everything is delivered rather than queued. Exit code 69 if events remain because their website is
    /// halted, paused or not configured; they are listed
    #[arg(long)]
    pub wait: bool,
}

/// Options that contradict each other. The message names them and the way out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Contradiction(pub(crate) String);

/// Parses a time as operators write it. A day stands for its start in UTC.
pub(crate) fn parse_time(text: &str) -> Result<UtcMillis, String> {
    UtcMillis::parse_rfc3339(text)
        .or_else(|| UtcMillis::parse_sql(text))
        .or_else(|| UtcMillis::parse_sql(&format!("{text} 00:00:00")))
        .ok_or_else(|| {
            "expected 2026-11-22, \"2026-11-22 07:00:00\" (UTC) or 2026-11-22T07:00:00+01:00".to_owned()
        })
}

impl ResyncOptions {
    /// Checks that the options can be combined; returns the first contradiction.
    pub fn validate(&self) -> Result<(), Contradiction> {
        let found = self.contradiction().map(str::to_owned);
        let found = found.or_else(|| self.out_of_range());
        found.map_or(Ok(()), |message| Err(Contradiction(message)))
    }

    /// Returns true if a range or a website limits the orders.
    pub(crate) fn is_limited(&self) -> bool {
        self.from.is_some() || self.to.is_some() || self.website.is_some()
    }

    fn contradiction(&self) -> Option<&'static str> {
        let ranged = self.is_limited();
        let by_ids = !self.by_ids.is_empty();
        let rules = [
            (
                by_ids && ranged,
                "--by-ids names orders one by one; drop it, or drop --from, --to and --website",
            ),
            (
                self.continue_resync && (by_ids || ranged),
                "--continue-resync continues with the orders of the earlier run; drop --by-ids, --from, --to and --website",
            ),
            (
                self.continue_resync && self.cleanup_feed,
                "--cleanup-feed starts from the beginning, --continue-resync does not; choose one",
            ),
            (
                self.continue_resync && self.dry_run,
                "--continue-resync continues the earlier run, --dry-run changes nothing; choose one",
            ),
            (
                self.no_reindex && self.cleanup_feed,
                "--cleanup-feed deletes hashes that only a reindex restores; drop --no-reindex",
            ),
            (
                self.no_reindex && self.continue_resync,
                "--continue-resync continues a reindex; drop --no-reindex",
            ),
            (
                self.dry_run && self.cleanup_feed,
                "--dry-run changes nothing, --cleanup-feed does; choose one",
            ),
            (
                self.dry_run && self.wait,
                "--dry-run sends nothing, so --wait has nothing to wait for; choose one",
            ),
            (
                matches!((self.from, self.to), (Some(from), Some(to)) if from >= to),
                "--from must be before --to",
            ),
        ];
        rules
            .into_iter()
            .find_map(|(broken, message)| broken.then_some(message))
    }

    fn out_of_range(&self) -> Option<String> {
        if self.by_ids.len() > MAX_IDS {
            return Some(format!(
                "--by-ids takes at most {MAX_IDS} orders; use --from and --to"
            ));
        }
        if self.by_ids.iter().any(|id| id.trim().is_empty()) {
            return Some("--by-ids has an empty entry; write --by-ids=000000101,000000102".to_owned());
        }
        let outside = |value: Option<u32>, max| value.is_some_and(|value| value == 0 || value > max);
        if outside(self.batch_size, MAX_BATCH) {
            return Some(format!("--batch-size must be between 1 and {MAX_BATCH}"));
        }
        if outside(self.thread_count, MAX_THREADS) {
            return Some(format!("--thread-count must be between 1 and {MAX_THREADS}"));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(change: impl FnOnce(&mut ResyncOptions)) -> Result<(), String> {
        let mut options = ResyncOptions::default();
        change(&mut options);
        options
            .validate()
            .map_err(|contradiction| contradiction.to_string())
    }

    #[test]
    fn times_are_read_as_operators_write_them() {
        let at = UtcMillis::parse_rfc3339("2026-11-22T00:00:00Z");
        assert_eq!(parse_time("2026-11-22").ok(), at);
        assert_eq!(parse_time("2026-11-22 00:00:00").ok(), at);
        assert_eq!(parse_time("2026-11-22T01:00:00+01:00").ok(), at);
        assert!(parse_time("yesterday").unwrap_err().contains("2026-11-22"));
    }

    #[test]
    fn options_that_can_be_combined_are_accepted() {
        with(|_| {}).unwrap();
        with(|o| (o.force, o.wait, o.no_reindex) = (true, true, true)).unwrap();
        with(|o| (o.from, o.to) = (Some(UtcMillis(1)), Some(UtcMillis(2)))).unwrap();
        with(|o| (o.by_ids, o.dry_run) = (vec!["000000101".into()], true)).unwrap();
        with(|o| (o.batch_size, o.thread_count) = (Some(1), Some(32))).unwrap();
    }

    #[test]
    fn contradicting_options_are_named() {
        type Change = fn(&mut ResyncOptions);
        let table: [(Change, &str); 12] = [
            (
                |o| (o.by_ids, o.from) = (vec!["1".into()], Some(UtcMillis(1))),
                "drop --from, --to and --website",
            ),
            (
                |o| (o.continue_resync, o.by_ids) = (true, vec!["1".into()]),
                "drop --by-ids",
            ),
            (
                |o| (o.continue_resync, o.cleanup_feed) = (true, true),
                "--cleanup-feed starts",
            ),
            (
                |o| (o.continue_resync, o.dry_run) = (true, true),
                "--dry-run changes nothing",
            ),
            (
                |o| (o.no_reindex, o.cleanup_feed) = (true, true),
                "drop --no-reindex",
            ),
            (
                |o| (o.no_reindex, o.continue_resync) = (true, true),
                "drop --no-reindex",
            ),
            (|o| (o.dry_run, o.cleanup_feed) = (true, true), "choose one"),
            (|o| (o.dry_run, o.wait) = (true, true), "choose one"),
            (
                |o| (o.from, o.to) = (Some(UtcMillis(2)), Some(UtcMillis(2))),
                "--from must be before --to",
            ),
            (|o| o.by_ids = vec![" ".into()], "empty entry"),
            (|o| o.batch_size = Some(0), "--batch-size must be between"),
            (|o| o.thread_count = Some(33), "--thread-count must be between"),
        ];
        for (change, expected) in table {
            let sentence = with(change).unwrap_err();
            assert!(sentence.contains(expected), "{sentence}");
        }
    }
}
