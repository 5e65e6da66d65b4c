//! Checks the text and the JSON of a snapshot.

use crate::cli::inspect::status::*;
use crate::first_sync::report::SyncReport;
use crate::ops::status::{
    DaemonStatus, IndexSnapshot, IntakeStatus, JobSchedule, LastRun, NotExported, PauseStatus, Pending,
    SHAPE, SenderStatus, SourceFailure, SourceGap, SourceStatus, StoreStatus, StorefrontStatus,
};
use crate::store::backfill::BackfillKind;
use crate::store::cron::CronStatus;
use crate::store::feed::Exported;
use crate::store::first_sync::SyncState;
use crate::store::meta::StoredWarning;
use crate::store::outbox::PauseScope;
use crate::store::views::{IndexerStatus, ViewMode, ViewStatus};

fn at(text: &str) -> Moment {
    Moment(UtcMillis::parse_rfc3339(text).unwrap())
}

fn sender(state: SenderState) -> SenderStatus {
    SenderStatus {
        state,
        code: String::new(),
        reason: String::new(),
        since: Some(at("2026-11-22T06:00:00Z")),
        until: None,
        failures: 0,
        remedy: String::new(),
        pause: None,
    }
}

fn website(code: &str, sender: SenderStatus) -> WebsiteStatus {
    WebsiteStatus {
        code: code.into(),
        exporting: true,
        sender,
        pending: Pending::default(),
        delivered: BTreeMap::new(),
        suppressed: BTreeMap::new(),
        parked: BTreeMap::new(),
        export_status: ExportStatus::default(),
    }
}

fn quiet() -> Snapshot {
    Snapshot {
        version: SHAPE,
        taken_at: at("2026-11-22T07:00:00Z"),
        problems: vec![],
        daemon: DaemonStatus::default(),
        index: IndexSnapshot {
            mode: ViewMode::Schedule,
            status: IndexerStatus::Invalid,
            view_status: ViewStatus::Idle,
            view_updated: None,
            version: 0,
            head: 0,
            backlog: 0,
            oldest_change_at: None,
        },
        index_suspended_by: None,
        index_failures: 0,
        not_exported: vec![],
        intake: IntakeStatus::default(),
        first_syncs: vec![],
        backfills: vec![],
        websites: vec![],
        storefront: vec![StorefrontStatus {
            website: "base".to_owned(),
            on: true,
            reason: "organization id and datastream are valid",
        }],
        source: SourceStatus::default(),
        cron: vec![],
        schedules: vec![],
        store: StoreStatus {
            path: "/var/lib/orderfeed/orderfeed.db".into(),
            database_bytes: 4096,
            wal_bytes: 0,
        },
    }
}

fn busy() -> Snapshot {
    let halted = SenderStatus {
        code: "EXEG-0003-401".into(),
        reason: "the token was refused\n\u{1b}[31mforged".into(),
        until: Some(at("2026-11-22T07:01:00Z")),
        failures: 14,
        remedy: "fix what the reason names".into(),
        pause: Some(PauseStatus {
            scope: PauseScope::Datastream,
            asked_at: at("2026-11-22T06:59:00Z"),
            until: at("2026-11-22T07:01:00Z"),
        }),
        ..sender(SenderState::Halted)
    };
    let mut base = website("base", sender(SenderState::Running));
    base.delivered = [("placed".to_owned(), 1000), ("invoiced".to_owned(), 234)].into();
    base.suppressed = [("placed".to_owned(), 3)].into();
    base.parked = [("refunded".to_owned(), 2)].into();
    base.pending = Pending {
        live: 12,
        history: 3000,
        retry: 50,
        oldest_change_at: Some(at("2026-11-22T06:59:48Z")),
        ..Pending::default()
    };
    base.export_status = ExportStatus {
        submitted: 1234,
        awaiting_submission: 2962,
        failed_will_retry: 50,
        failed_requires_attention: 2,
    };
    let mut snapshot = quiet();
    snapshot.daemon = DaemonStatus {
        running: true,
        command: Some("orderfeed run".into()),
        pid: Some(1234),
    };
    snapshot.index = IndexSnapshot {
        status: IndexerStatus::Valid,
        view_status: ViewStatus::Working,
        view_updated: Some(at("2026-11-22T06:59:59Z")),
        version: 1188,
        head: 1200,
        backlog: 9,
        oldest_change_at: Some(at("2026-11-22T06:59:57Z")),
        ..snapshot.index
    };
    snapshot.index_failures = 1;
    snapshot.not_exported = vec![NotExported {
        why: Exported::WebsiteUnknown,
        orders: 41,
    }];
    snapshot.intake = IntakeStatus {
        flow: Some(Flow::HistoryWaits),
        since: Some(at("2026-11-22T06:59:00Z")),
    };
    snapshot.first_syncs = vec![SyncReport {
        website: "base".into(),
        state: SyncState::Reindexing,
        started_at: at("2026-11-22T06:58:00Z"),
        deadline: at("2026-11-22T07:03:00Z"),
        completed_at: None,
        total_orders: 200_000,
        done_orders: 90_000,
        events: 400_000,
        sent_events: 350_000,
        eta_ms: Some(150_000),
        missed: false,
        limited_by: Some("rate_limit".into()),
        interrupted_at: None,
    }];
    snapshot.backfills = vec![BackfillStatus {
        kind: BackfillKind::Resync,
        total: 20_000,
        done: 5_000,
        events: 12_000,
        started_at: at("2026-11-22T06:58:00Z"),
        remaining_ms: Some(360_000),
    }];
    snapshot.websites = vec![base, website("shop_de", halted)];
    snapshot.source.checked_at = Some(at("2026-11-22T06:59:58Z"));
    snapshot.source.warnings = vec![StoredWarning {
        code: "OF03-09".into(),
        message: "connections to the database are encrypted, but its certificate is not verified".into(),
        remedy: "set source.mysql.tls.ca_file".into(),
    }];
    snapshot.cron = vec![LastRun {
        job: "indexer_update_all_views".into(),
        status: CronStatus::Success,
        message: "17 orders, 3 events".into(),
        scheduled_at: at("2026-11-22T06:59:55Z"),
        finished_at: Some(at("2026-11-22T06:59:56Z")),
    }];
    snapshot.schedules = vec![JobSchedule {
        job: "indexer_update_all_views".into(),
        expression: "* * * * *".into(),
        default_expression: "*/5 * * * * *".into(),
        next_run_at: Some(at("2026-11-22T07:01:00Z")),
    }];
    snapshot.source.late_tables = vec!["magento_rma: it does not answer in time".into()];
    snapshot.source.failure = Some(SourceFailure {
        since: at("2026-11-22T06:59:58Z"),
        message: "connection refused by db:3306".into(),
        remedy: "start the database server".into(),
    });
    snapshot.source.gap = Some(SourceGap {
        at: at("2026-11-22T05:00:00Z"),
        table: "sales_order".into(),
    });
    snapshot.problems = snapshot.find_problems();
    snapshot
}

#[test]
fn an_unused_store_shows_the_next_step() {
    let mut unused = quiet();
    unused.problems = unused.find_problems();
    insta::assert_snapshot!(render(&unused));
}

#[test]
fn a_busy_daemon_shows_pending_and_failed_events_and_remedies() {
    insta::assert_snapshot!(render(&busy()));
}

#[test]
fn the_shape_for_scripts_is_stable() {
    insta::assert_json_snapshot!(busy());
}

/// Collects the paths of all fields. The counts by kind and the cursors are one field each.
fn fields(value: &serde_json::Value, path: &str, found: &mut std::collections::BTreeSet<String>) {
    let by_name = ["delivered", "suppressed", "parked", "cursors"];
    match value {
        serde_json::Value::Object(object) if !by_name.iter().any(|name| path.ends_with(name)) => {
            for (name, value) in object {
                let below = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                fields(value, &below, found);
            }
        }
        serde_json::Value::Array(array) => {
            for value in array {
                fields(value, &format!("{path}[]"), found);
            }
        }
        _ => {
            found.insert(path.to_owned());
        }
    }
}

#[test]
fn the_documentation_lists_every_field_and_no_other() {
    let page = include_str!("../../../../docs/STATUS.md");
    let listed: std::collections::BTreeSet<String> = page
        .lines()
        .filter_map(|line| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned()))
        .collect();
    let mut found = std::collections::BTreeSet::new();
    fields(&serde_json::to_value(busy()).unwrap(), "", &mut found);
    assert_eq!(listed, found);
    assert!(page.contains(&format!("`version` is {SHAPE}")));
}
