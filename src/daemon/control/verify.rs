//! The options of `verify`, and the check that they do not contradict each other. Pure.

use serde::{Deserialize, Serialize};

use crate::daemon::control::resync::{Contradiction, MAX_IDS};
use orderfeed_model::clock::UtcMillis;

/// Most orders in each list of the answer, so that it fits into [`MAX_LINE`](super::MAX_LINE).
pub const MAX_LISTED: u32 = 1_000;

/// The options of `verify`. The default compares every order and changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct VerifyOptions {
    /// Restrict to these orders, by order number or entity id.
    pub by_ids: Vec<String>,
    /// Restrict to orders created at or after this time.
    pub from: Option<UtcMillis>,
    /// Restrict to orders created before this time.
    pub to: Option<UtcMillis>,
    /// Restrict to orders of the website with this code.
    pub website: Option<String>,
    /// Append orders that differ to the changelog.
    pub repair: bool,
    /// Most orders in each list of the answer.
    pub listed: u32,
}

impl VerifyOptions {
    /// Checks that the options can be combined; returns the first contradiction.
    pub fn validate(&self) -> Result<(), Contradiction> {
        let ranged = self.from.is_some() || self.to.is_some() || self.website.is_some();
        let rules = [
            (
                !self.by_ids.is_empty() && ranged,
                "--orders names orders one by one; drop it, or drop --from, --to and --website".to_owned(),
            ),
            (
                matches!((self.from, self.to), (Some(from), Some(to)) if from >= to),
                "--from must be before --to".to_owned(),
            ),
            (
                self.by_ids.len() > MAX_IDS,
                format!("--orders takes at most {MAX_IDS} orders; use --from and --to"),
            ),
            (
                self.by_ids.iter().any(|id| id.trim().is_empty()),
                "--orders has an empty entry; write --orders=000000101,000000102".to_owned(),
            ),
            (
                self.listed > MAX_LISTED,
                format!("--limit must be at most {MAX_LISTED}"),
            ),
        ];
        let broken = rules.into_iter().find(|(broken, _)| *broken);
        broken.map_or(Ok(()), |(_, message)| Err(Contradiction::new(message)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contradicting_options_are_named() {
        let refused = |change: fn(&mut VerifyOptions)| {
            let mut options = VerifyOptions::default();
            change(&mut options);
            options.validate().map_err(|refusal| refusal.to_string())
        };
        assert_eq!(refused(|_| {}), Ok(()));
        assert_eq!(refused(|o| o.website = Some("base".into())), Ok(()));
        type Change = fn(&mut VerifyOptions);
        let table: [(Change, &str); 4] = [
            (
                |o| (o.by_ids, o.from) = (vec!["1".into()], Some(UtcMillis(1))),
                "drop --from, --to and --website",
            ),
            (
                |o| (o.from, o.to) = (Some(UtcMillis(2)), Some(UtcMillis(2))),
                "--from must be before --to",
            ),
            (|o| o.by_ids = vec![" ".into()], "empty entry"),
            (|o| o.listed = 1_001, "--limit must be at most 1000"),
        ];
        for (change, expected) in table {
            let sentence = refused(change).unwrap_err();
            assert!(sentence.contains(expected), "{sentence}");
        }
    }
}
