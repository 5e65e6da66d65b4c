//! Polling misses nothing: late commits, several changes in a second, restarts, clocks.

use std::collections::BTreeSet;

use mysql_async::prelude::Queryable;
use orderfeed::commerce::mysql::MysqlSource;
use orderfeed::commerce::source::{ChangeOp, Cursors, Source, SourceError};
use orderfeed::config::{CaptureMode, HumanDuration, MysqlConfig};
use orderfeed_demo_shop::shop::ShopOptions;

use super::{Reader, settings, source, span};
use crate::support::on_each_server;
use crate::support::server::Server;

on_each_server! {
    a_transaction_that_commits_late_is_noticed_within_the_overlap,
    a_second_update_within_the_same_second_is_read_again,
    every_watched_table_leads_to_its_order,
    changes_that_were_not_committed_are_returned_again,
    thousands_of_orders_changed_in_one_second_are_paged,
    microseconds_are_followed_where_a_full_page_lies_within_one_second,
    a_row_with_a_future_timestamp_hides_no_current_change,
    a_return_that_changes_its_status_without_a_trace_is_noticed,
    a_database_restored_from_an_older_copy_is_followed_from_there,
    a_foreign_cursor_is_refused,
}

const TOUCH: &str = "UPDATE sales_order SET status = CONCAT(COALESCE(status, ''), 'x'), updated_at = UTC_TIMESTAMP() WHERE entity_id = ";

async fn a_transaction_that_commits_late_is_noticed_within_the_overlap(server: &Server) {
    let database = server.database().await;
    database.load(ShopOptions::default(), span(20)).await;
    let source = source(&database, CaptureMode::Poll);
    let mut reader = Reader::start(&source).await;
    let mut late = database.conn().await;
    late.query_drop("BEGIN").await.unwrap();
    late.query_drop(format!("{TOUCH}1")).await.unwrap();
    late.query_drop("DO SLEEP(1.1)").await.unwrap();
    database.execute(&format!("{TOUCH}2")).await;
    assert_eq!(
        reader.wait_for(|change| change.order == 2).await.op,
        ChangeOp::Upsert
    );
    late.query_drop("COMMIT").await.unwrap();
    assert_eq!(
        reader.wait_for(|change| change.order == 1).await.op,
        ChangeOp::Upsert
    );
    assert_eq!(
        reader.wait_for(|change| change.order == 1).await.op,
        ChangeOp::Recheck
    );
}

async fn a_second_update_within_the_same_second_is_read_again(server: &Server) {
    let database = server.database().await;
    database.load(ShopOptions::default(), span(20)).await;
    let source = source(&database, CaptureMode::Poll);
    let mut reader = Reader::start(&source).await;
    database
        .execute(
            "UPDATE sales_order SET status = 'one', updated_at = @now := UTC_TIMESTAMP() WHERE entity_id = 3",
        )
        .await;
    assert_eq!(
        reader.wait_for(|change| change.order == 3).await.op,
        ChangeOp::Upsert
    );
    database
        .execute("UPDATE sales_order SET status = 'two', updated_at = updated_at WHERE entity_id = 3")
        .await;
    reader
        .wait_for(|change| change.order == 3 && change.op == ChangeOp::Recheck)
        .await;
}

async fn every_watched_table_leads_to_its_order(server: &Server) {
    let database = server.database().await;
    database.load(ShopOptions::default(), span(200)).await;
    let source = source(&database, CaptureMode::Poll);
    let mut reader = Reader::start(&source).await;
    reader.take().await;
    for (table, statement) in [
        (
            "sales_invoice",
            "UPDATE sales_invoice SET state = 3, updated_at = UTC_TIMESTAMP() ORDER BY entity_id LIMIT 1",
        ),
        (
            "sales_shipment_track",
            "INSERT INTO sales_shipment_track (parent_id, order_id, track_number) SELECT entity_id, order_id, 'x' FROM sales_shipment LIMIT 1",
        ),
        (
            "sales_creditmemo_comment",
            "INSERT INTO sales_creditmemo_comment (parent_id) SELECT entity_id FROM sales_creditmemo LIMIT 1",
        ),
        (
            "magento_rma_status_history",
            "INSERT INTO magento_rma_status_history (rma_entity_id, status) SELECT entity_id, 'closed' FROM magento_rma LIMIT 1",
        ),
    ] {
        database.execute(statement).await;
        let change = reader.wait_for(|change| change.table == table).await;
        assert!(change.order > 0);
    }
}

async fn changes_that_were_not_committed_are_returned_again(server: &Server) {
    let database = server.database().await;
    database.load(ShopOptions::default(), span(20)).await;
    let source = source(&database, CaptureMode::Poll);
    let mut reader = Reader::start(&source).await;
    database.execute(&format!("{TOUCH}4")).await;
    let lost = source.changes(&reader.cursors, 1000).await.unwrap();
    assert!(lost.changes.iter().any(|change| change.order == 4));
    assert_ne!(lost.cursors, reader.cursors);
    assert!(reader.orders().await.contains(&4));
    let restarted = MysqlSource::new(settings(&database, "admin")).unwrap();
    let mut reader = Reader {
        source: &restarted,
        cursors: reader.cursors,
    };
    reader.take().await;
    let idle = reader.cursors.clone();
    reader.take().await;
    assert_eq!(
        reader.cursors, idle,
        "a shop where nothing happens moves no cursor, and nothing is written"
    );
}

async fn thousands_of_orders_changed_in_one_second_are_paged(server: &Server) {
    let database = server.database().await;
    database.load(ShopOptions::default(), span(600)).await;
    let source = source(&database, CaptureMode::Poll);
    let mut reader = Reader::start(&source).await;
    reader.take().await;
    database
        .execute("UPDATE sales_order SET status = 'mass', updated_at = UTC_TIMESTAMP()")
        .await;
    let mut found = BTreeSet::new();
    let mut calls = 0;
    loop {
        let captured = source.changes(&reader.cursors, 300).await.unwrap();
        assert!(captured.changes.len() <= 600);
        found.extend(captured.changes.iter().map(|change| change.order));
        reader.cursors = captured.cursors;
        calls += 1;
        if !captured.more {
            break;
        }
    }
    assert_eq!(found.len(), 600);
    assert!(calls > 5);
}

async fn microseconds_are_followed_where_a_full_page_lies_within_one_second(server: &Server) {
    let database = server.database().await;
    database.load(ShopOptions::default(), span(600)).await;
    database
        .execute(
            "ALTER TABLE sales_order MODIFY updated_at timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)",
        )
        .await;
    let source = source(&database, CaptureMode::Poll);
    let mut reader = Reader::start(&source).await;
    reader.take().await;
    // Two rows share each microsecond, so that some pages end between them.
    database
        .execute(
            "UPDATE sales_order SET status = 'mass',
             updated_at = DATE_FORMAT(UTC_TIMESTAMP(), '%Y-%m-%d %H:%i:%s') - INTERVAL 1 SECOND
                          + INTERVAL FLOOR(entity_id / 2) MICROSECOND",
        )
        .await;
    let mut found = BTreeSet::new();
    loop {
        let before = reader.cursors.clone();
        let captured = source.changes(&before, 100).await.unwrap();
        found.extend(captured.changes.iter().map(|change| change.order));
        reader.cursors = captured.cursors;
        if !captured.more {
            break;
        }
        assert_ne!(
            reader.cursors, before,
            "a page that does not advance is read for ever"
        );
    }
    assert_eq!(found.len(), 600);
    database
        .execute("UPDATE sales_order SET status = 'next', updated_at = UTC_TIMESTAMP(6) WHERE entity_id = 9")
        .await;
    reader.wait_for(|change| change.order == 9).await;
}

async fn a_row_with_a_future_timestamp_hides_no_current_change(server: &Server) {
    let database = server.database().await;
    database.load(ShopOptions::default(), span(20)).await;
    let source = source(&database, CaptureMode::Poll);
    let mut reader = Reader::start(&source).await;
    database
        .execute("UPDATE sales_order SET updated_at = UTC_TIMESTAMP() + INTERVAL 1 HOUR WHERE entity_id = 5")
        .await;
    reader.wait_for(|change| change.order == 5).await;
    database.execute(&format!("{TOUCH}6")).await;
    reader.wait_for(|change| change.order == 6).await;
    assert!(!reader.orders().await.contains(&5));
}

async fn a_return_that_changes_its_status_without_a_trace_is_noticed(server: &Server) {
    let database = server.database().await;
    database.load(ShopOptions::default(), span(200)).await;
    database
        .execute("UPDATE magento_rma SET status = 'pending'")
        .await;
    let settings = MysqlConfig {
        returns_interval: HumanDuration::from_millis(10),
        ..settings(&database, "admin")
    };
    let source = MysqlSource::new(settings).unwrap();
    let mut reader = Reader::start(&source).await;
    for statement in [
        "UPDATE magento_rma_item_entity SET status = 'mended' ORDER BY entity_id LIMIT 1",
        "UPDATE magento_rma SET status = 'closed' ORDER BY entity_id LIMIT 1",
    ] {
        database.execute(statement).await;
        let change = reader.wait_for(|change| change.table == "magento_rma").await;
        assert_eq!(change.op, ChangeOp::Upsert);
    }
}

async fn a_database_restored_from_an_older_copy_is_followed_from_there(server: &Server) {
    let database = server.database().await;
    database.load(ShopOptions::default(), span(200)).await;
    let source = source(&database, CaptureMode::Poll);
    let mut reader = Reader::start(&source).await;
    reader.take().await;
    for statement in [
        "DELETE FROM sales_shipment_track ORDER BY entity_id DESC LIMIT 20",
        "ALTER TABLE sales_shipment_track AUTO_INCREMENT = 1",
    ] {
        database.execute(statement).await;
    }
    reader.take().await;
    let reused = "INSERT INTO sales_shipment_track (parent_id, order_id, track_number) SELECT entity_id, order_id, 'x' FROM sales_shipment LIMIT 1";
    database.execute(reused).await;
    reader
        .wait_for(|change| change.table == "sales_shipment_track")
        .await;
}

async fn a_foreign_cursor_is_refused(server: &Server) {
    let database = server.database().await;
    let source = source(&database, CaptureMode::Poll);
    let cursors = Cursors([("sales_order".to_owned(), "yesterday".to_owned())].into());
    assert!(matches!(
        source.changes(&cursors, 9).await,
        Err(SourceError::BadCursor { .. })
    ));
}
