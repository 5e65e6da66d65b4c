//! Requests on a real store.

use crate::daemon::requests::store::*;
use crate::store::outbox::{Class, EnqueueMode, EventState, NewEvent, OrderEvents, Refusal};
use crate::store::testing;

const NOW: UtcMillis = UtcMillis(1_000_000);
const LIMITS: BatchLimits = BatchLimits {
    bytes: 60_000,
    events: 100,
};

fn on(store: &Store, now: UtcMillis) -> StoreRequests {
    let (_, config) = watch::channel(Arc::default());
    StoreRequests::new(store.clone(), Clock::manual(now), config)
}

async fn started() -> (tempfile::TempDir, Store, StoreRequests) {
    let (dir, store) = testing::fresh();
    store
        .write(Durability::Durable, |w| w.init_view(ViewMode::Schedule, NOW))
        .await
        .unwrap();
    let requests = on(&store, NOW.plus_millis(1));
    (dir, store, requests)
}

/// Parks one event for each of `orders`, of the website `base`.
async fn park(store: &Store, orders: std::ops::Range<i64>) {
    let parked = |website: WebsiteId| {
        move |order: i64| OrderEvents {
            order,
            website,
            class: Class::Live,
            changed_at: NOW,
            backfill: None,
            events: vec![NewEvent {
                kind: 1,
                document: order,
                generation: 0,
                not_before: NOW,
                person: None,
                body: Err(Refusal {
                    code: if order % 2 == 0 { "even" } else { "odd" }.to_owned(),
                    detail: "made up".to_owned(),
                }),
            }],
        }
    };
    store
        .write(Durability::Durable, move |w| {
            let website = w.website_id("base")?;
            let events: Vec<_> = orders.map(parked(website)).collect();
            w.enqueue(&events, EnqueueMode::Insert, LIMITS, NOW)
        })
        .await
        .unwrap();
}

async fn left(store: &Store) -> usize {
    let all = ParkedFilter::default();
    store
        .read(move |r| r.parked(&all, usize::MAX >> 1))
        .await
        .unwrap()
        .len()
}

fn parked(events: u64, missing: u64) -> Outcome {
    Outcome::Parked { events, missing }
}

#[tokio::test]
async fn a_mode_is_set_once_and_wakes_the_indexer() {
    let (_dir, store, requests) = started().await;
    let mut woken = store.subscribe(crate::store::Topic::Changelog);
    woken.mark_unchanged();
    let set = |mode| requests.set_mode(mode);
    let changed = Outcome::Mode {
        from: ViewMode::Schedule,
        to: ViewMode::Realtime,
    };
    assert_eq!(set(ViewMode::Realtime).await.unwrap(), changed);
    assert!(woken.has_changed().unwrap());
    let same = Outcome::Mode {
        from: ViewMode::Realtime,
        to: ViewMode::Realtime,
    };
    assert_eq!(set(ViewMode::Realtime).await.unwrap(), same);
    let view = store.read(|r| r.view_state()).await.unwrap().unwrap();
    assert_eq!(view.mode, ViewMode::Realtime);
}

#[tokio::test]
async fn suspending_the_index_suspends_the_view_until_another_status_is_set() {
    let (_dir, store, requests) = started().await;
    let states = || async {
        let read = |r: &crate::store::Reader<'_>| Ok((r.indexer_state()?, r.view_state()?));
        let (indexer, view) = store.read(read).await.unwrap();
        (indexer.unwrap().status, view.unwrap().status)
    };
    let outcome = requests
        .set_status(Status::Suspended, Some("alice"))
        .await
        .unwrap();
    assert_eq!(
        outcome,
        Outcome::Status {
            from: "invalid".into(),
            to: "suspended".into()
        }
    );
    assert_eq!(states().await, (IndexerStatus::Suspended, ViewStatus::Suspended));
    let author = || store.read(|r: &crate::store::Reader<'_>| r.meta(INDEX_SUSPENDED_BY));
    assert_eq!(author().await.unwrap().as_deref(), Some("alice"));
    requests.set_status(Status::Valid, None).await.unwrap();
    assert_eq!(states().await, (IndexerStatus::Valid, ViewStatus::Idle));
    assert_eq!(author().await.unwrap().as_deref(), Some(""));
    assert_eq!(requests.reset().await.unwrap(), Outcome::Invalidated);
    assert_eq!(states().await, (IndexerStatus::Invalid, ViewStatus::Idle));
}

#[tokio::test]
async fn requests_on_a_store_that_never_ran_are_refused() {
    let (_dir, store) = testing::fresh();
    let requests = on(&store, NOW);
    let refused = requests.set_mode(ViewMode::Realtime).await.unwrap_err();
    assert_eq!(refused.downcast_ref(), Some(&RequestError::NeverStarted));
    let refused = requests.reset().await.unwrap_err();
    assert_eq!(refused.downcast_ref(), Some(&RequestError::NeverStarted));
}

#[tokio::test]
async fn all_parked_events_are_retried_in_chunks() {
    let (_dir, store, requests) = started().await;
    park(&store, 1..(CHUNK as i64 * 2 + 4)).await;
    let outcome = requests.retry(&Selection::default()).await.unwrap();
    assert_eq!(outcome, parked(CHUNK as u64 * 2 + 3, 0));
    // Events that could not be rendered stay parked until the indexer has processed their orders again.
    assert_eq!(left(&store).await, CHUNK * 2 + 3);
    let waiting = store.read(|r| r.changelog_backlog(0)).await.unwrap();
    assert_eq!(waiting.orders, CHUNK as u64 * 2 + 3);
}

#[tokio::test]
async fn events_parked_before_the_clock_was_set_back_are_retried_too() {
    let (_dir, store, _) = started().await;
    park(&store, 0..3).await;
    let requests = on(&store, NOW.plus_millis(-3_600_000));
    let outcome = requests.retry(&Selection::default()).await.unwrap();
    assert_eq!(outcome, parked(3, 0));
}

#[tokio::test]
async fn a_reset_cancels_an_interrupted_reindex() {
    let (_dir, store, requests) = started().await;
    let begin = |w: &mut Writer<'_>| w.start_backfill(crate::indexer::BackfillKind::Reindex, "{}", 9, NOW);
    store.write(Durability::Durable, begin).await.unwrap();
    requests.reset().await.unwrap();
    assert_eq!(store.read(|r| r.running_backfills()).await.unwrap(), []);
}

#[tokio::test]
async fn a_selection_takes_only_matching_events() {
    let (_dir, store, requests) = started().await;
    park(&store, 1..11).await;
    let odd = SelectionFilter {
        code: Some("odd".into()),
        website: Some("base".into()),
        ..SelectionFilter::default()
    };
    let odd = Selection {
        filter: odd,
        ..Selection::default()
    };
    assert_eq!(requests.discard(&odd, "test").await.unwrap(), parked(5, 0));
    let named = Selection {
        keys: ["2:placed:2", "3:placed:3"]
            .map(|key| key.parse().unwrap())
            .into(),
        ..Selection::default()
    };
    assert_eq!(requests.discard(&named, "test").await.unwrap(), parked(1, 1));
    assert_eq!(left(&store).await, 4);
    let states = store.read(|r| r.events_of(2)).await.unwrap();
    assert_eq!(states[0].state, EventState::Suppressed);
    let unknown = SelectionFilter {
        order: Some("000000099".into()),
        ..SelectionFilter::default()
    };
    let unknown = Selection {
        filter: unknown,
        ..Selection::default()
    };
    let refused = requests.retry(&unknown).await.unwrap_err();
    assert!(refused.to_string().contains("000000099"), "{refused}");
}

#[tokio::test]
async fn delivery_is_paused_and_resumed_for_one_website_or_all() {
    let (_dir, store, requests) = started().await;
    store
        .write(Durability::Durable, |w| {
            w.website_id("base")?;
            w.website_id("shop_de")
        })
        .await
        .unwrap();
    let delivery = |changed: &[&str], unchanged: &[&str]| Outcome::Delivery {
        changed: changed.iter().map(|code| (*code).to_owned()).collect(),
        unchanged: unchanged.iter().map(|code| (*code).to_owned()).collect(),
    };
    assert_eq!(
        requests.switch(Some("base"), Switch::Pause).await.unwrap(),
        delivery(&["base"], &[])
    );
    assert_eq!(
        requests.switch(None, Switch::Pause).await.unwrap(),
        delivery(&["shop_de"], &["base"])
    );
    assert_eq!(
        requests.switch(None, Switch::Resume).await.unwrap(),
        delivery(&["base", "shop_de"], &[])
    );
    let senders = store.read(|r| r.senders()).await.unwrap();
    assert!(senders.iter().all(|sender| sender.state == SenderState::Running));
    let refused = requests
        .switch(Some("basic"), Switch::Pause)
        .await
        .unwrap_err()
        .to_string();
    assert!(refused.contains("known: base, shop_de"), "{refused}");
}
