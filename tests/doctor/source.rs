//! Findings about the source: a MariaDB that is down, or lacks a grant or a trigger, and an embedded shop.

use orderfeed_demo_shop::history::Span;
use orderfeed_demo_shop::shop::ShopOptions;

use super::fixture::examine;
use crate::support::daemon::{Installation, eventually, now};
use crate::support::database::{Database, PASSWORD};
use crate::support::edge;
use crate::support::embedded::ShopFixture;
use crate::support::server::Server;

const EDGE: &str = "http://127.0.0.1:9";

pub async fn shop(orders: usize) -> Database {
    let database = Server::shared().database().await;
    let to = now().plus_millis(-3_600_000);
    let span = Span {
        orders,
        from: to.plus_millis(-20 * 86_400_000),
        to,
    };
    database.load(ShopOptions::default(), span).await;
    database
}

fn installed(database: &Database, user: &str, more: &str) -> Installation {
    installed_for(EDGE, database, user, more)
}

/// Creates an installation for the edge at `edge`.
pub fn installed_for(edge: &str, database: &Database, user: &str, more: &str) -> Installation {
    let url = database.url(user).replace('@', &format!(":{PASSWORD}@"));
    let source = format!(
        "[source]\nkind = \"mysql\"\n[source.mysql]\nurl = \"{url}\"\npoll_interval = \"100ms\"\n{more}"
    );
    Installation::new(&edge::config(edge, &source))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_is_down_is_named_by_its_address() {
    let address = edge::free_address();
    let source =
        format!("[source]\nkind = \"mysql\"\n[source.mysql]\nurl = \"mysql://feed@{address}/shop\"\n");
    let installation = Installation::new(&edge::config(EDGE, &source));
    let daemon = installation.start();
    eventually("the log line", || {
        installation.log().contains("The source cannot be read")
    });
    assert!(
        installation.log().contains(&address.to_string()),
        "{}",
        installation.log()
    );
    let examination = examine(&installation);
    let remedy = &["source.mysql.url", "systemctl"];
    examination.finds(
        "source.reachable",
        "problem",
        &[&address.to_string(), "refused"],
        remedy,
    );
    examination.finds("source.schema", "skipped", &["does not answer"], &[]);
    assert_eq!(daemon.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_grants_are_reported_together_with_the_statements_that_fix_them() {
    let database = shop(5).await;
    let user = database.read_only_account().await;
    for table in ["sales_invoice", "store_group"] {
        let revoke = format!("REVOKE SELECT ON {}.{table} FROM '{user}'@'%'", database.name());
        database.execute(&revoke).await;
    }
    let installation = installed(&database, &user, "");
    let daemon = installation.start();
    eventually("the log line", || {
        installation.log().contains("lacks SELECT on the table")
    });
    let examination = examine(&installation);
    for table in ["sales_invoice", "store_group"] {
        let grant = format!("GRANT SELECT ON `{}`.`{table}` TO '{user}'@'%';", database.name());
        examination.finds("source.schema", "problem", &["lacks SELECT", table], &[&grant]);
        database.execute(&grant).await;
    }
    let fixed = examine(&installation);
    fixed.finds("source.schema", "ok", &[], &[]);
    fixed.finds(
        "source.schema",
        "note",
        &["eav_attribute", "returned items are not sent"],
        &[],
    );
    fixed.finds("source.reachable", "ok", &["MariaDB"], &[]);
    fixed.finds("clock.database", "ok", &["agrees"], &[]);
    assert_eq!(daemon.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trigger_that_was_dropped_is_named() {
    let database = shop(5).await;
    let installer = database.trigger_account("orderfeed_log").await;
    let installation = installed(&database, &installer, "capture = \"triggers\"\n");
    let missing = examine(&installation);
    missing.finds(
        "source.schema",
        "problem",
        &["orderfeed_log"],
        &["triggers install"],
    );
    installation.run(&["source", "triggers", "install"]).ok();
    let daemon = installation.start();
    eventually("capture begins", || {
        installation
            .read_store(|reader| reader.source_cursors())
            .flatten()
            .is_some()
    });
    examine(&installation).finds("source.capture", "ok", &["all 54 triggers"], &[]);
    database
        .execute("DROP TRIGGER trg_orderfeed_sales_order_after_update")
        .await;
    let examination = examine(&installation);
    examination.finds(
        "source.capture",
        "problem",
        &["missing: trg_orderfeed_sales_order_after_update"],
        &["source triggers install", "indexer:reindex"],
    );
    let warned = || installation.run(&["status"]).ok().contains("OF03-07");
    eventually("the warning", warned);
    let log = installation.log();
    assert!(
        log.contains("OF03-07") && log.contains("missing: trg_orderfeed_sales_order_after_update"),
        "{log}"
    );
    installation.run(&["source", "triggers", "install"]).ok();
    eventually("the end of the warning", || !warned());
    assert_eq!(daemon.stop(), Some(0));
}

/// With exactly the documented grants, the daemon's account cannot see triggers at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_triggers_are_detected_by_their_effect_without_the_right_to_see_them() {
    let database = shop(5).await;
    let triggers = "capture = \"triggers\"\n";
    let installer = database.trigger_account("orderfeed_log").await;
    installed(&database, &installer, triggers)
        .run(&["source", "triggers", "install"])
        .ok();
    let (user, name) = (database.read_only_account().await, database.name());
    database
        .execute(&format!(
            "GRANT SELECT, DELETE ON {name}.orderfeed_log TO '{user}'@'%'"
        ))
        .await;
    let installation = installed(&database, &user, triggers);
    database
        .execute("UPDATE sales_order SET status = 'w' WHERE entity_id = 2")
        .await;
    let unseen = examine(&installation);
    unseen.finds(
        "source.capture",
        "unknown",
        &["may not see triggers"],
        &["source triggers check"],
    );
    unseen.finds("source.schema", "ok", &[], &[]);
    database
        .execute("DROP TRIGGER trg_orderfeed_sales_order_after_update")
        .await;
    database
        .execute("UPDATE sales_order SET status = 'x', updated_at = UTC_TIMESTAMP() + INTERVAL 2 MINUTE WHERE entity_id = 3")
        .await;
    let gone = examine(&installation);
    gone.finds(
        "source.capture",
        "problem",
        &["is not in the log: triggers are missing"],
        &["triggers install"],
    );
    database
        .execute(&format!(
            "REVOKE DELETE ON {name}.orderfeed_log FROM '{user}'@'%'"
        ))
        .await;
    let revoked = examine(&installation);
    let grant = format!("GRANT DELETE ON `{name}`.`orderfeed_log`");
    revoked.finds(
        "source.schema",
        "problem",
        &["lacks DELETE", "orderfeed_log"],
        &[&grant],
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_positions_and_another_database_are_reported() {
    let database = shop(5).await;
    let user = database.read_only_account().await;
    let installation = installed(&database, &user, "");
    let daemon = installation.start();
    eventually("the history is indexed", || {
        installation
            .index()
            .is_some_and(|index| index.status.as_str() == "valid")
    });
    assert_eq!(daemon.stop(), Some(0));
    let good = examine(&installation);
    good.finds("source.position", "ok", &[], &[]);
    good.finds("source.identity", "ok", &[], &[]);
    database.execute("DELETE FROM sales_order_status_history").await;
    let ahead = examine(&installation);
    let words = &["sales_order_status_history", "deleted"];
    ahead.finds("source.position", "warning", words, &["indexer:reindex"]);
    database
        .execute("UPDATE sales_order SET increment_id = CONCAT('9', increment_id)")
        .await;
    let other = examine(&installation);
    other.finds(
        "source.identity",
        "problem",
        &["another database"],
        &["store.path"],
    );
}

#[test]
fn an_embedded_source_is_inspected_without_repairing_it() {
    let fixture = ShopFixture::new(EDGE, 3);
    let logs = |fixture: &ShopFixture| fixture.sql().table_exists(None, "orderfeed_log").unwrap();
    let before = logs(&fixture);
    let examination = examine(&fixture.installation);
    examination.finds("source.reachable", "ok", &["SQLite"], &[]);
    examination.finds("source.capture", "problem", &["missing"], &["triggers install"]);
    assert_eq!(logs(&fixture), before, "checking installs nothing");
}
