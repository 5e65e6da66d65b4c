//! The reach of events into the history, and orders that cannot be exported right now.

use super::*;
use crate::store::first_sync::{FirstSyncRow, NewFirstSync, SyncState};
use crate::store::outbox::{SenderRow, SenderState};

const OTHER: &str = "11111111-0000-4000-8000-000000000001";

fn by_history() -> BackfillOptions {
    BackfillOptions {
        reach: Reach::History,
        ..BackfillOptions::default()
    }
}

impl Rig {
    pub(super) async fn limit_history(&self, floor: UtcMillis) {
        let new = NewFirstSync {
            code: "base".to_owned(),
            deadline: NOW,
            floor: Some(floor),
        };
        self.store
            .write(Durability::Durable, move |w| w.enroll_first_syncs(&[new], NOW))
            .await
            .unwrap();
    }

    /// Moves these orders to another website.
    fn move_to(&self, website: &str, orders: &[OrderId]) {
        for (_, order) in self.source.orders.lock().unwrap().iter_mut() {
            if orders.contains(&order.id) {
                order.scope.as_mut().unwrap().website = website.to_owned();
            }
        }
    }

    fn configure(&self, change: impl FnOnce(&mut Config)) {
        self.config.send_modify(|config| change(Arc::make_mut(config)));
    }

    fn add_website(&self, code: &str) {
        let website = Website::sending_to(OTHER.parse().unwrap());
        self.configure(|config| {
            config.websites.insert(code.to_owned(), website);
        });
    }

    fn switch(&self, website: &str, on: bool) {
        self.configure(|config| {
            let website = config.websites.get_mut(website).unwrap();
            website.back_office_events = on;
        });
    }

    async fn sync(&self) -> FirstSyncRow {
        self.store.read(|r| r.first_syncs()).await.unwrap().remove(0)
    }

    async fn backfill_until(&self, stop: impl Fn() -> bool + Sync) -> Result<BackfillReport, IndexError> {
        self.indexer.reindex(by_history(), stop, |_| {}).await
    }

    /// Creates the indexer of another process, some seconds later.
    fn later(&self, seconds: i64) -> Indexer {
        Indexer::new(
            self.store.clone(),
            self.source.clone(),
            Clock::manual(NOW.plus_millis(seconds * 1000)),
            self.config.subscribe(),
        )
    }

    async fn set_sender(&self, code: &'static str, state: SenderState) {
        let set = move |w: &mut crate::store::Writer<'_>| {
            let website = w.website_id(code)?;
            w.set_sender(&SenderRow {
                website,
                state,
                code: "EXEG-0003-400".to_owned(),
                reason: "made up".to_owned(),
                since: NOW,
                until: None,
                failures: 0,
            })
        };
        self.store.write(Durability::Durable, set).await.unwrap();
    }
}

#[tokio::test]
async fn a_website_that_joins_a_running_backfill_has_its_own_history() {
    let rig = rig(6).await;
    rig.move_to("late", &[1, 2, 3, 4]);
    rig.limit_history(UtcMillis(0)).await;
    let stopped = rig.backfill_until(|| true).await;
    assert!(matches!(stopped, Err(IndexError::Stopped)));
    rig.add_website("late");
    let new = NewFirstSync {
        code: "late".to_owned(),
        deadline: NOW,
        floor: Some(UtcMillis::from_secs(3)),
    };
    rig.store
        .write(Durability::Durable, move |w| w.enroll_first_syncs(&[new], NOW))
        .await
        .unwrap();
    rig.backfill_until(|| false).await.unwrap();
    assert_eq!(rig.exported(2).await, Some(Exported::BeforeHistory));
    assert_eq!((rig.events(2).await, rig.events(3).await), (0, 1));
}

#[tokio::test]
async fn history_limits_a_retried_order_that_failed_in_a_backfill_but_not_one_that_failed_live() {
    let rig = rig(4).await;
    rig.limit_history(UtcMillis::from_secs(4)).await;
    rig.source.broken.lock().unwrap().extend([1, 2]);
    rig.reindex(by_history()).await.unwrap();
    rig.capture(&[2]).await;
    rig.update().await.unwrap();
    rig.source.broken.lock().unwrap().clear();
    assert_eq!(rig.later(3600).retry_failures().await.unwrap().failed, 0);
    assert_eq!(rig.exported(1).await, Some(Exported::BeforeHistory));
    assert_eq!((rig.events(1).await, rig.events(2).await), (0, 1));
}

#[tokio::test]
async fn a_backfill_that_skips_orders_of_a_website_is_not_its_first_sync_any_more() {
    let rig = rig(4).await;
    rig.limit_history(UtcMillis(0)).await;
    let stopped = rig.backfill_until(|| true).await;
    assert!(matches!(stopped, Err(IndexError::Stopped)));
    let backfill = rig.sync().await.backfill;
    assert!(backfill.is_some());
    rig.switch("base", false);
    rig.backfill_until(|| false).await.unwrap();
    let row = rig.sync().await;
    assert_eq!((row.backfill, row.done_orders), (None, 2));
    assert_eq!((rig.events(3).await, rig.events(2).await), (1, 0));
    rig.switch("base", true);
    rig.backfill_until(|| false).await.unwrap();
    let row = rig.sync().await;
    assert!(
        row.backfill > backfill && row.state == SyncState::NotStarted,
        "{row:?}"
    );
    assert_eq!((row.done_orders, row.events), (4, 4));
    assert_eq!((rig.events(3).await, rig.events(2).await), (1, 1));
}

#[tokio::test]
async fn a_first_sync_of_a_website_that_is_off_reads_nothing_and_keeps_its_position() {
    let rig = rig(4).await;
    rig.limit_history(UtcMillis(0)).await;
    let own = || BackfillOptions {
        website: Some("base".to_owned()),
        ..BackfillOptions::default()
    };
    let stopped = rig.indexer.first_sync(own(), || true).await;
    assert!(matches!(stopped, Err(IndexError::Stopped)));
    rig.switch("base", false);
    let off = rig.indexer.first_sync(own(), || false).await;
    assert!(matches!(off, Err(IndexError::SwitchedOff(_))));
    assert_eq!(rig.exported(2).await, None, "it was not read");
    rig.switch("base", true);
    let rest = rig.indexer.first_sync(own(), || false).await.unwrap();
    assert_eq!(rest.indexed.orders, 2, "only the rest");
    let row = rig.sync().await;
    assert_eq!((row.done_orders, row.events), (4, 4));
}

#[tokio::test]
async fn a_blocked_website_fills_up_alone_and_a_reindex_finds_its_orders_once_it_sends_again() {
    let rig = rig(8).await;
    rig.move_to("other", &[5, 6, 7, 8]);
    rig.add_website("other");
    rig.configure(|config| config.delivery.max_pending_events = 2);
    rig.set_sender("base", SenderState::Halted).await;
    rig.capture(&[1, 2]).await;
    rig.update().await.unwrap();
    rig.capture(&[3, 5, 6, 7]).await;
    rig.later(1).update_view(|| false).await.unwrap();
    assert_eq!((rig.events(3).await, rig.events(5).await), (0, 1));
    assert_eq!(rig.exported(3).await, Some(Exported::OutboxFull));
    rig.set_sender("base", SenderState::Running).await;
    rig.configure(|config| config.delivery.max_pending_events = 1000);
    rig.capture(&[8]).await;
    rig.later(2).update_view(|| false).await.unwrap();
    let state = rig.store.read(|r| r.indexer_state()).await.unwrap().unwrap();
    assert_eq!(state.status, IndexerStatus::Invalid, "a reindex is due");
    let again = rig.later(3);
    again.reindex(by_history(), || false, |_| {}).await.unwrap();
    assert_eq!(
        (rig.events(3).await, rig.exported(3).await),
        (1, Some(Exported::Yes))
    );
}
