//! The options of `verify`, and the check that they do not contradict each other. Pure.

use serde::{Deserialize, Serialize};

use crate::daemon::control::resync::{Contradiction, MAX_IDS, parse_time};
use orderfeed_model::clock::UtcMillis;

/// Most orders in each list of the answer, so that it fits into [`MAX_LINE`](super::MAX_LINE).
pub const MAX_LISTED: u32 = 1_000;

// The docs of the fields are also the help of the command; those of the type would replace the command's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::Args)]
#[serde(default)]
pub struct VerifyOptions {
    /// Only these orders: order numbers or entity ids, separated by commas
    #[arg(
        long = "orders",
        visible_alias = "by-ids",
        value_name = "IDS",
        value_delimiter = ','
    )]
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
    /// Put orders that differ into the changelog, so that they are indexed again
    #[arg(long)]
    pub repair: bool,
    /// Largest number of orders in each list; the counts are complete
    #[arg(long = "limit", value_name = "N", default_value_t = 100)]
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
        broken.map_or(Ok(()), |(_, message)| Err(Contradiction(message)))
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
