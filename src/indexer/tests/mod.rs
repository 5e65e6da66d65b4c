//! The indexer's promises, against a source in memory.

mod beside_live;
mod letters;
mod reach;
mod repeats;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::commerce::source::*;
use crate::config::Website;
use crate::store::feed::Exported;
use crate::store::outbox::{EventState, ParkedFilter};
use crate::store::views::{IndexerStatus, ViewMode, ViewStatus};
use crate::store::{Durability, testing};
use orderfeed_model::clock::UtcMillis;
use orderfeed_model::order::{Order, OrderId, Scope};

const NOW: UtcMillis = UtcMillis::from_secs(1_000_000);

/// Orders in memory. `broken` are there, but cannot be read; reading fails altogether after `reads_left` batches.
#[derive(Default)]
struct Memory {
    orders: Mutex<BTreeMap<OrderId, Order>>,
    broken: Mutex<Vec<OrderId>>,
    reads_left: Mutex<Option<u64>>,
    read: AtomicU64,
}

impl Source for Memory {
    fn describe(&self) -> SourceFuture<'_, SourceInfo> {
        Box::pin(async { Ok(SourceInfo::default()) })
    }
    fn initial_cursors(&self) -> SourceFuture<'_, Cursors> {
        Box::pin(async { Ok(Cursors([("memory".to_owned(), "0".to_owned())].into())) })
    }
    fn changes<'a>(&'a self, cursors: &'a Cursors, _limit: usize) -> SourceFuture<'a, Captured> {
        Box::pin(async {
            Ok(Captured {
                cursors: cursors.clone(),
                ..Captured::default()
            })
        })
    }
    fn acknowledge<'a>(&'a self, _cursors: &'a Cursors) -> SourceFuture<'a, ()> {
        Box::pin(async { Ok(()) })
    }
    fn read_orders<'a>(&'a self, ids: &'a [OrderId]) -> SourceFuture<'a, Vec<ReadOrder>> {
        Box::pin(async move {
            if let Some(left) = self.reads_left.lock().unwrap().as_mut() {
                let down = || SourceError::Unavailable {
                    message: "made up".to_owned(),
                };
                *left = left.checked_sub(1).ok_or_else(down)?;
            }
            self.read.fetch_add(ids.len() as u64, Ordering::SeqCst);
            let (orders, broken) = (self.orders.lock().unwrap(), self.broken.lock().unwrap());
            let read = |id: &OrderId| match broken.contains(id) {
                true => Some(ReadOrder::Unreadable {
                    id: *id,
                    reason: "made up".to_owned(),
                }),
                false => orders
                    .get(id)
                    .map(|order| ReadOrder::Whole(Box::new(order.clone()))),
            };
            Ok(ids.iter().filter_map(read).collect())
        })
    }
    fn order_ids<'a>(
        &'a self,
        _filter: &'a OrderFilter,
        below: Option<OrderId>,
        limit: usize,
    ) -> SourceFuture<'a, Vec<OrderId>> {
        let ids = self
            .orders
            .lock()
            .unwrap()
            .keys()
            .rev()
            .filter(|id| below.is_none_or(|b| **id < b))
            .copied()
            .collect();
        Box::pin(async move {
            let mut ids: Vec<_> = ids;
            ids.truncate(limit);
            Ok(ids)
        })
    }
    fn id_range<'a>(&'a self, _filter: &'a OrderFilter) -> SourceFuture<'a, Option<(OrderId, OrderId)>> {
        Box::pin(async { Ok(None) })
    }
    fn count_orders<'a>(&'a self, _filter: &'a OrderFilter) -> SourceFuture<'a, u64> {
        Box::pin(async { Ok(self.orders.lock().unwrap().len() as u64) })
    }
    fn find_by_number<'a>(&'a self, _number: &'a str) -> SourceFuture<'a, Vec<OrderId>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

struct House {
    _dir: tempfile::TempDir,
    store: Store,
    source: Arc<Memory>,
    indexer: Indexer,
    config: watch::Sender<Arc<Config>>,
}

/// A store, a source with orders 1 to `orders`, an indexer with batches of two.
async fn house(orders: OrderId) -> House {
    let (dir, store) = testing::fresh();
    let mut config = Config::default();
    let datastream = "ebebf826-a01f-4458-8cec-ef61de241c93".parse().unwrap();
    config
        .websites
        .insert("base".to_owned(), Website::sending_to(datastream));
    config.index.batch_size = 2;
    let source = Arc::new(Memory::default());
    for id in 1..=orders {
        source.orders.lock().unwrap().insert(id, order(id));
    }
    let (sender, config) = watch::channel(Arc::new(config));
    let indexer = Indexer::new(store.clone(), source.clone(), Clock::manual(NOW), config);
    store
        .write(Durability::Durable, |w| w.init_view(ViewMode::Schedule, NOW))
        .await
        .unwrap();
    House {
        _dir: dir,
        store,
        source,
        indexer,
        config: sender,
    }
}

fn order(id: OrderId) -> Order {
    Order {
        id,
        number: format!("{id:09}"),
        state: "new".to_owned(),
        created_at: UtcMillis::from_secs(id),
        email: Some(format!("shopper{id}@example.com")),
        scope: Some(Scope {
            website: "base".to_owned(),
            ..Scope::default()
        }),
        ..Order::default()
    }
}

impl House {
    async fn capture(&self, orders: &[OrderId]) {
        let change = |order: &OrderId| Change {
            order: *order,
            table: "sales_order",
            op: ChangeOp::Upsert,
        };
        let changes: Vec<_> = orders.iter().map(change).collect();
        self.store
            .write(Durability::Durable, move |w| w.append_changes(&changes, NOW))
            .await
            .unwrap();
    }

    async fn update(&self) -> Result<ViewUpdate, IndexError> {
        self.indexer.update_view(|| false).await
    }

    async fn reindex(&self, options: BackfillOptions) -> Result<BackfillReport, IndexError> {
        self.indexer.reindex(options, || false, |_| {}).await
    }

    async fn events(&self, order: OrderId) -> usize {
        self.store.read(move |r| r.events_of(order)).await.unwrap().len()
    }

    async fn exported(&self, order: OrderId) -> Option<Exported> {
        let row = self.store.read(move |r| r.feed_row(order)).await.unwrap();
        row.filter(|(_, deleted)| !deleted).map(|(row, _)| row.exported)
    }

    async fn version(&self) -> i64 {
        self.store.read(|r| r.view_version()).await.unwrap()
    }
}

#[tokio::test]
async fn each_batch_is_a_checkpoint_and_only_the_failed_one_is_read_again() {
    let house = house(6).await;
    house.capture(&[1, 2, 3, 4, 5, 6]).await;
    *house.source.reads_left.lock().unwrap() = Some(2);
    assert!(matches!(house.update().await, Err(IndexError::Source(_))));
    assert_eq!(house.version().await, 4);
    *house.source.reads_left.lock().unwrap() = None;
    house.update().await.unwrap();
    assert_eq!(house.version().await, 6);
    assert_eq!(
        house.source.read.load(Ordering::SeqCst),
        6,
        "no order was read twice"
    );
    let view = house.store.read(|r| r.view_state()).await.unwrap().unwrap();
    assert_eq!(view.status, ViewStatus::Idle);
}

#[tokio::test]
async fn an_unchanged_order_costs_nothing_and_makes_no_second_event() {
    let house = house(1).await;
    house.capture(&[1]).await;
    assert_eq!(house.update().await.unwrap().indexed.events, 1);
    house
        .source
        .orders
        .lock()
        .unwrap()
        .get_mut(&1)
        .unwrap()
        .updated_at = NOW;
    house.capture(&[1, 1]).await;
    let again = house.update().await.unwrap().indexed;
    assert_eq!((again.orders, again.changed, again.events), (1, 0, 0));
    assert_eq!(house.events(1).await, 1);
}

#[tokio::test]
async fn one_unreadable_order_is_retried_alone_while_the_others_go_on() {
    let house = house(4).await;
    house.source.broken.lock().unwrap().push(2);
    house.capture(&[1, 2, 3, 4]).await;
    let update = house.update().await.unwrap().indexed;
    assert_eq!((update.failed, update.events), (1, 3));
    assert_eq!(house.version().await, 4);
    let failure = house.store.read(|r| r.index_failure(2)).await.unwrap().unwrap();
    assert_eq!((failure.attempts, failure.reason.as_str()), (1, "made up"));
    house.source.broken.lock().unwrap().clear();
    assert_eq!(
        house.indexer.retry_failures().await.unwrap(),
        Indexed::default(),
        "not due yet"
    );
    house.indexer.clock.set(NOW.plus_millis(60_000));
    assert_eq!(house.indexer.retry_failures().await.unwrap().events, 1);
    assert_eq!(house.store.read(|r| r.index_failure_count()).await.unwrap(), 0);
}

#[tokio::test]
async fn a_backfill_that_was_interrupted_goes_on_where_it_was() {
    let house = house(7).await;
    *house.source.reads_left.lock().unwrap() = Some(2);
    assert!(matches!(
        house.reindex(BackfillOptions::default()).await,
        Err(IndexError::Source(_))
    ));
    let status = || async {
        house
            .store
            .read(|r| r.indexer_state())
            .await
            .unwrap()
            .unwrap()
            .status
    };
    assert_eq!(status().await, IndexerStatus::Invalid);
    assert_eq!(
        (house.events(7).await, house.events(3).await),
        (1, 0),
        "newest first"
    );
    *house.source.reads_left.lock().unwrap() = None;
    house.reindex(BackfillOptions::default()).await.unwrap();
    assert_eq!(status().await, IndexerStatus::Valid);
    assert_eq!(
        house.source.read.load(Ordering::SeqCst),
        7,
        "no order was read twice"
    );
    assert_eq!(house.events(1).await, 1);
}

#[tokio::test]
async fn old_history_has_a_feed_row_and_no_events_until_it_changes() {
    let house = house(4).await;
    house.limit_history(UtcMillis::from_secs(3)).await;
    house
        .reindex(BackfillOptions {
            reach: Reach::History,
            ..BackfillOptions::default()
        })
        .await
        .unwrap();
    assert_eq!(house.exported(2).await, Some(Exported::BeforeHistory));
    assert_eq!((house.events(2).await, house.events(3).await), (0, 1));
    house.capture(&[2]).await;
    house.update().await.unwrap();
    assert_eq!(
        (house.exported(2).await, house.events(2).await),
        (Some(Exported::Yes), 1)
    );
    house
        .reindex(BackfillOptions {
            reach: Reach::History,
            ..BackfillOptions::default()
        })
        .await
        .unwrap();
    assert_eq!(
        house.exported(2).await,
        Some(Exported::Yes),
        "what was exported stays so"
    );
}

#[tokio::test]
async fn orders_that_are_gone_are_marked_by_changelog_and_backfill() {
    let house = house(5).await;
    house.reindex(BackfillOptions::default()).await.unwrap();
    for gone in [2, 4] {
        house.source.orders.lock().unwrap().remove(&gone);
    }
    house.capture(&[2]).await;
    assert_eq!(house.update().await.unwrap().indexed.deleted, 1);
    assert_eq!(
        (house.exported(2).await, house.exported(4).await),
        (None, Some(Exported::Yes))
    );
    house.reindex(BackfillOptions::default()).await.unwrap();
    assert_eq!(house.exported(4).await, None);
    assert_eq!(house.exported(5).await, Some(Exported::Yes));
}

#[tokio::test]
async fn a_suspended_view_keeps_its_backlog() {
    let house = house(1).await;
    house.capture(&[1]).await;
    house
        .store
        .write(Durability::Durable, |w| {
            w.set_view_status(ViewStatus::Suspended, NOW)
        })
        .await
        .unwrap();
    assert!(matches!(house.update().await, Err(IndexError::Suspended)));
    assert_eq!(house.version().await, 0);
}

#[tokio::test]
async fn a_forced_resync_sends_delivered_events_again_with_their_frozen_bytes() {
    use crate::store::outbox::{EdgeAnswer, Settled};
    let house = house(1).await;
    house.reindex(BackfillOptions::default()).await.unwrap();
    let batch = house
        .store
        .read(|r| r.ready_batches(1, NOW, &Default::default(), 9))
        .await
        .unwrap()[0]
        .id;
    let before = house
        .store
        .read(move |r| r.batch_body(batch))
        .await
        .unwrap()
        .unwrap();
    let settled = Settled {
        id: batch,
        website: 1,
        kinds: before.kinds(),
    };
    let settle =
        move |w: &mut crate::store::Writer<'_>| w.settle_delivered(&[settled], &EdgeAnswer::default());
    house.store.write(Durability::Durable, settle).await.unwrap();
    house.source.orders.lock().unwrap().get_mut(&1).unwrap().email = Some("other@example.com".to_owned());
    let plain = house
        .indexer
        .resync(BackfillOptions::default(), || false, |_| {})
        .await
        .unwrap();
    assert_eq!(
        plain.indexed.events, 0,
        "a plain resync sends nothing that was delivered"
    );
    let forced = BackfillOptions {
        resend: true,
        ..BackfillOptions::default()
    };
    assert_eq!(
        house
            .indexer
            .resync(forced, || false, |_| {})
            .await
            .unwrap()
            .indexed
            .events,
        1
    );
    let known = house.store.read(|r| r.events_of(1)).await.unwrap();
    assert_eq!((known.len(), known[0].state), (1, EventState::Pending));
    let again = known[0].batch;
    let after = house
        .store
        .read(move |r| r.batch_body(again))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(after.payload, before.payload);
    assert!(
        house
            .store
            .read(|r| r.parked(&ParkedFilter::default(), 1))
            .await
            .unwrap()
            .is_empty()
    );
}
