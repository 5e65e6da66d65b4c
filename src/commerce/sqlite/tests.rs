//! The embedded source, on a database in a temporary directory.

use std::path::PathBuf;

use rusqlite::Connection;

use super::*;
use crate::commerce::changes::watched::LOG;
use crate::commerce::source::{Change, ChangeOp};
use orderfeed_demo_shop::embedded::EmbeddedShop;
use orderfeed_demo_shop::shop::{Shop as DemoShop, ShopOptions};

struct Fixture {
    _dir: tempfile::TempDir,
    path: PathBuf,
    shop: DemoShop,
    embedded: EmbeddedShop,
}

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shop.db");
        let shop = DemoShop::new(ShopOptions::default());
        let mut embedded = EmbeddedShop::open(&path).unwrap();
        embedded.commit(&shop.open_statements()).unwrap();
        Self {
            _dir: dir,
            path,
            shop,
            embedded,
        }
    }

    fn place(&mut self) -> OrderId {
        let placed = self
            .shop
            .place(UtcMillis::parse_sql("2026-02-01 10:00:00").unwrap());
        self.embedded.commit(&placed.statements).unwrap();
        placed.order_id
    }

    fn source(&self) -> SqliteSource {
        SqliteSource::open(&self.path).unwrap()
    }

    fn execute(&self, sql: &str) {
        let connection = Connection::open(&self.path).unwrap();
        connection
            .busy_timeout(std::time::Duration::from_secs(10))
            .unwrap();
        connection.execute_batch(sql).unwrap();
    }

    fn log_length(&self) -> i64 {
        let connection = Connection::open(&self.path).unwrap();
        connection
            .query_row("SELECT count(*) FROM orderfeed_log", [], |row| row.get(0))
            .unwrap()
    }
}

#[tokio::test]
async fn a_placed_order_is_captured_read_and_acknowledged() {
    let mut fixture = Fixture::new();
    let source = fixture.source();
    let start = source.initial_cursors().await.unwrap();
    assert_eq!(source.changes(&start, 100).await.unwrap().changes, []);
    let id = fixture.place();
    let captured = source.changes(&start, 100).await.unwrap();
    assert!(captured.changes.contains(&Change {
        order: id,
        table: "sales_order",
        op: ChangeOp::Insert
    }));
    assert_eq!(
        source.changes(&start, 100).await.unwrap(),
        captured,
        "not kept, so given again"
    );
    let [ReadOrder::Whole(order)] = &source.read_orders(&[id]).await.unwrap()[..] else {
        panic!()
    };
    assert!(!order.items.is_empty() && order.scope.is_some());
    source.acknowledge(&captured.cursors).await.unwrap();
    assert_eq!(fixture.log_length(), 0);
    assert_eq!(source.changes(&captured.cursors, 100).await.unwrap().changes, []);
    let next = fixture.place();
    let again = source.changes(&captured.cursors, 100).await.unwrap();
    assert!(
        again.changes.iter().all(|change| change.order == next),
        "numbers go on after the log was emptied"
    );
}

#[tokio::test]
async fn changes_come_in_pages() {
    let mut fixture = Fixture::new();
    let source = fixture.source();
    let mut cursors = source.initial_cursors().await.unwrap();
    let placed: Vec<_> = (0..5).map(|_| fixture.place()).collect();
    let mut found = Vec::new();
    loop {
        let captured = source.changes(&cursors, 3).await.unwrap();
        assert!(captured.changes.len() <= 3);
        found.extend(captured.changes.iter().map(|change| change.order));
        cursors = captured.cursors;
        if !captured.more {
            break;
        }
    }
    found.dedup();
    assert_eq!(found, placed);
}

#[tokio::test]
async fn opening_repairs_triggers_and_only_real_updates_are_logged() {
    let mut fixture = Fixture::new();
    let id = fixture.place();
    drop(fixture.source());
    fixture.execute(
        "DROP TRIGGER trg_orderfeed_sales_order_after_update; DROP TRIGGER trg_orderfeed_sales_order_item_after_update; \
         CREATE TRIGGER trg_orderfeed_sales_order_item_after_update AFTER UPDATE ON sales_order_item BEGIN SELECT 1; END",
    );
    let source = fixture.source();
    assert!(source.check_triggers().await.unwrap().is_complete());
    let cursors = source.initial_cursors().await.unwrap();
    fixture.execute(&format!(
        "UPDATE sales_order SET updated_at = '2027-01-01 00:00:00' WHERE entity_id = {id}"
    ));
    assert_eq!(source.changes(&cursors, 9).await.unwrap().changes, []);
    fixture.execute(&format!(
        "UPDATE sales_order_item SET qty_canceled = '1.0000' WHERE order_id = {id}"
    ));
    let changes = source.changes(&cursors, 9).await.unwrap().changes;
    assert!(
        changes
            .iter()
            .all(|change| change.order == id && change.op == ChangeOp::Update)
            && !changes.is_empty()
    );
}

#[tokio::test]
async fn text_that_is_not_utf8_is_replaced_and_hides_nothing() {
    let mut fixture = Fixture::new();
    let id = fixture.place();
    fixture.execute(&format!(
        "UPDATE sales_order SET customer_note = CAST(x'48ff69' AS TEXT) WHERE entity_id = {id}"
    ));
    let [ReadOrder::Whole(order)] = &fixture.source().read_orders(&[id, id + 1]).await.unwrap()[..] else {
        panic!()
    };
    assert_eq!(order.customer_note.as_deref(), Some("H\u{fffd}i"));
}

#[tokio::test]
async fn what_is_no_shop_is_refused_with_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let open = |name: &str| {
        SqliteSource::open(&dir.path().join(name))
            .unwrap_err()
            .to_string()
    };
    assert!(open("missing.db").contains("source.sqlite.path"));
    std::fs::write(dir.path().join("text.db"), "x".repeat(5000)).unwrap();
    assert!(open("text.db").contains("no SQLite database"));
    drop(
        Connection::open(dir.path().join("empty.db"))
            .unwrap()
            .execute_batch("CREATE TABLE x (y)"),
    );
    assert!(open("empty.db").contains("has no table sales_order"));
}

#[tokio::test]
async fn a_cursor_that_is_not_ours_is_refused() {
    let source = Fixture::new().source();
    let cursors = Cursors([(LOG.to_owned(), "x".to_owned())].into());
    assert!(matches!(
        source.changes(&cursors, 9).await,
        Err(SourceError::BadCursor { .. })
    ));
}
