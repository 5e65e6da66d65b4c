//! Capture from logs: Commerce's own changelog, and the log written by orderfeed's triggers.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use orderfeed::commerce::mysql::MysqlSource;
use orderfeed::commerce::source::{Change, ChangeOp, Source};
use orderfeed::config::{CaptureMode, MysqlConfig};
use orderfeed_demo_shop::shop::ShopOptions;

use super::{Reader, notes, settings, source, span};
use crate::support::database::Database;
use crate::support::on_each_server;
use crate::support::server::Server;

on_each_server! {
    the_instances_own_changelog_is_read_and_never_written,
    a_changelog_that_was_cleaned_or_recreated_loses_no_order,
    triggers_notice_every_table_and_only_real_changes,
    log_rows_go_only_when_they_are_settled_and_a_late_one_is_read,
    altered_missing_and_foreign_triggers_are_reported_repaired_and_removed,
}

async fn rows(database: &Database, sql: &str) -> i64 {
    database.conn().await.query_first(sql).await.unwrap().unwrap()
}

async fn the_instances_own_changelog_is_read_and_never_written(server: &Server) {
    let database = server.database().await;
    database.load(ShopOptions::default(), span(50)).await;
    database.enable_changelog().await;
    let source = source(&database, CaptureMode::Changelog);
    let mut reader = Reader::start(&source).await;
    reader.take().await;
    database
        .execute("UPDATE sales_order SET status = 'x' WHERE entity_id = 8")
        .await;
    let change = reader.wait_for(|change| change.order == 8).await;
    assert_eq!(
        change,
        Change {
            order: 8,
            table: "sales_order",
            op: ChangeOp::Upsert
        }
    );
    assert_eq!(
        rows(
            &database,
            "SELECT COUNT(*) FROM sales_order_data_exporter_v2_cl WHERE entity_id = 8"
        )
        .await,
        1
    );

    let mut late = database.conn().await;
    late.query_drop("BEGIN").await.unwrap();
    late.query_drop("UPDATE sales_order SET status = 'late' WHERE entity_id = 9")
        .await
        .unwrap();
    database
        .execute("UPDATE sales_order SET status = 'y' WHERE entity_id = 10")
        .await;
    reader.wait_for(|change| change.order == 10).await;
    late.query_drop("COMMIT").await.unwrap();
    // A lower version that was committed later.
    reader.wait_for(|change| change.order == 9).await;
}

async fn a_changelog_that_was_cleaned_or_recreated_loses_no_order(server: &Server) {
    let database = server.database().await;
    database.load(ShopOptions::default(), span(50)).await;
    database.enable_changelog().await;
    let source = source(&database, CaptureMode::Changelog);
    let mut reader = Reader::start(&source).await;
    for id in [11, 12] {
        database
            .execute(&format!(
                "UPDATE sales_order SET status = 'x', updated_at = UTC_TIMESTAMP() WHERE entity_id = {id}"
            ))
            .await;
        reader.wait_for(|change| change.order == id).await;
    }
    database
        .execute(
            "UPDATE sales_order SET status = 'unseen', updated_at = UTC_TIMESTAMP() WHERE entity_id = 13",
        )
        .await;
    database.execute("TRUNCATE sales_order_data_exporter_v2_cl").await;
    assert!(reader.orders().await.contains(&13), "found by its updated_at");
    database
        .execute("UPDATE sales_order SET status = 'z' WHERE entity_id = 14")
        .await;
    reader
        .wait_for(|change| change.order == 14 && change.op == ChangeOp::Upsert)
        .await;

    // Commerce's own hourly cleaning, while the daemon was stopped.
    for id in [15, 16] {
        let update =
            "UPDATE sales_order SET status = 'unseen', updated_at = UTC_TIMESTAMP() WHERE entity_id = ";
        database.execute(&format!("{update}{id}")).await;
    }
    let newest = rows(
        &database,
        "SELECT MAX(version_id) FROM sales_order_data_exporter_v2_cl",
    )
    .await;
    let clean = format!("DELETE FROM sales_order_data_exporter_v2_cl WHERE version_id < {newest}");
    database.execute(&clean).await;
    let orders = reader.orders().await;
    assert!(orders.contains(&15) && orders.contains(&16), "{orders:?}");
}

async fn triggers_notice_every_table_and_only_real_changes(server: &Server) {
    let database = server.database().await;
    database.load(ShopOptions::default(), span(200)).await;
    let source = source(&database, CaptureMode::Triggers);
    let refused = source.describe().await.unwrap_err().to_string();
    assert!(refused.contains("orderfeed source triggers install"), "{refused}");
    let created = source.install_triggers().await.unwrap();
    assert_eq!(created.len(), 18 * 3);
    assert!(
        source.install_triggers().await.unwrap().is_empty(),
        "a second time there is nothing to do"
    );
    assert_eq!(notes(&source).await, Vec::<String>::new());
    let mut reader = Reader::start(&source).await;
    for (table, op, statement) in [
        (
            "sales_order_item",
            ChangeOp::Update,
            "UPDATE sales_order_item SET qty_canceled = 1 WHERE order_id = 2 LIMIT 1",
        ),
        (
            "sales_order_address",
            ChangeOp::Update,
            "UPDATE sales_order_address SET city = 'Ulm' WHERE parent_id = 2 LIMIT 1",
        ),
        (
            "sales_order_payment",
            ChangeOp::Update,
            "UPDATE sales_order_payment SET base_amount_paid = 1.5 WHERE parent_id = 2",
        ),
        (
            "sales_shipment_track",
            ChangeOp::Insert,
            "INSERT INTO sales_shipment_track (parent_id, order_id, track_number) SELECT entity_id, order_id, 'x' FROM sales_shipment LIMIT 1",
        ),
        (
            "sales_shipment_track",
            ChangeOp::Delete,
            "DELETE FROM sales_shipment_track WHERE track_number = 'x'",
        ),
        (
            "magento_rma_item_entity",
            ChangeOp::Update,
            "UPDATE magento_rma_item_entity SET qty_approved = 77 LIMIT 1",
        ),
        (
            "sales_order_tax",
            ChangeOp::Update,
            "UPDATE sales_order_tax SET title = 'other' LIMIT 1",
        ),
    ] {
        database.execute(statement).await;
        let change = reader.wait_for(|change| change.table == table).await;
        assert_eq!(change.op, op, "{statement}");
    }
    database.execute("UPDATE sales_order SET updated_at = UTC_TIMESTAMP() + INTERVAL 1 SECOND, status = status WHERE entity_id = 2").await;
    assert_eq!(reader.take().await, [], "an update of nothing but the time");
    database
        .execute("DELETE FROM sales_order WHERE entity_id = 2")
        .await;
    assert_eq!(
        reader.wait_for(|change| change.order == 2).await.op,
        ChangeOp::Delete
    );
}

async fn log_rows_go_only_when_they_are_settled_and_a_late_one_is_read(server: &Server) {
    let database = server.database().await;
    database.load(ShopOptions::default(), span(20)).await;
    let source = source(&database, CaptureMode::Triggers);
    source.install_triggers().await.unwrap();
    let mut reader = Reader::start(&source).await;
    let mut late = database.conn().await;
    late.query_drop("BEGIN").await.unwrap();
    late.query_drop("UPDATE sales_order SET status = 'late' WHERE entity_id = 5")
        .await
        .unwrap();
    for id in [6, 7] {
        database
            .execute(&format!(
                "UPDATE sales_order SET status = 'x' WHERE entity_id = {id}"
            ))
            .await;
        reader.wait_for(|change| change.order == id).await;
    }
    late.query_drop("COMMIT").await.unwrap();
    reader.wait_for(|change| change.order == 5).await;
    let deadline = std::time::Instant::now() + super::PATIENCE;
    while rows(&database, "SELECT COUNT(*) FROM orderfeed_log").await > 1 {
        assert!(std::time::Instant::now() < deadline);
        assert!(reader.take().await.is_empty(), "each row is reported once");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(
        rows(&database, "SELECT COUNT(*) FROM orderfeed_log").await,
        1,
        "the last one keeps the numbers growing"
    );
}

async fn altered_missing_and_foreign_triggers_are_reported_repaired_and_removed(server: &Server) {
    let database = server
        .database_with(orderfeed_demo_shop::tables::schema::Edition::Full, "m2_")
        .await;
    let source = MysqlSource::new(MysqlConfig {
        table_prefix: "m2_".parse().unwrap(),
        capture: CaptureMode::Triggers,
        ..settings(&database, "admin")
    })
    .unwrap();
    source.install_triggers().await.unwrap();
    assert!(source.check_triggers().await.unwrap().is_complete());
    for statement in [
        "DROP TRIGGER trg_orderfeed_m2_sales_order_after_insert",
        "ALTER TABLE m2_sales_invoice ADD COLUMN novelty int",
        "CREATE TRIGGER trg_orderfeed_old AFTER INSERT ON m2_sales_order FOR EACH ROW SET @x = 1",
        "CREATE TRIGGER trg_m2_sales_order_after_insert AFTER INSERT ON m2_sales_order FOR EACH ROW SET @x = 1",
    ] {
        database.execute(statement).await;
    }
    let report = source.check_triggers().await.unwrap();
    assert_eq!(report.missing, ["trg_orderfeed_m2_sales_order_after_insert"]);
    assert_eq!(report.altered, ["trg_orderfeed_m2_sales_invoice_after_update"]);
    assert_eq!(report.foreign, ["trg_orderfeed_old"]);
    let warnings = source.warnings().await.unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let text = warnings[0].message();
    assert!(
        text.contains("missing: trg_orderfeed_m2_sales_order_after_insert")
            && text.contains("altered: trg_orderfeed_m2_sales_invoice_after_update"),
        "{text}"
    );
    assert_eq!(source.install_triggers().await.unwrap().len(), 2);
    assert_eq!(source.warnings().await.unwrap(), []);
    assert!(source.check_triggers().await.unwrap().is_complete());
    assert_eq!(source.remove_triggers().await.unwrap().len(), 18 * 3 + 1);
    let left = "SELECT COUNT(*) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()";
    assert_eq!(rows(&database, left).await, 1, "the shop's own trigger stays");
}
