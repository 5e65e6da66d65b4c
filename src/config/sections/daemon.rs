//! The daemon itself: `[index]`, `[cron]`, `[first_sync]`, `[verify]`, `[store]` and `[log]`.

use std::path::PathBuf;

use chrono_tz::{TZ_VARIANTS, Tz};

use crate::config::cron::CronExpr;
use crate::config::fields::{DurationIn, FilePath, Int, Parse, table};
use crate::config::problem::nearest;
use crate::config::reader::ConfigReader;
use crate::config::values::{ByteSize, History, HumanDuration, InvalidValue, choices};

table! {
    /// `[index]`: the Sales Orders Feed index.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Index {
        /// The mode of the first start; afterwards the store holds the mode.
        pub mode: IndexMode = Parse(str::parse),
        pub batch_size: u32 = Int(1, 100_000),
    }
}

choices! {
    /// The mode of the indexer.
    pub enum IndexMode {
        /// "Update by Schedule": the cron job `indexer_update_all_views` indexes changes.
        Schedule = "schedule",
        /// "Update on Save": a change is indexed as soon as it is captured.
        Realtime = "realtime",
    }
}

table! {
    /// `[cron]`: the schedules, all in one time zone.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Cron {
        pub time_zone: Tz = Parse(parse_time_zone),
        pub indexer_update_all_views: CronExpr = Parse(str::parse),
        pub indexer_reindex_all_invalid: CronExpr = Parse(str::parse),
        pub indexer_clean_all_changelogs: CronExpr = Parse(str::parse),
        pub resend_failed_items: CronExpr = Parse(str::parse),
        pub cleanup_delivered_events: CronExpr = Parse(str::parse),
        pub verify_source: CronExpr = Parse(str::parse),
        pub history_retention: HumanDuration = DurationIn("1h", "1y"),
    }
}

impl Cron {
    /// Returns the schedule of each job, by the job's name.
    pub fn jobs(&self) -> [(&'static str, &CronExpr); 6] {
        [
            ("indexer_update_all_views", &self.indexer_update_all_views),
            ("indexer_reindex_all_invalid", &self.indexer_reindex_all_invalid),
            ("indexer_clean_all_changelogs", &self.indexer_clean_all_changelogs),
            ("resend_failed_items", &self.resend_failed_items),
            ("cleanup_delivered_events", &self.cleanup_delivered_events),
            ("verify_source", &self.verify_source),
        ]
    }
}

fn parse_time_zone(text: &str) -> Result<Tz, InvalidValue> {
    text.parse().map_err(|_| {
        let names = || TZ_VARIANTS.iter().map(|zone| zone.name());
        // Users often write the city alone ("Berlin"), which is the end of a name.
        let of_city = |name: &&str| {
            name.rsplit('/')
                .next()
                .is_some_and(|city| city.eq_ignore_ascii_case(text))
        };
        let expected = match names().find(of_city).or_else(|| nearest(text, names())) {
            Some(name) => format!("a name of the IANA time zone database; did you mean \"{name}\"?"),
            None => "a name of the IANA time zone database such as \"UTC\" or \"Europe/Berlin\"".to_owned(),
        };
        InvalidValue::new("is not a time zone", expected)
    })
}

table! {
    /// `[first_sync]`: the first-sync window, and the history that it covers.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct FirstSync {
        pub window: HumanDuration = DurationIn("1s", "7d"),
        pub history: History = Parse(str::parse),
    }
}

impl FirstSync {
    pub(super) fn check(&self, reader: &mut ConfigReader<'_>) {
        if self.history == History::Last(HumanDuration::default()) {
            let message = "is an empty length of time; expected \"none\" to start without history";
            reader.problem("first_sync.history", message);
        }
    }
}

table! {
    /// `[verify]`: the extent of the job `verify_source`.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Verify {
        pub recent: HumanDuration = DurationIn("1h", "1y"),
        pub nights: u32 = Int(1, 3650),
        pub budget: HumanDuration = DurationIn("1s", "1d"),
    }
}

table! {
    /// `[store]`: the store's file, retention and disk reserve.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct StoreConfig {
        pub path: PathBuf = FilePath,
        pub body_retention: HumanDuration = DurationIn("0s", "10y"),
        pub disk_reserve: ByteSize = Parse(str::parse),
    }
}

table! {
    /// `[log]`: form and level of the log.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Log {
        pub format: LogFormat = Parse(str::parse),
        /// A level, optionally followed by `,module=level` exceptions: a filter as `tracing` reads it.
        pub level: String = Parse(parse_level),
    }
}

choices! {
    /// The form of a log line.
    pub enum LogFormat {
        /// Journald where stderr is the journal, pretty on a terminal, logfmt otherwise.
        Auto = "auto",
        /// Native fields of the systemd journal.
        Journald = "journald",
        /// One JSON object per line.
        Json = "json",
        /// `key=value` pairs, one event per line.
        Logfmt = "logfmt",
        /// For reading on a terminal, in colour.
        Pretty = "pretty",
    }
}

/// Accepts `info`, or `info,orderfeed::delivery=debug`. `tracing` would take a misspelt level for the name of a module.
fn parse_level(text: &str) -> Result<String, InvalidValue> {
    let is_level = |level: &str| ["error", "warn", "info", "debug", "trace", "off"].contains(&level);
    let is_target = |target: &str| {
        !target.is_empty()
            && target
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':'))
    };
    let mut parts = text.split(',');
    let fits = parts.next().is_some_and(is_level)
        && parts.all(|part| {
            part.split_once('=')
                .is_some_and(|(target, level)| is_target(target) && is_level(level))
        });
    match fits {
        true => Ok(text.to_owned()),
        false => Err(InvalidValue::new(
            "is not a log level",
            "error, warn, info, debug or trace, optionally followed by exceptions such as \
             \"info,orderfeed::delivery=debug\"",
        )),
    }
}
