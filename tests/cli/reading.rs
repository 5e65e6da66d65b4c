//! Read-only commands, with and without another process that holds the store.

use orderfeed::store::StoreLock;

use super::CliFixture;

#[tokio::test]
async fn the_index_is_shown_as_in_commerce() {
    let fixture = CliFixture::with_store().await;
    assert_eq!(
        fixture.run(&["indexer:info"]).ok(),
        "sales_order_data_exporter_v2             Sales Orders Feed\n"
    );
    let status = fixture.run(&["indexer:status"]).ok();
    assert!(
        status.contains("| sales_order_data_exporter_v2 | Sales Orders Feed | Reindex required | Schedule  | idle (2 in backlog) | 2026-11-22 07:00:00 |"),
        "{status}"
    );
    let mview = fixture
        .run(&["indexer:status:mview", "sales_order_data_exporter_v2"])
        .ok();
    assert!(
        mview.contains(
            "| sales_order_data_exporter_v2 | enabled | idle   | 2026-11-22 07:00:00 | 0          | 2       |"
        ),
        "{mview}"
    );
    let mode = fixture.run(&["indexer:show-mode"]).ok();
    assert_eq!(mode, format!("{:<50} Update by Schedule\n", "Sales Orders Feed:"));
}

#[tokio::test]
async fn an_unknown_index_exits_with_1_and_commerces_message() {
    let fixture = CliFixture::with_store().await;
    for command in [
        "indexer:status",
        "indexer:show-mode",
        "indexer:reindex",
        "indexer:reset",
    ] {
        let message = fixture.run(&[command, "catalogsearch_fulltext"]).failed(1);
        assert!(
            message
                .contains("The following requested index types are not supported: 'catalogsearch_fulltext'."),
            "{message}"
        );
    }
    let message = fixture.run(&["saas:resync", "--feed", "products"]).failed(1);
    assert!(
        message.contains("products") && message.contains("orders"),
        "{message}"
    );
}

#[tokio::test]
async fn status_shows_the_running_process_and_pending_work() {
    let fixture = CliFixture::with_store().await;
    let idle = fixture.run(&["status"]).ok();
    assert!(
        idle.contains("not running; start it with `systemctl start orderfeed`"),
        "{idle}"
    );
    let _daemon = StoreLock::acquire(&fixture.store(), "orderfeed run").unwrap();
    let busy = fixture.run(&["status"]).ok();
    let expected = format!("running: orderfeed run (process {})", std::process::id());
    assert!(busy.contains(&expected), "{busy}");
    assert!(
        busy.contains("2 orders in backlog") && busy.contains("Failed, requires attention: 1"),
        "{busy}"
    );
    let json: serde_json::Value = serde_json::from_str(&fixture.run(&["status", "--json"]).ok()).unwrap();
    assert_eq!(json["version"], 1);
    assert_eq!(json["daemon"]["pid"], std::process::id());
    assert_eq!(json["index"]["backlog"], 2);
    assert_eq!(json["websites"][0]["parked"]["placed"], 1);
    assert_eq!(json["cron"][0]["message"], "made up");
}

#[test]
fn before_the_first_start_there_is_nothing_to_show() {
    let fixture = CliFixture::new();
    for args in [
        &["status"][..],
        &["indexer:status"],
        &["failed", "list"],
        &["cron", "history"],
        &["indexer:reset"],
    ] {
        let message = fixture.run(args).failed(69);
        assert!(message.contains("start the daemon first"), "{message}");
    }
    assert!(!fixture.store().exists(), "reading creates no store");
    assert!(
        fixture
            .run(&["cron", "list"])
            .ok()
            .contains("indexer_update_all_views")
    );
}

#[tokio::test]
async fn schedules_and_their_history_are_listed() {
    let fixture = CliFixture::with_store().await;
    let list = fixture.run(&["cron", "list"]).ok();
    assert!(
        list.contains("| resend_failed_items          | */5 * * * *   | UTC       |"),
        "{list}"
    );
    let history = fixture
        .run(&["cron", "history", "--job", "resend_failed_items"])
        .ok();
    assert!(
        history.contains("| success | 2026-11-22 07:00:00 | 2026-11-22 07:00:00 | 1s   | made up |"),
        "{history}"
    );
    let json: serde_json::Value =
        serde_json::from_str(&fixture.run(&["cron", "history", "--json"]).ok()).unwrap();
    assert_eq!(json[0]["duration_ms"], 1500);
    let message = fixture.run(&["cron", "history", "--job", "nightly"]).failed(2);
    assert!(
        message.contains("the jobs are indexer_update_all_views"),
        "{message}"
    );
}

#[tokio::test]
async fn only_failed_show_prints_what_the_edge_quoted_of_an_event() {
    let fixture = CliFixture::with_store().await;
    let quoting = "UPDATE outbox_parked SET code = 'EXEG-0102-400', detail = 'Invalid event' || char(10) || 'jane@example.com'";
    let connection = rusqlite::Connection::open(fixture.store()).unwrap();
    assert_eq!(connection.execute(quoting, []).unwrap(), 1);
    drop(connection);
    for args in [
        &["failed", "list"][..],
        &["failed", "list", "--json"],
        &["doctor"],
        &["doctor", "--json"],
    ] {
        let shown = fixture.run(args).stdout;
        assert!(shown.contains("Invalid event"), "{args:?}: {shown}");
        assert!(!shown.contains("jane"), "{args:?}: {shown}");
    }
    let one = fixture.run(&["failed", "show", "7:placed:7"]).ok();
    assert!(one.contains("Invalid event jane@example.com\n"), "{one}");
}

#[tokio::test]
async fn parked_events_are_shown_without_their_escape_sequences() {
    let fixture = CliFixture::with_store().await;
    let list = fixture.run(&["failed", "list"]).ok();
    assert!(
        list.contains("| 7:placed:7 |") && list.contains("| too_large |"),
        "{list}"
    );
    assert!(!list.contains('\u{1b}'), "{list}");
    let one = fixture.run(&["failed", "show", "7:placed:7"]).ok();
    assert!(
        one.contains("orderfeed failed retry 7:placed:7") && !one.contains('\u{1b}'),
        "{one}"
    );
    let none = fixture.run(&["failed", "list", "--code", "other"]).ok();
    assert_eq!(none, "No parked events\n");
    let message = fixture.run(&["failed", "show", "8:placed:8"]).failed(2);
    assert!(message.contains("is not parked"), "{message}");
}
