//! Tests of the indexer against a source in memory.

mod beside_live;
mod births;
mod large;
mod reach;
mod repeats;
mod resend;
mod stored_options;
mod unrendered;

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

/// Orders in memory. Those in `broken` exist but cannot be parsed; all reads fail after `reads_left` batches.
#[derive(Default)]
struct Memory {
    orders: Mutex<BTreeMap<OrderId, Order>>,
    broken: Mutex<Vec<OrderId>>,
    reads_left: Mutex<Option<u64>>,
    /// Number of orders that fit into memory together.
    fit: Mutex<Option<usize>>,
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
            if let Some(fit) = self.fit.lock().unwrap().filter(|fit| ids.len() > *fit) {
                return Err(SourceError::TooLarge { fit });
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

struct Rig {
    _dir: tempfile::TempDir,
    store: Store,
    source: Arc<Memory>,
    indexer: Indexer,
    config: watch::Sender<Arc<Config>>,
}

/// Creates a store, a source with orders 1 to `orders`, and an indexer with batches of two.
async fn rig(orders: OrderId) -> Rig {
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
    Rig {
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

impl Rig {
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
    let rig = rig(6).await;
    rig.capture(&[1, 2, 3, 4, 5, 6]).await;
    *rig.source.reads_left.lock().unwrap() = Some(2);
    assert!(matches!(rig.update().await, Err(IndexError::Source(_))));
    assert_eq!(rig.version().await, 4);
    *rig.source.reads_left.lock().unwrap() = None;
    rig.update().await.unwrap();
    assert_eq!(rig.version().await, 6);
    assert_eq!(
        rig.source.read.load(Ordering::SeqCst),
        6,
        "no order was read twice"
    );
    let view = rig.store.read(|r| r.view_state()).await.unwrap().unwrap();
    assert_eq!(view.status, ViewStatus::Idle);
}

#[tokio::test]
async fn an_unchanged_order_makes_no_second_event() {
    let rig = rig(1).await;
    rig.capture(&[1]).await;
    assert_eq!(rig.update().await.unwrap().indexed.events, 1);
    rig.source.orders.lock().unwrap().get_mut(&1).unwrap().updated_at = NOW;
    rig.capture(&[1, 1]).await;
    let again = rig.update().await.unwrap().indexed;
    assert_eq!((again.orders, again.changed, again.events), (1, 0, 0));
    assert_eq!(rig.events(1).await, 1);
}

#[tokio::test]
async fn one_unreadable_order_is_retried_alone_while_the_others_continue() {
    let rig = rig(4).await;
    rig.source.broken.lock().unwrap().push(2);
    rig.capture(&[1, 2, 3, 4]).await;
    let update = rig.update().await.unwrap().indexed;
    assert_eq!((update.failed, update.events), (1, 3));
    assert_eq!(rig.version().await, 4);
    let failure = rig.store.read(|r| r.index_failure(2)).await.unwrap().unwrap();
    assert_eq!((failure.attempts, failure.reason.as_str()), (1, "made up"));
    rig.source.broken.lock().unwrap().clear();
    assert_eq!(
        rig.indexer.retry_failures().await.unwrap(),
        Indexed::default(),
        "not due yet"
    );
    rig.indexer.clock.set(NOW.plus_millis(60_000));
    assert_eq!(rig.indexer.retry_failures().await.unwrap().events, 1);
    assert_eq!(rig.store.read(|r| r.index_failure_count()).await.unwrap(), 0);
}

#[tokio::test]
async fn an_interrupted_backfill_resumes_where_it_stopped() {
    let rig = rig(7).await;
    *rig.source.reads_left.lock().unwrap() = Some(2);
    assert!(matches!(
        rig.reindex(BackfillOptions::default()).await,
        Err(IndexError::Source(_))
    ));
    let status = || async {
        rig.store
            .read(|r| r.indexer_state())
            .await
            .unwrap()
            .unwrap()
            .status
    };
    assert_eq!(status().await, IndexerStatus::Invalid);
    assert_eq!((rig.events(7).await, rig.events(3).await), (1, 0), "newest first");
    *rig.source.reads_left.lock().unwrap() = None;
    rig.reindex(BackfillOptions::default()).await.unwrap();
    assert_eq!(status().await, IndexerStatus::Valid);
    assert_eq!(
        rig.source.read.load(Ordering::SeqCst),
        7,
        "no order was read twice"
    );
    assert_eq!(rig.events(1).await, 1);
}

#[tokio::test]
async fn old_history_has_a_feed_row_and_no_events_until_it_changes() {
    let rig = rig(4).await;
    rig.limit_history(UtcMillis::from_secs(3)).await;
    rig.reindex(BackfillOptions {
        reach: Reach::History,
        ..BackfillOptions::default()
    })
    .await
    .unwrap();
    assert_eq!(rig.exported(2).await, Some(Exported::BeforeHistory));
    assert_eq!((rig.events(2).await, rig.events(3).await), (0, 1));
    rig.capture(&[2]).await;
    rig.update().await.unwrap();
    assert_eq!(
        (rig.exported(2).await, rig.events(2).await),
        (Some(Exported::Yes), 1)
    );
    rig.reindex(BackfillOptions {
        reach: Reach::History,
        ..BackfillOptions::default()
    })
    .await
    .unwrap();
    assert_eq!(
        rig.exported(2).await,
        Some(Exported::Yes),
        "what was exported stays so"
    );
}

#[tokio::test]
async fn deleted_orders_are_marked_by_changelog_and_backfill() {
    let rig = rig(5).await;
    rig.reindex(BackfillOptions::default()).await.unwrap();
    for deleted in [2, 4] {
        rig.source.orders.lock().unwrap().remove(&deleted);
    }
    rig.capture(&[2]).await;
    assert_eq!(rig.update().await.unwrap().indexed.deleted, 1);
    assert_eq!(
        (rig.exported(2).await, rig.exported(4).await),
        (None, Some(Exported::Yes))
    );
    rig.reindex(BackfillOptions::default()).await.unwrap();
    assert_eq!(rig.exported(4).await, None);
    assert_eq!(rig.exported(5).await, Some(Exported::Yes));
}

#[tokio::test]
async fn a_suspended_view_keeps_its_backlog() {
    let rig = rig(1).await;
    rig.capture(&[1]).await;
    rig.store
        .write(Durability::Durable, |w| {
            w.set_view_status(ViewStatus::Suspended, NOW)
        })
        .await
        .unwrap();
    assert!(matches!(rig.update().await, Err(IndexError::Suspended)));
    assert_eq!(rig.version().await, 0);
}
