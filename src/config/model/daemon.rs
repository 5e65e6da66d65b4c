//! What the daemon itself does: index, schedules, first sync, store, log, admin.

use std::path::PathBuf;

use chrono_tz::Tz;

use crate::config::cron::CronExpr;
use crate::config::values::{AdminListen, ByteSize, Choice, History, HumanDuration};

/// `[index]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// The mode of the first start; later `indexer:set-mode` decides.
    pub mode: IndexMode,
    /// Orders read and applied in one transaction.
    pub batch_size: u32,
}

/// When a change is indexed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum IndexMode {
    /// By the cron job `indexer_update_all_views`: "Update by Schedule".
    #[default]
    Schedule,
    /// As soon as it is captured: "Update on Save".
    Realtime,
}

/// `[cron]`: the schedules, all in one time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    /// The time zone of every expression below.
    pub time_zone: Tz,
    /// Indexes captured changes (in `schedule` mode).
    pub indexer_update_all_views: CronExpr,
    /// Reindexes in full where the index is invalid.
    pub indexer_reindex_all_invalid: CronExpr,
    /// Deletes changelog rows that the view has passed.
    pub indexer_clean_all_changelogs: CronExpr,
    /// Makes due again what failed to be delivered or indexed.
    pub resend_failed_items: CronExpr,
    /// Drops bodies and attempts past their retention.
    pub cleanup_delivered_events: CronExpr,
    /// Compares the source with feed and outbox.
    pub verify_source: CronExpr,
    /// How long finished runs are kept for `cron history`.
    pub history_retention: HumanDuration,
}

/// `[first_sync]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstSync {
    /// The time from enabling a website until its history should be at the edge.
    pub window: HumanDuration,
    /// How far back the first sync reaches.
    pub history: History,
}

/// `[verify]`: what the job `verify_source` covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verify {
    /// Orders updated within this time are compared each night.
    pub recent: HumanDuration,
    /// In so many nights every order is compared once.
    pub nights: u32,
    /// How long a night may take.
    pub budget: HumanDuration,
}

/// `[store]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// The SQLite file; a relative path starts at the configuration file's directory.
    pub path: PathBuf,
    /// How long a delivered event's body is kept.
    pub body_retention: HumanDuration,
    /// Free space below which intake stops, so that the store can always finish what it holds.
    pub disk_reserve: ByteSize,
}

/// `[log]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// The form of a line.
    pub format: LogFormat,
    /// A level, optionally followed by `,module=level` exceptions, as `tracing` filters read it.
    pub level: String,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// Journald where stderr is the journal, pretty on a terminal, else logfmt.
    #[default]
    Auto,
    /// Native journal fields.
    Journald,
    /// One JSON object a line.
    Json,
    /// `key=value`, one event a line.
    Logfmt,
    /// For people, with colour.
    Pretty,
}

/// `[admin]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// Where `/metrics`, `/healthz`, `/readyz` and `/status` are served.
    pub listen: AdminListen,
}

impl Default for Index {
    fn default() -> Self {
        Self {
            mode: IndexMode::default(),
            batch_size: 500,
        }
    }
}

impl Default for Cron {
    fn default() -> Self {
        Self {
            time_zone: Tz::UTC,
            indexer_update_all_views: known_cron("*/5 * * * * *"),
            indexer_reindex_all_invalid: known_cron("* * * * *"),
            indexer_clean_all_changelogs: known_cron("0 * * * *"),
            resend_failed_items: known_cron("*/5 * * * *"),
            cleanup_delivered_events: known_cron("0 2 * * *"),
            verify_source: known_cron("30 3 * * *"),
            history_retention: HumanDuration::from_secs(7 * 86_400),
        }
    }
}

impl Default for FirstSync {
    fn default() -> Self {
        Self {
            window: HumanDuration::from_secs(300),
            history: History::Last(HumanDuration::from_secs(5 * 31_557_600)),
        }
    }
}

impl Default for Verify {
    fn default() -> Self {
        Self {
            recent: HumanDuration::from_secs(3 * 86_400),
            nights: 30,
            budget: HumanDuration::from_secs(3600),
        }
    }
}

impl Default for Store {
    fn default() -> Self {
        Self {
            path: PathBuf::from("/var/lib/orderfeed/orderfeed.db"),
            body_retention: HumanDuration::from_secs(7 * 86_400),
            disk_reserve: ByteSize(256 << 20),
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            format: LogFormat::default(),
            level: "info".into(),
        }
    }
}

impl Default for Admin {
    fn default() -> Self {
        Self {
            listen: AdminListen::Tcp(std::net::SocketAddr::from(([127, 0, 0, 1], 9187))),
        }
    }
}

#[expect(
    clippy::expect_used,
    reason = "the argument is a constant of this file, parsed by every test run"
)]
fn known_cron(text: &'static str) -> CronExpr {
    text.parse().expect("a constant cron expression")
}

impl Choice for IndexMode {
    const NAMES: &'static [(&'static str, Self)] =
        &[("schedule", Self::Schedule), ("realtime", Self::Realtime)];
}

impl Choice for LogFormat {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("auto", Self::Auto),
        ("journald", Self::Journald),
        ("json", Self::Json),
        ("logfmt", Self::Logfmt),
        ("pretty", Self::Pretty),
    ];
}
