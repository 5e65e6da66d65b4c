//! Capture from a shop that serves its tables over REST, and from the journal of its events.

use super::*;
use crate::commerce::rest::list::List;
use crate::config::RestJournal;

#[tokio::test]
async fn changes_are_captured_from_every_list() {
    let fixture = Fixture::start(60, MockConfig::default()).await;
    let mut cursors = fixture.settled().await;
    let ids = fixture.all_ids().await;
    let now = Clock::System.now().sql();
    let update = |table: &str, column: &str, id: OrderId| {
        format!("UPDATE {table} SET updated_at = '{now}' WHERE {column} = {id}")
    };
    fixture.change(&[update("sales_order", "entity_id", ids[3])]);
    assert_eq!(fixture.captured(&mut cursors).await, [ids[3]].into());
    let database = SqliteSource::open(&fixture.path).unwrap();
    let orders = whole(database.read_orders(&ids).await.unwrap());
    let shipped = orders.iter().find(|order| !order.shipments.is_empty()).unwrap();
    let shipment = shipped.shipments[0].id;
    // A tracking number alone moves neither its shipment nor its order.
    fixture.change(&[format!(
        "INSERT INTO sales_shipment_track (parent_id, order_id, track_number, created_at) VALUES ({shipment}, {}, 'X', '{now}')",
        shipped.id
    )]);
    let recent = format!("UPDATE sales_shipment SET created_at = '{now}' WHERE entity_id = {shipment}");
    fixture.change(&[recent]);
    assert!(fixture.captured(&mut cursors).await.contains(&shipped.id));
    let returned = orders.iter().find(|order| !order.returns.is_empty()).unwrap();
    fixture.change(&[format!(
        "UPDATE magento_rma SET status = 'received' WHERE entity_id = {}",
        returned.returns[0].id
    )]);
    assert!(fixture.captured(&mut cursors).await.contains(&returned.id));
}

#[tokio::test]
async fn a_bad_order_hides_no_change_of_others() {
    let fixture = Fixture::start(60, MockConfig::default()).await;
    let mut cursors = fixture.settled().await;
    let ids = fixture.all_ids().await;
    fixture.mock.configure(|config| config.poisoned = [ids[5]].into());
    let now = Clock::System.now().sql();
    for id in [ids[4], ids[5], ids[6]] {
        fixture.change(&[format!(
            "UPDATE sales_order SET updated_at = '{now}' WHERE entity_id = {id}"
        )]);
    }
    let captured = fixture.captured(&mut cursors).await;
    assert_eq!(captured, [ids[4], ids[5], ids[6]].into());
}

#[tokio::test]
async fn a_newest_row_that_is_left_out_is_no_gap() {
    let fixture = Fixture::start(60, MockConfig::default()).await;
    let mut config = configuration(&fixture.mock);
    config.source.rest.timeout = crate::config::HumanDuration::from_millis(2_000);
    let source = RestSource::new(&config).unwrap();
    let fixture = Fixture { source, ..fixture };
    let mut cursors = fixture.settled().await;
    let database = SqliteSource::open(&fixture.path).unwrap();
    let orders = whole(database.read_orders(&fixture.all_ids().await).await.unwrap());
    let transactions = orders
        .iter()
        .flat_map(|order| order.transactions.iter().map(|one| (one.id, order.id)));
    let (newest, order) = transactions.max().unwrap();
    fixture
        .mock
        .configure(|config| config.endless_transactions = [order].into());
    let of_order = orders.iter().find(|one| one.id == order).unwrap();
    let left_out = of_order.transactions.iter().map(|one| one.id).collect();
    let mut memory = fixture.source.memory.lock().await;
    memory.unreadable.insert(List::Transactions, left_out);
    drop(memory);
    let before = cursors.0["sales_payment_transaction"].clone();
    assert!(before.starts_with(&format!("{newest};")), "{before}");
    fixture.captured(&mut cursors).await;
    assert_eq!(cursors.0["sales_payment_transaction"], before);
    assert_eq!(cursors.gap(), None);
}

#[tokio::test]
async fn the_journal_reports_orders_and_its_loss_costs_nothing() {
    let fixture = Fixture::start(20, MockConfig::default()).await;
    let mut config = configuration(&fixture.mock);
    let cloud = fixture.mock.config().cloud.clone();
    config.services_connector.organization_id = cloud.organization.parse().unwrap();
    config.source.rest.journal = RestJournal {
        url: Url::parse(&fixture.mock.journal_url()).ok(),
        token_url: Url::parse(&fixture.mock.ims_url()).unwrap(),
        client_id: cloud.client_id,
        client_secret: cloud.client_secret.into(),
        interval: crate::config::HumanDuration::from_millis(0),
        scopes: config.source.rest.journal.scopes.clone(),
    };
    let source = RestSource::new(&config).unwrap();
    let fixture = Fixture { source, ..fixture };
    let mut cursors = fixture.settled().await;
    fixture.mock.push_order_event(7, "000000007");
    assert_eq!(hinted(&fixture, &mut cursors).await, [7].into());
    assert!(hinted(&fixture, &mut cursors).await.is_empty());
    (8..20).for_each(|order| drop(fixture.mock.push_order_event(order, "x")));
    fixture.mock.expire_events(1);
    assert!(
        hinted(&fixture, &mut cursors).await.is_empty(),
        "the lists show no change"
    );
    assert_eq!(cursors.0["journal"], "", "at the end of the journal");
    hinted(&fixture, &mut cursors).await;
    fixture.mock.push_order_event(9, "000000009");
    assert_eq!(hinted(&fixture, &mut cursors).await, [9].into());
}

#[tokio::test]
async fn a_journal_that_fails_is_a_warning_and_delays_nothing() {
    let fixture = Fixture::start(5, MockConfig::default()).await;
    let mut config = configuration(&fixture.mock);
    config.source.rest.journal.url = Url::parse(&fixture.mock.journal_url()).ok();
    config.source.rest.journal.token_url = Url::parse(&fixture.mock.ims_url()).unwrap();
    let source = RestSource::new(&config).unwrap();
    let fixture = Fixture { source, ..fixture };
    fixture.settled().await;
    let warnings = fixture.source.warnings().await.unwrap();
    assert!(
        matches!(&warnings[..], [SourceWarning::Journal { why }] if why.contains("refuses the client")),
        "{warnings:?}"
    );
}

/// Captures without the pause that the journal asks for at its end.
async fn hinted(fixture: &Fixture, cursors: &mut Cursors) -> BTreeSet<OrderId> {
    fixture.source.memory.lock().await.journal_due = None;
    fixture.captured(cursors).await
}
