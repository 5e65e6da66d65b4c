//! The options of `saas:resync`, and which of them contradict each other. Pure.

use serde::{Deserialize, Serialize};

use orderfeed_model::clock::UtcMillis;

/// Most orders that may be named one by one; more than that is a range.
pub const MAX_IDS: usize = 10_000;
/// Largest batch.
pub const MAX_BATCH: u32 = 10_000;
/// Most threads.
pub const MAX_THREADS: u32 = 32;

/// What to synchronize again, and how. The default reindexes everything and sends what is new, changed or failed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResyncOptions {
    /// Do not read the source; send again what the outbox holds and what failed.
    pub no_reindex: bool,
    /// Say what would be sent; send and store nothing.
    pub dry_run: bool,
    /// Only these orders: order numbers or entity ids.
    pub by_ids: Vec<String>,
    /// Only orders created at or after this.
    pub from: Option<UtcMillis>,
    /// Only orders created before this.
    pub to: Option<UtcMillis>,
    /// Go on where an earlier, interrupted run stopped.
    pub continue_resync: bool,
    /// Send again what was delivered, with the same ids and bytes.
    pub force: bool,
    /// Forget the feed's hashes first, so that every order is looked at.
    pub cleanup_feed: bool,
    /// Orders in one batch, instead of `index.batch_size`.
    pub batch_size: Option<u32>,
    /// Batches that are read at the same time.
    pub thread_count: Option<u32>,
    /// Return when everything was delivered that can be, not when everything is queued.
    pub wait: bool,
}

/// Options that cannot be meant together; the sentence says which and what to use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Contradiction(String);

impl Contradiction {
    pub(crate) fn new(sentence: String) -> Self {
        Self(sentence)
    }
}

impl ResyncOptions {
    /// Checks that the options make sense together.
    ///
    /// # Errors
    /// The first contradiction, as a sentence that names the options.
    pub fn validate(&self) -> Result<(), Contradiction> {
        let found = self.contradiction().or_else(|| self.out_of_range());
        found.map_or(Ok(()), |sentence| Err(Contradiction(sentence)))
    }

    fn contradiction(&self) -> Option<String> {
        let ranged = self.from.is_some() || self.to.is_some();
        let by_ids = !self.by_ids.is_empty();
        let rules: [(bool, &str); 9] = [
            (
                by_ids && ranged,
                "--by-ids names orders one by one; drop it, or drop --from and --to",
            ),
            (
                self.continue_resync && (by_ids || ranged),
                "--continue-resync goes on with the orders of the earlier run; drop --by-ids, --from and --to",
            ),
            (
                self.continue_resync && self.cleanup_feed,
                "--cleanup-feed starts from the beginning, --continue-resync does not; choose one",
            ),
            (
                self.continue_resync && self.dry_run,
                "--continue-resync moves the earlier run on, --dry-run changes nothing; choose one",
            ),
            (
                self.no_reindex && self.cleanup_feed,
                "--cleanup-feed forgets what only a reindex can bring back; drop --no-reindex",
            ),
            (
                self.no_reindex && self.continue_resync,
                "--continue-resync goes on with a reindex; drop --no-reindex",
            ),
            (
                self.dry_run && self.cleanup_feed,
                "--dry-run changes nothing, --cleanup-feed does; choose one",
            ),
            (
                self.dry_run && self.wait,
                "--dry-run sends nothing that --wait could wait for; choose one",
            ),
            (
                matches!((self.from, self.to), (Some(from), Some(to)) if from >= to),
                "--from must be before --to",
            ),
        ];
        rules
            .into_iter()
            .find_map(|(broken, sentence)| broken.then(|| sentence.to_owned()))
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
    fn what_makes_sense_together_is_accepted() {
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
                "drop --from and --to",
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
