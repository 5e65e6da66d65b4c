//! Tests of the source against a shop that serves its tables over REST, with the database of the same shop as the measure.

mod bad_orders;
mod capture;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use orderfeed_demo_shop::embedded::EmbeddedShop;
use orderfeed_demo_shop::history;
use orderfeed_demo_shop::history::Span;
use orderfeed_demo_shop::shop::{Shop, ShopOptions};
use orderfeed_mock_commerce::{
    Effect, Fault, MockCommerce, MockConfig, MockHandle, PageLimits, Permission, Release,
};
use url::Url;

use super::*;
use crate::commerce::sqlite::SqliteSource;
use orderfeed_model::clock::{Clock, UtcMillis};
use orderfeed_model::order::Order;

/// A mock with its shop, and the source that reads it.
struct Fixture {
    mock: MockHandle,
    source: RestSource,
    path: PathBuf,
    _directory: tempfile::TempDir,
}

impl Fixture {
    async fn start(orders: usize, config: MockConfig) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("shop.db");
        fill(&path, orders);
        let mock = MockCommerce::start(&path, config).await.unwrap();
        let source = RestSource::new(&configuration(&mock)).unwrap();
        Self {
            mock,
            source,
            path,
            _directory: directory,
        }
    }

    async fn all_ids(&self) -> Vec<OrderId> {
        let (filter, mut below, mut ids) = (OrderFilter::default(), None, Vec::new());
        loop {
            let page = self.source.order_ids(&filter, below, 500).await.unwrap();
            let Some(lowest) = page.last().copied() else {
                return ids;
            };
            below = Some(lowest);
            ids.extend(page);
        }
    }

    /// Captures until there is nothing more, and returns the orders that changed.
    async fn captured(&self, cursors: &mut Cursors) -> BTreeSet<OrderId> {
        let mut orders = BTreeSet::new();
        loop {
            let captured = self.source.changes(cursors, 1_000).await.unwrap();
            orders.extend(captured.changes.iter().map(|change| change.order));
            *cursors = captured.cursors;
            if !captured.more {
                return orders;
            }
        }
    }

    /// Captures what is there already: the window over late commits repeats it at first.
    async fn settled(&self) -> Cursors {
        let mut cursors = self.source.initial_cursors().await.unwrap();
        self.captured(&mut cursors).await;
        cursors
    }

    fn change(&self, statements: &[String]) {
        self.mock.change_shop(statements).unwrap();
    }
}

fn fill(path: &Path, orders: usize) {
    let mut shop = Shop::new(ShopOptions {
        seed: 11,
        ..ShopOptions::default()
    });
    let mut embedded = EmbeddedShop::open(path).unwrap();
    embedded.commit(&shop.open_statements()).unwrap();
    let to = UtcMillis::parse_sql("2026-11-22 07:00:00").unwrap();
    let span = Span {
        orders,
        from: to.plus_millis(-20 * 86_400_000),
        to,
    };
    for batch in history::batches(&mut shop, span) {
        embedded.commit(&batch).unwrap();
    }
}

fn configuration(mock: &MockHandle) -> Config {
    let mut config = Config::default();
    let (rest, consumer) = (&mut config.source.rest, mock.config().consumer.clone());
    rest.url = Url::parse(&format!("{}/rest/all/V1", mock.url())).ok();
    rest.consumer_key = consumer.key;
    rest.consumer_secret = consumer.secret.into();
    rest.access_token = consumer.token.into();
    rest.access_token_secret = consumer.token_secret.into();
    rest.requests_per_second = 1_000;
    for interval in [
        &mut rest.poll_interval,
        &mut rest.returns_interval,
        &mut rest.tracks_interval,
    ] {
        *interval = crate::config::HumanDuration::from_millis(0);
    }
    config
}

fn whole(read: Vec<ReadOrder>) -> Vec<Order> {
    let mut orders: Vec<Order> = read
        .into_iter()
        .map(|read| match read {
            ReadOrder::Whole(order) => *order,
            other => panic!("{other:?}"),
        })
        .collect();
    orders.sort_by_key(|order| order.id);
    orders
}

/// Removes what REST lacks.
fn without_what_rest_lacks(mut orders: Vec<Order>) -> Vec<Order> {
    for order in &mut orders {
        order
            .items
            .iter_mut()
            .for_each(|item| item.product_options = None);
        for (tax, place) in order.taxes.iter_mut().zip(1..) {
            tax.id = place;
        }
        for item in order.returns.iter_mut().flat_map(|one| &mut one.items) {
            (item.sku, item.name) = (None, None);
            item.qty_requested = None;
            item.qty_authorized = None;
            item.qty_returned = None;
            item.qty_approved = None;
            (item.reason, item.condition, item.resolution) = (None, None, None);
        }
    }
    orders
}

#[tokio::test]
async fn orders_are_those_of_the_database() {
    let config = MockConfig {
        release: Release::V2_4_4,
        ..MockConfig::default()
    };
    let fixture = Fixture::start(300, config).await;
    let ids = fixture.all_ids().await;
    assert_eq!(ids.len(), 300);
    assert!(
        ids.is_sorted_by(|one, next| one > next),
        "newest first, each once"
    );
    let from_rest = whole(fixture.source.read_orders(&ids).await.unwrap());
    let database = SqliteSource::open(&fixture.path).unwrap();
    let from_database = whole(database.read_orders(&ids).await.unwrap());
    for (rest, database) in without_what_rest_lacks(from_rest)
        .into_iter()
        .zip(without_what_rest_lacks(from_database))
    {
        assert_eq!(rest, database);
    }
}

#[tokio::test]
async fn the_identity_of_the_shop_is_that_of_its_database() {
    let fixture = Fixture::start(20, MockConfig::default()).await;
    let rest = fixture.source.describe().await.unwrap();
    let database = SqliteSource::open(&fixture.path)
        .unwrap()
        .describe()
        .await
        .unwrap();
    assert_eq!(rest.fingerprint, database.fingerprint);
}

#[tokio::test]
async fn a_window_of_the_history_costs_six_requests() {
    let fixture = Fixture::start(120, MockConfig::default()).await;
    fixture.source.describe().await.unwrap();
    fixture.mock.reset_ledger();
    let ids = fixture
        .source
        .order_ids(&OrderFilter::default(), None, 500)
        .await
        .unwrap();
    assert_eq!(ids.len(), 50);
    assert_eq!(whole(fixture.source.read_history(&ids).await.unwrap()).len(), 50);
    let ledger = fixture.mock.ledger();
    assert_eq!(
        (ledger.total(), ledger.highest_page()),
        (6, Some(1)),
        "{:?}",
        ledger.by_path()
    );
}

#[tokio::test]
async fn a_limit_of_the_page_is_adopted() {
    let config = MockConfig {
        limits: Some(PageLimits { usual: 5, most: 17 }),
        ..MockConfig::default()
    };
    let fixture = Fixture::start(60, config).await;
    let ids = fixture.all_ids().await;
    assert_eq!(whole(fixture.source.read_orders(&ids).await.unwrap()).len(), 60);
}

#[tokio::test]
async fn the_version_that_the_shop_publishes_is_shown() {
    let fixture = Fixture::start(5, MockConfig::default()).await;
    let found = fixture.source.examine(&Cursors::default()).await.unwrap();
    assert_eq!(
        found.product,
        "Adobe Commerce REST API of Magento/2.4 (Enterprise)"
    );
}

#[tokio::test]
async fn an_outage_is_no_fault_of_the_orders() {
    let fixture = Fixture::start(20, MockConfig::default()).await;
    let ids = fixture.all_ids().await;
    fixture
        .mock
        .script([Fault::once(Effect::Masked(500)).on("/V1/orders").always()]);
    let failed = fixture.source.read_orders(&ids).await;
    assert!(
        matches!(failed, Err(SourceError::Unavailable { .. })),
        "{failed:?}"
    );
}

#[tokio::test]
async fn a_missing_order_is_no_deletion_yet_and_many_are_an_error() {
    let fixture = Fixture::start(60, MockConfig::default()).await;
    let ids = fixture.all_ids().await;
    fixture.mock.configure(|config| config.hidden = [ids[2]].into());
    let read = fixture.source.read_orders(&ids[..10]).await.unwrap();
    let suspected = read
        .iter()
        .filter(|read| matches!(read, ReadOrder::Unreadable { .. }))
        .count();
    assert_eq!((read.len(), suspected), (10, 1));
    assert!(fixture.source.deleted(&ids[2..3]).await.unwrap().is_empty());
    fixture
        .mock
        .configure(|config| config.hidden = ids.iter().copied().collect());
    let refused = fixture.source.read_orders(&ids).await;
    assert!(
        matches!(refused, Err(SourceError::Misconfigured { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_missing_permission_is_named() {
    let mut config = MockConfig::default();
    config.permissions.remove(&Permission::Shipments);
    let fixture = Fixture::start(5, config).await;
    let refused = fixture.source.describe().await.unwrap_err().to_string();
    assert!(refused.contains("Magento_Sales::shipment"), "{refused}");
    let found = fixture.source.examine(&Cursors::default()).await.unwrap();
    let missing: Vec<_> = found
        .missing
        .iter()
        .map(|missing| missing.table.as_str())
        .collect();
    assert_eq!(missing, ["shipments"]);
}

#[tokio::test]
async fn a_clock_that_is_eleven_minutes_off_is_corrected_by_the_answer() {
    let config = MockConfig {
        clock_offset_s: -660,
        ..MockConfig::default()
    };
    let fixture = Fixture::start(5, config).await;
    let skew = fixture
        .source
        .describe()
        .await
        .unwrap()
        .database_time
        .millis_since(Clock::System.now());
    assert!((-670_000..-650_000).contains(&skew), "{skew}");
}

#[tokio::test]
async fn an_order_that_changes_while_it_is_read_is_read_again() {
    let fixture = Fixture::start(30, MockConfig::default()).await;
    let ids = fixture.all_ids().await;
    fixture.source.describe().await.unwrap();
    let database = SqliteSource::open(&fixture.path).unwrap();
    let orders = whole(database.read_orders(&ids).await.unwrap());
    let one = orders.iter().find(|order| !order.invoices.is_empty()).unwrap();
    let now = Clock::System.now().plus_millis(1_000).sql();
    // After the order was read, and before its documents are.
    let change = Effect::Then(vec![
        format!(
            "UPDATE sales_invoice SET updated_at = '{now}' WHERE entity_id = {}",
            one.invoices[0].id
        ),
        format!(
            "UPDATE sales_order SET status = 'moved', updated_at = '{now}' WHERE entity_id = {}",
            one.id
        ),
    ]);
    fixture.mock.script([Fault::once(change).on("/V1/orders")]);
    let read = whole(fixture.source.read_orders(&[one.id]).await.unwrap());
    assert_eq!(read[0].status.as_deref(), Some("moved"));
}
